//! The real dock against real services: what a person at a station sees (INV-4).

use std::{fs, path::Path};

use custos_local::{Part, StackConfig};
use custos_tests::{
    history::{Log, assert_holds},
    recorder::{noise, noise_file},
    site::Site,
    store::walk,
};

async fn site() -> anyhow::Result<Site> {
    Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing])).await
}

/// Names of the files below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(files(&path)?);
        } else {
            names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn nothing_is_erased_without_being_asked_and_all_with_a_permit() -> anyhow::Result<()> {
    let site = site().await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 9 << 20, 1)?;
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0002_00_IMP.MP4", 100_000, 2)?;
    let (before, log) = (files(&recorder)?, Log::default().recorder(&recorder)?);
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!(docked.code, 0, "{docked:?}");
    assert_eq!(files(&recorder)?, before, "docking alone may not touch the recorder");
    assert_eq!(docked.codes().len(), 2);
    assert!(docked.line("0002_00_IMP.MP4")?["key_file"].as_bool().unwrap_or(false));

    // Again, with nothing new: the same items, no second upload.
    let vault = site.vault()?;
    let stored = walk(&vault, &vault.buckets().originals, "footage/").await?.len();
    let again = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.codes(), docked.codes());
    assert_eq!(walk(&vault, &vault.buckets().originals, "footage/").await?.len(), stored, "the same bytes came twice");
    assert_eq!(files(&recorder)?, Vec::<String>::new(), "a permitted file stayed");
    assert_holds(&site, &log, None).await.map(drop)
}

#[tokio::test]
async fn without_a_seal_there_is_no_permit_and_nothing_is_erased() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 50_000, 1)?;
    let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "5"]).await?;
    assert_eq!(docked.code, 1, "{docked:?}");
    assert_eq!(files(&recorder)?.len(), 1, "a file was erased without a permit");
    assert_holds(&site, &Log::default().recorder(&recorder)?, None).await.map(drop)
}

#[tokio::test]
async fn odd_files_go_through_marked_or_stay_with_a_reason() -> anyhow::Result<()> {
    let site = site().await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 70_000, 1)?;
    noise_file(&recorder, "DCIM/whatever the vendor thought.mp4", 60_000, 2)?;
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20150101000000_0001_00.MP4", 60_000, 3)?;
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20991231235959_0001_00.MP4", 60_000, 4)?;
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122093000_0003_00.MP4", 0, 0)?;
    let hostile = format!("DCIM/\u{1b}[31m{}.mp4", "長".repeat(70));
    noise_file(&recorder, &hostile, 50_000, 5)?;
    noise_file(&recorder, "DCIM/..\\..\\etc\\passwd.mp4", 50_000, 6)?;
    std::os::unix::fs::symlink("/etc/passwd", recorder.join("DCIM/DSJ00012_P000345_20261122094000_0004_00.MP4"))?;
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!(docked.code, 1, "something had to be left: {docked:?}");
    let unknown = docked.line("whatever the vendor thought.mp4")?;
    assert!(unknown["code"].is_string() && unknown["naming_rule"].is_null(), "{unknown}");
    let empty = docked.line("20261122093000_0003_00.MP4")?;
    assert!(empty["code"].is_null() && empty["reason"].as_str().is_some_and(|r| r.contains("no data")), "{empty}");
    for year in ["20150101000000", "20991231235959"] {
        assert!(docked.line(&format!("{year}_0001_00.MP4"))?["code"].is_string());
    }
    assert_eq!(docked.codes().len(), 6, "{docked:?}");
    assert!(!docked.said.contains('\u{1b}') || !docked.said.contains("[31m"), "a name reached the terminal raw");
    assert_holds(&site, &Log::default().recorder(&recorder)?, None).await.map(drop)
}

#[tokio::test]
async fn a_docking_killed_in_the_middle_goes_on_where_it_was() -> anyhow::Result<()> {
    let site = site().await?;
    let recorder = site.scratch("recorder");
    fs::create_dir_all(recorder.join("DCIM"))?;
    fs::write(recorder.join("DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4"), noise(120 << 20, 11))?;
    for _ in 0..3 {
        let mut dock = site.start_dock("E", &recorder, &[])?;
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        dock.kill().await?;
    }
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 1), "{docked:?}");
    let vault = site.vault()?;
    assert_eq!(walk(&vault, &vault.buckets().originals, "footage/").await?.len(), 1);
    assert_eq!(walk(&vault, &vault.buckets().originals, "manifests/").await?.len(), 1);
    assert_holds(&site, &Log::default().recorder(&recorder)?, None).await.map(drop)
}
