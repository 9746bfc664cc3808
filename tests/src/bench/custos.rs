//! Files through ingest: mTLS, declaration, outboard, every MiB checked, locked, read back, receipted.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use custos_domain::{
    declaration::Declaration,
    digest::{Crc64, Root},
    dsse::Envelope,
    outboard::Outboard,
};
use futures::{StreamExt as _, stream};

use super::{clock::LastByte, load::Load};
use crate::tus::{Answer, Tus, outboard};

/// As docks do: a longer outboard goes in a request of its own.
const SHORT_OUTBOARD: u64 = 3 << 10;

/// One file with what a dock has computed while it read the recorder.
#[derive(Debug)]
pub struct Prepared {
    bytes: Bytes,
    declaration: Declaration,
    envelope: Vec<u8>,
    outboard: Outboard,
}

/// Signs declarations and computes outboards: the dock's work, not ingest's, so not part of the measurement.
pub fn prepare(tus: &Tus, files: &[Bytes], round: usize) -> anyhow::Result<Vec<Prepared>> {
    files.iter().enumerate().map(|(index, bytes)| one(tus, bytes, &format!("B{round}_{index}"))).collect()
}

fn one(tus: &Tus, bytes: &Bytes, recording: &str) -> anyhow::Result<Prepared> {
    let mut declaration = tus.declaration(recording, &[])?;
    declaration.length = bytes.len() as u64;
    declaration.root = Root::of(bytes);
    declaration.crc = Crc64::of(bytes);
    let envelope = serde_json::to_vec(&Envelope::seal(&declaration, &tus.key)?)?;
    Ok(Prepared { bytes: bytes.clone(), declaration, envelope, outboard: outboard(bytes)? })
}

/// Sends everything; answers how long each receipt took from its last byte.
pub async fn send(tus: &Tus, load: &Load, files: &[Prepared]) -> anyhow::Result<Vec<Duration>> {
    let sent: Vec<anyhow::Result<Duration>> =
        stream::iter(files).map(|file| deposit(tus, file)).buffer_unordered(load.sessions).collect().await;
    sent.into_iter().collect()
}

async fn deposit(tus: &Tus, file: &Prepared) -> anyhow::Result<Duration> {
    let length = file.declaration.length;
    let short = Outboard::encoded_len(length) <= SHORT_OUTBOARD;
    let declared = if short {
        patiently(|| tus.declare_proven(&file.envelope, &file.outboard)).await?
    } else {
        patiently(|| tus.declare_envelope(&file.envelope, length)).await?
    };
    ensure!(declared.status == 201, "{declared:?}");
    let upload = declared.location()?;
    if !short {
        let proved = patiently(|| tus.prove(&upload, &file.outboard)).await?;
        ensure!(proved.status == 204, "{proved:?}");
    }

    let last = LastByte::default();
    let patched = patiently(|| patch(tus, &upload, &last, &file.bytes)).await?;
    ensure!(patched.status == 204 && patched.offset() == Some(length), "{patched:?}");
    let receipt = patiently(|| tus.get(&upload, "receipt")).await?;
    ensure!(receipt.status == 200, "{receipt:?}");
    last.ago().context("the body was not sent to its end")
}

async fn patch(tus: &Tus, upload: &str, last: &LastByte, bytes: &Bytes) -> anyhow::Result<Answer> {
    let request = tus.request(reqwest::Method::PATCH, upload).header("Upload-Offset", 0);
    let request =
        request.header("Content-Type", "application/offset+octet-stream").header("Content-Length", bytes.len());
    Answer::read(request.body(last.body(bytes.clone())).send().await?).await
}

/// Comes back when told to, as docks do.
async fn patiently<F>(mut ask: impl FnMut() -> F) -> anyhow::Result<Answer>
where
    F: Future<Output = anyhow::Result<Answer>>,
{
    for _ in 0..200 {
        let answer = ask().await?;
        if answer.status != 503 {
            return Ok(answer);
        }
        let after = answer.headers.get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok()).unwrap_or(1);
        tokio::time::sleep(Duration::from_secs(after)).await;
    }
    bail!("ingest never had room")
}
