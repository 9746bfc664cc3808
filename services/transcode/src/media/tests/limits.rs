//! Limits, cancellation and failures of ours.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::fixtures::{H264, Lab, SOURCE, sandbox};
use crate::media::bench::{Bench, Halt};
use crate::media::sandbox::{Flow, Program};
use crate::media::tool;
use crate::media::{DeriveError, Job, LimitKind, Limits, MediaKind, Outcome, Progress, Stage, derive};

fn reached(outcome: &Outcome) -> Option<LimitKind> {
    match outcome {
        Outcome::ExceededLimits { limit, .. } => Some(*limit),
        _ => None,
    }
}

fn slow_video(lab: &Lab) -> std::path::PathBuf {
    lab.ffmpeg("-f lavfi -i testsrc2=s=1920x1080:r=30:d=8 -c:v mpeg4 -q:v 2", "slow.avi")
}

#[tokio::test]
async fn cpu_seconds_are_limited() {
    let lab = Lab::new();
    let input = slow_video(&lab);
    let limits = Limits { cpu_base: Duration::from_secs(1), cpu_per_second: 0, wall_per_cpu: 200, ..Limits::default() };
    let derivation = lab.derive_within(&input, MediaKind::Video, &limits).await.unwrap();
    assert_eq!(reached(&derivation.outcome), Some(LimitKind::CpuTime), "{derivation:?}");
    assert!(derivation.technical.is_some());
}

#[tokio::test]
async fn memory_is_limited() {
    let lab = Lab::new();
    let input =
        lab.ffmpeg("-f lavfi -i color=red:s=12000x9000:d=1 -frames:v 1 -pix_fmt rgb24 -compression_level 1", "a.png");
    let limits = Limits { memory: 500 << 20, ..Limits::default() };
    let derivation = lab.derive_within(&input, MediaKind::Photo, &limits).await.unwrap();
    assert_eq!(reached(&derivation.outcome), Some(LimitKind::Memory), "{derivation:?}");
}

#[tokio::test]
async fn duration_is_limited() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} {H264}"), "a.mp4");
    let limits = Limits { max_duration: Duration::from_secs(5), ..Limits::default() };
    let derivation = lab.derive_within(&input, MediaKind::Video, &limits).await.unwrap();
    assert_eq!(reached(&derivation.outcome), Some(LimitKind::Duration));
}

#[tokio::test]
async fn a_picture_of_absurd_size_is_refused() {
    let lab = Lab::new();
    let input = lab.ffmpeg("-f lavfi -i color=s=1000x1000:d=1 -frames:v 1", "a.png");
    let limits = Limits { max_pixels: 500_000, ..Limits::default() };
    let derivation = lab.derive_within(&input, MediaKind::Photo, &limits).await.unwrap();
    assert!(matches!(derivation.outcome, Outcome::Undecodable { .. }), "{derivation:?}");
}

#[tokio::test]
async fn standing_still_with_cpu_seconds_left_is_our_failure() {
    let lab = Lab::new();
    let input = slow_video(&lab);
    let limits = Limits { stall: Duration::from_millis(1), ..Limits::default() };
    let error = lab.derive_within(&input, MediaKind::Video, &limits).await.unwrap_err();
    assert!(matches!(error, DeriveError::Starved { .. }) && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_missing_input_and_a_used_folder_are_our_failures() {
    let lab = Lab::new();
    let missing = lab.derive_within(&lab.path("none"), MediaKind::Video, &Limits::default()).await.unwrap_err();
    assert!(matches!(missing, DeriveError::Io { .. }), "{missing:?}");
    let folder = lab.derive_within(Path::new("/etc"), MediaKind::Video, &Limits::default()).await.unwrap_err();
    assert!(matches!(folder, DeriveError::Io { .. }), "{folder:?}");
    std::fs::write(lab.out().join("old"), "old").unwrap();
    let used = lab.derive_within(&lab.write("a", "a"), MediaKind::Video, &Limits::default()).await.unwrap_err();
    assert!(matches!(used, DeriveError::OutputNotEmpty(_)) && !used.is_retryable(), "{used:?}");
}

/// Whether a process has our output folder on its command line: the sandbox's, as seen from outside.
fn is_running(out: &Path) -> bool {
    let mark = out.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(&mark))
}

/// Number of FFmpeg processes that read our sample, seen from outside through their mounts.
fn children_with(out: &Path) -> usize {
    let mark = out.file_name().unwrap().to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read_to_string(process.path().join("mountinfo")).ok())
        .filter(|mounts| mounts.lines().any(|line| line.contains(&mark) && line.contains(" /out ")))
        .count()
}

#[tokio::test]
async fn dropping_the_future_kills_everything() {
    let lab = Lab::new();
    // Longer than the patience below, so that it does not simply end.
    slow_video(&lab);
    let input = lab.ffmpeg("-stream_loop 19 -i slow.avi -c copy", "long.avi");
    let job = Job { input, kind: MediaKind::Video, out: lab.out().to_owned() };
    let (progress, mut seen) = watch::channel(Progress::START);
    let sandbox = sandbox().await;
    let task = tokio::spawn(async move {
        let result = derive(&job, sandbox, &Limits::default(), &progress).await;
        panic!("ended before it was dropped: {result:?}");
    });
    seen.wait_for(|now| now.stage == Stage::Playback).await.unwrap();
    assert!(is_running(lab.out()) && children_with(lab.out()) >= 2, "{}", children_with(lab.out()));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let dropped = Instant::now();
    while is_running(lab.out()) || children_with(lab.out()) > 0 {
        assert!(dropped.elapsed() < Duration::from_secs(5), "{} left", children_with(lab.out()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An option of tomorrow must not make every recording undecodable.
#[tokio::test]
async fn arguments_the_tool_does_not_know_are_our_failure() {
    let lab = Lab::new();
    let input = lab.ffmpeg("-f lavfi -i sine=d=1", "a.wav");
    let (progress, _) = watch::channel(Progress::START);
    let limits = Limits::default();
    for arguments in ["-no_such_option 1 -i /in/original -f null -", "-i /in/original -c:a no_such_codec -f null -"] {
        let mut bench = Bench::new(&input, lab.out(), sandbox().await, &limits, &progress);
        let mut all = tool::ffmpeg_start("repeat+level+error", &limits);
        all.extend(tool::owned(arguments.split(' ')));
        let halt = bench.run(Program::Ffmpeg, all, &limits.small(), |_| Flow::Quiet).await.unwrap_err();
        let Halt::Error(error) = halt else { panic!("{arguments}: {halt:?}") };
        assert!(matches!(error, DeriveError::Tool(_)) && !error.is_retryable(), "{arguments}: {error:?}");
    }
}
