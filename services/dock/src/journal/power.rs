//! Power cuts: whatever part of what was written since the last flush reached the medium, in whatever order and torn wherever,
//! the journal opens again with everything that was acknowledged.

use std::{
    io,
    ops::Bound,
    sync::{Mutex, MutexGuard},
};

use custos_domain::ids::DeviceId;
use redb::{BackendError, StorageBackend};

use super::{
    file::{checking, everything, prepare},
    tests::{entry, key, stages},
    *,
};

/// What the medium was asked to do, in order.
#[derive(Debug, Clone)]
enum Asked {
    Write(u64, Vec<u8>),
    Length(u64),
    Flush,
    /// The journal said that this many steps are safe.
    Acknowledged(usize),
}

/// A medium that remembers every request.
#[derive(Debug, Clone, Default)]
struct Medium(Arc<Mutex<(Vec<u8>, Vec<Asked>)>>);

impl Medium {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new((bytes, Vec::new()))))
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, Vec<Asked>)> {
        self.0.lock().expect("medium")
    }

    fn ask(&self, asked: Asked) {
        let mut medium = self.lock();
        carry_out(&mut medium.0, &asked);
        medium.1.push(asked);
    }
}

fn carry_out(bytes: &mut Vec<u8>, asked: &Asked) {
    match asked {
        Asked::Write(offset, data) => {
            let (begin, end) =
                (usize::try_from(*offset).expect("offset"), usize::try_from(*offset).expect("offset") + data.len());
            bytes.resize(bytes.len().max(end), 0);
            bytes[begin..end].copy_from_slice(data);
        }
        Asked::Length(length) => bytes.resize(usize::try_from(*length).expect("length"), 0),
        Asked::Flush | Asked::Acknowledged(_) => {}
    }
}

impl StorageBackend for Medium {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock().0.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let begin = usize::try_from(offset).expect("offset");
        match self.lock().0.get(begin..begin + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }
    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        self.ask(Asked::Length(length));
        Ok(())
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        self.ask(Asked::Flush);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.ask(Asked::Write(offset, data.to_vec()));
        Ok(())
    }
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }
    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }
    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

type Known = (Vec<Entry>, Vec<Begun>);

fn on(medium: Medium) -> Result<Database, JournalError> {
    let database = checking().create_with_backend(medium)?;
    prepare(&database)?;
    Ok(database)
}

/// A docking of several files as the dock writes it down: what the medium held before, what it was asked, and what was known
/// after each step.
async fn a_docking() -> (Vec<u8>, Vec<Asked>, Vec<Known>) {
    let before = Medium::default();
    drop(on(before.clone()).expect("journal"));
    let held = before.lock().0.clone();
    let medium = Medium::of(held.clone());
    let database = RwLock::new(Some(on(medium.clone()).expect("journal")));
    let journal = Journal(Arc::new(Shared { folder: PathBuf::new(), database, failing: AtomicBool::new(false) }));
    let mut known = vec![(Vec::new(), Vec::new())];
    let mut safe = async || {
        let now = (journal.entries().await.expect("entries"), journal.dockings_open().await.expect("dockings"));
        known.push(now);
        medium.ask(Asked::Acknowledged(known.len() - 1));
    };
    let docking = DockingId::parse("0192-ab").expect("docking");
    let files: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let device = DeviceId::parse("DSJ00012").expect("device");
    let begun =
        Begun { docking: docking.clone(), device, at: Timestamp::UNIX_EPOCH, clock: None, files: files.clone() };
    journal.docking_begun(begun).await.expect("begun");
    safe().await;
    for (number, name) in files.iter().enumerate() {
        for stage in stages() {
            let (key, entry) = (key(name), entry(name, stage.clone(), 0));
            match stage {
                Stage::Hashed { .. } => {
                    journal.put_hashed(&key, entry, vec![7; 20_000 * (number + 1)]).await.expect("put");
                }
                Stage::Receipted { .. } => {
                    journal.put(&key, entry).await.expect("put");
                    safe().await;
                    journal.drop_outboard(&key).await.expect("drop");
                }
                _ => journal.put(&key, entry).await.expect("put"),
            }
            safe().await;
        }
    }
    journal.docking_closed(&docking).await.expect("closed");
    safe().await;
    let asked = medium.lock().1.clone();
    (held, asked, known)
}

/// What the medium may hold after a cut: everything flushed, and of `pending` what `choose` takes; a write may be torn.
fn after_a_cut(flushed: &[u8], pending: &[Asked], choose: impl Fn(usize) -> Option<usize>) -> Vec<u8> {
    let mut bytes = flushed.to_vec();
    for (place, asked) in pending.iter().enumerate() {
        match (choose(place), asked) {
            (None, _) => {}
            (Some(most), Asked::Write(offset, data)) if most < data.len() => {
                carry_out(&mut bytes, &Asked::Write(*offset, data[..most].to_vec()));
            }
            (Some(_), asked) => carry_out(&mut bytes, asked),
        }
    }
    bytes
}

/// Where a write may be torn: anywhere in a short one (the commit's own), at every sector of a long one; more coarsely after the
/// first steps, for each is written in the same way.
fn tears(pending: &[Asked], early: bool) -> Vec<usize> {
    let (byte, sector) = if early { (1, 512) } else { (32, 4096) };
    match pending.last() {
        Some(Asked::Write(_, data)) => {
            let step = if data.len() <= 512 { byte } else { sector };
            (0..data.len()).step_by(step).chain([1, data.len() - 1, data.len()]).collect()
        }
        _ => vec![usize::MAX],
    }
}

#[tokio::test]
async fn whatever_a_power_cut_leaves_nothing_acknowledged_is_forgotten() {
    let (held, asked, known) = a_docking().await;
    let (mut flushed, mut pending, mut safe, mut tried) = (held, Vec::new(), 0, 0_usize);
    let check = |bytes: Vec<u8>, safe: usize, what: &str| {
        let database = on(Medium::of(bytes)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = everything(&database).expect("rows");
        assert!(known[safe..].iter().take(2).any(|known| *known == found), "{what}: step {safe} is not what came back");
        write(&database, FILES, "later", &entry("later", Stage::Seen, 1)).expect("the journal goes on");
    };
    // Chance that is the same in every run: BLAKE3 of a count.
    let mut count = 0_u32;
    let mut chance_of = || {
        count += 1;
        let digest = blake3::hash(&count.to_be_bytes());
        (digest.as_bytes()[0] < 128, usize::from(digest.as_bytes()[1]) * 37)
    };
    for (place, asked) in asked.into_iter().enumerate() {
        match asked {
            Asked::Acknowledged(step) => safe = step,
            Asked::Flush => {
                for asked in pending.drain(..) {
                    carry_out(&mut flushed, &asked);
                }
            }
            asked => pending.push(asked),
        }
        let last = pending.len().saturating_sub(1);
        for tear in tears(&pending, safe <= 3) {
            check(
                after_a_cut(&flushed, &pending, |n| Some(if n == last { tear } else { usize::MAX })),
                safe,
                &format!("{place} torn at {tear}"),
            );
            tried += 1;
        }
        // The medium puts off and reorders what was not flushed: any part of it may be missing, any may be torn.
        for chance in 0..if pending.len() > 1 { 6 } else { 0 } {
            let chosen: Vec<(bool, usize)> = pending.iter().map(|_| chance_of()).collect();
            let choose = |n: usize| {
                let (taken, tear) = chosen[n];
                taken.then_some(if tear < 2_000 { tear } else { usize::MAX })
            };
            check(after_a_cut(&flushed, &pending, choose), safe, &format!("{place}, chance {chance}"));
            tried += 1;
        }
    }
    assert!(safe == known.len() - 1 && tried > 1_000, "{safe} steps, {tried} cuts");
    println!("{tried} power cuts at {} steps", known.len());
}
