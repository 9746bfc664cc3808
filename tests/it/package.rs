//! The dock's Debian package: built, installed into a root of its own, removed and purged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, ensure};
use custos_local::config::repository;

fn run(command: &mut Command) -> anyhow::Result<Output> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    Ok(output)
}

/// Builds the package around the dock that was built for the other tests. `tests/run` installs cargo-deb.
fn package(to: &Path) -> anyhow::Result<PathBuf> {
    let tool = repository().join("deploy/local/servers/cargo-deb");
    ensure!(tool.exists(), "{} is missing: run tests/run once, it installs it", tool.display());
    let mut build = Command::new(tool);
    build.current_dir(repository()).args([
        "-p",
        "custos-dock",
        "--no-build",
        "--no-strip",
        "--fast",
        "--profile",
        "dev",
    ]);
    run(build.arg("--output").arg(to))?;
    let mut packages = fs::read_dir(to)?.filter_map(|entry| Some(entry.ok()?.path()));
    packages.find(|path| path.extension().is_some_and(|end| end == "deb")).context("no package was made")
}

/// dpkg on a root of its own. The scripts of the package honour `DPKG_ROOT` instead of being locked into that root.
fn dpkg(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display())).arg(format!("--log={}", root.join("dpkg.log").display()));
    dpkg.args(["--force-not-root", "--force-script-chrootless", "--force-depends", "--force-bad-path"]);
    run(dpkg.args(words)).map(drop)
}

#[test]
fn the_package_installs_and_goes_and_keeps_the_journal_until_it_is_purged() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let (root, made) = (scratch.path().join("root"), scratch.path().join("made"));
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "run", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for file in ["status", "available"] {
        fs::write(root.join("var/lib/dpkg").join(file), "")?;
    }
    fs::create_dir_all(&made)?;
    let package = package(&made)?;
    let package = package.to_str().context("no UTF-8")?;
    dpkg(&root, &["--install", package])?;

    let units =
        ["custos-dock.service", "custos-dock-recorder@.service"].map(|unit| format!("usr/lib/systemd/system/{unit}"));
    let others =
        ["usr/bin/custos-dock", "usr/lib/custos-dock/mount-recorder", "usr/lib/udev/rules.d/70-custos-dock.rules"];
    let program_files: Vec<&str> = units.iter().map(String::as_str).chain(others).collect();
    for file in program_files.iter().chain(&["etc/custos/dock.env", "usr/share/doc/custos-dock/README.md"]) {
        assert!(root.join(file).is_file(), "{file} is not there");
    }
    assert!(fs::read_to_string(root.join("etc/passwd"))?.contains("custos-dock:"), "no user was made");
    run(Command::new(root.join("usr/bin/custos-dock")).arg("--version"))?;
    let rules = fs::read_to_string(root.join("usr/lib/udev/rules.d/70-custos-dock.rules"))?;
    let rules: Vec<&str> = rules.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(rules.iter().all(|rule| !rule.contains("RUN")), "udev may ask for a unit and do nothing itself: {rules:?}");
    assert!(rules[0].contains(r#"ENV{SYSTEMD_WANTS}+="custos-dock-recorder@%k.service""#), "{rules:?}");
    units_verify(&root)?;
    settings_are_options(&root)?;

    // A journal and changed settings outlive a removal and a new installation.
    let (journal, settings) = (root.join("var/lib/custos-dock/journal.redb"), root.join("etc/custos/dock.env"));
    fs::write(&journal, "journal")?;
    fs::write(&settings, "CUSTOS_DOCK_PARALLEL=2\n")?;
    dpkg(&root, &["--remove", "custos-dock"])?;
    for file in &program_files {
        assert!(!root.join(file).exists(), "{file} is still there");
    }
    assert!(journal.exists() && settings.exists(), "removal took what is not the program");
    dpkg(&root, &["--force-confold", "--install", package])?;
    assert_eq!(fs::read_to_string(&settings)?, "CUSTOS_DOCK_PARALLEL=2\n");
    assert!(journal.exists());
    dpkg(&root, &["--purge", "custos-dock"])?;
    assert!(
        !journal.exists() && !settings.exists() && !root.join("var/lib/custos-dock").exists(),
        "purging left something"
    );
    Ok(())
}

/// What systemd itself thinks of the units, and how exposed it holds the service to be: 10 is everything, 2 is well closed.
fn units_verify(root: &Path) -> anyhow::Result<()> {
    let analyze = |words: &[&str]| {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(words).arg(format!("--root={}", root.display()));
        analyze
    };
    run(analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]).arg("custos-dock.service"))?;
    // With another root its programs are not looked for in it: give it those that units name.
    for program in ["bin/umount", "bin/rmdir"] {
        fs::create_dir_all(root.join("bin"))?;
        if !root.join(program).exists() {
            fs::copy(Path::new("/").join(program), root.join(program))?;
        }
    }
    let verified = run(analyze(&["verify", "--recursive-errors=no", "--man=no"])
        .args(["custos-dock.service", "custos-dock-recorder@sdb1.service"]))?;
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(!said.contains("custos-dock"), "systemd complains: {said}");
    Ok(())
}

/// Every setting in the shipped file is one the dock knows, and the dock takes them together.
fn settings_are_options(root: &Path) -> anyhow::Result<()> {
    let help = run(Command::new(root.join("usr/bin/custos-dock")).args(["watch", "--help"]))?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let settings = fs::read_to_string(root.join("etc/custos/dock.env"))?;
    let named = settings.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let named: Vec<(&str, &str)> = named.filter(|(name, _)| name.starts_with("CUSTOS_")).collect();
    assert!(named.len() > 8, "{settings}");
    for (name, _) in named.iter().filter(|(name, _)| *name != "CUSTOS_DOCK_MOUNT_OPTIONS") {
        assert!(help.contains(&format!("env: {name}")), "{name} is not an option of watch");
    }
    // Wrong values are refused before anything is opened: these fail for want of the station's files alone.
    let mut watch = Command::new(root.join("usr/bin/custos-dock"));
    let watch = watch.arg("watch").env_clear().envs(named).env("CUSTOS_DOCK_STATE", root.join("tmp/state")).output()?;
    let said = String::from_utf8_lossy(&watch.stderr).into_owned();
    assert_eq!(watch.status.code(), Some(64), "{said}");
    assert!(said.contains("cannot read /etc/custos/"), "{said}");
    Ok(())
}
