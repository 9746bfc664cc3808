//! What is handed in, in which order, and what stays.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn found(path: &str, length: u64, modified: i64) -> Found {
    let modified = Timestamp::from_second(modified).expect("time");
    Found { relative: PathBuf::from(path), snapshot: Snapshot { length, modified } }
}

fn planned(files: Vec<Found>, told: &Told, info: &RecorderInfo) -> Plan {
    let scan = Scan { root: PathBuf::from("/mnt/r"), files, ignored: Vec::new(), unreadable: Vec::new() };
    plan(&scan, &Rules::built_in().expect("rules"), told, info)
}

fn told(device: &str) -> Told {
    Told { device: Some(DeviceId::parse(device).expect("device")), officer: None }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(|job| job.name.as_str()).collect()
}

const SECOND: &str = "DSJ00012_P000345_20261123091500_0007_00.MP4";
const FIRST: &str = "DSJ00012_P000345_20261122091500_0006_00.MP4";
const KEY: &str = "DSJ00012_P000345_20261123101500_0008_IMP.MP4";

#[test]
fn key_files_go_first_then_the_oldest() {
    let files = vec![found(SECOND, 1, 0), found(KEY, 1, 0), found(FIRST, 1, 0), found("MOVI0007.AVI", 1, 1_000)];
    let plan = planned(files, &told("DSJ00012"), &RecorderInfo::default());
    assert_eq!(names(&plan), [KEY, "MOVI0007.AVI", FIRST, SECOND]);
    assert!(plan.remarks.is_empty(), "{:?}", plan.remarks);
}

#[test]
fn what_a_name_says_is_taken_over() {
    let plan = planned(vec![found(KEY, 9, 0)], &Told::default(), &RecorderInfo::default());
    let job = &plan.jobs[0];
    assert_eq!((job.device.as_str(), job.officer.as_ref().map(OfficerId::as_str)), ("DSJ00012", Some("P000345")));
    assert_eq!(job.recording.as_ref().map(RecordingId::as_str), Some("20261123101500_0008"));
    assert!(job.key_file && job.naming_rule.is_some() && job.started_at_device.is_some());
    assert_eq!(plan.device.as_ref().map(DeviceId::as_str), Some("DSJ00012"), "the names tell whose recorder it is");
}

#[test]
fn an_impossible_moment_marks_a_file_and_keeps_its_recorder() {
    let plan = planned(
        vec![found("DSJ00012_P000345_20260231091500_0007_IMP.MP4", 9, 0)],
        &Told::default(),
        &RecorderInfo::default(),
    );
    let job = &plan.jobs[0];
    assert_eq!((job.device.as_str(), job.officer.as_ref().map(OfficerId::as_str)), ("DSJ00012", Some("P000345")));
    assert_eq!((&job.recording, &job.naming_rule, job.started_at_device), (&None, &None, None));
    assert!(job.key_file && plan.remarks[0].contains("does not exist"), "{:?}", plan.remarks);
}

#[test]
fn an_unknown_name_needs_a_recorder_number_from_somebody() {
    let file = || vec![found("VIDEO/MOVI0007.AVI", 9, 0)];
    let nobody = planned(file(), &Told::default(), &RecorderInfo::default());
    assert!(nobody.jobs.is_empty() && nobody.device.is_none());
    assert!(nobody.stay[0].left.to_string().contains("--device"), "{}", nobody.stay[0].left);

    let operator = planned(file(), &told("CAM7"), &RecorderInfo::default());
    assert_eq!((operator.jobs[0].device.as_str(), &operator.jobs[0].recording), ("CAM7", &None));
    assert_eq!(operator.jobs[0].naming_rule, None);

    let info = RecorderInfo {
        device: DeviceId::parse("CAM8").ok(),
        officer: OfficerId::parse("P7").ok(),
        ..RecorderInfo::default()
    };
    let itself = planned(file(), &Told::default(), &info);
    assert_eq!(
        (itself.jobs[0].device.as_str(), itself.jobs[0].officer.as_ref().map(OfficerId::as_str)),
        ("CAM8", Some("P7"))
    );
    assert_eq!(
        planned(file(), &told("CAM7"), &info).jobs[0].device.as_str(),
        "CAM7",
        "the operator goes before the recorder"
    );
}

#[test]
fn a_foreign_file_keeps_its_own_number_and_is_remarked_on() {
    let foreign = "DSJ00099_P000345_20261122091500_0001.MP4";
    let plan = planned(vec![found(SECOND, 1, 0), found(foreign, 1, 0)], &told("DSJ00012"), &RecorderInfo::default());
    assert_eq!(plan.jobs.iter().find(|job| job.name == foreign).map(|job| job.device.as_str()), Some("DSJ00099"));
    assert!(plan.remarks.iter().any(|remark| remark.contains("1 of DSJ00099")), "{:?}", plan.remarks);
}

#[test]
fn empty_files_stay_and_other_things_are_ignored() {
    let files = vec![
        found(SECOND, 0, 0),
        found("DSJ00012_P000345_20261123091500_0009.bin", 5, 0),
        found("recorder.json", 5, 0),
        found("index.db", 5, 0),
        found(".trash/clip.mp4", 5, 0),
    ];
    let plan = planned(files, &told("DSJ00012"), &RecorderInfo::default());
    assert!(plan.jobs.is_empty());
    let stay: Vec<_> = plan.stay.iter().map(|stay| (stay.name.as_str(), stay.left.code())).collect();
    assert_eq!(stay, [(SECOND, "no_data"), ("DSJ00012_P000345_20261123091500_0009.bin", "unknown_kind")]);
    let ignored: Vec<_> = plan.ignored.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(ignored, ["recorder.json", "index.db", ".trash/clip.mp4"]);
}

#[test]
fn a_folder_that_cannot_be_listed_stays_and_is_said() {
    let unreadable = vec![Ignored { relative: PathBuf::from("DCIM/102"), why: "input/output error".into() }];
    let scan = Scan { root: PathBuf::new(), files: vec![found(SECOND, 1, 0)], ignored: Vec::new(), unreadable };
    let plan = plan(&scan, &Rules::built_in().expect("rules"), &Told::default(), &RecorderInfo::default());
    assert_eq!((plan.jobs.len(), plan.stay[0].name.as_str()), (1, "DCIM/102"));
}

proptest! {
    /// Nothing found is forgotten, whatever it is called: it is handed in, stays or is ignored, exactly once.
    #[test]
    fn nothing_is_forgotten(paths in proptest::collection::btree_set("[ -~]{1,12}(/[ -~]{1,12})?(\\.mp4|\\.jpg|\\.x)?", 0..20), length in 0_u64..3) {
        let files: Vec<Found> = paths.iter().map(|path| found(path, length, 0)).collect();
        let count = files.len();
        let plan = planned(files, &told("CAM7"), &RecorderInfo::default());
        prop_assert_eq!(plan.jobs.len() + plan.stay.len() + plan.ignored.len(), count);
        prop_assert!(plan.jobs.is_sorted_by_key(|job| (!job.key_file, job.began())));
    }
}
