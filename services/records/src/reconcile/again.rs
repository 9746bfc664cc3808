//! Facts whose consequences are overdue are announced again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Records, RecordsError, catalogue::pending::Due, metrics};

/// Facts taken from the database at a time.
const BATCH: i64 = 200;
/// The longest interval between two announcements of one fact. A step that a person must help along costs no more than this.
const MOST: Duration = Duration::from_hours(1);

impl Records {
    /// Announces every fact again whose step is overdue. Ends at the first that the bus does not take: the rest is as overdue
    /// in the next round.
    pub(super) async fn ask_again(&self, patience: Duration) -> Result<(), RecordsError> {
        let now = self.clock.now();
        loop {
            let due = self.catalogue.due(overdue_before(now, patience), BATCH).await?;
            let few = i64::try_from(due.len()).unwrap_or(BATCH) < BATCH;
            for Due { stated, tries } in due {
                self.facts.announce(&stated).await?;
                metrics::repeated(stated.fact.act.name());
                tracing::info!(fact = %stated.fact.id, tries, "announced again: nothing has followed from it yet");
                self.catalogue.asked_again(&stated.object.key, next_turn(now, patience, tries)).await?;
            }
            if few {
                break;
            }
        }
        self.tell_backlog(now).await
    }

    async fn tell_backlog(&self, now: Timestamp) -> Result<(), RecordsError> {
        let backlog = self.catalogue.backlog().await?;
        for step in crate::fold::Step::ALL {
            let found = backlog.iter().find(|backlog| backlog.step == step.as_str());
            let waited = |since: Timestamp| Duration::try_from(now.duration_since(since)).unwrap_or_default();
            let (items, oldest) = found.map_or((0, Duration::ZERO), |found| (found.items, waited(found.since)));
            metrics::pending(step.as_str(), items, oldest);
        }
        Ok(())
    }
}

/// Turns before this are overdue at `now`. A step's first turn is the moment its fact was stated.
fn overdue_before(now: Timestamp, patience: Duration) -> Timestamp {
    now.saturating_sub(SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MIN)
}

/// The turn after one taken at `now`: it is overdue after the patience doubled with each try, at most after [`MOST`].
fn next_turn(now: Timestamp, patience: Duration, tries: u32) -> Timestamp {
    let pause = patience.saturating_mul(2_u32.saturating_pow(tries.saturating_add(1))).min(MOST.max(patience));
    let beyond = SignedDuration::try_from(pause.saturating_sub(patience)).unwrap_or_default();
    now.saturating_add(beyond).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_an_hour() {
        let (now, patience) = (Timestamp::from_second(1_000_000).expect("time"), Duration::from_mins(1));
        // When it is overdue again, in seconds from now.
        let after = |tries| {
            let turn = next_turn(now, patience, tries);
            turn.as_second() + 60 - now.as_second()
        };
        assert_eq!([after(0), after(1), after(4), after(5), after(u32::MAX)], [120, 240, 1920, 3600, 3600]);
    }
}
