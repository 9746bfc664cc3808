//! The history checker: reads the whole world after a run and says which invariants of `services/ARCHITECTURE.md` it breaks.
//!
//! 1. [`invariant`]: the invariants, by the ids of that table.
//! 2. [`world`], [`log`]: what is looked at: every version in the store, the three schemas, and what the docks were told.
//! 3. [`mod@collect`]: reading it, with the store administrator's credential and MinIO's own client rather than with the code under
//!    test.
//! 4. [`reading`], [`mod@check`]: the decisions, pure.
//!
//! ```no_run
//! # async fn test(site: custos_tests::site::Site, recorder: &std::path::Path) -> anyhow::Result<()> {
//! use custos_tests::history::{Log, assert_holds};
//! let log = Log::default().recorder(recorder)?; // before the docking: what was erased cannot be read any more
//! let before = assert_holds(&site, &log, None).await?;
//! // … dock, kill, recover …
//! assert_holds(&site, &log, Some(&before)).await?;
//! # Ok(())
//! # }
//! ```

pub mod check;
pub mod collect;
pub mod invariant;
pub mod log;
pub mod reading;
pub mod world;

use std::{fmt, time::Duration};

pub use self::{check::check, collect::collect, invariant::Invariant, log::Log, world::World};
use crate::site::Site;

/// How long services get to come to rest: to finish what a crash cut short, extend locks, apply holds, fill the catalogue.
const TO_REST: Duration = Duration::from_mins(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// An invariant that does not hold for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// For what: an object, an item, a row.
    pub item: String,
    /// What ought to be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, item, expected, found } = self;
        write!(f, "{invariant} {item}\n    expected {expected}\n    found    {found}")
    }
}

/// Reads the world until it holds every invariant, for at most two minutes; answers it, for a later comparison.
///
/// # Panics
/// When invariants do not hold, with all violations.
pub async fn assert_holds(site: &Site, log: &Log, before: Option<&World>) -> anyhow::Result<World> {
    let read = || collect(site, log);
    // A panic, not an error: the harness keeps the logs of a test that panics.
    Ok(at_rest(read, before).await?.unwrap_or_else(|violations| panic!("{}", report(&violations))))
}

/// The same told instead of panicked about; and what is locked and was read before is only listed, not read again, so that
/// many looks at a growing world stay short.
pub async fn look_again(
    site: &Site,
    log: &Log,
    before: Option<&World>,
) -> anyhow::Result<Result<World, Vec<Violation>>> {
    at_rest(|| collect::collect_since(site, log, before), before).await
}

/// A breach of what must hold at every moment is waited for only once more: reading takes a while and the world moves meanwhile.
async fn at_rest<F: Future<Output = anyhow::Result<World>>>(
    read: impl Fn() -> F,
    before: Option<&World>,
) -> anyhow::Result<Result<World, Vec<Violation>>> {
    let deadline = tokio::time::Instant::now() + TO_REST;
    let mut last: Vec<Violation> = Vec::new();
    loop {
        let world = read().await?;
        let now = check(&world, before);
        if now.is_empty() {
            return Ok(Ok(world));
        }
        let lasting = now.iter().any(|violation| violation.invariant.is_always() && last.contains(violation));
        if lasting || tokio::time::Instant::now() >= deadline {
            return Ok(Err(now));
        }
        last = now;
        tokio::time::sleep(PAUSE).await;
    }
}

/// All violations, for a person.
#[must_use]
pub fn report(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    format!("{} violations:\n{}", violations.len(), lines.join("\n"))
}
