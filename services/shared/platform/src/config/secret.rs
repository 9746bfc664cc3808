use std::{fmt, path::Path};

use super::ConfigError;

/// Larger files are certainly not the secret that was meant.
const MAX_BYTES: usize = 64 * 1024;

/// A text that must not appear in logs: `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for handing to the one who asks for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads the secret in the file that `option` names; a newline at its end is not part of it.
///
/// Fails when the file cannot be read, is empty, is longer than 64 KiB or is not UTF-8; the message names `option`.
pub fn read_secret(option: &str, path: &Path) -> Result<Secret, ConfigError> {
    let bytes = std::fs::read(path).map_err(|error| ConfigError::unreadable(option, path, &error))?;
    let wrong = |problem: &str| ConfigError::new(option, format!("{} {problem}", path.display()));
    if bytes.len() > MAX_BYTES {
        return Err(wrong("is too large for a secret; check the path"));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text; check the path"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(wrong("is empty; write the secret into it"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Secret, String> {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("secret");
        std::fs::write(&path, content).expect("write");
        read_secret("--db-password", &path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_newline_an_editor_adds_is_not_part_of_the_secret() {
        assert_eq!(read(b"hunter2\r\n").expect("secret").expose(), "hunter2");
        assert_eq!(read(b" spaces stay ").expect("secret").expose(), " spaces stay ");
    }

    #[test]
    fn complaints_name_the_option() {
        for content in [b"\n".to_vec(), b"\xff\xfe".to_vec(), vec![b'a'; MAX_BYTES + 1]] {
            assert!(read(&content).expect_err("refused").starts_with("--db-password: "));
        }
        let missing = read_secret("--db-password", Path::new("/nonexistent/secret")).expect_err("missing");
        assert!(missing.to_string().contains("check the path, or mount the file"));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
