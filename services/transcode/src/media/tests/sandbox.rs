//! The cage itself, with other inmates than FFmpeg.

use std::path::{Path, PathBuf};

use super::fixtures::{Lab, sandbox};
use crate::media::sandbox::{Flow, Layers, Window};
use crate::media::{DeriveError, Limits, MediaKind, Programs, Sandbox, Unusable, rehearse};

#[tokio::test]
async fn what_runs_on_this_machine_passes_the_rehearsal() {
    let scratch = tempfile::tempdir().unwrap();
    rehearse(sandbox().await, &Limits::default(), scratch.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn probing_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let proven = Sandbox::probe(Programs::default(), scratch.path()).await.unwrap();
    assert!(!proven.version().version.is_empty());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let lab = Lab::new();
    for (programs, word) in [
        (Programs { bwrap: "/usr/bin/no-bwrap".into(), ..Programs::default() }, "no-bwrap"),
        (Programs { prlimit: "/usr/bin/no-prlimit".into(), ..Programs::default() }, "no-prlimit"),
        (Programs { ffmpeg: "/usr/bin/no-ffmpeg".into(), ..Programs::default() }, "no-ffmpeg"),
    ] {
        let error = Sandbox::probe(programs, lab.out()).await.unwrap_err();
        assert!(matches!(error, Unusable::NotStarting(_)) && error.to_string().contains(word), "{error}");
    }
}

fn script(lab: &Lab, name: &str, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = lab.write(name, format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A "sandbox" that isolates nothing, as on a host with a doctored bubblewrap: the probe must notice.
#[tokio::test]
async fn a_sandbox_that_does_not_isolate_is_refused() {
    let lab = Lab::new();
    // Runs the program as it is, with the output folder where the arguments expect it.
    let body = r#"
out=; while [ "$1" != "--" ]; do [ "$1" = "--bind" ] && out=$2; [ "$1" = "--ro-bind" ] && [ "$3" = /in/original ] && in=$2; shift; done; shift
for word; do shift; word=$(printf %s "$word" | sed "s#^/out/#$out/#; s#^/in/original#$in#"); set -- "$@" "$word"; done
PATH=/usr/bin exec "$@""#;
    let bwrap = script(&lab, "bwrap", body);
    let error = Sandbox::probe(Programs { bwrap, ..Programs::default() }, lab.out()).await.unwrap_err();
    assert!(matches!(error, Unusable::Leaks(_)), "{error:?}");
}

#[tokio::test]
async fn a_sandbox_with_the_hosts_network_is_refused() {
    let lab = Lab::new();
    let bwrap = script(&lab, "bwrap", r#"exec /usr/bin/bwrap --share-net "$@""#);
    // --share-net counts only after --unshare-all.
    let late = script(&lab, "late", r#"first=$1; shift; exec /usr/bin/bwrap "$first" --share-net "$@""#);
    drop(bwrap);
    let error = Sandbox::probe(Programs { bwrap: late, ..Programs::default() }, lab.out()).await.unwrap_err();
    assert!(matches!(error, Unusable::Leaks("opens a TCP connection")), "{error:?}");
}

#[tokio::test]
async fn a_sandbox_that_fails_later_is_a_retry() {
    let lab = Lab::new();
    let flag = lab.write("flag", "");
    let body = format!(
        r#"[ -e {} ] || {{ echo "bwrap: No permissions" >&2; exit 1; }}; exec /usr/bin/bwrap "$@""#,
        flag.display()
    );
    let bwrap = script(&lab, "bwrap", &body);
    let scratch = tempfile::tempdir().unwrap();
    let proven = Sandbox::probe(Programs { bwrap, ..Programs::default() }, scratch.path()).await.unwrap();
    std::fs::remove_file(&flag).unwrap();
    let job = crate::media::Job { input: lab.write("a", "a"), kind: MediaKind::Video, out: lab.out().to_owned() };
    let (progress, _) = tokio::sync::watch::channel(crate::media::Progress::START);
    let error = crate::media::derive(&job, &proven, &Limits::default(), &progress).await.unwrap_err();
    assert!(matches!(&error, DeriveError::Sandbox(words) if words.contains("No permissions")), "{error:?}");
    assert!(error.is_retryable());
}

const PERL: &str = "/usr/bin/perl";

/// Runs a script as the inmate and returns what it prints.
async fn inmate(interpreter: &str, code: &str, layers: Layers) -> String {
    let lab = Lab::new();
    std::fs::write(lab.out().join("script"), code).unwrap();
    let mut text = Vec::new();
    let arguments = ["/out/script".to_owned()];
    let window = Window { input: None, output: lab.out() };
    let reader = |chunk: &[u8]| {
        text.extend(chunk);
        Flow::Quiet
    };
    let budget = Limits::default().small();
    let interpreter = Path::new(interpreter);
    let report = sandbox().await.run_any(interpreter, &arguments, window, &budget, layers, reader).await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&text), report.stderr)
}

#[tokio::test]
async fn the_inmate_has_no_identity_environment_or_company() {
    let seen = inmate(PERL, r#"print "$< @{[sort keys %ENV]} $$ ", (-e "/proc" ? "proc" : "-"), (-e "/dev" ? "dev" : "-"), (-e "/etc/passwd" ? "passwd" : "-"), getppid()"#, Layers::ALL).await;
    assert_eq!(seen.trim(), "65534 LC_ALL MALLOC_ARENA_MAX PWD 2 ---1");
}

#[tokio::test]
async fn the_filter_denies_what_a_media_program_never_needs() {
    let code = r#"
        sub try { my ($name, $number, @rest) = @_; $! = 0; my $r = syscall($number, @rest); exit if $name eq "clone" && $r == 0; print "$name=", ($r >= 0 ? "done" : $!+0), " "; }
        my %n = (x86_64 => {socket=>41, unshare=>272, ptrace=>101, mount=>165, bpf=>321, keyctl=>250, io_uring=>425, clone=>56, clone3=>435, x32=>0x40000000|39, getpid=>39},
                 aarch64 => {socket=>198, unshare=>97, ptrace=>117, mount=>40, bpf=>280, keyctl=>219, io_uring=>425, clone=>220, clone3=>435, getpid=>172});
        my $m = (POSIX::uname())[4];
        my $c = $n{$m};
        for my $name (sort keys %$c) { try($name, $c->{$name}, $name eq "clone" ? 0x10000000|17 : 0, 0, 0, 0, 0); }"#;
    let seen = inmate(PERL, &format!("use POSIX; {code}"), Layers::ALL).await;
    let without = inmate(PERL, &format!("use POSIX; {code}"), Layers::NO_FILTER).await;
    assert!(without.contains("unshare=done "), "the filter is not what denies: {without}");
    for name in ["socket", "unshare", "ptrace", "mount", "bpf", "keyctl", "io_uring", "clone"] {
        assert!(seen.contains(&format!("{name}=1 ")), "{name}: {seen}");
    }
    // ENOSYS, so that the C library falls back to clone.
    assert!(seen.contains("clone3=38 "), "{seen}");
    assert!(seen.contains("getpid=done "), "{seen}");
    if cfg!(target_arch = "x86_64") {
        assert!(seen.contains("x32=1 "), "{seen}");
    }
}

#[tokio::test]
async fn only_the_output_folder_takes_files() {
    let seen = inmate(
        PERL,
        r#"for (qw(/a /usr/a /out/a /bin/a /etc/a /tmp/a)) { print "$_ " if open(my $f, ">", $_) }"#,
        Layers::ALL,
    )
    .await;
    assert_eq!(seen.trim(), "/out/a");
}

#[tokio::test]
async fn no_descriptor_is_handed_in() {
    let code = "for n in 3 4 5 6 7 8 9; do (: >&$n) 2>/out/words && echo $n; done; true";
    // The shell keeps its script at 10 and above.
    assert_eq!(inmate("/usr/bin/sh", code, Layers::ALL).await.trim(), "");
}
