//! Readers of an original while a hold is asked for.

use std::time::Duration;

use anyhow::ensure;
use custos_local::Part;
use custos_platform::vault::Vault;
use custos_tests::{
    eventually,
    recorder::noise_file,
    store::{Root, locked_objects, manifest},
};
use reqwest::Method;
use serde_json::json;

use super::stage::{LIMIT, MIB, play};

/// On MinIO a hold waits for whoever reads the version: a reader at 500 kB/s delayed one by 112 s (pipeline.md 4.3). Our own readers take
/// short ranges; somebody else's delays the hold of what it reads, and no other's: that is on while this one is still
/// waited for. The hold comes when the reader is gone.
#[test]
fn a_slow_reader_delays_the_hold_of_what_it_reads_and_no_other() -> anyhow::Result<()> {
    play(async |stage| {
        let (site, vault, root) = (&stage.site, stage.site.vault()?, Root::of(&stage.site)?);
        site.stack.set_env(Part::LegalHold, "CUSTOS_AUDIT_SECONDS", "1");
        site.stack.start_part(Part::LegalHold).await?;
        let recorder = site.scratch("read");
        for (name, len) in [("0001_00.MP4", 64 * MIB), ("0002_00.MP4", 40_000)] {
            noise_file(&recorder, &format!("DCIM/DSJ00091_P000345_20261122091500_{name}"), len, 91)?;
        }
        let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
        assert_eq!((docked.code, docked.codes().len()), (0, 2), "{docked:?}");
        let code = |name: &str| anyhow::Ok(docked.line(name)?["code"].as_str().unwrap_or_default().to_owned());
        let (large, small) = (code("0001_00.MP4")?, code("0002_00.MP4")?);
        let original = manifest(&vault, &large).await?.0.original;

        let reader = root.read_slowly(&original)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        for item in [&large, &small] {
            let body = json!({ "items": [item], "cite": "E-14.1", "text": "當事人投訴", "permanence": "open" });
            let (status, placed) =
                site.call(Part::LegalHold, "e-officer", Method::POST, "/v1/holds", Some(body)).await?;
            assert_eq!(status, 201, "a hold is decided at once, whoever reads: {placed}");
            // A batch of its own for each.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        held(&vault, &small).await?;
        assert!(!vault.is_held(&original).await?, "the other item's hold waited for this one");
        drop(reader);
        held(&vault, &large).await?;
        site.stack.stop_part(Part::LegalHold).await?;
        Ok(())
    })
}

/// Waits until every object of an item is held.
async fn held(vault: &Vault, code: &str) -> anyhow::Result<()> {
    eventually(&format!("the hold of {code}"), LIMIT, || async {
        for object in locked_objects(vault, code).await? {
            ensure!(vault.is_held(&object).await?, "{} is not held", object.key);
        }
        Ok(())
    })
    .await
}
