use custos_domain::manifest::StoredObject;
use custos_platform::vault::versions::ListedVersion;

/// What is wrong with an object of a locked bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has no COMPLIANCE lock.
    Unlocked,
    /// A delete marker lies over a key that nobody deletes.
    DeleteMarker,
    /// A create-only key has a version that is not its oldest.
    SecondVersion,
    /// An original that no manifest, no session under way and no rejection names.
    Unreceipted,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Unlocked, Self::DeleteMarker, Self::SecondVersion, Self::Unreceipted];

    /// Its stable name, in metrics and in the ids of facts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlocked => "unlocked",
            Self::DeleteMarker => "delete_marker",
            Self::SecondVersion => "second_version",
            Self::Unreceipted => "unreceipted",
        }
    }

    /// What is wrong, and what to do about it.
    pub(super) fn explain(self) -> &'static str {
        match self {
            Self::Unlocked => "has no compliance lock: find out who stored it, and lock it if it is evidence",
            Self::DeleteMarker => {
                "has a delete marker over it: whoever reads by key no longer sees it; the locked version stands"
            }
            Self::SecondVersion => "was written over: the oldest version stands, this one is not ours",
            Self::Unreceipted => {
                "is an original for which nobody was given a receipt: no manifest, upload or rejection names it"
            }
        }
    }
}

/// Something wrong in a locked bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Which version or marker.
    pub object: StoredObject,
}

/// What is wrong by the list alone. `last` is the version listed last, for a key may go on in the next page. Pure.
pub(super) fn disturbed(listed: &[ListedVersion], last: &mut Option<StoredObject>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for version in listed {
        if version.marker {
            findings.push(Finding { kind: Kind::DeleteMarker, object: version.object.clone() });
            continue;
        }
        // Of one key the newest comes first: whatever an older one follows was put over it.
        let newer = last.replace(version.object.clone()).filter(|newer| newer.key == version.object.key);
        findings.extend(newer.map(|object| Finding { kind: Kind::SecondVersion, object }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(key: &str, version: &str, marker: bool) -> ListedVersion {
        let object = StoredObject { bucket: "b".into(), key: key.into(), version: version.into() };
        ListedVersion { object, modified: None, marker }
    }

    #[test]
    fn whatever_lies_over_the_oldest_is_found_across_pages() {
        let all = [
            listed("a", "1", false),
            listed("b", "3", false),
            listed("b", "2", false),
            listed("b", "1", false),
            listed("c", "1", false),
            listed("c", "9", true),
        ];
        let expected =
            [(Kind::SecondVersion, "b", "3"), (Kind::SecondVersion, "b", "2"), (Kind::DeleteMarker, "c", "9")];
        for cut in 0..all.len() {
            let mut last = None;
            let (first, second) = all.split_at(cut);
            let found = [disturbed(first, &mut last), disturbed(second, &mut last)].concat();
            let found: Vec<_> =
                found.iter().map(|f| (f.kind, f.object.key.as_str(), f.object.version.as_str())).collect();
            assert_eq!(found, expected, "cut at {cut}");
        }
    }
}
