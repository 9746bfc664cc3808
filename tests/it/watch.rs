//! The daemon of a station: many recorders, plugs pulled in the middle, full disks, clocks.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use custos_local::{Part, StackConfig};
use custos_tests::{
    dock::Watching,
    eventually,
    recorder::{noise, noise_file},
    site::Site,
    store::walk,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(2);

async fn site() -> anyhow::Result<Site> {
    Site::with(StackConfig::test().with_services(&[Part::Ingest])).await
}

/// Recorders are filled elsewhere and moved here: a plug is in or out.
fn mounts(site: &Site) -> anyhow::Result<(PathBuf, String)> {
    let mounts = site.scratch("mounts");
    fs::create_dir_all(&mounts)?;
    let name = mounts.to_str().context("no UTF-8")?.to_owned();
    Ok((mounts, name))
}

fn recorder(site: &Site, number: u32, files: &[(&str, usize)]) -> anyhow::Result<PathBuf> {
    let folder = site.scratch(&format!("recorder-{number}"));
    for (place, (rest, length)) in files.iter().enumerate() {
        let name = format!("DCIM/DSJ{number:05}_P000345_202611220915{place:02}_{place:04}_00{rest}.MP4");
        noise_file(&folder, &name, *length, u64::from(number) * 100 + place as u64)?;
    }
    Ok(folder)
}

/// Waits until the daemon has told of so many files with this outcome.
async fn told(watching: &Watching, result: &str, files: usize) -> anyhow::Result<Vec<Value>> {
    eventually(&format!("{files} files {result}"), LIMIT, || async {
        let lines = watching.lines();
        let found = lines.iter().filter(|line| line["result"] == result).count();
        ensure!(found >= files, "{found} of {files}: {lines:#?}\n{}", watching.said());
        Ok(lines)
    })
    .await
}

async fn said(watching: &Watching, words: &str) -> anyhow::Result<()> {
    eventually(words, LIMIT, || async {
        ensure!(watching.said().contains(words), "{}", watching.said());
        Ok(())
    })
    .await
}

async fn stored(site: &Site) -> anyhow::Result<usize> {
    let vault = site.vault()?;
    Ok(walk(&vault, &vault.buckets().originals, "footage/").await?.len())
}

#[tokio::test]
async fn several_recorders_dock_at_once_and_the_station_tells_what_it_did() -> anyhow::Result<()> {
    let site = site().await?;
    let (mounts, folder) = mounts(&site)?;
    let listed = site.scratch("listed");
    let watching = site.watch("E", &["--mounts", &folder, "--recorder", listed.to_str().context("no UTF-8")?])?;
    for number in 1..=3 {
        fs::rename(recorder(&site, number, &[("", 300_000), ("_IMP", 200_000)])?, mounts.join(format!("sd{number}")))?;
    }
    fs::rename(recorder(&site, 4, &[("", 100_000)])?, &listed)?;
    told(&watching, "deposited", 7).await?;
    assert_eq!(stored(&site).await?, 7);

    let status = site.dock_status(&[]).await?;
    assert!(status.contains("7 deposited") && status.contains("DSJ00002: 2 of 2 files deposited"), "{status}");
    let lines = site.dock_status(&["--json"]).await?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(lines.len() == 7 && lines.iter().all(|line| line["stage"] == "receipted"), "{lines:#?}");
    assert_eq!(watching.end().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_recorder_pulled_in_the_middle_goes_on_when_it_is_back_and_never_faster_than_allowed() -> anyhow::Result<()> {
    const MIB: usize = 24;
    let site = site().await?;
    let (mounts, folder) = mounts(&site)?;
    let watching = site.watch("E", &["--mounts", &folder, "--bandwidth", "4M"])?;
    let (here, away) = (mounts.join("sdb1"), site.scratch("pocket"));
    let begun = Instant::now();
    fs::rename(recorder(&site, 1, &[("", MIB << 20)])?, &here)?;
    eventually("bytes on their way", LIMIT, || async {
        let status = site.dock_status(&["--json"]).await?;
        ensure!(status.contains(r#""stage":"uploading""#), "{status}");
        Ok(())
    })
    .await?;
    fs::rename(&here, &away)?;
    let left = told(&watching, "left", 1).await?;
    assert_eq!(left[0]["reason_code"], "unplugged", "{left:#?}");
    fs::rename(&away, &here)?;
    told(&watching, "deposited", 1).await?;
    // A lower bound: a slow machine cannot break it. A quarter second may go at once, and what was sent twice took longer.
    assert!(begun.elapsed() > Duration::from_secs(MIB as u64 / 4 - 1), "faster than the limit: {:?}", begun.elapsed());
    assert_eq!(stored(&site).await?, 1);
    Ok(())
}

#[tokio::test]
async fn at_shift_end_key_files_go_at_once_and_the_others_wait_their_turn() -> anyhow::Result<()> {
    let site = site().await?;
    let (mounts, folder) = mounts(&site)?;
    let watching = site.watch("E", &["--mounts", &folder, "--smooth", "4h"])?;
    for number in 1..=3 {
        fs::rename(recorder(&site, number, &[("", 50_000), ("_IMP", 60_000)])?, mounts.join(format!("sd{number}")))?;
    }
    eventually("three key files", LIMIT, || async {
        let status = site.dock_status(&["--json"]).await?;
        let done = status.lines().filter(|line| line.contains(r#""stage":"receipted""#)).count();
        ensure!(done >= 3, "{status}\n{}", watching.said());
        Ok(())
    })
    .await?;
    // One chance in 100,000 that a recorder's share of four hours is over by now; the names are fixed, so it is not ours.
    let lines = site.dock_status(&["--json"]).await?;
    let receipted = lines.lines().filter(|line| line.contains(r#""stage":"receipted""#));
    assert!(receipted.clone().all(|line| line.contains("_IMP")), "{lines}");
    assert_eq!(watching.end().await?, 0, "who waits can be stopped");
    Ok(())
}

/// A program for a recorder's clock.
fn adapter(path: &Path, text: &str) -> anyhow::Result<String> {
    fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(path.to_str().context("no UTF-8")?.to_owned())
}

#[tokio::test]
async fn the_clock_is_measured_before_it_is_set_and_records_sees_all_of_it() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let folder = recorder(&site, 7, &[("", 70_000)])?;
    // A copy is the same item: it came, though there is one item for two files.
    fs::copy(folder.join("DCIM/DSJ00007_P000345_20261122091500_0000_00.MP4"), folder.join("DCIM/copy.MP4"))?;
    fs::write(folder.join("recorder.json"), r#"{"device":"DSJ00007","counters":{"last_sequence":9,"video count":2}}"#)?;
    let clock = site.scratch("clock");
    let read = adapter(
        &site.scratch("read"),
        &format!("cat {0} 2>/dev/null || date -d '+90 seconds' -Iseconds", clock.display()),
    )?;
    let set = adapter(&site.scratch("set"), &format!("echo \"$2\" > {}", clock.display()))?;
    let docked = site.dock("E", &folder, &["--clock-command", &read, "--set-clock-command", &set]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 2), "{docked:?}");
    assert!(docked.said.contains("clock is wrong by"), "{}", docked.said);
    assert!(fs::read_to_string(&clock)?.contains("+08:00"), "set to the station's time");

    let docking = docked.lines[0]["docking"].as_str().context("no docking")?;
    let station = site.station("E")?.id;
    let seen = eventually("the docking in the catalogue", LIMIT, || async {
        let path = format!("/v1/dockings/{station}/{docking}");
        let seen = site.get(Part::Records, "e-auditor", &path).await?;
        ensure!(!seen["closed_at"].is_null(), "{seen}");
        Ok(seen)
    })
    .await?;
    let offset = seen["clock"]["offset_ms"].as_i64().context("no offset")?;
    let uncertainty = seen["clock"]["uncertainty_ms"].as_i64().context("no uncertainty")?;
    assert!((offset - 90_000).abs() <= uncertainty, "{seen}");
    assert_eq!((&seen["counters"]["lastsequence"], &seen["missing"]), (&Value::from(9), &Value::from(0)), "{seen}");
    assert_eq!(seen["files"].as_array().map(Vec::len), Some(2), "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_clock_is_not_set_while_files_made_by_it_are_left() -> anyhow::Result<()> {
    let site = site().await?;
    let folder = recorder(&site, 7, &[("", 70_000), ("", 80_000)])?;
    let clock = site.scratch("clock");
    let read = adapter(&site.scratch("read"), "date -Iseconds")?;
    let set = adapter(&site.scratch("set"), &format!("echo \"$2\" > {}", clock.display()))?;
    let options = ["--set-clock-command", &set];
    let unmeasured = site.dock("E", &folder, &options).await?;
    assert!(unmeasured.said.contains("not measured first"), "{}", unmeasured.said);
    assert!(!clock.exists());

    // A file that changes while the dock reads it is left.
    let other = recorder(&site, 8, &[("", 70_000)])?;
    let growing = other.join("DCIM/DSJ00008_P000345_20261122091600_0001_00.MP4");
    fs::write(&growing, noise(90_000, 1))?;
    let grow = format!("{}; head -c 10 /dev/zero >> {}", "date -Iseconds", growing.display());
    let read_and_grow = adapter(&site.scratch("grow"), &grow)?;
    let docked = site.dock("E", &other, &["--clock-command", &read_and_grow, "--set-clock-command", &set]).await?;
    assert_eq!(docked.code, 1, "{docked:?}");
    assert!(docked.said.contains("still to be handed in") && !clock.exists(), "{}", docked.said);
    let again = site.dock("E", &other, &["--clock-command", &read, "--set-clock-command", &set]).await?;
    assert!(again.code == 0 && clock.exists(), "{again:?}");
    Ok(())
}

/// The journal on a file system of 3 MiB in a mount namespace of its own, filled up and emptied under the running daemon.
#[tokio::test]
async fn a_full_disk_keeps_no_footage_on_a_recorder() -> anyhow::Result<()> {
    let site = site().await?;
    let (mounts, folder) = mounts(&site)?;
    let state = site.scratch("dock-state");
    fs::create_dir_all(&state)?;
    let script = format!("mount -t tmpfs -o size=3m custos {} && exec \"$@\"", state.display());
    let watching = site.watch_by(
        &["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"],
        "E",
        &["--mounts", &folder],
    )?;
    let id = watching.child.id().context("it ended")?;
    // The daemon's own view of its disk.
    let inside = PathBuf::from(format!("/proc/{id}/root")).join(state.strip_prefix("/")?);
    eventually("the journal", LIMIT, || async {
        ensure!(inside.join("journal.redb").exists(), "{}", watching.said());
        Ok(())
    })
    .await?;
    let filler = inside.join("filler");
    let full = fs::write(&filler, vec![1; 4 << 20]);
    assert!(full.is_err(), "the disk is not full");

    let many = vec![("", 40_000); 40];
    fs::rename(recorder(&site, 1, &many)?, mounts.join("sdb1"))?;
    told(&watching, "deposited", 40).await?;
    said(&watching, "is full: make room there").await?;

    fs::remove_file(&filler)?;
    fs::rename(recorder(&site, 2, &[("", 40_000)])?, mounts.join("sdc1"))?;
    told(&watching, "deposited", 41).await?;
    said(&watching, "the journal works again").await?;
    assert_eq!(stored(&site).await?, 41);
    assert_eq!(watching.end().await?, 0);
    Ok(())
}
