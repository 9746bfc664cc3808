//! The register in the store: signed, replaced as a whole, and never with a lower sequence. It is where ingest finds which stations
//! there are and which certificates are revoked, whether or not this service runs.

use bytes::Bytes;
use custos_domain::{
    dsse::Envelope,
    fact::Act,
    keys::STATION_REGISTER,
    station::{Registration, ShutOut, StationRegister},
};
use custos_platform::{http::tls::Revocations, vault::StoreError};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Stations,
    authority::{Revoked, revoked_in},
    error::StationsError,
    facts,
    ledger::stations::Station,
    metrics,
    register::now,
};

/// How often writing is tried when another replica was faster.
const TRIES: u32 = 4;
/// A revoked certificate this database does not know stays on the list this much longer than any certificate is good.
const LINGER: SignedDuration = SignedDuration::from_hours(24);

/// What lies in the store.
struct Stored {
    /// What it says; none where our key did not sign it.
    register: Option<StationRegister>,
    etag: String,
}

/// What is to be in the store.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    stations: Vec<Registration>,
    revoked: Vec<Revoked>,
    shut_out: Vec<ShutOut>,
}

impl Stations {
    /// One round: takes over what the stored register knows and the database does not, and replaces the register if it says
    /// anything else than the database, or is old.
    pub(crate) async fn publish(&self) -> Result<(), StationsError> {
        for _ in 0..TRIES {
            match self.publish_once().await {
                Err(StationsError::Store(StoreError::Precondition { .. })) => {}
                ended => return ended,
            }
        }
        Err(StoreError::Precondition { operation: "PutObject" }.into())
    }

    async fn publish_once(&self) -> Result<(), StationsError> {
        let stored = self.stored().await?;
        let known = stored.as_ref().and_then(|stored| stored.register.as_ref());
        let now = now(self);
        // Looked at after the store: what is there was counted here before it was written.
        let counted = self.ledger.sequence().await?;
        if let Some(known) = known {
            if known.sequence > counted {
                self.catch_up(known.sequence, counted, now).await?;
            }
            self.take_over(known, now).await?;
        }
        let content = self.content(known, now).await?;
        if let Some(known) = known
            && content == Content::of(known)
            // Whoever has seen a newer one does not go back, whatever this one says.
            && known.sequence == counted
            // One from the future would not be signed again until then.
            && now.duration_since(known.issued_at).abs() < self.fresh
        {
            self.tell(known, now);
            return Ok(());
        }
        // Counted before it is written: a register that was signed and perhaps written is never signed again otherwise.
        let sequence = self.ledger.next_sequence(known.map_or(0, |known| known.sequence)).await?;
        let revocations = Some(self.authority.revocations(&content.revoked, sequence, now)?);
        let Content { stations, shut_out, .. } = content;
        let register = StationRegister { sequence, issued_at: now, stations, revocations, shut_out };
        self.write(&register, stored.map(|stored| stored.etag)).await?;
        let (stations, revoked) = (register.stations.len(), content.revoked.len());
        tracing::info!(sequence, stations, revoked, "register published");
        self.tell(&register, now);
        Ok(())
    }

    async fn stored(&self) -> Result<Option<Stored>, StationsError> {
        let document = self.vault.read_latest(&self.vault.buckets().intake, STATION_REGISTER).await?;
        let Some(document) = document else { return Ok(None) };
        let envelope = serde_json::from_slice::<Envelope>(&document.bytes).map_err(|error| error.to_string());
        let opened = envelope.and_then(|envelope| envelope.open(&[self.signer.id()]).map_err(|e| e.to_string()));
        let register = opened.inspect_err(|error| {
            metrics::stranger();
            tracing::error!(%error, "the register in the store is not ours; replacing it, but somebody put it there");
        });
        Ok(Some(Stored { register: register.ok(), etag: document.etag }))
    }

    /// Stations that were registered before this database was: by hand, or in a database that was lost.
    async fn take_over(&self, register: &StationRegister, now: Timestamp) -> Result<(), StationsError> {
        let registered: Vec<Registration> = self.ledger.registered().await?.iter().map(Registration::from).collect();
        // Most of the time nothing is missing, and those shut out are in the database all the same.
        for missing in register.stations.iter().filter(|station| !registered.contains(station)) {
            let station = Station {
                tenant: missing.tenant.clone(),
                id: missing.station.clone(),
                unit: missing.unit.clone(),
                plain: missing.plain,
                registered_by: "register".to_owned(),
                registered_at: now,
                revoked: None,
                refused_before: None,
                seen_at: None,
            };
            let mut tx = self.ledger.begin().await?;
            if self.ledger.add(&mut tx, &station).await? {
                let act = Act::StationRegistered { plain: station.plain };
                facts::put(&mut tx, &facts::fact(&station, act, facts::service(), now, "")).await?;
                let certificates = self.recover(&mut tx, &station).await?;
                tx.commit().await?;
                let (tenant, station) = (&station.tenant, &station.id);
                tracing::info!(%tenant, %station, certificates, "station taken over from the register");
                self.relay.now();
            }
        }
        self.ledger.refuse_listed(&register.shut_out).await?;
        let forgotten = self.ledger.revoke_listed(&Content::of(register).revoked).await?;
        if forgotten > 0 {
            tracing::warn!(
                forgotten,
                "certificates were revoked by the register's list that this database had as good"
            );
        }
        Ok(())
    }

    async fn content(&self, known: Option<&StationRegister>, now: Timestamp) -> Result<Content, StationsError> {
        let stations = self.ledger.registered().await?.iter().map(Registration::from).collect();
        let mut revoked = self.ledger.revoked(now).await?;
        let listed = known.map(|known| Content::of(known).revoked).unwrap_or_default();
        let serials: Vec<String> = listed.iter().map(|revoked| revoked.serial.clone()).collect();
        let ours = self.ledger.ours(&serials).await?;
        // A database that was lost must not let anybody back in.
        let kept = self.lifetime + LINGER;
        let strangers = listed.into_iter().filter(|listed| !ours.contains(&listed.serial));
        revoked.extend(strangers.filter(|listed| now.duration_since(listed.at) < kept));
        revoked.sort();
        let mut shut_out = self.ledger.shut_outs().await?;
        let listed = known.map(|known| known.shut_out.as_slice()).unwrap_or_default();
        let is_known = |listed: &ShutOut| shut_out.iter().any(|known| known.is_of(&listed.tenant, &listed.station));
        let strangers: Vec<ShutOut> = listed.iter().filter(|listed| !is_known(listed)).cloned().collect();
        shut_out.extend(strangers);
        shut_out.sort();
        Ok(Content { stations, revoked, shut_out })
    }

    async fn write(&self, register: &StationRegister, etag: Option<String>) -> Result<(), StationsError> {
        let envelope = serde_json::to_vec(&self.signer.sign(register)?)
            .map_err(|error| custos_domain::dsse::SignatureError::Unreadable(error.to_string()))?;
        let (bucket, bytes) = (&self.vault.buckets().intake, Bytes::from(envelope));
        match etag {
            Some(etag) => self.vault.replace(bucket, STATION_REGISTER, bytes, &etag).await?,
            None => self.vault.create(bucket, STATION_REGISTER, bytes).await?,
        };
        Ok(())
    }

    /// Our own port judges by the same register, and the metrics tell how it stands.
    fn tell(&self, register: &StationRegister, now: Timestamp) {
        metrics::published(register.sequence, now.duration_since(register.issued_at).as_secs_f64());
        let revocations = Revocations::from(register);
        self.revocations.send_if_modified(|known| {
            let differs = *known != revocations;
            *known = revocations;
            differs
        });
    }
}

impl Content {
    fn of(register: &StationRegister) -> Self {
        let mut revoked = register.revocations.as_deref().map(revoked_in).unwrap_or_default();
        revoked.sort();
        Self { stations: register.stations.clone(), revoked, shut_out: register.shut_out.clone() }
    }
}

impl From<&Station> for Registration {
    fn from(station: &Station) -> Self {
        Self {
            tenant: station.tenant.clone(),
            unit: station.unit.clone(),
            station: station.id.clone(),
            plain: station.plain,
        }
    }
}
