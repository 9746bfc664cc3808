//! When a folder is docked and when it is left alone, without folders, time or ingest.

use jiff::Timestamp;

use super::*;
use crate::{
    report::{Line, Outcome},
    scan::Snapshot,
    trouble::Trouble,
};

fn files(names: &[&str]) -> Vec<Found> {
    let snapshot = Snapshot { length: 1, modified: Timestamp::UNIX_EPOCH };
    names.iter().map(|name| Found { relative: name.into(), snapshot }).collect()
}

fn report(lines: Vec<Line>, remaining: Vec<Found>) -> Report {
    Report { docking: None, device: None, lines, ignored: vec![], remarks: vec![], remaining }
}

fn left(reason_code: &'static str, passing: bool) -> Line {
    Line { result: Outcome::Left, reason_code: Some(reason_code), passing, ..Line::default() }
}

fn docks(known: Option<Known>, seen: &[&str], now: Instant) -> bool {
    decide(known, files(seen), now).1.is_some()
}

#[tokio::test]
async fn a_recorder_is_docked_once_it_looks_the_same_twice() {
    let now = Instant::now();
    let (known, dock) = decide(None, files(&["a"]), now);
    assert!(dock.is_none());
    let (changed, dock) = decide(Some(known.clone()), files(&["a", "b"]), now);
    assert!(dock.is_none(), "still being mounted or written");
    assert_eq!(changed, Known::Settling(files(&["a", "b"])));
    assert!(docks(Some(known), &["a"], now));
}

#[tokio::test]
async fn a_docked_recorder_is_left_alone_until_something_changes() {
    let now = Instant::now();
    let known = after(0, files(&["a"]), &Ok(report(vec![], files(&["a"]))), now, 0.0);
    assert!(!docks(known.clone(), &["a"], now + LAST_AGAIN * 9));
    let (settling, dock) = decide(known, files(&["a", "b"]), now);
    assert!(dock.is_none());
    assert!(docks(Some(settling), &["a", "b"], now));
}

#[tokio::test]
async fn what_the_dock_erased_itself_is_no_change() {
    let now = Instant::now();
    let known = after(0, files(&["a", "b"]), &Ok(report(vec![], files(&["b"]))), now, 0.0);
    assert!(!docks(known, &["b"], now));
}

#[tokio::test]
async fn what_was_not_ready_is_tried_again_later_and_later() {
    let now = Instant::now();
    for passing in [
        Ok(report(vec![left("unavailable", true)], files(&["a"]))),
        Err(DockError::Opening(Trouble::Unreachable(String::new()))),
    ] {
        let first = after(0, files(&["a"]), &passing, now, 0.0);
        assert!(!docks(first.clone(), &["a"], now));
        let (known, dock) = decide(first, files(&["a"]), now + FIRST_AGAIN);
        assert!(dock.is_some() && known == Known::Docking { tries: 1 });
        let second = after(1, files(&["a"]), &passing, now, 0.0);
        assert!(!docks(second.clone(), &["a"], now + FIRST_AGAIN));
        assert!(docks(second, &["a"], now + 2 * FIRST_AGAIN));
        assert!(docks(after(900, files(&["a"]), &passing, now, 0.0), &["a"], now + LAST_AGAIN));
    }
    let hopeless = after(0, files(&["a"]), &Ok(report(vec![left("no_data", false)], files(&["a"]))), now, 0.0);
    assert!(!docks(hopeless, &["a"], now + LAST_AGAIN * 9));
}

#[tokio::test]
async fn ingest_is_left_alone_as_long_as_it_asked_and_nobody_comes_back_together() {
    let now = Instant::now();
    let asked = Some(Duration::from_secs(500));
    let busy = Err(DockError::Opening(Trouble::Busy { after: asked, detail: String::new() }));
    let again = |jitter| match after(0, files(&["a"]), &busy, now, jitter) {
        Some(Known::Docked { again: Some(again), .. }) => (again - now).as_secs(),
        other => panic!("{other:?}"),
    };
    assert_eq!([again(0.0), again(0.5), again(1.0)], [500, 625, 750]);
}

#[tokio::test]
async fn an_unplugged_recorder_is_docked_when_it_is_back_as_it_was() {
    let now = Instant::now();
    let known = after(0, files(&["a"]), &Ok(report(vec![left("unplugged", false)], files(&["a"]))), now, 0.0);
    assert_eq!(known, None);
    let (known, _) = decide(known, files(&["a"]), now);
    assert!(docks(Some(known), &["a"], now));
}

#[test]
fn folders_are_recorders_and_links_and_files_are_not() {
    let dir = tempfile::tempdir().expect("dir");
    for folder in ["sdb1", "sdc1", "empty", ".hidden"] {
        std::fs::create_dir(dir.path().join(folder)).expect("dir");
    }
    for file in ["sdb1/a.mp4", "sdc1/b.mp4", ".hidden/c.mp4", "loose.mp4"] {
        std::fs::write(dir.path().join(file), b"x").expect("write");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("sdb1", dir.path().join("again")).expect("link");
    let busy = HashSet::from([dir.path().join("sdc1")]);
    let places = Places { mounts: Some(dir.path().to_owned()), recorders: Vec::new() };
    let found: Vec<_> = recorders(&places, &busy).into_keys().collect();
    assert_eq!(found, [dir.path().join("sdb1")]);
    let listed = ["sdc1", "empty", "none"].map(|name| dir.path().join(name)).to_vec();
    let places = Places { mounts: None, recorders: listed };
    let found: Vec<_> = recorders(&places, &HashSet::new()).into_keys().collect();
    assert_eq!(found, [dir.path().join("sdc1")], "what is missing or empty has no recorder");
}
