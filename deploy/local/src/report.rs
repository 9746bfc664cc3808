//! What became of the sample recorders' files, as the catalogue tells it: a line for each item.

use std::time::{Duration, Instant};

use anyhow::Context;
use custos_domain::{calendar::SHANGHAI, policy::Words};
use futures::future::try_join_all;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{part::Part, seeds::Station, stack::Stack, steps::Steps};

/// How long seals, locks and playback copies are waited for before the table is shown as it is.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Characters of a BLAKE3 value that are shown.
const SHORT: usize = 12;

/// Characters of a reason that are shown.
const REASON: usize = 140;

/// An item as the catalogue lists it.
#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// 統一編碼.
    pub code: String,
    /// Video, photo or audio.
    pub kind: String,
    /// The recorder.
    pub device: String,
    /// The wearer, when known.
    pub officer: Option<String>,
    /// Bytes.
    pub length: u64,
    /// BLAKE3, hexadecimal.
    pub root: String,
    /// `deposited` until the hashing service has read it again.
    pub state: String,
    /// The store's lock.
    pub locked_until: Timestamp,
    /// `pending` until the retention service has said for how long it is kept.
    pub class: String,
    /// Why it is kept until then, or longer.
    pub why: Words,
    /// `pending` until the transcoding service has looked at it.
    pub playback: String,
}

/// A page of the catalogue.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Item>,
}

/// Waits until all of each agency's `expected` items are sealed, locked by rule and playable, or some minutes have passed;
/// then tells a line for each item.
pub async fn show(stack: &Stack, expected: &[(Station, usize)], steps: Steps) -> anyhow::Result<()> {
    let wanted: usize = expected.iter().map(|(_, files)| files).sum();
    let bar = ProgressBar::new(wanted as u64);
    bar.set_style(ProgressStyle::with_template(
        "  sealed, locked and playable  {bar:30.green} {pos}/{len}  {elapsed}",
    )?);
    let deadline = Instant::now() + PATIENCE;
    let mut agencies: Vec<Vec<Item>> = vec![Vec::new(); expected.len()];
    loop {
        let look = expected.iter().zip(&mut agencies).map(async |((station, files), items)| {
            if finished(items) < *files {
                *items = listed(stack, station).await?;
            }
            anyhow::Ok(finished(items))
        });
        let finished: usize = try_join_all(look).await?.into_iter().sum();
        bar.set_position(finished as u64);
        if finished >= wanted || Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let items = agencies.concat();
    bar.finish_and_clear();
    table(&items, steps);
    let finished = finished(&items);
    if finished < wanted {
        steps.tell(&format!("  {finished} of {wanted} items are finished so far; deploy/local/status may tell why"));
    }
    Ok(())
}

fn finished(items: &[Item]) -> usize {
    items.iter().filter(|item| item.is_finished()).count()
}

impl Item {
    fn is_finished(&self) -> bool {
        self.state != "deposited" && self.class != "pending" && self.playback != "pending"
    }

    /// What a person sees of it, but for the reason.
    fn cells(&self) -> [String; 8] {
        [
            self.code.clone(),
            self.kind.clone(),
            self.device.clone(),
            self.officer.clone().unwrap_or_else(|| "-".to_owned()),
            HumanBytes(self.length).to_string(),
            self.root.chars().take(SHORT).collect(),
            SHANGHAI.to_datetime(self.locked_until).strftime("%Y-%m-%d %H:%M").to_string(),
            self.playback.replace('_', " "),
        ]
    }
}

/// Every item the agency's auditor can see. That somebody looked is itself written down, so it is not asked needlessly.
async fn listed(stack: &Stack, station: &Station) -> anyhow::Result<Vec<Item>> {
    let url = format!("{}/v1/items?limit=200", stack.url(Part::Records));
    let auditor = format!("{}-auditor", station.tenant.as_str().to_lowercase());
    let request = stack.https()?.get(&url).bearer_auth(stack.token(&auditor)?);
    let answer = request.send().await.context("asking the catalogue")?;
    let status = answer.status();
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success(), "the catalogue says {status} to {auditor}: {text}");
    let page: Page = serde_json::from_str(&text).context("reading what the catalogue lists")?;
    Ok(page.items)
}

/// The reason comes last, for it is long.
fn table(items: &[Item], steps: Steps) {
    let head = ["unified code", "kind", "device", "officer", "size", "BLAKE3", "locked until", "playback"];
    let mut lines = vec![(head.map(str::to_owned), "why".to_owned())];
    lines.extend(items.iter().map(|item| (item.cells(), brief(&item.why.en))));
    let widths: [usize; 8] =
        std::array::from_fn(|column| lines.iter().map(|(cells, _)| cells[column].len()).max().unwrap_or(0));
    for (cells, why) in &lines {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        steps.tell(&format!("  {}  {why}", padded.join("  ")));
    }
}

/// The first clause of a reason, on one line; the catalogue has the rest.
fn brief(why: &str) -> String {
    let words: Vec<&str> = why.split_whitespace().collect();
    let line = words.join(" ");
    let clause = line.split("; ").next().unwrap_or_default();
    let cut: String = clause.chars().take(REASON).collect();
    if cut.len() < clause.len() { cut + "…" } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_on_a_line() {
        assert_eq!(brief("kept to 2027 under E-13.1; deletion may be proposed"), "kept to 2027 under E-13.1");
        assert_eq!(brief("held:\n  unset"), "held: unset");
        assert_eq!(brief(&"存".repeat(REASON + 1)), "存".repeat(REASON) + "…");
    }
}
