//! Dated locks: part of the create call, read back exactly, only ever longer, and nothing gets past them.

use bytes::Bytes;
use custos_domain::manifest::StoredObject;
use jiff::{SignedDuration, Timestamp};

use super::{
    Check, Outcome, Weight,
    scratch::{LOCK, Scratch, words},
};
use crate::vault::StoreError;

const ANOTHER_STORE: &str = "use another store, or another release of it: Custos cannot make up for this";
const GIVE_RIGHTS: &str = "give this service's credential the policy in deploy/s3";

pub(super) const CHECKS: [Check; 10] = [
    Check {
        id: "locks.put-header",
        tried: "PutObject with a COMPLIANCE date: mode and date are read back exactly, by version",
        weight: Weight::Mandatory,
        why: "INV-2, INV-3: items of one part, manifests, seals and facts are locked by the call that creates them",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(put_header(scratch)),
    },
    Check {
        id: "locks.multipart-header",
        tried: "CreateMultipartUpload with a COMPLIANCE date, Complete: mode and date are read back exactly, and the version cannot be deleted",
        weight: Weight::Strict,
        why: "INV-2: there is no moment in which an original exists unlocked; repair mode locks it after Complete instead",
        remedy: "use a store that keeps lock headers on multipart creation; or give the originals bucket a default COMPLIANCE retention and run ingest and retention with CUSTOS_STORE_MODE=repair",
        trial: |scratch| Box::pin(multipart_header(scratch)),
    },
    Check {
        id: "locks.compliance-delete",
        tried: "deleting a version under COMPLIANCE, without and with the right to bypass: refused",
        weight: Weight::Mandatory,
        why: "INV-10: nobody can delete what is locked",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(compliance_delete(scratch)),
    },
    Check {
        id: "locks.governance-delete",
        tried: "deleting a version under GOVERNANCE without bypassing: refused",
        weight: Weight::Advisory,
        why: "Custos locks in COMPLIANCE mode only",
        remedy: "never use GOVERNANCE with this store",
        trial: |scratch| Box::pin(governance_delete(scratch)),
    },
    Check {
        id: "locks.delete-control",
        tried: "deleting a version under GOVERNANCE by bypassing: done",
        weight: Weight::Mandatory,
        why: "the control: a credential that may not delete at all would make every refusal above meaningless",
        remedy: GIVE_RIGHTS,
        trial: |scratch| Box::pin(delete_control(scratch)),
    },
    Check {
        id: "locks.overwrite",
        tried: "another version and a delete marker over a locked one: it stays as it was, by version and as the oldest",
        weight: Weight::Mandatory,
        why: "INV-7: an original is read by version; of a create-only key the oldest version is the truth",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(overwrite(scratch)),
    },
    Check {
        id: "locks.extend",
        tried: "PutObjectRetention with a later date: accepted and read back exactly",
        weight: Weight::Mandatory,
        why: "INV-3: retention extends the floor's lock to what the policy asks for",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(extend(scratch)),
    },
    Check {
        id: "locks.shorten",
        tried: "PutObjectRetention with an earlier date, without and with bypassing: refused",
        weight: Weight::Mandatory,
        why: "INV-3: a lock only grows",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(shorten(scratch)),
    },
    Check {
        id: "locks.downgrade",
        tried: "PutObjectRetention from COMPLIANCE to GOVERNANCE, without and with bypassing: refused",
        weight: Weight::Mandatory,
        why: "INV-3: a GOVERNANCE lock ends with one credential",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(downgrade(scratch)),
    },
    Check {
        id: "locks.past-date",
        tried: "PutObject with a date that is over: refused",
        weight: Weight::Advisory,
        why: "ingest computes dates from a checked clock and reads each lock back (INV-3, INV-11)",
        remedy: "keep the clocks of ingest and the store synchronised",
        trial: |scratch| Box::pin(past_date(scratch)),
    },
];

async fn put_header(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("put-header").await?;
    reads_back(scratch, &object, until).await
}

async fn multipart_header(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (key, until) = (scratch.key("multipart-header"), scratch.soon());
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, until)).await?;
    let object = scratch.finish(&key, &upload_id, Bytes::from_static(b"one part")).await?;
    match reads_back(scratch, &object, until).await? {
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

async fn compliance_delete(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("compliance-delete").await?;
    for (bypass, how) in [(false, "without"), (true, "with")] {
        if !scratch.refused(until, scratch.vault.discard_probe(&object, bypass)).await? {
            return Ok(Outcome::broken(format!("the version was deleted {how} bypassing")));
        }
    }
    scratch.vault.head_version(&object).await?;
    Ok(Outcome::kept("refused, and the version is there"))
}

async fn governance_delete(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let until = scratch.soon();
    let object = scratch.put(&scratch.key("governance-delete"), Some(until), false).await?;
    let refused = scratch.refused(until, scratch.vault.discard_probe(&object, false)).await?;
    Ok(Outcome::when(refused, if refused { "refused" } else { "the version was deleted" }))
}

async fn delete_control(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let object = scratch.put(&scratch.key("delete-control"), Some(scratch.soon()), false).await?;
    match scratch.vault.discard_probe(&object, true).await {
        Ok(()) => {
            let gone = scratch.vault.head_version(&object).await.is_err_and(|error| error.is_not_found());
            Ok(Outcome::when(gone, if gone { "deleted" } else { "the store said yes, and the version is still there" }))
        }
        Err(error) if error.is_permanent() => Ok(Outcome::broken(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn overwrite(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("overwrite").await?;
    let before = scratch.vault.head_version(&object).await?;
    scratch.put(&object.key, Some(until), false).await?;
    scratch.vault.hide_probe(&object.key).await?;
    let after = scratch.vault.head_version(&object).await?;
    let bytes = scratch.vault.read_range(&object, 0, before.length).await?;
    let first = scratch.vault.first_version(scratch.bucket(), &object.key).await?;
    let same = before == after && bytes.as_ref() == b"locked";
    Ok(match first {
        Some(first) if first == object && same => Outcome::kept("the same by version, and the oldest of its key"),
        Some(_) if same => Outcome::broken("another version is listed as the oldest"),
        None if same => Outcome::broken("the key is listed without it"),
        _ => Outcome::broken(format!("it was {before:?} and is {after:?}")),
    })
}

async fn extend(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("extend").await?;
    let later = until + LOCK;
    match scratch.vault.extend_lock(&object, later).await {
        Ok(_) => reads_back(scratch, &object, later).await,
        Err(error) if error.is_permanent() => Ok(Outcome::broken(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn shorten(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("shorten").await?;
    let earlier = until - SignedDuration::from_secs(10);
    for (bypass, how) in [(false, "without"), (true, "with")] {
        let act = scratch.vault.change_probe_lock(&object, true, earlier, bypass);
        if !scratch.refused(until, act).await? {
            return Ok(Outcome::broken(format!(
                "accepted {how} bypassing; now {}",
                words(scratch.lock(&object).await?)
            )));
        }
    }
    reads_back(scratch, &object, until).await
}

async fn downgrade(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("downgrade").await?;
    for (bypass, how) in [(false, "without"), (true, "with")] {
        let act = scratch.vault.change_probe_lock(&object, false, until + LOCK, bypass);
        if !scratch.refused(until, act).await? {
            return Ok(Outcome::broken(format!(
                "accepted {how} bypassing; now {}",
                words(scratch.lock(&object).await?)
            )));
        }
    }
    reads_back(scratch, &object, until).await
}

async fn past_date(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let past = scratch.now() - LOCK;
    match scratch.put(&scratch.key("past-date"), Some(past), false).await {
        Ok(_) => Ok(Outcome::broken("accepted")),
        Err(error) if error.is_permanent() => Ok(Outcome::kept("refused")),
        Err(error) => Err(error),
    }
}

/// Whether a version is locked in COMPLIANCE mode until exactly `until`, by both ways of asking.
pub(super) async fn reads_back(
    scratch: &Scratch,
    object: &StoredObject,
    until: Timestamp,
) -> Result<Outcome, StoreError> {
    let (head, lock) = (scratch.vault.head_version(object).await?, scratch.lock(object).await?);
    let exact = lock.is_some_and(|lock| lock.compliance && lock.until == until);
    Ok(match head.locked_until {
        Some(told) if exact && told == until => Outcome::kept(format!("{}, both ways of asking", words(lock))),
        told if exact => Outcome::broken(format!("GetObjectRetention says {}, HeadObject {told:?}", words(lock))),
        _ => Outcome::broken(format!("asked for COMPLIANCE until {until}, read back {}", words(lock))),
    })
}
