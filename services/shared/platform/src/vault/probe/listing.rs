//! Listings: what is there must be listed, in an order that tells the oldest.

use custos_domain::manifest::StoredObject;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::StoreError;

pub(super) const CHECKS: [Check; 2] = [
    Check {
        id: "listing.versions",
        tried: "three versions of a key: listed at once, the newest first",
        weight: Weight::Mandatory,
        why: "INV-7: of a create-only key the oldest version is the truth (ADR 3)",
        remedy: "use another store, or another release of it",
        trial: |scratch| Box::pin(versions(scratch)),
    },
    Check {
        id: "listing.delete-marker",
        tried: "a delete marker over a version: both are listed, and the version is found",
        weight: Weight::Mandatory,
        why: "INV-7: a delete marker hides nothing, and is an alarm on a locked key",
        remedy: "use another store, or another release of it",
        trial: |scratch| Box::pin(delete_marker(scratch)),
    },
];

async fn versions(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("versions");
    let mut written: Vec<StoredObject> = Vec::new();
    for _ in 0..3 {
        written.push(scratch.put(&key, Some(scratch.soon()), false).await?);
    }
    let oldest = scratch.vault.first_version(scratch.bucket(), &key).await?;
    let listed = scratch.versions(&key).await?;
    let newest_first: Vec<String> = written.iter().rev().map(|object| object.version.clone()).collect();
    Ok(if listed == newest_first && oldest.as_ref() == written.first() {
        Outcome::kept("newest first, and the oldest is found")
    } else {
        Outcome::broken(format!("written, newest first: {newest_first:?}; listed: {listed:?}"))
    })
}

async fn delete_marker(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("delete-marker");
    let object = scratch.put(&key, Some(scratch.soon()), false).await?;
    scratch.vault.hide_probe(&key).await?;
    let page = scratch.vault.versions(scratch.bucket(), &key, None).await?;
    let found = page.objects.contains(&object);
    let told = page.disturbed.contains(&key);
    let seen = match (found, told) {
        (true, true) => "version and delete marker are listed",
        (true, false) => "the delete marker is not listed",
        (false, _) => "the version is not listed",
    };
    Ok(Outcome::when(found && told, seen))
}
