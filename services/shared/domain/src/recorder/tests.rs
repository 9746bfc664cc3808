use jiff::civil::date;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

fn rules() -> Rules {
    Rules::built_in().expect("built-in rules")
}

fn recognised(path: &str) -> Recognised {
    match rules().recognise(path) {
        Recognition::Recognised(item) => item,
        Recognition::Unrecognised(unknown) => panic!("{path}: {}", unknown.why),
    }
}

fn unrecognised(path: impl AsRef<[u8]>) -> Unrecognised {
    match rules().recognise(&path) {
        Recognition::Unrecognised(unknown) => unknown,
        Recognition::Recognised(item) => panic!("recognised as {item:?}"),
    }
}

#[test]
fn names_of_several_vendors() {
    use ItemKind::{Audio, Photo, Video};
    let (device, officer) = (Some("DSJ00012"), Some("P000345"));
    let (video, photo, audio) = ("20261123091500_0007", "20261123091500_0007_P", "20261123091500_0007_A");
    for (path, rule, kind, found, recording, segment, key_file) in [
        (
            "DSJ00012_P000345_20261123091500_0007_00.MP4",
            "device-officer-time",
            Video,
            (device, officer),
            video,
            0,
            false,
        ),
        (
            "DCIM/100/dsj00012_p000345_20261123091500_0007_12.mp4",
            "device-officer-time",
            Video,
            (device, officer),
            video,
            12,
            false,
        ),
        (
            "DSJ00012@P000345_20261123_091500_0007_IMP.mp4",
            "device-officer-time",
            Video,
            (device, officer),
            video,
            0,
            true,
        ),
        (
            "IMP/DSJ00012_P000345_20261123091500_0007.mp4",
            "device-officer-time",
            Video,
            (device, officer),
            video,
            0,
            true,
        ),
        (
            "DSJ00012_P000345_20261123091500_0007_KEY_01.ts",
            "device-officer-time",
            Video,
            (device, officer),
            video,
            1,
            true,
        ),
        (
            "20261123091500_0007_DSJ00012_P000345.mp4",
            "time-sequence-device-officer",
            Video,
            (device, officer),
            video,
            0,
            false,
        ),
        ("PP000345_20261123091500_0007.jpg", "officer-time", Photo, (None, officer), photo, 0, false),
        ("PHOTO/P000345_20261123_091500_0007.PNG", "officer-time", Photo, (None, officer), photo, 0, false),
        ("20261123/AUDIO/PP000345_20261123091500_0007.wav", "officer-time", Audio, (None, officer), audio, 0, false),
        ("DSJ00012_20261123091500_0007_01.mp4", "device-time", Video, (device, None), video, 1, false),
        ("20261123/091500_0007.mp4", "dated-folder", Video, (None, None), video, 0, false),
        ("DCIM/2026-11-23/AUDIO/09-15-00_0007_02.amr", "dated-folder", Audio, (None, None), audio, 2, false),
        ("VIDEO/20261123091500_0007", "time", Video, (None, None), video, 0, false),
        ("重點/20261123091500_0007_01.h264", "time", Video, (None, None), video, 1, true),
    ] {
        let item = recognised(path);
        let ids = (item.device.as_ref().map(DeviceId::as_str), item.officer.as_ref().map(OfficerId::as_str));
        assert_eq!((item.rule.as_str(), item.kind, ids), (rule, kind, found), "{path}");
        assert_eq!(
            (item.recording.as_str(), item.segment, item.key_file),
            (recording, Segment(segment), key_file),
            "{path}"
        );
        assert_eq!(item.started_at_device, date(2026, 11, 23).at(9, 15, 0, 0), "{path}");
        assert_eq!(item.sequence, Some(7), "{path}");
    }
}

#[test]
fn a_name_without_a_sequence_goes_by_its_time() {
    let item = recognised("DCAM_CAM001_000001_20260804_100000_IMP.mp4");
    assert_eq!((item.rule.as_str(), item.recording.as_str()), ("vendor-device-officer-time", "20260804100000"));
    assert_eq!((item.sequence, item.key_file), (None, true));
    assert_eq!(recognised("20261123-091500.wav").recording.as_str(), "20261123091500_A");
    let still = recognised("DCAM_CAM001_000001_20260804_100000.jpg");
    assert_eq!(still.recording.as_str(), "20260804100000_P", "a still of the same second is another act of recording");
}

#[test]
fn a_key_mark_does_not_change_whose_recording_it_is() {
    let plain = recognised("DSJ00012_P000345_20261123091500_0007_01.mp4");
    for path in
        ["IMP_DSJ00012_P000345_20261123091500_0007_01.mp4", "LOCKED/DSJ00012_P000345_20261123091500_0007_01_imp.mp4"]
    {
        assert_eq!(recognised(path), Recognised { key_file: true, ..plain.clone() }, "{path}");
    }
}

#[test]
fn an_impossible_moment_marks_the_name_and_keeps_what_else_it_tells() {
    for digits in
        ["20260231091500", "00000000000000", "20261323091500", "20261123240000", "20261123096000", "20261123091560"]
    {
        let item = unrecognised(format!("DSJ00012_P000345_{digits}_0007_IMP.mp4"));
        assert_eq!((item.why, item.kind, item.key_file), (Unknown::Moment, Some(ItemKind::Video), true), "{digits}");
        let ids = (item.device.as_ref().map(DeviceId::as_str), item.officer.as_ref().map(OfficerId::as_str));
        assert_eq!(ids, (Some("DSJ00012"), Some("P000345")), "{digits}");
    }
    assert_eq!(recognised("DSJ00012_P000345_20280229235959_0007.mp4").recording.as_str(), "20280229235959_0007");
}

#[test]
fn unknown_names_go_through_with_what_is_known() {
    for (path, kind, key_file, why) in [
        ("DCIM/100MEDIA/MOVI0007.AVI", Some(ItemKind::Video), false, Unknown::Name),
        ("VID_0001_20261123091500.mp4", Some(ItemKind::Video), false, Unknown::Name),
        ("KEY/clip.m4a", Some(ItemKind::Audio), true, Unknown::Name),
        ("clip_IMP.jpg", Some(ItemKind::Photo), true, Unknown::Name),
        ("PHOTO/VIDEO/clip.xyz", Some(ItemKind::Video), false, Unknown::Name),
        ("DSJ00012_A_20261123091500_0007.mp4", Some(ItemKind::Video), false, Unknown::Name),
        ("錄像/現場.xyz", Some(ItemKind::Video), false, Unknown::Name),
        ("DSJ00012_P000345_20261123091500_0007.MP4.tmp", None, false, Unknown::Name),
        ("DSJ00012_P000345_20261123091500_0007.bin", None, false, Unknown::Kind),
        ("DSJ00012_P000345_20261123091500_0007_99999999.mp4", Some(ItemKind::Video), false, Unknown::Name),
        ("readme.txt", None, false, Unknown::Name),
        ("._DSJ00012_P000345_20261123091500_0007.mp4", Some(ItemKind::Video), false, Unknown::Name),
        (".mp4", Some(ItemKind::Video), false, Unknown::Name),
        ("IMP", None, true, Unknown::Name),
    ] {
        assert_eq!(unrecognised(path), Unrecognised { kind, device: None, officer: None, key_file, why }, "{path}");
    }
}

#[test]
fn hostile_paths_are_not_understood() {
    let good = "DSJ00012_P000345_20261123091500_0007.mp4";
    for path in ["../", "a/../", "/", "./", "a//", "..//"] {
        assert_eq!(unrecognised(format!("{path}{good}")).why, Unknown::Path, "{path}");
    }
    assert_eq!(unrecognised("").why, Unknown::Path);
    assert_eq!(unrecognised(format!("{}/{good}", "x".repeat(4096))).why, Unknown::Path);
    for name in ["DSJ\u{131}1_P1", "DSJ00012\0_P1", "DSJ00012\n_P1", "D\u{202e}1_P1", "DSJ１_P1", &"9".repeat(40)] {
        assert_eq!(unrecognised(format!("{name}_20261123091500_0007.mp4")).why, Unknown::Name, "{name:?}");
    }
    assert_eq!(unrecognised(b"DSJ\xff0012_P000345_20261123091500_0007.mp4").why, Unknown::Name);
    let folder_in_gbk = [b"\xd6\xd8\xb5\xe3/".as_slice(), good.as_bytes()].concat();
    assert!(matches!(rules().recognise(folder_in_gbk), Recognition::Recognised(_)));
}

#[test]
fn unknown_items_are_named_by_their_bytes() {
    let root = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!(recording_from_digest(root).map(String::from), Ok("X_AF1349B9F5F9A1A6".to_owned()));
    for text in ["", "af1349b9f5f9a1a", "af1349b9f5f9a1_6", "深深深深深深", "../../../../../../"] {
        assert!(recording_from_digest(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_station_adds_its_own_rules_first() {
    let own = r"
rules:
  - name: acme
    folder: 'ACME/(?<device>\d{5})'
    file: 'V(?<time>\d{14})N(?<sequence>\d+)(?<mark>!)?'
    examples: [ACME/00042/V20261123091500N9.vid, ACME/00042/V20261123091500N9_IMP.vid]
kinds: { video: [vid] }
info: { files: [acme.cfg] }
";
    let rules = rules().with(own).expect("station rules");
    let Recognition::Recognised(item) = rules.recognise("acme/00042/v20261123091500n9!.VID") else {
        panic!("recognised")
    };
    assert_eq!((item.rule.as_str(), item.kind, item.key_file), ("acme", ItemKind::Video, true));
    assert_eq!((item.device.expect("device").as_str(), item.recording.as_str()), ("00042", "20261123091500_9"));
    assert!(
        matches!(rules.recognise("acme/00042/v20261123091500n1234567890.vid"), Recognition::Unrecognised(_)),
        "no such sequence"
    );
    assert!(
        matches!(rules.recognise("20261123091500_0007.mp4"), Recognition::Recognised(_)),
        "the built-in rules stay"
    );
    let shadow =
        "rules: [{ name: ours, file: '(?<time>\\d{14})_(?<segment>\\d{4})', examples: [20261123091500_0007.mp4] }]";
    let Recognition::Recognised(item) = rules.clone().with(shadow).expect("rules").recognise("20261123091500_0007.mp4")
    else {
        panic!("recognised")
    };
    assert_eq!((item.rule.as_str(), item.segment), ("ours", Segment(7)), "the station's rule comes first");
    assert!(rules.is_info_file("ACME.CFG") && rules.is_info_file("recorder.json"));
}

#[test]
fn wrong_rules_are_refused_by_name() {
    let rule = |name: &str, file: &str, example: &str| {
        format!("rules:\n  - {{ name: {name}, file: '{file}', examples: [{example}] }}\n")
    };
    for (yaml, expected) in [
        (rule("x", "(?<time>\\d{14}", "20261123091500.mp4"), "naming rule x: its pattern is not a regular expression"),
        (rule("x", "(?<time>\\d{14})(?<colour>.)", "20261123091500a.mp4"), "the group colour means nothing"),
        (rule("x", "(?<date>\\d{8})", "20261123.mp4"), "it finds no time"),
        (rule("x", "(?<time>\\d{14})", "2026.mp4"), "its example 2026.mp4 does not match"),
        (rule("x", "(?<time>\\d{14})", ""), "it has no examples"),
        (rule("X Y", "(?<time>\\d{14})", "20261123091500.mp4"), "its name must be"),
        (rule("x", "(?<time>(?:\\d{999}){999})", "1.mp4"), "not a regular expression"),
        (rule("x", "(?<time>\\d{14})\\d{20000}", "1.mp4"), "not a regular expression"),
        (rule("time", "(?<time>\\d{14})", "20261123091500.mp4"), "time stands there twice"),
        ("kinds: { video: [mp4], audio: [MP4] }".to_owned(), "listed for two kinds"),
        ("colours: []".to_owned(), "unknown field `colours`"),
    ] {
        let message = rules().with(&yaml).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_recorder_describes_itself_in_json_or_lines() {
    let json = r#"{ "device": { "Device_No": " dsj00012 ", "Model": "V6\u0007" }, "警號": "p000345", "FW-Version": "1.2",
        "counters": { "last_sequence": 7, "power on": "12", "odd": "x" }, "video_count": 3, "list": [1] }"#;
    let ini = "\u{feff}[Device]\r\n; a comment = none\r\nDeviceNo = \"DSJ00012\"\r\nmodel=V6\u{7}\r\n警号：P000345\r\nfw version: 1.2\r\n\
        [Counters]\r\nlast_sequence=7\r\npower on=12\r\nodd=x\r\n[other]\r\nVideoCount=3\r\nnothing\r\n";
    for text in [json, ini] {
        let info = rules().recorder_info(text);
        assert_eq!(info.device.as_ref().map(DeviceId::as_str), Some("DSJ00012"), "{text}");
        assert_eq!(info.officer.as_ref().map(OfficerId::as_str), Some("P000345"));
        assert_eq!((info.model.as_deref(), info.firmware.as_deref()), (Some(r"V6\u{7}"), Some("1.2")));
        let counters: Vec<_> = info.counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counters, [("lastsequence", 7), ("poweron", 12), ("videocount", 3)]);
        assert_eq!(info.problems, ["counter odd is not a number"]);
    }
}

#[test]
fn a_wrong_statement_is_noted_and_harmless() {
    let info = rules().recorder_info("device=../../etc\nofficer=\n");
    assert_eq!((info.device, info.officer), (None, None));
    assert!(info.problems[0].contains("`../../ETC` is not a device number"), "{:?}", info.problems);
    assert!(rules().recorder_info("{ broken").problems[0].starts_with("the recorder's file is not JSON"));
    assert_eq!(rules().recorder_info(""), RecorderInfo::default());
    let many: Vec<String> = (0..500).map(|i| format!("n{i}=1\nx{i}=y")).collect();
    let info = rules().recorder_info(format!("[counters]\n{}", many.join("\n")));
    assert_eq!((info.counters.len(), info.problems.len()), (64, 16));
    assert_eq!(rules().recorder_info("{\"a\":".repeat(100_000)).device, None);
}

thread_local! {
    /// Compiled once: reading the rules takes longer than the cases.
    static RULES: Rules = rules();
}

proptest! {
    #[test]
    fn what_was_written_into_a_name_is_read_out_of_it(
        device in "[A-Z]{2,5}[0-9]{3,12}",
        officer in "P[0-9]{3,12}",
        moment in (2000_i16..2100, 1_i8..13, 1_i8..29, 0_i8..24, 0_i8..60, 0_i8..60),
        sequence in 0_u32..100_000,
        segment in 0_u16..1000,
        (kind, extension) in select(vec![(ItemKind::Video, "MP4"), (ItemKind::Photo, "jpg"), (ItemKind::Audio, "Wav")]),
        (mark, key_file) in select(vec![("", false), ("_IMP", true), ("_key", true)]),
    ) {
        let (year, month, day, hour, minute, second) = moment;
        let time = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
        let (date_part, clock) = time.split_at(8);
        for name in [
            format!("{device}_{officer}_{time}_{sequence:04}_{segment:02}{mark}"),
            format!("DCIM/{date_part}/{device}@{officer}_{date_part}_{clock}_{sequence:04}{mark}_{segment}"),
            format!("{time}_{sequence:04}_{device}_{officer}_{segment:03}{mark}"),
        ] {
            let item = RULES.with(|rules| rules.recognise(format!("{name}.{extension}")));
            let Recognition::Recognised(item) = item else { return Err(TestCaseError::fail(name)) };
            prop_assert_eq!(item.device.map(String::from), Some(device.clone()), "{}", &name);
            prop_assert_eq!(item.officer.map(String::from), Some(officer.clone()));
            prop_assert_eq!(item.started_at_device, date(year, month, day).at(hour, minute, second, 0));
            prop_assert_eq!((item.sequence, item.segment, item.key_file), (Some(sequence), Segment(segment), key_file));
            let suffix = ["", "_P", "_A"][kind as usize];
            prop_assert_eq!((item.kind, String::from(item.recording)), (kind, format!("{time}_{sequence:04}{suffix}")));
        }
    }

    #[test]
    fn any_path_is_answered_within_the_alphabet(
        bytes in vec(any::<u8>(), 0..500),
        near in "(\\.\\./|IMP/|\\PC{0,4}/|/)?[A-Za-z]{0,3}[0-9]{1,20}[_@][PpÅı]?[0-9]{1,9}_[0-9]{8}_?[0-9]{6}(_[0-9]{0,12}){0,3}\\.(mp4|jpg|x)",
        text in "\\PC{0,80}",
    ) {
        for path in [bytes.as_slice(), near.as_bytes(), text.as_bytes()] {
            let _ = RULES.with(|rules| rules.is_info_file(path));
            let Recognition::Recognised(item) = RULES.with(|rules| rules.recognise(path)) else { continue };
            let ids = [item.device.map(String::from), item.officer.map(String::from), Some(String::from(item.recording))];
            for id in ids.into_iter().flatten() {
                prop_assert!(id.len() <= 48 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{id}");
            }
        }
    }

    #[test]
    fn any_statement_is_read(bytes in vec(any::<u8>(), 0..300), text in "[\\[{]?(\\PC{0,9}[=:\n\"{},]){0,20}") {
        RULES.with(|rules| (rules.recorder_info(&bytes), rules.recorder_info(&text)));
    }

    #[test]
    fn any_rule_file_is_read_or_refused(text in "\\PC{0,100}", pattern in "[(?<>time)\\\\d{}14|*+.]{0,30}") {
        let rules = RULES.with(Rules::clone);
        let _ = rules.clone().with(&text);
        let _ = rules.with(&format!("rules: [{{ name: x, file: '{pattern}', examples: [a.mp4] }}]"));
    }
}
