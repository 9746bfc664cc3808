//! What a lost or restored database does not know of stations, from the custody log: certificates, without which they could not be
//! revoked, and who was shut out.

use custos_domain::{
    dsse::KeyId,
    fact::{Act, Actor, Fact},
    ids::PersonId,
    keys,
};
use custos_platform::vault::StoreError;
use jiff::Timestamp;
use sqlx::PgTransaction;

use crate::{Stations, authority::Issued, error::StationsError, ledger::stations::Station};

/// What the facts say of one certificate.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    issued: Issued,
    replaces: Option<String>,
    revoked_at: Option<Timestamp>,
}

impl Stations {
    /// The register in the store is newer than this database, which was restored from a copy: brings every station it knows up to
    /// the facts, and voids unused codes, for some may have been used since.
    pub(crate) async fn catch_up(&self, stored: u64, counted: u64, now: Timestamp) -> Result<(), StationsError> {
        for known in self.ledger.every().await? {
            let mut tx = self.ledger.begin().await?;
            let Some(station) = self.ledger.take(&mut tx, &known.tenant, &known.id).await? else { continue };
            self.ledger.void_unused_codes(&mut tx, &station.tenant, &station.id, now).await?;
            let certificates = self.recover(&mut tx, &station).await?;
            tx.commit().await?;
            let (tenant, station) = (&station.tenant, &station.id);
            tracing::warn!(%tenant, %station, certificates, stored, counted, "the database is older than the register");
        }
        Ok(())
    }

    /// Enters the certificates that facts name and this database does not know, and shuts the station out if facts say that it is.
    /// Answers how many certificates.
    pub(crate) async fn recover(&self, tx: &mut PgTransaction<'_>, station: &Station) -> Result<usize, StationsError> {
        let facts = self.facts_of(station).await?;
        if station.revoked.is_none()
            && let Some((by, at, why)) = shut_out(&facts)
        {
            self.ledger.shut_out(tx, station, by, at, why).await?;
        }
        let mut entered = 0;
        for Known { issued, replaces, revoked_at } in known(&facts) {
            let new = self.ledger.recover_certificate(tx, station, &issued, replaces.as_deref(), revoked_at).await?;
            entered += usize::from(new);
        }
        Ok(entered)
    }

    async fn facts_of(&self, station: &Station) -> Result<Vec<Fact>, StoreError> {
        let (folder, mut facts, mut cursor) = (keys::station_facts(&station.tenant, &station.id), Vec::new(), None);
        loop {
            let page = self.vault.versions(&self.vault.buckets().log, &folder, cursor).await?;
            for object in &page.objects {
                let document = self.vault.read_document(object).await?;
                match serde_json::from_slice::<Fact>(&document.bytes) {
                    Ok(fact) => facts.push(fact),
                    Err(error) => tracing::warn!(key = object.key, %error, "a fact that this release cannot read"),
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        facts.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(facts)
    }
}

/// Every certificate that facts, in order of time, name.
fn known(facts: &[Fact]) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for fact in facts {
        let issued = |serial: &str, key: KeyId, until: Timestamp| Issued {
            serial: serial.to_owned(),
            key,
            from: fact.at,
            until,
            // Only the fact is left of it: it can be revoked, not handed out again.
            pem: String::new(),
        };
        match &fact.act {
            Act::StationEnrolled { certificate: c } => {
                known.push(Known { issued: issued(&c.serial, c.key, c.until), replaces: None, revoked_at: None });
            }
            Act::StationRenewed { certificate: c, replaces } => {
                let issued = issued(&c.serial, c.key, c.until);
                known.push(Known { issued, replaces: Some(replaces.clone()), revoked_at: None });
            }
            Act::StationRevoked { certificates, .. } => {
                for known in known.iter_mut().filter(|known| certificates.contains(&known.issued.serial)) {
                    known.revoked_at.get_or_insert(fact.at);
                }
            }
            _ => {}
        }
    }
    known
}

/// Who shut the station out, when and why, where it did not enrol again since. `facts` are in order of time.
fn shut_out(facts: &[Fact]) -> Option<(&PersonId, Timestamp, &str)> {
    let of = |act: &Act| matches!(act, Act::StationRevoked { .. } | Act::StationEnrolled { .. });
    match facts.iter().rfind(|fact| of(&fact.act)) {
        Some(Fact { at, actor: Actor::Person { person, .. }, act: Act::StationRevoked { reason, .. }, .. }) => {
            Some((person, *at, reason.as_str()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use custos_domain::fact::IssuedCertificate;

    use super::*;
    use crate::facts;

    #[test]
    fn the_log_says_which_certificates_there_are_and_which_are_revoked() {
        let at = |second: i64| Timestamp::from_second(second).expect("time");
        let station = Station {
            tenant: "E".parse().expect("tenant"),
            id: "S1".parse().expect("station"),
            unit: "NJ".parse().expect("unit"),
            plain: false,
            registered_by: "e-admin".into(),
            registered_at: at(1),
            revoked: None,
            refused_before: None,
            seen_at: None,
        };
        let certificate =
            |serial: &str| IssuedCertificate { serial: serial.into(), key: KeyId([7; 32]), until: at(900) };
        let person = || Actor::Person { person: "e-admin".parse().expect("person"), unit: "NJ".parse().expect("unit") };
        let fact = |second, act| facts::fact(&station, act, person(), at(second), &second.to_string());
        let facts = [
            fact(1, Act::StationRegistered { plain: false }),
            fact(2, Act::StationEnrolled { certificate: certificate("a1") }),
            fact(3, Act::StationRenewed { certificate: certificate("b2"), replaces: "a1".into() }),
            fact(4, Act::StationRevoked { reason: "stolen".into(), certificates: vec!["a1".into(), "b2".into()] }),
            fact(5, Act::StationEnrolled { certificate: certificate("c3") }),
        ];
        let found = known(&facts);
        let short: Vec<_> =
            found.iter().map(|k| (k.issued.serial.as_str(), k.replaces.as_deref(), k.revoked_at)).collect();
        assert_eq!(short, [("a1", None, Some(at(4))), ("b2", Some("a1"), Some(at(4))), ("c3", None, None)]);
        assert_eq!(shut_out(&facts), None, "it enrolled again");
        let admin = PersonId::parse("e-admin").expect("person");
        assert_eq!(shut_out(&facts[..4]), Some((&admin, at(4), "stolen")));
        assert_eq!(shut_out(&facts[..3]), None);
    }
}
