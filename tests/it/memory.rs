//! A GiB goes through with ingest's memory flat.

use std::{fs::File, io::Write, time::Duration};

use custos_local::{Part, StackConfig};
use custos_tests::{recorder::noise, site::Site};

/// Memory of a process in KiB, now.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[tokio::test]
async fn a_gib_goes_through_with_flat_memory() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let pid = site.stack.process_id(Part::Ingest)?;
    let recorder = site.scratch("recorder");
    std::fs::create_dir_all(recorder.join("DCIM"))?;
    // One small docking first: what a process needs at all.
    std::fs::write(recorder.join("DCIM/DSJ00012_P000345_20261122080000_0001_00.MP4"), noise(1 << 20, 1))?;
    assert_eq!(site.dock("E", &recorder, &[]).await?.code, 0);
    let before = resident(pid)?;

    let mut file = File::create(recorder.join("DCIM/DSJ00012_P000345_20261122091500_0002_00.MP4"))?;
    for mib in 0..64 {
        file.write_all(&noise(16 << 20, mib + 100))?;
    }
    drop(file);
    let dock = site.start_dock("E", &recorder, &[])?;
    let watch = tokio::spawn(async move {
        let mut peak = 0;
        while let Ok(now) = resident(pid) {
            peak = peak.max(now);
            tokio::time::sleep(Duration::from_millis(50)).await;
            if now == 0 {
                break;
            }
        }
        peak
    });
    let docked = dock.wait_with_output().await?;
    assert!(docked.status.success(), "{}", String::from_utf8_lossy(&docked.stderr));
    let after = resident(pid)?;
    site.stack.kill9(Part::Ingest)?;
    let peak = watch.await?;
    println!("ingest: {before} KiB before, {peak} KiB at most, {after} KiB after 1 GiB");
    // Three parts of 8 MiB are in memory at once for one upload; the rest is what the allocator and TLS keep.
    assert!(peak < before + 96 * 1024, "{before} KiB before, {peak} KiB at most");
    Ok(())
}
