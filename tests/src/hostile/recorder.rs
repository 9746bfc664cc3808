//! File names and statements of recorders.

use std::sync::OnceLock;

use custos_domain::{
    ids::{DeviceId, OfficerId, RecordingId},
    recorder::{MAX_SAFE_NAME, Recognition, RecorderInfo, Rules, recording_from_digest, safe_name},
};

use super::texts::assert_printable;

/// The naming rules that ship.
///
/// # Panics
/// When they are broken.
pub fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| Rules::built_in().unwrap_or_else(|error| panic!("{error}")))
}

/// A path on a recorder, any bytes at all.
///
/// # Panics
/// When a property does not hold.
pub fn file_name(bytes: &[u8]) {
    let shown = safe_name(bytes);
    assert!(shown.chars().count() <= MAX_SAFE_NAME, "too long: {shown:?}");
    assert_printable(&shown);
    if let Recognition::Recognised(item) = rules().recognise(bytes) {
        assert_eq!(RecordingId::parse(item.recording.as_str()).as_ref(), Ok(&item.recording));
        assert!(item.device.as_ref().is_none_or(|id| DeviceId::parse(id.as_str()).is_ok()));
        assert!(item.officer.as_ref().is_none_or(|id| OfficerId::parse(id.as_str()).is_ok()));
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.split('/').any(|part| matches!(part, "" | "." | "..")), "recognised {text:?}");
    }
    let _ = rules().is_info_file(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(recording) = recording_from_digest(text)
    {
        assert_eq!(recording.as_str().len(), 18, "{recording}");
    }
}

/// A recorder's statement about itself.
///
/// # Panics
/// When a property does not hold.
pub fn info_file(bytes: &[u8]) {
    let info = rules().recorder_info(bytes);
    let RecorderInfo { model, firmware, counters, problems, .. } = &info;
    assert!(counters.len() <= 64 && problems.len() <= 16, "{} counters, {} problems", counters.len(), problems.len());
    for text in model.iter().chain(firmware) {
        assert!(text.chars().count() <= 64, "{text:?}");
        assert_printable(text);
    }
    for text in counters.keys().chain(problems) {
        assert!(text.chars().count() <= 512, "{text:?}");
        assert_printable(text);
    }
}
