//! What must hold of what was read.

/// A key of the store names one object below its bucket: no empty, `.` or `..` part, nothing unprintable, not too long.
///
/// # Panics
/// When it does not.
pub fn assert_key(key: &str) {
    assert!(key.len() <= 1024, "a key of {} bytes: {key:?}", key.len());
    assert!(!key.split('/').any(|part| matches!(part, "" | "." | "..")), "a key that leaves its folder: {key:?}");
    assert_printable(key);
}

/// A text that people see holds no control character.
///
/// # Panics
/// When it does.
pub fn assert_printable(text: &str) {
    assert!(!text.chars().any(char::is_control), "control characters: {text:?}");
}

/// What was read is written and read again as the same.
///
/// # Panics
/// When it is not.
pub fn assert_same_again<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_vec(value).unwrap_or_else(|error| panic!("{value:?} cannot be written: {error}"));
    match serde_json::from_slice::<T>(&text) {
        Ok(again) => assert_eq!(&again, value, "other than before: {}", String::from_utf8_lossy(&text)),
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&text)),
    }
}
