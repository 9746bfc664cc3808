//! What the tests share: a stack of real servers and services, recorders made by ffmpeg, and eyes on store, bus and catalogue.
//!
//! 1. [`site`]: a stack with everything a test asks of it.
//! 2. [`recorder`]: folders as recorders show them.
//! 3. [`dock`]: the real dock, run as stations run it.
//!    [`enrolment`]: the same, from a one-time code on.
//! 4. [`tus`]: a hand-made client, for what the real dock would never send.
//!    [`foreign`]: other people's tus clients; [`replica`]: a second ingest.
//! 5. [`store`], [`catalogue`], [`bus`]: looking at what became of it; [`store::Root`] tries what must fail.
//! 6. [`history`]: the whole world after a run, against every invariant.
//! 7. [`hostile`]: what must hold of every reader of input from outside.
//! 8. [`otlp`]: a collector for traces. [`liar`]: a store that drops lock headers.
//! 9. [`mod@bench`]: the benchmark, a command of its own.
//! 10. [`proxy`]: what networks and servers do to connections, when a test says so.
//! 11. [`sweep`]: every outgoing request of every service, struck one by one.
//! 12. [`power_cut`]: the store's disk loses its power.

pub mod bench;
pub mod bus;
pub mod catalogue;
pub mod dock;
pub mod enrolment;
pub mod foreign;
pub mod history;
pub mod hostile;
pub mod liar;
pub mod otlp;
pub mod power_cut;
pub mod proxy;
pub mod recorder;
pub mod replica;
pub mod site;
pub mod store;
pub mod sweep;
pub mod tus;

use std::{future::Future, time::Duration};

/// Asks again and again until `probe` answers something, for at most `limit`.
///
/// # Panics
/// When the time is over, with what `probe` last complained of.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut probe: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match probe().await {
            Ok(answer) => return Ok(answer),
            // A panic, not an error: the harness keeps the logs of a test that panics.
            Err(error) if tokio::time::Instant::now() > deadline => panic!("{what}: not within {limit:?}: {error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
