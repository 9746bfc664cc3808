//! How often somebody may be wrong: a code of 130 bits is not guessed, but whoever tries must not keep the database busy, and must
//! be seen.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// Wrong codes that one address may send within [`WINDOW`]. More than a technician mistypes, for whom the check character finds
/// nearly every slip before it counts.
const MOST: u32 = 10;
/// Counted from the first wrong one.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Addresses remembered at once. Beyond it the one that began first is forgotten.
const ADDRESSES: usize = 10_000;

/// Wrong codes by address. Each replica counts for itself, and forgets with its end.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, Counted>>);

#[derive(Debug, Clone, Copy)]
struct Counted {
    since: Timestamp,
    wrong: u32,
}

impl Attempts {
    /// Whether the address may try a code now; if not, when it may.
    pub fn allowed(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied();
        match counted {
            Some(counted) if counted.wrong >= MOST => {
                let left = WINDOW.saturating_sub(now.duration_since(counted.since));
                Duration::try_from(left).ok().filter(|left| !left.is_zero()).map_or(Ok(()), Err)
            }
            _ => Ok(()),
        }
    }

    /// Notes that the address was wrong.
    pub fn wrong(&self, address: IpAddr, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, counted| now.duration_since(counted.since) < WINDOW);
        if known.len() >= ADDRESSES
            && let Some(oldest) = known.iter().min_by_key(|(_, counted)| counted.since).map(|(address, _)| *address)
        {
            known.remove(&oldest);
        }
        known.entry(address).or_insert(Counted { since: now, wrong: 0 }).wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_400_000 + second).expect("time")
    }

    #[test]
    fn an_address_that_is_wrong_too_often_waits_and_others_do_not() {
        let attempts = Attempts::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for second in 0..10 {
            assert_eq!(attempts.allowed(one, at(second)), Ok(()));
            attempts.wrong(one, at(second));
        }
        assert_eq!(attempts.allowed(one, at(10)), Err(Duration::from_secs(590)));
        assert_eq!(attempts.allowed(other, at(10)), Ok(()));
        assert_eq!(attempts.allowed(one, at(600)), Ok(()));
        attempts.wrong(one, at(600));
        assert_eq!(attempts.allowed(one, at(601)), Ok(()), "counted anew");
    }
}
