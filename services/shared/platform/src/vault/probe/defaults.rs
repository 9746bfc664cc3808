//! A bucket's default retention, and the repair that rests on it.

use bytes::Bytes;

use super::{
    Check, Outcome, Weight, locks,
    scratch::{Lock, Scratch, words},
};
use crate::vault::StoreError;

const SET_DEFAULT: &str =
    "set a default retention of GOVERNANCE for one day on the probe bucket; if it has one, the store does not apply it";

pub(super) const CHECKS: [Check; 3] = [
    Check {
        id: "defaults.put",
        tried: "PutObject without lock headers: the bucket's default retention applies",
        weight: Weight::Advisory,
        why: "the net below INV-2: everything Custos stores in a locked bucket names its own date",
        remedy: SET_DEFAULT,
        trial: |scratch| Box::pin(put(scratch)),
    },
    Check {
        id: "defaults.multipart",
        tried: "a multipart upload without lock headers: the bucket's default retention applies",
        weight: Weight::Repair,
        why: "INV-2: in repair mode it is what locks an original between Complete and repair",
        remedy: SET_DEFAULT,
        trial: |scratch| Box::pin(multipart(scratch)),
    },
    Check {
        id: "defaults.repair",
        tried: "PutObjectRetention after Complete: COMPLIANCE is read back exactly, and the version cannot be deleted",
        weight: Weight::Repair,
        why: "INV-2, INV-3: how repair mode locks an original before its manifest and receipt",
        remedy: "give the probe bucket a default retention in GOVERNANCE mode; if it has that, use another store: this one cannot be repaired",
        trial: |scratch| Box::pin(repair(scratch)),
    },
];

async fn put(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let object = scratch.put(&scratch.key("default-put"), None, false).await?;
    Ok(applied(scratch.lock(&object).await?))
}

async fn multipart(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("default-multipart");
    let upload_id = scratch.vault.begin_plain(scratch.bucket(), &key, "application/octet-stream").await?;
    let object = scratch.finish(&key, &upload_id, Bytes::from_static(b"one part")).await?;
    Ok(applied(scratch.lock(&object).await?))
}

/// A default lasts a day at the least; bypassing it, as nobody can with the COMPLIANCE default of the originals, keeps the lock short.
async fn repair(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("repair");
    let upload_id = scratch.vault.begin_plain(scratch.bucket(), &key, "application/octet-stream").await?;
    let object = scratch.finish(&key, &upload_id, Bytes::from_static(b"one part")).await?;
    let until = scratch.soon();
    if let Err(error) = scratch.vault.change_probe_lock(&object, true, until, true).await {
        return if error.is_permanent() { Ok(Outcome::broken(error.to_string())) } else { Err(error) };
    }
    match locks::reads_back(scratch, &object, until).await? {
        Outcome::Kept { seen } => {
            let refused = scratch.refused(until, scratch.vault.discard_probe(&object, true)).await?;
            Ok(if refused {
                Outcome::kept(seen)
            } else {
                Outcome::broken(format!("{seen}, yet the version was deleted"))
            })
        }
        broken => Ok(broken),
    }
}

fn applied(lock: Option<Lock>) -> Outcome {
    Outcome::when(lock.is_some(), words(lock))
}
