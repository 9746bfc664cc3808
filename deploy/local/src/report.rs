//! What became of the sample recorders' files, as the catalogue tells it: a line for each item.

use std::time::{Duration, Instant};

use anyhow::Context;
use custos_domain::{calendar::SHANGHAI, policy::Words};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{part::Part, seeds::Station, stack::Stack, steps::Steps};

/// How long seals, locks and playback copies are waited for before the table is shown as it is.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Characters of a BLAKE3 value that are shown.
const SHORT: usize = 12;

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
    /// When the re-read ended that proved it.
    pub sealed_at: Option<Timestamp>,
    /// The store's lock.
    pub locked_until: Timestamp,
    /// Why it is kept until then, or longer.
    pub why: Words,
    /// What there is to look at.
    pub playback: Playback,
    /// What rules ask for; empty until the retention service has said.
    #[serde(default)]
    pub obligations: Vec<serde::de::IgnoredAny>,
}

/// What there is to look at.
#[derive(Debug, Clone, Deserialize)]
pub struct Playback {
    /// `pending` until the transcoding service has looked at it.
    pub outcome: String,
}

/// A page of the catalogue.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Item>,
}

/// Waits until every one of `expected` items of these stations' agencies is sealed, locked by rule and looked at, or three
/// minutes have passed; then tells a line for each.
pub async fn show(stack: &Stack, stations: &[Station], expected: usize, steps: Steps) -> anyhow::Result<()> {
    let bar = ProgressBar::new(expected as u64);
    bar.set_style(ProgressStyle::with_template("  sealed, locked and playable  {bar:30.green} {pos}/{len} {elapsed}")?);
    let deadline = Instant::now() + PATIENCE;
    let items = loop {
        let items = listed(stack, stations).await?;
        let finished = items.iter().filter(|item| item.is_finished()).count();
        bar.set_position(finished as u64);
        if finished >= expected || Instant::now() > deadline {
            break items;
        }
        tokio::time::sleep(PAUSE).await;
    };
    bar.finish_and_clear();
    table(&items, steps);
    if items.len() < expected {
        steps.tell(&format!("  {} of {expected} items are in the catalogue so far", items.len()));
    }
    Ok(())
}

impl Item {
    fn is_finished(&self) -> bool {
        self.sealed_at.is_some() && self.playback.outcome != "pending" && !self.obligations.is_empty()
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
            self.playback.outcome.replace('_', " "),
        ]
    }
}

/// Every item the agencies' auditors can see.
async fn listed(stack: &Stack, stations: &[Station]) -> anyhow::Result<Vec<Item>> {
    let (client, url) = (stack.https()?, format!("{}/v1/items?limit=100", stack.url(Part::Records)));
    let mut items = Vec::new();
    for station in stations {
        let auditor = format!("{}-auditor", station.tenant.as_str().to_lowercase());
        let answer =
            client.get(&url).bearer_auth(stack.token(&auditor)?).send().await.context("asking the catalogue")?;
        let status = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(status.is_success(), "the catalogue says {status} to {auditor}: {text}");
        let page: Page = serde_json::from_str(&text).context("reading what the catalogue lists")?;
        items.extend(page.items);
    }
    Ok(items)
}

/// The reason comes last, for it is long.
fn table(items: &[Item], steps: Steps) {
    let head = ["unified code", "kind", "device", "officer", "size", "BLAKE3", "locked until", "playback"];
    let mut lines = vec![(head.map(str::to_owned), "why".to_owned())];
    lines.extend(items.iter().map(|item| (item.cells(), item.why.en.clone())));
    let widths: [usize; 8] =
        std::array::from_fn(|column| lines.iter().map(|(cells, _)| cells[column].len()).max().unwrap_or(0));
    for (cells, why) in &lines {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        steps.tell(&format!("  {}  {why}", padded.join("  ")));
    }
}
