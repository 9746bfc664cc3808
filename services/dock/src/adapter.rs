//! A recorder's clock, by programs of the station: mass storage has no clock of its own, so reading and setting one is for an
//! adapter that knows the vendor (D-7).

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use custos_domain::declaration::ClockOffset;
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use crate::clock::Clock;

/// Longest an adapter may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer that can be a time.
const LONGEST: u64 = 256;

/// The station's adapters.
#[derive(Debug, Clone)]
pub struct Adapters {
    /// Called with the recorder's folder; prints the recorder's time.
    pub read: Option<PathBuf>,
    /// Called with the recorder's folder and the time to set, RFC 3339.
    pub set: Option<PathBuf>,
    /// The time zone recorders and station keep.
    pub zone: TimeZone,
}

/// Why a recorder's clock was neither read nor set.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The program did not run.
    #[error("the adapter {program} cannot be run ({source}): check its path and that it may be executed")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program did not end.
    #[error("the adapter {program} took longer than {} s", PATIENCE.as_secs(), program = .0.display())]
    Slow(PathBuf),
    /// The program failed.
    #[error("the adapter {program} failed ({status}): {said}")]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its exit.
        status: ExitStatus,
        /// What it wrote to standard error.
        said: String,
    },
    /// What it printed is no time.
    #[error("the adapter {program} printed {answer:?}, which is no time such as 2026-11-23T09:15:00.25+08:00")]
    Answer {
        /// The program.
        program: PathBuf,
        /// What it printed.
        answer: String,
    },
}

impl Adapters {
    /// None at all: the clock of a recorder is neither read nor set.
    #[must_use]
    pub fn none() -> Self {
        Self { read: None, set: None, zone: TimeZone::UTC }
    }

    /// The recorder's clock minus the station's, where there is a program to read it.
    pub async fn measure(&self, folder: &Path, now: Clock) -> Result<Option<ClockOffset>, AdapterError> {
        let Some(program) = &self.read else { return Ok(None) };
        let before = now();
        let answer = run(program, folder, &[]).await?;
        let after = now();
        match offset(before, &answer, after, &self.zone) {
            Some(offset) => Ok(Some(offset)),
            None => Err(AdapterError::Answer { program: program.clone(), answer }),
        }
    }

    /// Sets the recorder's clock to the station's, where there is a program to do so; answers whether there is.
    pub async fn set(&self, folder: &Path, now: Clock) -> Result<bool, AdapterError> {
        let Some(program) = &self.set else { return Ok(false) };
        run(
            program,
            folder,
            &[&now().to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()],
        )
        .await?;
        Ok(true)
    }
}

/// The clock was somewhere between `before` and `after` when it was read, and ticks as finely as its answer is written.
fn offset(before: Timestamp, answer: &str, after: Timestamp, zone: &TimeZone) -> Option<ClockOffset> {
    let text = answer.trim();
    let told = text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<DateTime>().ok().filter(|_| text.len() >= "2026-11-23T09:15:00".len())?;
        zone.to_timestamp(local).ok()
    })?;
    let half =
        SignedDuration::from_nanos(i64::try_from((after.as_nanosecond() - before.as_nanosecond()).max(0) / 2).ok()?);
    let middle = before.checked_add(half).ok()?;
    let digits = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let tick = [1000, 100, 10].get(digits).copied().unwrap_or(1);
    let uncertainty = u64::try_from(half.as_millis()).ok()? + 1 + tick;
    Some(ClockOffset { offset_ms: told.as_millisecond() - middle.as_millisecond(), uncertainty_ms: uncertainty })
}

async fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Result<String, AdapterError> {
    let failed = |source| AdapterError::Run { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.arg(folder).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (out, err) = tokio::join!(text(out), text(err));
        child.wait().await.map(|status| (status, out, err))
    };
    let (status, out, err) =
        timeout(PATIENCE, work).await.map_err(|_| AdapterError::Slow(program.to_owned()))?.map_err(failed)?;
    if !status.success() {
        return Err(AdapterError::Failed { program: program.to_owned(), status, said: err });
    }
    Ok(out)
}

/// The beginning of what a program writes; the rest is read and forgotten, so that it does not wait for a reader.
async fn text(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut pipe).take(LONGEST).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shanghai() -> TimeZone {
        TimeZone::get("Asia/Shanghai").expect("zone")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    #[test]
    fn the_offset_is_against_the_middle_of_the_reading() {
        let (before, after) = (at("2026-11-23T01:15:00Z"), at("2026-11-23T01:15:02Z"));
        for answer in ["2026-11-23T09:16:01.000+08:00\n", "2026-11-23T01:16:01.000Z", " 2026-11-23T09:16:01.000"] {
            let offset = offset(before, answer, after, &shanghai()).expect(answer);
            assert_eq!((offset.offset_ms, offset.uncertainty_ms), (60_000, 1002), "{answer}");
        }
        let whole = offset(before, "2026-11-23 09:14:01", before, &shanghai()).expect("seconds");
        assert_eq!(
            (whole.offset_ms, whole.uncertainty_ms),
            (-59_000, 1001),
            "a clock that tells seconds is off by up to one"
        );
        for wrong in ["", "no clock", "2026-11-23", "09:15:00", "1763860500"] {
            assert_eq!(offset(before, wrong, after, &shanghai()), None, "{wrong}");
        }
    }

    proptest! {
        /// The true difference lies within what is stated, wherever in the round trip the clock was read and cut to its tick.
        #[test]
        fn the_truth_lies_within_the_uncertainty(true_ms in -10_000_000_i64..10_000_000, trip in 0_i64..30_000, part in 0_i64..=100, digits in 0_usize..=3) {
            let before = at("2026-11-23T01:15:00Z");
            let plus = |ms: i64| before.checked_add(SignedDuration::from_millis(ms)).expect("time");
            let read_at = trip * part / 100;
            let shown = plus(read_at + true_ms);
            let text = shown.to_zoned_datetime(TimeZone::UTC).strftime(if digits == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S.%3f" }).to_string();
            let cut = if digits == 0 { format!("{text}Z") } else { format!("{}Z", &text[..text.len() - 3 + digits]) };
            let offset = offset(before, &cut, plus(trip), &TimeZone::UTC).expect("offset");
            let error = offset.offset_ms.abs_diff(true_ms);
            prop_assert!(error <= offset.uncertainty_ms, "{cut}: {offset:?} for {true_ms}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn adapters_are_run_and_their_troubles_told() {
        let dir = tempfile::tempdir().expect("dir");
        let script = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("write");
            let mut permissions = path.metadata().expect("metadata").permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
            std::fs::set_permissions(&path, permissions).expect("mode");
            path
        };
        let now = || at("2026-11-23T01:15:00Z");
        let with = |read: PathBuf, set| Adapters { read: Some(read), set, zone: shanghai() };
        let read = script("read", r#"[ -d "$1" ] && echo 2026-11-23T09:16:00"#);
        let set = script("set", r#"echo "$2" > "$1/set""#);
        let adapters = with(read, Some(set));
        let offset = adapters.measure(dir.path(), now).await.expect("measured").expect("offset");
        assert_eq!(offset.offset_ms, 60_000);
        assert!(adapters.set(dir.path(), now).await.expect("set"));
        let told = std::fs::read_to_string(dir.path().join("set")).expect("read");
        assert_eq!(told.trim(), "2026-11-23T09:15:00.000+08:00");
        assert!(!Adapters::none().set(dir.path(), now).await.expect("nothing to do"));

        let none = with(dir.path().join("none"), None).measure(dir.path(), now).await;
        assert!(none.expect_err("missing").to_string().contains("check its path"));
        let fails = with(script("fails", "echo no cable >&2; exit 3"), None).measure(dir.path(), now).await;
        assert!(fails.expect_err("fails").to_string().contains("no cable"));
        let talks = with(script("talks", "yes | head -c 1000000"), None).measure(dir.path(), now).await;
        assert!(matches!(talks, Err(AdapterError::Answer { .. })));
    }
}
