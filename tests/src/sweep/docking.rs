//! What is played at every point: a recorder with a file of two parts and one of a single part, docked until everything is in;
//! and, where that is wanted, a hold.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use custos_local::Part;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{recorder, site::Site};

/// Whose station docks.
pub(super) const TENANT: &str = "E";
/// Bytes of the larger file: more than one part of 8 MiB.
const LARGE: usize = (8 << 20) + (300 << 10);
/// Dockings before a recorder is given up: a fault is over after the first.
const DOCKINGS: usize = 4;
/// How long a call of a person is made again and again.
const CALLS: Duration = Duration::from_mins(1);

/// Fills the recorder with this number. With `clip` its smaller file is a real recording, so that there is something to derive.
pub(super) async fn fill(site: &Site, number: u32, clip: bool) -> anyhow::Result<PathBuf> {
    let folder = site.scratch(&format!("recorder-{number}"));
    let name =
        |sequence: u32| format!("DCIM/DSJ{number:05}_P000345_20261120{:02}0000_000{sequence}_00.MP4", 9 + sequence);
    recorder::noise_file(&folder, &name(1), LARGE, u64::from(number))?;
    if clip {
        let made = site.scratch("clip");
        if !made.exists() {
            recorder::make(&made, &recorder::ONE_OF_EACH[1]).await?;
        }
        std::fs::copy(made.join(recorder::ONE_OF_EACH[1].name), folder.join(name(2)))?;
    } else {
        recorder::noise_file(&folder, &name(2), 40_000, u64::from(number) << 32)?;
    }
    Ok(folder)
}

/// Docks until everything is deposited; answers the unified codes.
pub(super) async fn dock(site: &Site, folder: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let mut last = None;
    for _ in 0..DOCKINGS {
        let docked = site.dock(TENANT, folder, &["--parallel", "1", "--patience", "45"]).await?;
        if docked.code == 0 {
            let codes = docked.codes();
            ensure!(codes.len() == 2, "two files, but {docked:?}");
            return Ok(codes);
        }
        last = Some(docked);
        for service in Part::SERVICES {
            site.stack.start_part(service).await?;
        }
    }
    anyhow::bail!("the docking does not end well after {DOCKINGS} times: {last:?}")
}

/// A hold on an item: placed, confirmed, its release proposed and decided.
pub(super) async fn hold_and_let_go(site: &Site, code: &str) -> anyhow::Result<()> {
    let body = json!({ "items": [code], "cite": "E-14.1", "text": "當事人投訴", "permanence": "open" });
    let placed = call(site, "e-officer", "/v1/holds", &body, code).await?;
    let id = placed["hold"].as_str().or(placed["id"].as_str()).context("a hold without an id")?.to_owned();
    let note = json!({ "note": "同意" });
    for (person, step) in [("e-leader", "confirm"), ("e-legal", "propose-release"), ("e-leader", "release")] {
        call(site, person, &format!("/v1/holds/{id}/{step}"), &note, code).await?;
    }
    Ok(())
}

/// Calls as people's programs do: again with the same key when the service was away or said "later".
async fn call(site: &Site, person: &str, path: &str, body: &Value, key: &str) -> anyhow::Result<Value> {
    let deadline = tokio::time::Instant::now() + CALLS;
    // A unified code is longer than a key may be.
    let key: String = key.chars().rev().filter(char::is_ascii_alphanumeric).take(40).collect();
    loop {
        let url = format!("{}{path}", site.stack.url(Part::LegalHold));
        let request = site.stack.https()?.request(Method::POST, url).bearer_auth(site.stack.token(person)?);
        let said = match request.header("Idempotency-Key", &key).json(body).send().await {
            Ok(answer) => {
                let status = answer.status();
                let text = answer.text().await.unwrap_or_default();
                match serde_json::from_str(&text) {
                    Ok(value) if status.is_success() => return Ok(value),
                    _ if status == StatusCode::CONFLICT || status == StatusCode::UNPROCESSABLE_ENTITY => {
                        anyhow::bail!("{path}: {status} {text}")
                    }
                    _ => format!("{status} {text}"),
                }
            }
            Err(error) => error.to_string(),
        };
        ensure!(tokio::time::Instant::now() < deadline, "{path}: not within {CALLS:?}: {said}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
