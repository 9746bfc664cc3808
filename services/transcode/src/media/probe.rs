//! Reads a file's header with FFprobe, believing as little as possible.

use serde_json::Value;

use super::bench::{Bench, Halt, Step, complaint};
use super::outcome::{Outcome, Reason};
use super::sandbox::{Flow, INPUT, Program};
use super::technical::{Rational, Stream, StreamKind, TechnicalMetadata};
use super::tool::{self, Look};

const LONGEST_ANSWER: usize = 4 << 20;
const STREAMS_KEPT: usize = 32;

/// Brands of still pictures in an MP4 box structure. Their tiles look like tiny videos to FFmpeg before 7.1.
const HEIF_BRANDS: [&str; 8] = ["heic", "heix", "heim", "heis", "mif1", "msf1", "avif", "avis"];

/// Reads the header of the input, and says how far FFprobe could look into it.
pub(super) async fn header(bench: &mut Bench<'_>, bytes: u64) -> Step<(TechnicalMetadata, Look)> {
    let (inside, stderr) = ask(bench, bytes, Look::Inside).await?;
    if let Some(technical) = inside {
        return Ok((technical, Look::Inside));
    }
    if stderr.contains("not on whitelist") {
        let (outside, _) = ask(bench, bytes, Look::Outside).await?;
        if let Some(technical) = outside {
            return Ok((technical, Look::Outside));
        }
    }
    Err(undecodable(reason(&stderr), &stderr))
}

async fn ask(bench: &mut Bench<'_>, bytes: u64, look: Look) -> Step<(Option<TechnicalMetadata>, String)> {
    let mut arguments = tool::ffprobe_start();
    arguments.extend(tool::owned(["-show_format", "-show_streams", "-of", "json=compact=1"]));
    arguments.extend(tool::look(INPUT, None, bench.limits, look));
    let mut answer = Vec::new();
    let budget = bench.limits.small();
    let finished = bench
        .run(Program::Ffprobe, arguments, &budget, |chunk| {
            answer.extend(chunk);
            if answer.len() > LONGEST_ANSWER { Flow::TooMuch } else { Flow::Quiet }
        })
        .await?;
    let json: Value = serde_json::from_slice(String::from_utf8_lossy(&answer).as_bytes()).unwrap_or(Value::Null);
    if !finished.success || json["format"]["format_name"].as_str().is_none() {
        return Ok((None, finished.stderr));
    }
    if HEIF_BRANDS.contains(&tag(&json["format"], "major_brand").unwrap_or_default().as_str()) {
        return Err(undecodable(Reason::CodecNotSupported, "HEIF photographs are not decoded"));
    }
    Ok((Some(technical(&json, bytes)), finished.stderr))
}

pub(super) fn undecodable(reason: Reason, stderr: &str) -> Halt {
    Halt::Outcome(Outcome::Undecodable { reason, detail: complaint(stderr) })
}

fn reason(stderr: &str) -> Reason {
    if stderr.contains("moov atom not found") { Reason::IndexMissing } else { Reason::NotRecognised }
}

/// Takes from FFprobe's answer what has the right shape and ignores the rest.
fn technical(json: &Value, bytes: u64) -> TechnicalMetadata {
    let format = &json["format"];
    let streams = json["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = format["format_name"].as_str().unwrap_or_default();
    let streams: Vec<&Value> = streams.iter().take(STREAMS_KEPT).collect();
    let rotation = streams.iter().filter(|raw| raw["codec_type"] == "video").find_map(|raw| rotation(raw));
    TechnicalMetadata {
        container: short(names.split(',').next().unwrap_or_default()),
        bytes,
        declared_duration_ms: declared_duration(format),
        created_declared: tag(format, "creation_time")
            .or_else(|| streams.iter().find_map(|raw| tag(raw, "creation_time")))
            .or_else(|| tag(format, "date")),
        rotation_degrees: rotation.unwrap_or(0),
        streams: streams.into_iter().map(stream).collect(),
        ..TechnicalMetadata::default()
    }
}

fn declared_duration(format: &Value) -> Option<u64> {
    let seconds: f64 = format["duration"].as_str()?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on this line")]
    (0.0..1e9).contains(&seconds).then_some((seconds * 1000.0) as u64)
}

fn stream(raw: &Value) -> Stream {
    Stream {
        index: number(&raw["index"]).unwrap_or(u32::MAX),
        kind: kind(raw),
        codec: text(&raw["codec_name"]).unwrap_or_else(|| "unknown".to_owned()),
        profile: text(&raw["profile"]),
        pixel_format: text(&raw["pix_fmt"]),
        width: number(&raw["width"]),
        height: number(&raw["height"]),
        pixel_aspect: rational(&raw["sample_aspect_ratio"]).filter(|aspect| aspect.num != aspect.den),
        frame_rate: rational(&raw["avg_frame_rate"]).or_else(|| rational(&raw["r_frame_rate"])),
        interlaced: matches!(raw["field_order"].as_str(), Some("tt" | "bb" | "tb" | "bt")),
        sample_rate: number(&raw["sample_rate"]),
        channels: number(&raw["channels"]),
        bit_rate: number(&raw["bit_rate"]),
    }
}

fn kind(raw: &Value) -> StreamKind {
    match raw["codec_type"].as_str() {
        Some("video") if raw["disposition"]["attached_pic"] == 1 => StreamKind::Picture,
        Some("video") => StreamKind::Video,
        Some("audio") => StreamKind::Audio,
        Some("subtitle") => StreamKind::Subtitle,
        _ => StreamKind::Data,
    }
}

/// FFprobe counts counter-clockwise, from the display matrix.
fn rotation(raw: &Value) -> Option<u16> {
    let side_data = raw["side_data_list"].as_array()?;
    let degrees = side_data.iter().find_map(|data| data["rotation"].as_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded on this line")]
    let quarters = if degrees.abs() < 1e4 { (-degrees / 90.0).round() as i32 } else { 0 };
    u16::try_from(quarters.rem_euclid(4) * 90).ok()
}

/// A number, which FFprobe prints bare in some fields and quoted in others.
fn number<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    T::try_from(number).ok().filter(|_| number > 0 || value.is_number())
}

fn rational(value: &Value) -> Option<Rational> {
    Rational::parse(value.as_str()?)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(short).filter(|text| !text.is_empty())
}

/// A tag, whatever its capitals.
fn tag(holder: &Value, name: &str) -> Option<String> {
    let tags = holder["tags"].as_object()?;
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| text(value))
}

/// Printable and short: it ends in manifests and on screens.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_ordinary_answer_is_read() {
        let answer = json!({
            "streams": [
                {"index": 0, "codec_name": "h264", "profile": "High", "codec_type": "video", "width": 1920, "height": 1080,
                 "pix_fmt": "yuv420p", "sample_aspect_ratio": "1:1", "avg_frame_rate": "30000/1001", "bit_rate": "8000000",
                 "field_order": "progressive", "disposition": {"attached_pic": 0},
                 "side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}]},
                {"index": 1, "codec_name": "aac", "profile": "LC", "codec_type": "audio", "sample_rate": "48000", "channels": 1},
                {"index": 2, "codec_type": "data", "tags": {"handler_name": "GPS"}},
            ],
            "format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "60.060000",
                       "tags": {"CREATION_TIME": "2025-06-01T08:00:00.000000Z"}},
        });
        let technical = technical(&answer, 7);
        assert_eq!(technical.container, "mov");
        assert_eq!((technical.rotation_degrees, technical.declared_duration_ms), (90, Some(60_060)));
        assert_eq!(technical.created_declared.as_deref(), Some("2025-06-01T08:00:00.000000Z"));
        let video = technical.video().unwrap();
        assert_eq!((video.width, video.bit_rate, video.pixel_aspect), (Some(1920), Some(8_000_000), None));
        assert_eq!(technical.audio().unwrap().sample_rate, Some(48_000));
        assert_eq!(technical.streams[2].codec, "unknown");
    }

    #[test]
    fn wrong_shapes_are_ignored() {
        let answer = json!({
            "streams": [{"index": "x", "codec_type": "video", "codec_name": ["h264"], "width": -1, "height": 1e300,
                         "side_data_list": {"rotation": 1}}, 7, null],
            "format": {"format_name": "avi", "duration": "1e300", "tags": [1]},
        });
        let technical = technical(&answer, 7);
        assert_eq!((technical.declared_duration_ms, technical.rotation_degrees), (None, 0));
        assert!(technical.video().is_none());
        assert_eq!(technical.streams.len(), 3);
    }

    #[test]
    fn a_flood_of_streams_is_cut() {
        let streams: Vec<Value> = (0..500).map(|index| json!({"index": index, "codec_type": "audio"})).collect();
        assert_eq!(technical(&json!({"streams": streams, "format": {}}), 7).streams.len(), STREAMS_KEPT);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        let names =
            "streams|format|tags|duration|format_name|codec_type|side_data_list|rotation|index|width|disposition";
        leaf.prop_recursive(5, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(names, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in any_json()) {
            let technical = technical(&answer, 1);
            prop_assert!(technical.rotation_degrees < 360 && technical.rotation_degrees.is_multiple_of(90));
        }
    }
}
