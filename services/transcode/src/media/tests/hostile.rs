//! Files made to make us do something.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use super::fixtures::Lab;
use crate::media::tool;
use crate::media::{Limits, MediaKind, Outcome, Reason};

async fn is_called(listener: &TcpListener, patience: u64) -> bool {
    timeout(Duration::from_millis(patience), listener.accept()).await.is_ok()
}

fn playlists(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("hls.mp4", format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}/a.ts\n#EXT-X-ENDLIST\n")),
        (
            "passwd.mp4",
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n".to_owned(),
        ),
        ("map.mp4", format!("#EXTM3U\n#EXT-X-MAP:URI=\"{url}/i.mp4\"\n#EXTINF:10,\nx.mp4\n#EXT-X-ENDLIST\n")),
        ("concat.mp4", format!("ffconcat version 1.0\nfile '{url}/a.mp4'\n")),
        ("passwd.avi", "ffconcat version 1.0\nfile '/etc/passwd'\n".to_owned()),
        (
            "dash.mp4",
            format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><BaseURL>{url}</BaseURL></MPD>"
            ),
        ),
        ("sdp.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n".to_owned()),
        ("svg.jpg", format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"{url}/x.png\"/></svg>")),
    ]
}

#[tokio::test]
async fn files_that_name_other_resources_reach_none() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    for (name, contents) in playlists(&url) {
        let lab = Lab::new();
        let derivation = lab.derive(&lab.write(name, contents), MediaKind::Video).await;
        let Outcome::Undecodable { reason, detail } = &derivation.outcome else { panic!("{name}: {derivation:?}") };
        assert_eq!(*reason, Reason::NotRecognised, "{name}: {detail}");
        assert!(!detail.contains("root:"), "{name}: {detail}");
        assert!(!is_called(&listener, 20).await, "{name} made a connection");
    }
}

/// FFmpeg's own lists hold without the sandbox.
#[tokio::test]
async fn the_allow_lists_alone_reach_nothing_either() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    for (name, contents) in playlists(&url) {
        let lab = Lab::new();
        let input = lab.write(name, contents);
        let arguments = tool::open(&input.to_string_lossy(), None, &Limits::default());
        let output = Command::new("ffprobe").args(["-v", "error"]).args(arguments).output().await.unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let refused = ["Format not on whitelist", "Invalid data found"].iter().any(|reason| words.contains(reason));
        assert!(!output.status.success() && refused, "{name}: {words}");
        assert!(!is_called(&listener, 20).await, "{name} made a connection");
    }
}

/// The listener does hear FFmpeg when nothing holds it back: without this, the test above could pass for a wrong reason.
#[tokio::test]
async fn the_same_playlist_outside_the_sandbox_does_connect() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let lab = Lab::new();
    let input = lab.write("a.mp4", &playlists(&url)[0].1);
    let mut command = Command::new("ffprobe");
    command.args(["-v", "quiet", "-f", "hls", "-allowed_extensions", "ALL"]);
    let _child = command.args(["-protocol_whitelist", "file,http,tcp"]).arg(&input).kill_on_drop(true).spawn().unwrap();
    assert!(is_called(&listener, 10_000).await);
}

/// A QuickTime data reference to another file (`alis`) is not followed.
#[tokio::test]
async fn a_reference_to_another_file_is_not_followed() {
    let lab = Lab::new();
    let whole = lab
        .ffmpeg("-f lavfi -i testsrc=s=64x64:r=5:d=2 -c:v mjpeg -pix_fmt yuvj420p -movflags +faststart", "whole.mov");
    let mut bytes = std::fs::read(whole).unwrap();
    let reference = bytes.windows(4).position(|window| window == b"url ").unwrap();
    bytes[reference..reference + 4].copy_from_slice(b"alis");
    // Flag 1 says "in this file".
    bytes[reference + 7] = 0;
    let derivation = lab.derive(&lab.write("a.mov", &bytes), MediaKind::Video).await;
    let opened_more = derivation.commands.iter().flatten().any(|part| part.contains("drefs"));
    assert!(!opened_more);
}

#[tokio::test]
async fn terminal_escapes_do_not_reach_the_record() {
    let lab = Lab::new();
    let input = lab.ffmpeg("-f lavfi -i sine=d=1 -metadata creation_time=x -metadata date=\u{1b}[31mred", "a.mp3");
    let derivation = lab.derive(&input, MediaKind::Audio).await;
    let stored = serde_json::to_string(&derivation).unwrap();
    assert!(!stored.contains("\\u001b"), "{stored}");
}
