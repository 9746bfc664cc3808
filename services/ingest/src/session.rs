//! A session: one upload under way, as one small object in the unlocked intake bucket, changed only by compare-and-set.
//!
//! It is written before the store's multipart upload is begun, so there is never an upload nobody knows of. What bytes are
//! there is *not* kept here: that is asked of the store ([`crate::progress`]), so any replica resumes. Only of an upload that no
//! request ever brought bytes for (its epoch is zero) it is known that there are none.

use bytes::Bytes;
use custos_domain::{
    ids::{StationId, TenantId, UnitPath, UploadId},
    item::UnifiedCode,
    keys,
    manifest::StoredObject,
};
use custos_platform::vault::{StoreError, Vault, versions::ListedKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{basis::Basis, recall::Recall};

/// One upload of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The upload.
    pub upload: UploadId,
    /// When it began; also in the upload id.
    pub begun: Timestamp,
    /// What it rests on: a signed declaration, or an unsigned client's words.
    #[serde(flatten)]
    pub basis: Basis,
    /// The station's certificate, DER in base64.
    pub station_certificate: String,
    /// Other stations of the agency that declared the same bytes for the same item.
    #[serde(default)]
    pub admitted: Vec<Admitted>,
    /// Key of the original in the originals bucket.
    pub original: String,
    /// The store's multipart upload, once begun; items of one part have none.
    pub multipart: Option<String>,
    /// First date of the lock with which the multipart upload was begun; Complete cannot change it.
    #[serde(default)]
    pub lock_begun: Option<Timestamp>,
    /// Kept in the original's metadata, to know our own object again.
    pub nonce: String,
    /// Raised by each request that brings bytes, before it takes any; a writer that finds a higher one does not commit. While it is
    /// zero the store holds nothing of the upload.
    pub epoch: u64,
    /// Bytes acknowledged: a store that no longer tells of them has lost the upload, for an answered offset never decreases (INV-8).
    /// Parts of an upload without an outboard count by it also when what was computed of them is lost.
    #[serde(default)]
    pub acknowledged: u64,
    /// The outboard, encoded and in base64, when it came along with the declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outboard: Option<String>,
    /// Whether nothing of its item was deposited when it began: then its manifest is created without looking again.
    #[serde(default)]
    pub vacant: bool,
    /// Where it stands.
    pub stage: Stage,
    /// Whether what a lost upload left in the store was dropped, and stated so.
    #[serde(default)]
    pub cleared: bool,
    /// When anything last came for a lost upload; what the store says of the session is the time of its loss.
    #[serde(default)]
    pub touched: Option<Timestamp>,
    /// W3C `traceparent` the item's trace began with.
    pub trace: Option<String>,
}

/// A station that may go on with another one's upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Its unit.
    pub unit: UnitPath,
    /// Itself.
    pub station: StationId,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Waiting for the outboard; an upload without one waits for nothing but its first bytes.
    Declared,
    /// Bytes may come.
    Receiving,
    /// There is a manifest; the session is only an address for its receipt.
    Committed {
        /// The item's code, with the variant if it became one.
        code: UnifiedCode,
        /// The manifest that stands.
        manifest: StoredObject,
    },
    /// The store lost it, or it was given up. A new declaration begins a new upload.
    Lost {
        /// Why.
        reason: String,
    },
}

impl Session {
    /// The agency whose item it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        self.basis.origin().tenant
    }

    /// Bytes declared.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.basis.length()
    }
}

/// A session as read, with what is needed to replace it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The session.
    pub session: Session,
    etag: String,
}

impl Held {
    /// Whether it is what a listing showed, so that the time listed is this state's.
    #[must_use]
    pub fn is_listed(&self, listed: &ListedKey) -> bool {
        // Some servers list tags without their quotes.
        self.etag.trim_matches('"') == listed.etag.trim_matches('"')
    }
}

/// The moment an upload began, as its id (UUIDv7, RFC 9562) tells; none for an id that is not ours.
#[must_use]
pub fn begun(upload: &UploadId) -> Option<Timestamp> {
    let (seconds, nanos) = uuid::Uuid::parse_str(upload.as_str()).ok()?.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
}

/// Sessions in the intake bucket.
#[derive(Debug, Clone)]
pub struct Sessions {
    vault: Vault,
    recall: Recall,
}

impl Sessions {
    /// Sessions of this store.
    #[must_use]
    pub fn new(vault: Vault) -> Self {
        Self { vault, recall: Recall::default() }
    }

    /// What this process remembers of sessions.
    pub(crate) fn recall(&self) -> &Recall {
        &self.recall
    }

    /// Writes a new session.
    pub async fn create(&self, session: &Session) -> Result<Held, StoreError> {
        let key = keys::session(&session.upload, session.begun);
        let etag = self.vault.create(self.bucket(), &key, encode(session)).await?;
        let held = Held { session: session.clone(), etag };
        self.recall.learn(&held);
        Ok(held)
    }

    /// The session of an upload, when there is one.
    pub async fn load(&self, upload: &UploadId) -> Result<Option<Held>, StoreError> {
        let Some(begun) = begun(upload) else { return Ok(None) };
        let held = self.load_key(&keys::session(upload, begun)).await?;
        match &held {
            Some(held) => self.recall.learn(held),
            None => self.recall.forget(upload),
        }
        Ok(held)
    }

    /// The session as this process last saw it, or from the store. For what then writes with it as the condition.
    pub async fn last_seen(&self, upload: &UploadId) -> Result<Option<Held>, StoreError> {
        match self.recall.session(upload) {
            Some(held) => Ok(Some(held)),
            None => self.load(upload).await,
        }
    }

    /// The session at this key.
    pub async fn load_key(&self, key: &str) -> Result<Option<Held>, StoreError> {
        let Some(document) = self.vault.read_latest(self.bucket(), key).await? else { return Ok(None) };
        let session = serde_json::from_slice(&document.bytes).map_err(|e| unreadable(key, &e))?;
        Ok(Some(Held { session, etag: document.etag }))
    }

    /// Replaces a session if nobody did so since it was read; [`StoreError::Precondition`] when somebody did.
    pub async fn replace(&self, held: &Held, session: Session) -> Result<Held, StoreError> {
        let key = keys::session(&session.upload, session.begun);
        let replaced = self.vault.replace(self.bucket(), &key, encode(&session), &held.etag).await;
        // Refused, or perhaps carried out and not answered: what is remembered is old either way.
        let etag = replaced.inspect_err(|_| self.recall.forget(&held.session.upload))?;
        let held = Held { session, etag };
        self.recall.learn(&held);
        Ok(held)
    }

    /// Applies `change` to the newest state of a session, again and again while others change it too.
    pub async fn update(&self, upload: &UploadId, change: impl Fn(&mut Session)) -> Result<Option<Held>, StoreError> {
        loop {
            let Some(held) = self.last_seen(upload).await? else { return Ok(None) };
            let mut session = held.session.clone();
            change(&mut session);
            match self.replace(&held, session).await {
                // A session that ended was forgotten by its reaper on another replica.
                Err(StoreError::Precondition { .. } | StoreError::NotFound { .. }) => {}
                other => return other.map(Some),
            }
        }
    }

    /// Makes `session` the upload of its item and bytes, or answers the upload that already is.
    ///
    /// `over` names a lost upload that may be displaced.
    pub async fn claim(&self, session: &Session, over: Option<&UploadId>) -> Result<UploadId, StoreError> {
        let key = session.basis.claim();
        let claim = encode(&Claim { upload: session.upload.clone() });
        let written = match over {
            None => self.vault.create(self.bucket(), &key, claim).await,
            Some(lost) => match self.read_claim(&key).await? {
                None => self.vault.create(self.bucket(), &key, claim).await,
                Some((standing, etag)) if standing == *lost => {
                    self.vault.replace(self.bucket(), &key, claim, &etag).await
                }
                Some((standing, _)) => return Ok(standing),
            },
        };
        match written {
            Ok(_) => Ok(session.upload.clone()),
            // Another dock was faster by a moment: theirs stands.
            Err(StoreError::Precondition { operation }) => {
                self.read_claim(&key).await?.map(|(upload, _)| upload).ok_or(StoreError::Precondition { operation })
            }
            Err(error) => Err(error),
        }
    }

    /// The upload that is bringing these bytes for this item.
    pub async fn claimed(&self, basis: &Basis) -> Result<Option<UploadId>, StoreError> {
        Ok(self.read_claim(&basis.claim()).await?.map(|(upload, _)| upload))
    }

    /// Forgets a session that ended, with its claim when that is still its own. The claim first: a claim without a session is
    /// met by nobody's walk.
    pub async fn forget(&self, session: &Session) -> Result<(), StoreError> {
        self.recall.forget(&session.upload);
        let claim = session.basis.claim();
        if self.read_claim(&claim).await?.is_some_and(|(upload, _)| upload == session.upload) {
            self.vault.discard_intake(&claim).await?;
        }
        self.vault.discard_intake(&keys::session(&session.upload, session.begun)).await
    }

    async fn read_claim(&self, key: &str) -> Result<Option<(UploadId, String)>, StoreError> {
        let Some(document) = self.vault.read_latest(self.bucket(), key).await? else { return Ok(None) };
        let claim: Claim = serde_json::from_slice(&document.bytes).map_err(|e| unreadable(key, &e))?;
        Ok(Some((claim.upload, document.etag)))
    }

    fn bucket(&self) -> &str {
        &self.vault.buckets().intake
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    upload: UploadId,
}

/// A document of ours as bytes.
fn encode<T: Serialize>(value: &T) -> Bytes {
    // Structs of strings and numbers always serialise.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn unreadable(key: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Refused {
        operation: "GetObject",
        code: "UnreadableDocument".to_owned(),
        detail: format!("{key}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A session as written before there were unsigned clients.
    #[test]
    fn sessions_from_before_are_read() {
        let old = json!({
            "upload": "0192-ab", "begun": "2026-11-23T00:00:00Z",
            "envelope": { "payloadType": "t", "payload": "e30=", "signatures": [] },
            "declaration": {
                "tenant": "E", "unit": "NANJING", "station": "S1", "docking": "d", "kind": "video", "device": "D1",
                "officer": null, "recording": "R1", "segment": 0, "file_name": "a.mp4", "naming_rule": null,
                "key_file": false, "length": 7, "root": "00".repeat(32), "crc": "00000000000000ab",
                "started_at_device": null, "clock": null, "declared_at": "2026-11-23T00:00:00Z"
            },
            "station_certificate": "AA==", "shared_with": ["S2"], "original": "footage/1", "multipart": null,
            "lock_begun": null, "nonce": "n", "epoch": 3, "stage": { "stage": "receiving" }, "trace": null
        });
        let session: Session = serde_json::from_value(old).expect("an old session");
        assert!(matches!(session.basis, Basis::Declared { .. }));
        assert_eq!((session.length(), session.epoch, session.acknowledged), (7, 3, 0));
        let again: Session = serde_json::from_slice(&encode(&session)).expect("as written now");
        assert_eq!(again, session);
    }
}
