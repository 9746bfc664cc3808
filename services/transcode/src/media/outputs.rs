//! The output folder, as left by a child that may have been taken over.
//!
//! The child is dead when these functions look, so nothing changes under them. A symbolic link in place of an output would
//! make the uploading service publish a file of the host: only regular, non-empty files with one name count.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::fs;

use super::DeriveError;
use super::outcome::{OutputFile, Role};

/// The output of `role`, if it is there and what it should be.
pub(super) async fn accept(out: &Path, role: Role) -> Option<OutputFile> {
    let metadata = fs::symlink_metadata(out.join(role.file_name())).await.ok()?;
    let sound = metadata.is_file() && metadata.nlink() == 1 && metadata.len() > 0;
    sound.then(|| OutputFile {
        role,
        name: role.file_name().to_owned(),
        content_type: role.content_type().to_owned(),
        bytes: metadata.len(),
    })
}

/// Removes one output, so that an old one is never taken for a new one.
async fn discard(out: &Path, role: Role) -> Result<(), DeriveError> {
    let path = out.join(role.file_name());
    match fs::remove_file(&path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(DeriveError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Writes an output that we, not the child, make. Replaces whatever has its name, also a link.
pub(super) async fn write(out: &Path, role: Role, contents: &[u8]) -> Result<(), DeriveError> {
    discard(out, role).await?;
    let path = out.join(role.file_name());
    fs::write(&path, contents).await.map_err(DeriveError::io(path))
}

/// Removes everything but `kept`: half-made files, and what nobody asked for.
pub(super) async fn tidy(out: &Path, kept: &[OutputFile]) -> Result<(), DeriveError> {
    let kept: HashSet<&str> = kept.iter().map(|file| file.name.as_str()).collect();
    let mut entries = fs::read_dir(out).await.map_err(DeriveError::io(out))?;
    while let Some(entry) = entries.next_entry().await.map_err(DeriveError::io(out))? {
        if entry.file_name().to_str().is_some_and(|name| kept.contains(name)) {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().await.map_err(DeriveError::io(&path))?.is_dir();
        let removed = if is_folder { fs::remove_dir_all(&path).await } else { fs::remove_file(&path).await };
        removed.map_err(DeriveError::io(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn links_folders_and_empty_files_are_no_outputs_and_are_tidied_away() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret", out.join("playback.mp4")).unwrap();
        std::fs::write(folder.path().join("other"), "secret").unwrap();
        std::fs::hard_link(folder.path().join("other"), out.join("storyboard.jpg")).unwrap();
        std::fs::create_dir(out.join("playback.m3u8")).unwrap();
        std::fs::write(out.join("thumbnail.jpg"), "").unwrap();
        std::fs::write(out.join("image.jpg"), "picture").unwrap();
        for role in [Role::PlaybackMedia, Role::Storyboard, Role::PlaybackPlaylist, Role::Thumbnail, Role::Waveform] {
            assert_eq!(accept(&out, role).await, None, "{role:?}");
        }
        write(&out, Role::PlaybackMedia, b"ours").await.unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");

        let image = accept(&out, Role::WebImage).await.unwrap();
        assert_eq!(image.bytes, 7);
        tidy(&out, &[image]).await.unwrap();
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["image.jpg"]);
    }
}
