//! The few things each operating system does its own way. Everything else of the dock is the same everywhere: a test forbids
//! system-specific calls outside this folder.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::{connection, forget_cached, notify, open_regular, stop_signal, sync_folder};
#[cfg(windows)]
pub use self::windows::{connection, forget_cached, notify, open_regular, stop_signal, sync_folder};

#[cfg(test)]
mod tests {
    use walkdir::WalkDir;

    /// What only one system knows.
    const FOREIGN: [&str; 6] =
        ["os::unix", "os::windows", "nix::", "signal::unix", "signal::windows", "tcp_user_timeout"];

    /// Windows stays possible by construction: nothing here can build and run it at each change.
    #[test]
    fn only_this_folder_knows_the_operating_system() {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let sources = WalkDir::new(&src).into_iter().map(|entry| entry.expect("entry").into_path());
        let ours = sources.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let mut seen = 0;
        // Tests make symbolic links, under their own condition.
        let told = |path: &std::path::PathBuf| {
            !path.starts_with(src.join("sys")) && *path != src.join("sys.rs") && !path.ends_with("tests.rs")
        };
        for path in ours.filter(told) {
            let text = std::fs::read_to_string(&path).expect("source");
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            for foreign in FOREIGN {
                assert!(!program.contains(foreign), "{} names {foreign}: move that to sys", path.display());
            }
            seen += 1;
        }
        assert!(seen > 30, "only {seen} files were looked at");
    }
}
