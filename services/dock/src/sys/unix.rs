//! Linux, and as far as nothing else is said any Unix.

use std::{
    fs::File,
    io,
    os::unix::{fs::OpenOptionsExt, net::UnixDatagram},
    path::Path,
    time::Duration,
};

use nix::fcntl::OFlag;

/// Opens a file for reading without following a symbolic link in its place.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Non-blocking so that a pipe put in the file's place cannot hold the station up; no effect on regular files.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    File::options().read(true).custom_flags(flags).open(path)
}

/// Asks the kernel to read this place from the medium next time. Best effort: elsewhere the cache answers again.
#[cfg(target_os = "linux")]
pub fn forget_cached(file: &File, offset: u64, length: u64) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    let (offset, length) = (i64::try_from(offset).unwrap_or(0), i64::try_from(length).unwrap_or(0));
    if let Err(error) = posix_fadvise(file, offset, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED) {
        tracing::debug!(%error, "cached bytes could not be dropped");
    }
}

/// The system offers no such request.
#[cfg(not(target_os = "linux"))]
pub fn forget_cached(_file: &File, _offset: u64, _length: u64) {}

/// Puts a folder's names on the medium: a new or removed file outlives a power cut only then.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Bounds how long bytes may stay unacknowledged before the kernel gives a connection up.
pub fn connection(builder: reqwest::ClientBuilder, unacknowledged: Duration) -> reqwest::ClientBuilder {
    #[cfg(target_os = "linux")]
    return builder.tcp_user_timeout(unacknowledged);
    #[cfg(not(target_os = "linux"))]
    return builder.tcp_keepalive(unacknowledged);
}

/// Completes when somebody asks this program to end.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Tells the service manager (`sd_notify(3)`); `socket` is its `NOTIFY_SOCKET`.
pub fn notify(socket: &str, state: &str) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.strip_prefix('@') {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        return datagram.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?).map(drop);
    }
    datagram.send_to(state.as_bytes(), socket).map(drop)
}
