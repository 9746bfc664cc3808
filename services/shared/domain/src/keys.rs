//! Where everything lies in the store. The only place that spells an object key.
//!
//! | bucket | lock | what |
//! |---|---|---|
//! | originals | yes | `footage/`, `outboards/` by hour; `manifests/`, `seals/`, `mismatches/`, `permits/` by item; `rejected/` by upload |
//! | log | yes | `facts/` by subject |
//! | intake | no | `sessions/` by day, `claims/`, `outboards/`, `growing/`, `tails/`: what is under way; `stations/register.json`; `probe/` |
//! | derived | no | by item; rebuildable |
//! | probe | yes | `runs/`, `canaries/`, `canary-uploads/`, `report.json`: what the store is tried with |
//!
//! Keys under a date keep folders near a thousand entries: listing 10⁵ keys of one folder takes MinIO 14 s (tried).

use jiff::{Timestamp, civil::Date};

use crate::{
    calendar,
    digest::{Crc64, Root},
    fact::{Fact, Subject},
    ids::{DeviceId, DockingId, RecordingId, Segment, StationId, TenantId, UploadId},
    item::{ItemKey, UnifiedCode, parse_variant},
};

/// Names of the buckets, from configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// Locked: originals and what proves them.
    pub originals: String,
    /// Unlocked: sessions, tails.
    pub intake: String,
    /// Locked: facts.
    pub log: String,
    /// Unlocked: playback copies; rebuildable.
    pub derived: String,
    /// Locked for minutes: where the store is tried.
    pub probe: String,
}

/// The original of an upload that began at `started`.
#[must_use]
pub fn original(upload: &UploadId, started: Timestamp) -> String {
    format!("footage/{}/{upload}", hour(started))
}

/// The locked outboard beside it.
#[must_use]
pub fn outboard(upload: &UploadId, started: Timestamp) -> String {
    format!("outboards/{}/{upload}", hour(started))
}

/// Why an upload became no item.
#[must_use]
pub fn rejected(upload: &UploadId, started: Timestamp) -> String {
    format!("rejected/{}/{upload}.json", hour(started))
}

/// The manifest: no date, for tomorrow's retry must meet the same key.
#[must_use]
pub fn manifest(key: &ItemKey) -> String {
    format!("manifests/{}.json", item_path(key))
}

/// The hashing service's seal.
#[must_use]
pub fn seal(key: &ItemKey) -> String {
    format!("seals/{}.json", item_path(key))
}

/// The hashing service's report that the re-read did not match; stands in the way of a permit.
#[must_use]
pub fn mismatch(key: &ItemKey) -> String {
    format!("mismatches/{}.json", item_path(key))
}

/// The erase permit.
#[must_use]
pub fn permit(key: &ItemKey) -> String {
    format!("permits/{}.json", item_path(key))
}

/// The prefix of all manifests, to walk them.
pub const MANIFESTS: &str = "manifests/";

/// The prefix of all originals of a day.
#[must_use]
pub fn originals_of_day(day: Date) -> String {
    format!("footage/{}/", day.strftime("%Y/%m/%d"))
}

/// A fact, beside the other facts of its subject.
#[must_use]
pub fn fact(fact: &Fact) -> String {
    let folder = match &fact.subject {
        Subject::Item { code, day } => item_facts(code, *day),
        Subject::Docking { station, docking } => format!("facts/dockings/{}/{station}/{docking}/", fact.tenant),
        Subject::Upload { upload } => format!("facts/uploads/{}/{upload}/", fact.tenant),
        Subject::Station { station } => station_facts(&fact.tenant, station),
        Subject::Catalogue { day } => format!("facts/catalogue/{}/", day.strftime("%Y/%m/%d")),
        Subject::Store { day } => format!("facts/store/{}/", day.strftime("%Y/%m/%d")),
    };
    format!("{folder}{}.json", fact.id)
}

/// The folder of an item's facts.
#[must_use]
pub fn item_facts(code: &UnifiedCode, day: Date) -> String {
    format!("facts/items/{}/{code}/", day.strftime("%Y/%m/%d"))
}

/// The folder of a station's facts.
#[must_use]
pub fn station_facts(tenant: &TenantId, station: &StationId) -> String {
    format!("facts/stations/{tenant}/{station}/")
}

/// The prefix of all facts, to walk them.
pub const FACTS: &str = "facts/";

/// An upload's session.
#[must_use]
pub fn session(upload: &UploadId, started: Timestamp) -> String {
    format!("{}{upload}.json", sessions_of_day(calendar::day(started)))
}

/// The prefix of all sessions begun on a day.
#[must_use]
pub fn sessions_of_day(day: Date) -> String {
    format!("sessions/{}/", day.strftime("%Y/%m/%d"))
}

/// The prefix of all sessions.
pub const SESSIONS: &str = "sessions/";

/// The day a session began on, from its key.
#[must_use]
pub fn day_of_session(key: &str) -> Option<Date> {
    let mut names = key.strip_prefix(SESSIONS)?.splitn(4, '/');
    Date::new(names.next()?.parse().ok()?, names.next()?.parse().ok()?, names.next()?.parse().ok()?).ok()
}

/// The signed register of stations.
pub const STATION_REGISTER: &str = "stations/register.json";

/// Which upload is bringing these bytes for this item: makes a second docking of the same file meet the first.
#[must_use]
pub fn claim(key: &ItemKey, root: &Root) -> String {
    format!("claims/{}/{root}.json", item_path(key))
}

/// Which upload is bringing what an unsigned client described so; `description` is the BLAKE3 of its words.
#[must_use]
pub fn plain_claim(description: &Root) -> String {
    format!("claims/plain/{description}.json")
}

/// The prefix of what is known so far of the outboard of an upload that brought none.
#[must_use]
pub fn growing(upload: &UploadId) -> String {
    format!("growing/{upload}/")
}

/// The outboard's values of part `index`, counted from zero, if its checksum is `crc`: other bytes for the same part do not
/// overwrite them.
#[must_use]
pub fn part_values(upload: &UploadId, index: usize, crc: Crc64) -> String {
    format!("{}{index:05}-{crc}", growing(upload))
}

/// Part and checksum, from the key of its values.
#[must_use]
pub fn parse_part_values(key: &str) -> Option<(usize, Crc64)> {
    let (index, crc) = key.rsplit('/').next()?.split_once('-')?;
    Some((index.parse().ok()?, Crc64::try_from(crc.to_owned()).ok()?))
}

/// The outboard of an upload under way.
#[must_use]
pub fn intake_outboard(upload: &UploadId) -> String {
    format!("outboards/{upload}")
}

/// The prefix of an upload's cut tails.
#[must_use]
pub fn tails(upload: &UploadId) -> String {
    format!("tails/{upload}/")
}

/// Bytes of an upload from `offset`, too few for a part.
#[must_use]
pub fn tail(upload: &UploadId, offset: u64, len: u64) -> String {
    format!("{}{offset:016}-{len:08}", tails(upload))
}

/// Offset and length of a tail, from its key.
#[must_use]
pub fn parse_tail(key: &str) -> Option<(u64, u64)> {
    let (offset, len) = key.rsplit('/').next()?.split_once('-')?;
    Some((offset.parse().ok()?, len.parse().ok()?))
}

/// The folder of an item's derivatives in the derived bucket.
#[must_use]
pub fn derived(key: &ItemKey) -> String {
    format!("{}/", item_path(key))
}

/// The record of an item's derivation.
#[must_use]
pub fn derivation(key: &ItemKey) -> String {
    format!("{}derivation.json", derived(key))
}

/// The upload that an object under `footage/`, `outboards/`, `rejected/` or `sessions/` belongs to.
#[must_use]
pub fn upload_of(key: &str) -> Option<UploadId> {
    let folders = ["footage/", "outboards/", "rejected/", SESSIONS];
    folders.iter().find(|folder| key.starts_with(**folder))?;
    let name = key.rsplit('/').next()?;
    UploadId::parse(name.strip_suffix(".json").unwrap_or(name)).ok()
}

/// The item that a manifest, seal, mismatch report or permit belongs to, from its key.
#[must_use]
pub fn item_of(key: &str) -> Option<ItemKey> {
    let folders = [MANIFESTS, "seals/", "mismatches/", "permits/"];
    let path = folders.iter().find_map(|folder| key.strip_prefix(folder))?.strip_suffix(".json")?;
    let mut names = path.split('/');
    let (tenant, device, recording, last) = (names.next()?, names.next()?, names.next()?, names.next()?);
    let (segment, variant) = match last.split_once('-') {
        Some((segment, variant)) => (segment, Some(parse_variant(variant)?)),
        None => (last, None),
    };
    let parsed = ItemKey {
        tenant: TenantId::parse(tenant).ok()?,
        device: DeviceId::parse(device).ok()?,
        recording: RecordingId::parse(recording).ok()?,
        segment: Segment::parse(segment).ok()?,
        variant,
    };
    (item_path(&parsed) == path).then_some(parsed)
}

/// The agency and the subject of a fact, from its key.
#[must_use]
pub fn subject_of(key: &str) -> Option<(Option<TenantId>, Subject)> {
    let names: Vec<&str> = key.strip_prefix(FACTS)?.split('/').collect();
    let day = |y: &str, m: &str, d: &str| Date::new(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?).ok();
    match names.as_slice() {
        ["items", y, m, d, code, _] => {
            let code = UnifiedCode::parse(code).ok()?;
            Some((Some(code.key().tenant.clone()), Subject::Item { code, day: day(y, m, d)? }))
        }
        ["dockings", tenant, station, docking, _] => {
            let (station, docking) = (StationId::parse(station).ok()?, DockingId::parse(docking).ok()?);
            Some((TenantId::parse(tenant).ok(), Subject::Docking { station, docking }))
        }
        ["uploads", tenant, upload, _] => {
            Some((TenantId::parse(tenant).ok(), Subject::Upload { upload: UploadId::parse(upload).ok()? }))
        }
        ["stations", tenant, station, _] => {
            Some((TenantId::parse(tenant).ok(), Subject::Station { station: StationId::parse(station).ok()? }))
        }
        ["store", y, m, d, _] => Some((None, Subject::Store { day: day(y, m, d)? })),
        ["catalogue", y, m, d, _] => Some((None, Subject::Catalogue { day: day(y, m, d)? })),
        _ => None,
    }
}

/// What runs of the capability probe leave in the probe bucket.
pub const PROBE_RUNS: &str = "runs/";

/// What its runs leave in the intake bucket.
pub const PROBE_INTAKE: &str = "probe/";

/// The records of the probe's canaries.
pub const PROBE_CANARIES: &str = "canaries/";

/// The last report of the capability probe that was acted on.
pub const PROBE_REPORT: &str = "report.json";

/// The folder of one run of the capability probe; `nonce` keeps runs of the same second apart.
#[must_use]
pub fn probe_run(began: Timestamp, nonce: &str) -> String {
    format!("{PROBE_RUNS}{:012}-{nonce}/", began.as_second())
}

/// When the run began that made a key of the probe bucket, or of the intake bucket.
#[must_use]
pub fn probe_run_began(key: &str) -> Option<Timestamp> {
    let key = key.strip_prefix(PROBE_INTAKE).unwrap_or(key);
    let (seconds, _) = key.strip_prefix(PROBE_RUNS)?.split_once('-')?;
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// What a run tries in the intake bucket.
#[must_use]
pub fn probe_intake(key: &str) -> String {
    format!("{PROBE_INTAKE}{key}")
}

/// The record of a canary: an upload that must live long.
#[must_use]
pub fn probe_canary(name: &str) -> String {
    format!("{PROBE_CANARIES}{name}.json")
}

/// The upload itself.
#[must_use]
pub fn probe_canary_upload(name: &str) -> String {
    format!("canary-uploads/{name}")
}

fn item_path(key: &ItemKey) -> String {
    let ItemKey { tenant, device, recording, segment, variant } = key;
    let variant = variant.as_ref().map(|v| format!("-V{}", v.as_str())).unwrap_or_default();
    format!("{tenant}/{device}/{recording}/{segment}{variant}")
}

fn hour(at: Timestamp) -> String {
    calendar::shanghai(at).strftime("%Y/%m/%d/%H").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_part_are_named_by_its_place_and_checksum() {
        let upload = UploadId::parse("0192-ab").expect("upload");
        let key = part_values(&upload, 9_999, Crc64(0xab));
        assert_eq!(parse_part_values(&key), Some((9_999, Crc64(0xab))));
        assert!(key.starts_with(&growing(&upload)));
    }

    #[test]
    fn tails_are_named_by_offset_and_length() {
        let upload = UploadId::parse("0192-ab").expect("upload");
        let key = tail(&upload, 8 << 20, 77);
        assert_eq!(parse_tail(&key), Some((8 << 20, 77)));
        assert!(key.starts_with(&tails(&upload)));
    }

    #[test]
    fn keys_tell_whose_they_are() {
        let (upload, began) = (UploadId::parse("0192-ab").expect("upload"), Timestamp::UNIX_EPOCH);
        for key in
            [original(&upload, began), outboard(&upload, began), rejected(&upload, began), session(&upload, began)]
        {
            assert_eq!(upload_of(&key), Some(upload.clone()), "{key}");
            assert_eq!(item_of(&key), None, "{key}");
        }
        assert_eq!(day_of_session(&session(&upload, began)), Some(jiff::civil::date(1970, 1, 1)));
        let first = UnifiedCode::parse("E-DSJ00012-20261123091500_0007-00-V").expect("code").key().clone();
        for item in [first.variant_of(&Root::of(b"other")), first] {
            for key in [manifest(&item), seal(&item), mismatch(&item), permit(&item)] {
                assert_eq!(item_of(&key), Some(item.clone()), "{key}");
                assert_eq!(upload_of(&key), None, "{key}");
            }
        }
        for strange in ["manifests/E/DSJ00012/1.json", "manifests/E/D/R/00/x.json", "seals/E/D/R/0.json", "other/x"] {
            assert_eq!((item_of(strange), upload_of(strange)), (None, None), "{strange}");
        }
    }

    #[test]
    fn a_facts_key_tells_its_subject() {
        for line in include_str!("../golden/facts.jsonl").lines() {
            let stated: Fact = serde_json::from_str(line).expect("fact");
            let (tenant, subject) = subject_of(&fact(&stated)).expect("subject");
            assert_eq!(subject, stated.subject);
            assert!(tenant.is_none_or(|tenant| tenant == stated.tenant));
        }
        let store = Subject::Store { day: jiff::civil::date(2026, 11, 23) };
        assert_eq!(subject_of("facts/store/2026/11/23/incident_opened-0.json"), Some((None, store)));
        assert_eq!(subject_of("facts/x"), None);
    }

    #[test]
    fn a_probes_keys_tell_when_it_began() {
        let began = Timestamp::from_second(1_795_000_000).expect("timestamp");
        let key = format!("{}put-header", probe_run(began, "0f3a"));
        assert_eq!(key, "runs/001795000000-0f3a/put-header");
        assert_eq!(probe_run_began(&key), Some(began));
        assert_eq!(probe_run_began(&probe_intake(&key)), Some(began));
        assert_eq!(probe_run_began("canaries/0f3a.json"), None);
    }
}
