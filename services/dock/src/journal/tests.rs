//! What goes in comes out, a crash loses nothing that was acknowledged, and no damaged file is worse than an error.

use std::path::Path;

use custos_domain::{
    dsse::Document,
    ids::{DeviceId, UploadId},
    outboard::OutboardBuilder,
};
use proptest::prelude::*;

use super::*;
use crate::scan::Snapshot;

#[derive(Debug, Serialize, serde::Deserialize)]
struct Note(String);
impl Document for Note {
    const TYPE: &'static str = "application/vnd.custos.note+json";
}

fn envelope(text: &str) -> custos_domain::dsse::Envelope {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    custos_domain::dsse::Envelope::seal(&Note(text.to_owned()), &key).expect("sign")
}

pub(super) fn key(name: &str) -> FileKey {
    let snapshot = Snapshot { length: 9, modified: Timestamp::from_second(5).expect("time") };
    FileKey { device: DeviceId::parse("DSJ00012").expect("device"), name: name.to_owned(), snapshot }
}

pub(super) fn entry(name: &str, stage: Stage, changed_at: i64) -> Entry {
    Entry {
        device: DeviceId::parse("DSJ00012").expect("device"),
        name: name.to_owned(),
        length: 9,
        probe: "ab".to_owned(),
        docking: DockingId::parse("0192-ab").expect("docking"),
        changed_at: Timestamp::from_second(changed_at).expect("time"),
        stage,
        trouble: None,
    }
}

pub(super) fn stages() -> Vec<Stage> {
    let (declaration, receipt, permit) = (envelope("declaration"), envelope("receipt"), envelope("permit"));
    let upload = UploadId::parse("0192-ab").expect("upload");
    vec![
        Stage::Seen,
        Stage::Hashed { declaration: declaration.clone() },
        Stage::Uploading { declaration: declaration.clone(), upload: upload.clone() },
        Stage::Receipted { declaration: declaration.clone(), upload: upload.clone(), receipt: receipt.clone() },
        Stage::Permitted {
            declaration: declaration.clone(),
            upload: upload.clone(),
            receipt: receipt.clone(),
            permit: permit.clone(),
        },
        Stage::Erased { declaration, upload, receipt, permit },
    ]
}

#[tokio::test]
async fn every_stage_comes_back_after_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("journal");
    for (number, stage) in stages().into_iter().enumerate() {
        journal.put(&key(&number.to_string()), entry(&number.to_string(), stage, 0)).await.expect("put");
    }
    drop(journal);
    let journal = Journal::open(dir.path()).expect("journal");
    for (number, stage) in stages().into_iter().enumerate() {
        let found = journal.entry(&key(&number.to_string())).await.expect("entry").expect("there");
        assert_eq!(found.stage, stage);
    }
    assert_eq!(journal.entries().await.expect("entries").len(), 6);
    assert_eq!(journal.entry(&key("other")).await.expect("entry"), None);
}

#[tokio::test]
async fn an_outboard_is_kept_until_it_is_dropped() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("journal");
    let mut builder = OutboardBuilder::default();
    builder.update(&[1; 3000]);
    let outboard = builder.finish().expect("outboard");
    let stage = stages().remove(1);
    journal.put_hashed(&key("a"), entry("a", stage, 0), outboard.encode()).await.expect("put");
    assert_eq!(journal.outboard(&key("a")).await.expect("outboard"), Some(outboard));
    journal.drop_outboard(&key("a")).await.expect("drop");
    assert_eq!(journal.outboard(&key("a")).await.expect("outboard"), None);
}

#[tokio::test]
async fn an_open_docking_is_remembered_until_it_is_closed() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("journal");
    let docking = DockingId::parse("0192-ab").expect("docking");
    let begun = Begun {
        docking: docking.clone(),
        device: key("").device,
        at: Timestamp::UNIX_EPOCH,
        clock: None,
        files: vec!["a".into()],
    };
    journal.docking_begun(begun.clone()).await.expect("begun");
    assert_eq!(journal.dockings_open().await.expect("open"), [begun]);
    journal.docking_closed(&docking).await.expect("closed");
    assert!(journal.dockings_open().await.expect("open").is_empty());
}

#[tokio::test]
async fn old_entries_are_forgotten_and_young_ones_stay() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("journal");
    journal.put(&key("old"), entry("old", Stage::Seen, 0)).await.expect("put");
    journal.put(&key("young"), entry("young", Stage::Seen, 2 * 86_400)).await.expect("put");
    journal.prune(Timestamp::from_second(91 * 86_400).expect("time")).await.expect("prune");
    let names: Vec<_> = journal.entries().await.expect("entries").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["young"]);
}

#[tokio::test]
async fn status_reads_beside_a_running_dock_and_a_second_dock_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    assert!(matches!(Journal::read_beside(dir.path()), Err(JournalError::None(_))));
    let journal = Journal::open(dir.path()).expect("journal");
    journal.put(&key("a"), entry("a", Stage::Seen, 0)).await.expect("put");
    assert_eq!(Journal::read_beside(dir.path()).expect("beside").0.len(), 1);
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::InUse(_))));
    drop(journal);
    assert_eq!(Journal::read_beside(dir.path()).expect("after").0.len(), 1);
}

fn refused(bytes: &[u8]) -> Option<JournalError> {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::write(dir.path().join("journal.redb"), bytes).expect("write");
    let beside = Journal::read_beside(dir.path());
    assert!(!matches!(beside, Err(JournalError::InUse(_))), "{beside:?}");
    Journal::open(dir.path()).err()
}

#[test]
fn a_file_that_is_no_journal_says_how_to_go_on() {
    let error = refused(b"#!/bin/sh\n").expect("refused").to_string();
    assert!(error.contains("move the file aside") && error.contains("nothing is lost"), "{error}");
}

#[test]
fn docks_that_begin_at_once_meet_in_one_journal() {
    let dir = tempfile::tempdir().expect("dir");
    let open = || {
        std::thread::scope(|scope| {
            let begin = || Journal::open(dir.path()).map(drop);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
        })
    };
    for outcome in open() {
        assert!(matches!(outcome, Ok(()) | Err(JournalError::InUse(_))), "{outcome:?}");
    }
    let left: Vec<_> = dir.path().read_dir().expect("list").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["journal.redb"], "nothing half made is left");
    assert!(Journal::open(dir.path()).is_ok());
}

#[test]
fn a_row_that_is_no_entry_is_told_at_once() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = Journal::open(dir.path()).expect("journal");
    let written = journal.0.access(|db| {
        let transaction = db.begin_write()?;
        transaction.open_table(FILES)?.insert("k", b"{\"stage\":\"wiped\"}".as_slice())?;
        Ok(transaction.commit()?)
    });
    written.expect("written");
    drop(journal);
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Damaged { .. })));
}

fn sample(dir: &Path) -> Vec<u8> {
    let journal = Journal::open(dir).expect("journal");
    for (number, stage) in stages().into_iter().enumerate() {
        let name = number.to_string();
        journal.0.access(|db| write(db, FILES, &key(&name).to_string(), &entry(&name, stage, 0))).expect("put");
    }
    drop(journal);
    std::fs::read(dir.join("journal.redb")).expect("read")
}

#[test]
fn a_journal_cut_short_anywhere_says_how_to_go_on() {
    let dir = tempfile::tempdir().expect("dir");
    let whole = sample(dir.path());
    for cut in [1, 100, 4096, 5000, whole.len() / 2, whole.len() - 1] {
        let error = refused(&whole[..cut]).expect("refused").to_string();
        assert!(error.contains("move the file aside"), "{cut}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]
    /// Any damage is either an error with advice or no damage to what is read: never a panic, never a hang.
    #[test]
    fn a_damaged_journal_never_panics(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40), cut in any::<Option<prop::sample::Index>>()) {
        let dir = tempfile::tempdir().expect("dir");
        let mut bytes = sample(dir.path());
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some(error) = refused(&bytes) {
            prop_assert!(error.to_string().contains("move the file aside"), "{error}");
        }
    }
}
