//! A photograph for the web: upright, of web size, without metadata, and its thumbnail.

use std::io;

use tokio::fs::{self, File};
use tokio::io::AsyncReadExt;

use super::bench::{Bench, Step, complaint, is_damaged};
use super::jpeg::{self, Exif};
use super::outcome::{Note, Outcome, OutputFile, Reason, Role};
use super::plan::fit;
use super::probe::undecodable;
use super::progress::Stage;
use super::sandbox::{Flow, INPUT, Program};
use super::storyboard::jpeg_output;
use super::technical::TechnicalMetadata;
use super::{DeriveError, outputs, tool};

const WEB_BOX: (u32, u32) = (1920, 1920);
const THUMBNAIL_BOX: (u32, u32) = (480, 480);

/// Makes both pictures, and completes `technical` by what the photograph says about itself.
pub(super) async fn make(bench: &mut Bench<'_>, technical: &mut TechnicalMetadata) -> Step<(Outcome, Vec<OutputFile>)> {
    if technical.container == "jpeg_pipe" {
        let exif = read_exif(bench).await?;
        technical.orientation = exif.orientation;
        technical.created_declared = technical.created_declared.take().or(exif.taken);
    }
    let Some(stream) = technical.video() else {
        return Err(undecodable(Reason::NoDecodableFrames, "the picture has no size"));
    };
    bench.begin(Stage::Playback);
    let orientation = technical.orientation.unwrap_or(1);
    let size = stream.display_size(if orientation >= 5 { 90 } else { 0 });
    let budget = bench.limits.small();
    let finished = bench.run(Program::Ffmpeg, arguments(bench, technical, size), &budget, |_| Flow::Quiet).await?;
    let mut files = Vec::new();
    for role in [Role::WebImage, Role::Thumbnail] {
        files.extend(strip(bench, role).await?);
    }
    if !finished.success || files.len() < 2 {
        return Err(undecodable(Reason::NoDecodableFrames, &complaint(&finished.stderr)));
    }
    if is_damaged(&finished.stderr) {
        bench.notes.insert(Note::DecodeErrors);
    }
    Ok((Outcome::StillImage, files))
}

async fn read_exif(bench: &Bench<'_>) -> Result<Exif, DeriveError> {
    let file = File::open(bench.input).await.map_err(DeriveError::io(bench.input))?;
    let mut head = Vec::new();
    file.take(jpeg::HEAD).read_to_end(&mut head).await.map_err(DeriveError::io(bench.input))?;
    Ok(jpeg::exif(&head))
}

fn arguments(bench: &Bench<'_>, technical: &TechnicalMetadata, size: (u32, u32)) -> Vec<String> {
    let (web, thumbnail) = (fit(size, WEB_BOX), fit(size, THUMBNAIL_BOX));
    let filter = format!(
        "[0:v:0]{}format=yuvj420p,split[a][b];[a]scale={}:{},setsar=1[web];[b]scale={}:{},setsar=1[thumbnail]",
        turn(technical.orientation.unwrap_or(1)),
        web.0,
        web.1,
        thumbnail.0,
        thumbnail.1
    );
    let mut arguments = tool::ffmpeg_start("repeat+level+error", bench.limits);
    // FFmpeg 8 turns photographs by itself, older versions do not.
    arguments.push("-noautorotate".to_owned());
    arguments.extend(tool::open(INPUT, Some(&technical.container), bench.limits));
    arguments.extend(tool::owned(["-filter_complex", &filter, "-map", "[web]", "-frames:v", "1"]));
    arguments.extend(jpeg_output(Role::WebImage, "3"));
    arguments.extend(tool::owned(["-map", "[thumbnail]", "-frames:v", "1"]));
    arguments.extend(jpeg_output(Role::Thumbnail, "4"));
    arguments
}

/// Filters that undo an EXIF orientation.
fn turn(orientation: u8) -> &'static str {
    match orientation {
        2 => "hflip,",
        3 => "hflip,vflip,",
        4 => "vflip,",
        5 => "transpose=cclock_flip,",
        6 => "transpose=clock,",
        7 => "transpose=clock_flip,",
        8 => "transpose=cclock,",
        _ => "",
    }
}

/// Rewrites an output without metadata: a photograph's place and device are not for every viewer.
async fn strip(bench: &Bench<'_>, role: Role) -> Result<Option<OutputFile>, DeriveError> {
    const LARGEST: u64 = 64 << 20;
    let Some(file) = outputs::accept(bench.out, role).await.filter(|file| file.bytes <= LARGEST) else {
        return Ok(None);
    };
    let path = file.path(bench.out);
    let picture = fs::read(&path).await.map_err(|error: io::Error| DeriveError::io(&path)(error))?;
    let Some(clean) = jpeg::without_metadata(&picture) else { return Ok(None) };
    outputs::write(bench.out, role, &clean).await?;
    Ok(outputs::accept(bench.out, role).await)
}
