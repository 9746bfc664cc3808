//! The whole way from one file to its derivatives.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::bench::{Bench, Halt, Step};
use super::outcome::{Derivation, Form, LimitKind, MediaKind, Method, Note, Outcome, OutputFile, Reason};
use super::plan::{Action, Plan, plans};
use super::playback::{self, Copy, Failure};
use super::probe::{self, undecodable};
use super::progress::{Progress, Stage};
use super::sandbox::{INPUT, Sandbox};
use super::scan::{Scan, Source, scan};
use super::technical::{Gap, StreamKind, TechnicalMetadata};
use super::timeline::GAPS_KEPT;
use super::{DeriveError, Limits, outputs, photo, riff, storyboard, waveform};

/// What to derive from, and where to put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The original, a regular file, verified by the caller.
    pub input: PathBuf,
    /// What the recorder calls it.
    pub kind: MediaKind,
    /// An existing, empty folder. What it holds after an error or a dropped future is of no use.
    pub out: PathBuf,
}

/// Derives everything that can be shown of one original. See the module for what is an outcome and what an error.
///
/// `progress` changes only while output time advances. Dropping the future kills the child; call it from a task of the
/// runtime, not inside `block_in_place`: the kernel ends the sandbox together with the thread that started it.
pub async fn derive(
    job: &Job,
    sandbox: &Sandbox,
    limits: &Limits,
    progress: &watch::Sender<Progress>,
) -> Result<Derivation, DeriveError> {
    let input = fs::canonicalize(&job.input).await.map_err(DeriveError::io(&job.input))?;
    let bytes = regular_file_length(&input).await?;
    let out = fs::canonicalize(&job.out).await.map_err(DeriveError::io(&job.out))?;
    expect_empty(&out).await?;

    let mut bench = Bench::new(&input, &out, sandbox, limits, progress);
    let mut technical = None;
    let (outcome, files) = match produce(&mut bench, job.kind, bytes, &mut technical).await {
        Ok(made) => made,
        Err(Halt::Outcome(outcome)) => (outcome, Vec::new()),
        Err(Halt::Error(error)) => return Err(error),
    };
    outputs::tidy(&out, &files).await?;
    let Bench { commands, notes, .. } = bench;
    let notes: Vec<Note> = BTreeSet::into_iter(notes).collect();
    Ok(Derivation { outcome, technical, outputs: files, notes, tool: sandbox.version().clone(), commands })
}

async fn regular_file_length(input: &Path) -> Result<u64, DeriveError> {
    let metadata = fs::metadata(input).await.map_err(DeriveError::io(input))?;
    if !metadata.is_file() {
        return Err(DeriveError::io(input)(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    Ok(metadata.len())
}

/// The first bytes, as far as there are any.
async fn head(input: &Path) -> Result<Vec<u8>, DeriveError> {
    let file = fs::File::open(input).await.map_err(DeriveError::io(input))?;
    let mut head = Vec::new();
    file.take(riff::HEAD).read_to_end(&mut head).await.map_err(DeriveError::io(input))?;
    Ok(head)
}

async fn expect_empty(out: &Path) -> Result<(), DeriveError> {
    let mut entries = fs::read_dir(out).await.map_err(DeriveError::io(out))?;
    match entries.next_entry().await.map_err(DeriveError::io(out))? {
        None => Ok(()),
        Some(_) => Err(DeriveError::OutputNotEmpty(out.to_owned())),
    }
}

type Made = (Outcome, Vec<OutputFile>);

/// Fills `technical` as soon as there is something, so that it survives a halt.
async fn produce(
    bench: &mut Bench<'_>,
    declared: MediaKind,
    bytes: u64,
    technical: &mut Option<TechnicalMetadata>,
) -> Step<Made> {
    if bytes == 0 {
        return Err(undecodable(Reason::Empty, ""));
    }
    let (header, look) = probe::header(bench, bytes).await?;
    let technical = technical.insert(header);
    if actual_kind(technical).is_some_and(|actual| actual != declared) {
        bench.notes.insert(Note::KindDiffers);
    }
    if technical.is_picture() {
        return photo::make(bench, technical).await;
    }
    if technical.video().is_none() && technical.audio().is_none() {
        return Err(nothing_to_play(technical));
    }
    let source = Source {
        path: INPUT,
        container: &technical.container,
        look,
        video: technical.video().map(|stream| stream.index),
        audio: technical.audio().map(|stream| stream.index),
        frame_rate: technical.video().and_then(|stream| stream.frame_rate),
    };
    let reading = bench.limits.reading(bytes);
    let found = scan(bench, source, &reading, Stage::Scan).await?;
    complete(technical, &found);
    note_what_was_found(bench, technical, &found, riff::is_cut(&head(bench.input).await?, bytes));
    check_duration(bench, &found)?;
    play(bench, technical, found.media()).await
}

fn actual_kind(technical: &TechnicalMetadata) -> Option<MediaKind> {
    if technical.is_picture() {
        Some(MediaKind::Photo)
    } else if technical.has(StreamKind::Video) {
        Some(MediaKind::Video)
    } else {
        technical.has(StreamKind::Audio).then_some(MediaKind::Audio)
    }
}

fn nothing_to_play(technical: &TechnicalMetadata) -> Halt {
    let media = technical.streams.iter().filter(|stream| matches!(stream.kind, StreamKind::Video | StreamKind::Audio));
    let codecs: Vec<&str> = media.map(|stream| stream.codec.as_str()).collect();
    let reason = if codecs.is_empty() { Reason::NoMediaStreams } else { Reason::CodecNotSupported };
    undecodable(reason, &codecs.join(", "))
}

/// How much longer than the pictures the sound may be before it counts, microseconds.
const LATE_SOUND: u64 = 1_000_000;

/// Adds to the header's claims what the timestamps say.
fn complete(technical: &mut TechnicalMetadata, found: &Scan) {
    let main = found.main();
    technical.duration_ms = Some(main.span / 1000);
    technical.covered_ms = Some(main.covered / 1000);
    technical.bit_rate = technical.bytes.saturating_mul(8_000).checked_div(main.covered / 1000);
    technical.gaps.clone_from(&main.gaps);
    technical.gap_count = main.gap_count;
    // The pictures ended, and the sound went on: time without a frame like any other.
    if found.audio.span > main.span + LATE_SOUND {
        let (from_ms, to_ms) = (main.span / 1000, found.audio.span / 1000);
        technical.duration_ms = Some(to_ms);
        technical.gap_count = technical.gap_count.saturating_add(1);
        technical.gaps.truncate(GAPS_KEPT - 1);
        technical.gaps.push(Gap { from_ms, to_ms });
    }
    technical.backward_jumps = main.backward_jumps;
    technical.keyframe_interval_max_ms = found.video.keyframe_interval_max.map(|interval| interval / 1000);
    technical.starts_with_keyframe = found.video.starts_with_keyframe;
}

fn note_what_was_found(bench: &mut Bench<'_>, technical: &TechnicalMetadata, found: &Scan, cut: bool) {
    let longest_ms = found.video.span.max(found.audio.span) / 1000;
    let declared_ms = technical.declared_duration_ms.unwrap_or(0);
    let lenses = technical.streams.iter().filter(|stream| stream.kind == StreamKind::Video).count();
    let notes = [
        (technical.gap_count > 0 || technical.backward_jumps > 0, Note::Gaps),
        (cut || declared_ms > longest_ms + 1000 + declared_ms / 50, Note::Truncated),
        (found.damaged, Note::DecodeErrors),
        (lenses > 1, Note::MoreVideoStreams),
    ];
    bench.notes.extend(notes.into_iter().filter_map(|(holds, note)| holds.then_some(note)));
}

fn check_duration(bench: &Bench<'_>, found: &Scan) -> Step<()> {
    let media = found.media();
    if media <= bench.limits.max_duration {
        return Ok(());
    }
    let detail = format!("{} s of recording", media.as_secs());
    Err(Halt::Outcome(Outcome::ExceededLimits { limit: LimitKind::Duration, detail }))
}

/// Tries the plans in turn until one gives a copy whose pictures or sound decode.
async fn play(bench: &mut Bench<'_>, technical: &TechnicalMetadata, media: Duration) -> Step<Made> {
    let plans = plans(technical);
    let mut words = String::new();
    for plan in &plans {
        let copy = match playback::attempt(bench, plan, technical, media).await? {
            Ok(copy) => copy,
            Err(Failure(stderr)) => {
                // FFmpeg may end well although its last writes failed.
                bench.check_disk()?;
                words = stderr;
                continue;
            }
        };
        let previews = match preview(bench, plan, &copy, technical).await {
            // A stream copy succeeds without looking inside. If nothing of it decodes, encoding will tell why.
            Ok(files) if files.is_empty() && plan.method() == Method::Copied => continue,
            Err(Halt::Outcome(Outcome::ExceededLimits { .. })) => Vec::new(),
            made => made?,
        };
        if previews.is_empty() {
            bench.notes.insert(Note::PreviewMissing);
        }
        bench.notes.extend(playback::remarks(&copy, plan, &plans[0], technical));
        let outcome = Outcome::Playable { form: plan.form(), method: plan.method() };
        return Ok((outcome, copy.outputs.into_iter().chain(previews).collect()));
    }
    Err(undecodable(Reason::NoDecodableFrames, &words))
}

async fn preview(
    bench: &mut Bench<'_>,
    plan: &Plan,
    copy: &Copy,
    technical: &TechnicalMetadata,
) -> Step<Vec<OutputFile>> {
    match plan.form() {
        Form::Video => storyboard::make(bench, &copy.scan.video, picture_size(plan, technical)).await,
        Form::AudioOnly => waveform::make(bench, &copy.scan.audio).await,
    }
}

/// Size of the copy's picture with square pixels.
fn picture_size(plan: &Plan, technical: &TechnicalMetadata) -> (u32, u32) {
    match plan.video.map(|track| track.action) {
        Some(Action::Encode(picture)) => (picture.width, picture.height),
        _ => technical.video().map_or((1, 1), |stream| stream.display_size(0)),
    }
}
