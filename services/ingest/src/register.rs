//! The register of stations as ingest knows it: read from the store, believed only when a trusted key signed it, never an older
//! one than was seen.

use std::sync::{Arc, PoisonError, RwLock};

use custos_domain::{
    dsse::{Envelope, KeyId},
    keys,
    station::StationRegister,
};
use custos_platform::{
    http::tls::Revocations,
    vault::{StoreError, Vault, documents::Changed},
};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::{error::IngestError, station::Station};

/// What is known of stations.
#[derive(Debug, Default)]
pub(crate) struct Register {
    known: RwLock<Known>,
    /// Whom the register that holds refuses, for ingest's port.
    revocations: watch::Sender<Revocations>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// Whether the store ever answered, if only that there is no register.
    asked: bool,
    /// The ETag of the register that holds.
    etag: Option<String>,
    /// The register that holds.
    register: Option<Arc<StationRegister>>,
}

/// Why a register that lies in the store does not hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be believed.
    #[error("the register of stations in the store is not to be believed: {0}; have it published again")]
    Untrusted(String),
    /// A newer one was seen.
    #[error(
        "the register of stations in the store has number {found}, number {known} was seen: an older one would undo a revocation"
    )]
    Older {
        /// Its number.
        found: u64,
        /// The number of the one that holds.
        known: u64,
    },
    /// It was there and is not any more.
    #[error("the register of stations is gone from the store; going on with number {known}")]
    Gone {
        /// The number of the one that holds.
        known: u64,
    },
}

impl Register {
    /// Looks whether there is another register. One that cannot be believed changes nothing, nor does a store that is away.
    pub(crate) async fn look(&self, vault: &Vault, trusted: &[KeyId]) -> Result<(), RegisterError> {
        let etag = self.read().etag.clone();
        let found = vault.read_changed(&vault.buckets().intake, keys::STATION_REGISTER, etag.as_deref()).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.asked = true;
        match found {
            Changed::Same => Ok(()),
            Changed::Absent => {
                known.etag = None;
                known.register.as_ref().map_or(Ok(()), |r| Err(RegisterError::Gone { known: r.sequence }))
            }
            Changed::New(document) => {
                // One that does not hold is looked at, and complained of, again and again.
                let newer = newer(known.register.as_deref(), &document.bytes, trusted)?;
                known.etag = Some(document.etag);
                tracing::info!(sequence = newer.sequence, stations = newer.stations.len(), "register of stations read");
                self.revocations.send_replace(Revocations::from(&newer));
                known.register = Some(Arc::new(newer));
                Ok(())
            }
        }
    }

    /// Whether the station may deposit without a declaration. Its unit must be the registered one as well.
    pub(crate) fn is_plain(&self, station: &Station) -> Result<bool, IngestError> {
        let known = self.read();
        if !known.asked {
            return Err(IngestError::RegisterUnknown);
        }
        let registered = known.register.as_ref().and_then(|r| r.find(&station.tenant, &station.id).cloned());
        Ok(registered.is_some_and(|r| r.plain && r.unit == station.unit))
    }

    /// Who is refused, now and later.
    pub(crate) fn revocations(&self) -> watch::Receiver<Revocations> {
        self.revocations.subscribe()
    }

    /// Number of the register that holds, and when it was signed.
    pub(crate) fn standing(&self) -> Option<(u64, Timestamp)> {
        self.read().register.as_ref().map(|register| (register.sequence, register.issued_at))
    }

    fn read(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The register in these bytes, when it may take the place of the one that is known.
fn newer(known: Option<&StationRegister>, bytes: &[u8], trusted: &[KeyId]) -> Result<StationRegister, RegisterError> {
    let untrusted = |why: String| RegisterError::Untrusted(why);
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| untrusted(e.to_string()))?;
    let found: StationRegister = envelope.open(trusted).map_err(|e| untrusted(e.to_string()))?;
    match known {
        Some(known) if found.sequence < known.sequence => {
            Err(RegisterError::Older { found: found.sequence, known: known.sequence })
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use custos_domain::{
        ids::{StationId, TenantId, UnitPath},
        station::Registration,
    };
    use ed25519_dalek::SigningKey;

    use super::*;

    fn register(sequence: u64) -> StationRegister {
        StationRegister {
            sequence,
            issued_at: Timestamp::from_second(1_795_000_000).expect("time"),
            stations: vec![Registration {
                tenant: TenantId::parse("E").expect("tenant"),
                unit: UnitPath::parse("NANJING").expect("unit"),
                station: StationId::parse("S1").expect("station"),
                plain: true,
            }],
            revocations: None,
            shut_out: Vec::new(),
        }
    }

    fn signed(sequence: u64, key: &SigningKey) -> Vec<u8> {
        serde_json::to_vec(&Envelope::seal(&register(sequence), key).expect("seal")).expect("json")
    }

    fn station(unit: &str, id: &str) -> Station {
        Station {
            tenant: TenantId::parse("E").expect("tenant"),
            unit: UnitPath::parse(unit).expect("unit"),
            id: StationId::parse(id).expect("station"),
            key: None,
            certificate: String::new(),
        }
    }

    #[test]
    fn only_a_trusted_and_no_older_register_takes_the_place() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let trusted = [KeyId(key.verifying_key().to_bytes())];
        let (known, bytes) = (register(7), |sequence, key| signed(sequence, key));
        assert_eq!(newer(None, &bytes(1, &key), &trusted).expect("first").sequence, 1);
        assert_eq!(newer(Some(&known), &bytes(8, &key), &trusted).expect("newer").sequence, 8);
        assert!(newer(Some(&known), &bytes(7, &key), &trusted).is_ok());
        let older = newer(Some(&known), &bytes(6, &key), &trusted);
        assert!(matches!(older, Err(RegisterError::Older { found: 6, known: 7 })), "{older:?}");
        assert!(matches!(newer(None, &bytes(9, &other), &trusted), Err(RegisterError::Untrusted(_))));
        assert!(matches!(newer(None, &bytes(9, &key), &[]), Err(RegisterError::Untrusted(_))));
        assert!(matches!(newer(None, b"{}", &trusted), Err(RegisterError::Untrusted(_))));
    }

    #[test]
    fn a_station_is_plain_only_by_the_register_and_in_its_unit() {
        let unread = Register::default();
        assert!(matches!(unread.is_plain(&station("NANJING", "S1")), Err(IngestError::RegisterUnknown)));
        let known = |register| Register {
            known: RwLock::new(Known { asked: true, etag: None, register }),
            ..Register::default()
        };
        assert!(!known(None).is_plain(&station("NANJING", "S1")).expect("asked"));
        let known = known(Some(Arc::new(register(1))));
        assert!(known.is_plain(&station("NANJING", "S1")).expect("asked"));
        assert!(!known.is_plain(&station("NANJING/XUANWU", "S1")).expect("asked"));
        assert!(!known.is_plain(&station("NANJING", "S2")).expect("asked"));
    }
}
