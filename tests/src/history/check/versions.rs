//! INV-7: a create-only key has one version, and everything in a locked bucket was written by one of ours.

use std::collections::{BTreeMap, BTreeSet};

use custos_domain::keys;

use super::Findings;
use crate::history::{Invariant, reading::Reading, world::Version};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    let mut of_key: BTreeMap<(&str, &str), Vec<&Version>> = BTreeMap::new();
    for version in reading.world.locked() {
        of_key.entry((&version.object.bucket, &version.object.key)).or_default().push(version);
    }
    let known = Known::of(reading);
    for ((bucket, key), versions) in of_key {
        let markers = versions.iter().filter(|version| version.is_marker).count();
        if versions.len() > 1 || markers > 0 {
            let found = format!("{} versions and {markers} delete markers", versions.len() - markers);
            findings.add(Invariant::OneVersion, format!("{bucket}/{key}"), "one version", found);
        }
        let ours = if bucket == reading.world.buckets.log { key.starts_with(keys::FACTS) } else { known.wrote(key) };
        if !ours {
            findings.add(Invariant::OneVersion, format!("{bucket}/{key}"), "nothing: nobody writes that", "an object");
        }
    }
}

/// What somebody has a reason to have written into the originals bucket.
struct Known {
    uploads: BTreeSet<String>,
    documents: BTreeSet<String>,
}

impl Known {
    fn of(reading: &Reading<'_>) -> Self {
        let mut uploads: BTreeSet<String> =
            reading.sessions.iter().map(|found| found.says.upload.to_string()).collect();
        let mut documents = BTreeSet::new();
        for found in &reading.manifests {
            let key = found.says.code.key();
            uploads.insert(found.says.upload.to_string());
            documents.extend([keys::manifest(key), keys::seal(key), keys::mismatch(key), keys::permit(key)]);
        }
        // Those are the business of INV-1.
        documents.extend(reading.astray.iter().map(|found| found.version.object.key.clone()));
        Self { uploads, documents }
    }

    fn wrote(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".json").unwrap_or(name);
        let of_upload = ["footage/", "outboards/", "rejected/"].iter().any(|folder| key.starts_with(folder));
        if of_upload { self.uploads.contains(name) } else { self.documents.contains(key) }
    }
}
