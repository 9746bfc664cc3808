//! Sample recorders: for every agency a folder as a recorder shows it when it is plugged in, with real video, photographs
//! and sound from ffmpeg's test sources (A-2.1: 錄像、照相、錄音). Made once, then kept.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use custos_domain::calendar::SHANGHAI;
use jiff::{Span, Timestamp, civil::DateTime};
use serde_json::json;
use tokio::process::Command;

use crate::folders;

/// Changes whenever the recipe below does, so that what an older one made is made anew.
const RECIPE: &str = "1";

/// The folder of the sample recorder of `tenant` below `samples`; made when it is not there. Its files are dated the day
/// before the one on which they are made.
pub async fn recorder(samples: &Path, tenant: &str, now: Timestamp) -> anyhow::Result<PathBuf> {
    let recorder = samples.join(format!("{tenant}-{RECIPE}"));
    folders::create(samples)?;
    let making = File::options().create(true).append(true).open(samples.join("lock"))?;
    // Tests that run side by side wait here for the one that makes it.
    tokio::task::spawn_blocking(move || making.lock().map(|()| making)).await??;
    if !recorder.exists() {
        let next = samples.join(format!("{tenant}-{RECIPE}.next"));
        let _ = fs::remove_dir_all(&next);
        let yesterday = SHANGHAI.to_datetime(now).date().yesterday()?;
        make(&next, tenant, yesterday.at(9, 15, 0, 0)).await?;
        fs::rename(&next, &recorder).with_context(|| format!("naming {}", recorder.display()))?;
    }
    Ok(recorder)
}

/// One file of a recorder.
struct Clip {
    /// Folder, what follows the time in the name, and the extension.
    name: (&'static str, &'static str, &'static str),
    /// What ffmpeg is told after the sources.
    encode: &'static [&'static str],
    picture: Option<&'static str>,
    sound: Option<&'static str>,
}

/// What every recorder has: an ordinary video, a photograph, a sound recording.
static ORDINARY: [Clip; 3] = [
    Clip {
        name: ("DCIM", "_0001_00", "MP4"),
        encode: &["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        picture: Some("testsrc2=size=640x360:rate=25:duration=6"),
        sound: Some("sine=frequency=440:duration=6"),
    },
    Clip {
        name: ("PHOTO", "_0002", "JPG"),
        encode: &["-frames:v", "1", "-q:v", "3"],
        picture: Some("testsrc2=size=1920x1080:rate=1:duration=1"),
        sound: None,
    },
    Clip {
        name: ("AUDIO", "_0003", "WAV"),
        encode: &["-c:a", "pcm_s16le", "-ar", "16000"],
        picture: None,
        sound: Some("sine=frequency=330:duration=8"),
    },
];

/// What the traffic police's recorder has besides: a video of several upload parts with the key-file mark (重點文件), and the
/// formats that need more than copying to be played.
static MORE: [Clip; 4] = [
    Clip {
        name: ("DCIM", "_0004_00_IMP", "MP4"),
        encode: &[
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-b:v",
            "24M",
            "-minrate",
            "24M",
            "-bufsize",
            "24M",
            "-g",
            "50",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
        ],
        picture: Some("testsrc2=size=1280x720:rate=25:duration=5,noise=alls=60:allf=t"),
        sound: Some("sine=frequency=520:duration=5"),
    },
    Clip {
        name: ("DCIM", "_0005_00", "MP4"),
        encode: &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "log-level=error",
            "-tag:v",
            "hvc1",
            "-c:a",
            "aac",
        ],
        picture: Some("testsrc2=size=640x360:rate=25:duration=5"),
        sound: Some("sine=frequency=600:duration=5"),
    },
    Clip {
        name: ("DCIM", "_0006_00", "AVI"),
        encode: &["-c:v", "mjpeg", "-q:v", "8", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"],
        picture: Some("testsrc2=size=640x480:rate=15:duration=4"),
        sound: Some("sine=frequency=700:duration=4"),
    },
    Clip {
        name: ("AUDIO", "_0007", "MP3"),
        encode: &["-c:a", "libmp3lame", "-b:a", "64k"],
        picture: None,
        sound: Some("sine=frequency=880:duration=6"),
    },
];

async fn make(recorder: &Path, tenant: &str, start: DateTime) -> anyhow::Result<()> {
    for (path, clip) in clips(tenant, start)? {
        let file = recorder.join(path);
        folders::create(file.parent().context("a file without a folder")?)?;
        clip.render(&file, tenant).await.with_context(|| format!("making {}", file.display()))?;
    }
    let said =
        json!({"device": device(tenant), "officer": officer(tenant), "model": "DSJ-SAMPLE", "firmware": "1.0.0"});
    folders::write(&recorder.join("recorder.json"), serde_json::to_vec_pretty(&said)?)
}

/// What is on the recorder of an agency, and where: named after recorder, wearer and time, ten minutes apart.
fn clips(tenant: &str, start: DateTime) -> anyhow::Result<Vec<(PathBuf, &'static Clip)>> {
    let more: &[Clip] = if tenant == "E" { &MORE } else { &[] };
    let named = |(number, clip): (i64, &'static Clip)| {
        let time = start.checked_add(Span::new().minutes(10 * number))?.strftime("%Y%m%d%H%M%S");
        let (folder, marks, extension) = clip.name;
        let name = format!("{folder}/{}_{}_{time}{marks}.{extension}", device(tenant), officer(tenant));
        anyhow::Ok((PathBuf::from(name), clip))
    };
    (0..).zip(ORDINARY.iter().chain(more)).map(named).collect()
}

impl Clip {
    /// Every agency's has other colours and another pitch: no two recorders have the same bytes.
    async fn render(&self, file: &Path, tenant: &str) -> anyhow::Result<()> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
        let number = number(tenant);
        let picture = self.picture.map(|source| format!("{source},hue=h={}", 36 * number));
        let sound = self.sound.map(|source| format!("{source},asetrate={}", 44_100 + 100 * number));
        for source in picture.iter().chain(&sound) {
            ffmpeg.args(["-f", "lavfi", "-i", source]);
        }
        ffmpeg.args(self.encode).arg(file);
        let output = ffmpeg.stdin(Stdio::null()).output().await.context("starting ffmpeg; run deploy/local/install")?;
        if output.status.success() {
            return Ok(());
        }
        bail!("ffmpeg: {}", String::from_utf8_lossy(&output.stderr).trim())
    }
}

/// The number of an agency's sample recorder.
fn device(tenant: &str) -> String {
    format!("DSJ0001{tenant}")
}

/// The number of its wearer.
fn officer(tenant: &str) -> String {
    format!("P00034{}", number(tenant))
}

/// A digit for an agency; another for each of the seeded five.
fn number(tenant: &str) -> u32 {
    tenant.bytes().map(u32::from).sum::<u32>() % 10
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use custos_domain::recorder::{Recognition, Rules};

    use super::*;

    #[test]
    fn docks_understand_every_name_and_no_two_are_one_recording() {
        let rules = Rules::built_in().expect("rules");
        let start = jiff::civil::date(2026, 11, 22).at(9, 15, 0, 0);
        for (tenant, expected) in [("A", 3), ("B", 3), ("C", 3), ("D", 3), ("E", 7)] {
            let clips = clips(tenant, start).expect("clips");
            let mut recordings = BTreeSet::new();
            for (path, _) in &clips {
                let Recognition::Recognised(item) = rules.recognise(path.as_os_str().as_encoded_bytes()) else {
                    panic!("no rule understands {}", path.display());
                };
                assert_eq!(item.device.expect("device").as_str(), device(tenant));
                assert_eq!(item.officer.expect("officer").as_str(), officer(tenant));
                recordings.insert(item.recording);
            }
            assert_eq!((clips.len(), recordings.len()), (expected, expected), "{tenant}");
        }
    }
}
