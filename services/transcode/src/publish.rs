//! Derivatives into the derived bucket, their record last: who finds the record finds all it names.

use std::path::Path;

use bytes::Bytes;
use custos_domain::{
    digest::Root,
    item::{ItemKey, UnifiedCode},
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_platform::vault::{StoreError, Vault};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::media::{Derivation, Outcome};

/// What was derived from an original, with which tool and arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The item.
    pub code: UnifiedCode,
    /// The version it was derived from.
    pub original: StoredObject,
    /// BLAKE3 of that version.
    pub root: Root,
    /// When.
    pub derived_at: Timestamp,
    /// Outcome, technical metadata, outputs, tool and arguments.
    #[serde(flatten)]
    pub derivation: Derivation,
}

/// Why derivatives could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scratch folder.
    #[error("cannot read a derivative: {0}")]
    Scratch(#[from] std::io::Error),
    /// The record cannot be written as JSON.
    #[error("cannot encode the derivation's record: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The record of an earlier derivation of this very version, and where it lies.
pub async fn published(vault: &Vault, manifest: &Manifest) -> Result<Option<(Record, StoredObject)>, PublishError> {
    let key = keys::derivation(manifest.code.key());
    let Some(document) = vault.read_latest(&vault.buckets().derived, &key).await? else { return Ok(None) };
    // An unreadable or outdated record is not worth an error: everything here can be made again.
    let record = serde_json::from_slice(&document.bytes).ok();
    Ok(record.filter(|record: &Record| record.original == manifest.original).map(|record| (record, document.object)))
}

/// Uploads every output, then the record.
pub async fn publish(
    vault: &Vault,
    record: &Record,
    out: &Path,
    progress: &(impl Fn() + Sync),
) -> Result<StoredObject, PublishError> {
    let (bucket, item): (_, &ItemKey) = (&vault.buckets().derived, record.code.key());
    for output in &record.derivation.outputs {
        let key = format!("{}{}", keys::derived(item), output.name);
        vault.write_file(bucket, &key, &output.path(out), &output.content_type, progress).await?;
    }
    let bytes = Bytes::from(serde_json::to_vec_pretty(record)?);
    Ok(vault.write(bucket, &keys::derivation(item), bytes, "application/json").await?)
}

/// The outcome's name and words, as the fact and the catalogue carry them.
pub fn outcome(record: &Record) -> (String, Option<String>) {
    match &record.derivation.outcome {
        Outcome::Playable { .. } => ("playable".to_owned(), None),
        Outcome::StillImage => ("still_image".to_owned(), None),
        Outcome::Undecodable { reason, detail } => ("undecodable".to_owned(), Some(words(reason, detail))),
        Outcome::ExceededLimits { limit, detail } => ("exceeded_limits".to_owned(), Some(words(limit, detail))),
    }
}

fn words(reason: &impl Serialize, detail: &str) -> String {
    let reason = serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    if detail.is_empty() { reason } else { format!("{reason}: {detail}") }
}
