//! Windows. Checked by the compiler where its target is installed, never run.

use std::{fs::File, io, os::windows::fs::OpenOptionsExt, path::Path, time::Duration};

/// `FILE_FLAG_OPEN_REPARSE_POINT`: opens a link itself, which is no regular file and is refused as such.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Opens a file for reading without following a symbolic link in its place.
pub fn open_regular(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OPEN_REPARSE_POINT).open(path)
}

/// The system offers no such request: the cache answers again.
pub fn forget_cached(_file: &File, _offset: u64, _length: u64) {}

/// NTFS keeps names in its own journal, and a folder cannot be flushed by a user.
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Bounds how long a silent connection is kept.
pub fn connection(builder: reqwest::ClientBuilder, unacknowledged: Duration) -> reqwest::ClientBuilder {
    builder.tcp_keepalive(unacknowledged)
}

/// Completes when somebody asks this program to end: at the keyboard, by closing the window, or at shutdown.
pub async fn stop_signal() {
    use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
    let (Ok(mut interrupt), Ok(mut close), Ok(mut shutdown)) = (ctrl_c(), ctrl_close(), ctrl_shutdown()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = close.recv() => {}
        _ = shutdown.recv() => {}
    }
}

/// There is no such service manager here.
pub fn notify(_socket: &str, _state: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
