//! Renews the pair that [`crate::enrol`] brought, when a third of its time is left. The next docking uses the new one.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    enrol::ADDRESS,
    pair::{Held, Pair, PairError, request},
    register::{Register, RegisterError},
};

/// First pause after a failure; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Longest pause, and how often to look when nothing is due: a clock may be set, a pair replaced by hand.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Between two looks at a certificate that lives for moments.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// Renews this station's certificate.
#[derive(Debug, Clone)]
pub struct Renewer {
    /// The pair; none where certificate and key are the operator's own files.
    pair: Option<Pair>,
    /// The register, where it was not noted at enrolment.
    register: Option<Url>,
    ca: PathBuf,
    now: Clock,
}

/// What a look came to.
#[derive(Debug)]
pub enum Looked {
    /// This dock looks after no certificate.
    Nothing,
    /// Not due before this; or somebody else sees to it now.
    Later(Timestamp),
    /// Renewed.
    Renewed(Held),
}

/// Why a certificate that is due was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The files in the state folder.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The register.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// It is too late.
    #[error(
        "by this station's clock its certificate expired on {0}: if the clock is right, ask your administrator for a new one-time \
         code, and run `custos-dock enrol`"
    )]
    Expired(Timestamp),
    /// Nobody said where.
    #[error("this station's certificate ends on {0} and --stations-url is not given: renew it, or enrol again")]
    Nowhere(Timestamp),
    /// The request could not be made. Cannot happen; told all the same.
    #[error("the request for a certificate could not be made: {0}")]
    Request(String),
}

impl Renewer {
    /// A renewer of `pair`, at `register` or else where the pair came from.
    #[must_use]
    pub fn new(pair: Option<Pair>, register: Option<Url>, ca: PathBuf, now: Clock) -> Self {
        Self { pair, register, ca, now }
    }

    /// Renews the certificate if it is due. Run twice it is the same renewal.
    pub async fn look(&self) -> Result<Looked, RenewError> {
        let Some(pair) = &self.pair else { return Ok(Looked::Nothing) };
        let now = (self.now)();
        let due = || Ok::<_, PairError>(pair.read()?.map(|held| (held.due(), held)));
        match due()? {
            None => return Ok(Looked::Nothing),
            Some((due, _)) if now < due => return Ok(Looked::Later(due)),
            Some(_) => {}
        }
        let Some(_taken) = pair.take()? else { return Ok(Looked::Later(now)) };
        // Read again: until it was ours, somebody else may have renewed it.
        let held = match due()? {
            None => return Ok(Looked::Nothing),
            Some((due, _)) if now < due => return Ok(Looked::Later(due)),
            Some((_, held)) => held,
        };
        if now >= held.until {
            return Err(RenewError::Expired(held.until));
        }
        let noted = || pair.note(ADDRESS).map(|text| text.and_then(|text| Url::parse(&text).ok()));
        let register = match &self.register {
            Some(given) => Some(given.clone()),
            None => noted()?,
        };
        let register = Register::new(&register.ok_or(RenewError::Nowhere(held.until))?, &self.ca, Some(&held))?;
        let key = pair.next_key(&mut rand::rng())?;
        let issued = register.renew(&request(&key).map_err(RenewError::Request)?).await?;
        let renewed = pair.replace(&key, &issued.certificate, Some(&held.station))?;
        pair.forget_next_key()?;
        Ok(Looked::Renewed(renewed))
    }

    /// Looks once, before a docking begins; what is wrong is told and keeps nothing from being tried.
    pub async fn once(&self) {
        match self.look().await {
            Ok(looked) => looked.tell(),
            Err(error) => tracing::warn!(%error, "the station's certificate was not renewed"),
        }
    }

    /// Renews whenever it is due, until `stop`.
    pub async fn keep(&self, stop: &CancellationToken) {
        let mut failures = 0_u32;
        loop {
            let pause = match self.look().await {
                Ok(Looked::Nothing) => return,
                Ok(looked) => {
                    failures = 0;
                    looked.tell();
                    looked.pause((self.now)())
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    complain(&error);
                    backoff(failures, &error)
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}

/// What a person must change is an error; what passes by itself is a warning.
fn complain(error: &RenewError) {
    match error {
        RenewError::Register(cause) if cause.is_passing() => {
            tracing::warn!(%error, "the station's certificate was not renewed; trying again");
        }
        _ => tracing::error!(%error, "the station's certificate cannot be renewed"),
    }
}

impl Looked {
    fn tell(&self) {
        if let Self::Renewed(held) = self {
            tracing::info!(station = %held.station, until = %held.until, "certificate renewed");
        }
    }

    fn pause(&self, now: Timestamp) -> Duration {
        let due = match self {
            Self::Nothing => return LONGEST_PAUSE,
            Self::Later(due) => *due,
            Self::Renewed(held) => held.due(),
        };
        Duration::try_from(due.duration_since(now)).unwrap_or_default().clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}

/// Doubling, but at least what the register asked for.
fn backoff(failures: u32, error: &RenewError) -> Duration {
    let own = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_PAUSE);
    let jittered = own.mul_f64(rand::random_range(0.5..=1.0));
    match error {
        RenewError::Register(RegisterError::Busy { after: Some(asked), .. }) => jittered.max(*asked),
        _ => jittered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_pass_an_hour() {
        let away = RenewError::Register(RegisterError::Unreachable("cut".into()));
        for (failures, most) in [(1, 10), (2, 20), (5, 160), (30, 3600), (u32::MAX, 3600)] {
            let pause = backoff(failures, &away);
            assert!(
                pause <= Duration::from_secs(most) && pause >= Duration::from_secs(most) / 2,
                "{failures}: {pause:?}"
            );
        }
        let after = Some(Duration::from_secs(90));
        let busy = RenewError::Register(RegisterError::Busy { after, detail: String::new() });
        assert!(backoff(1, &busy) >= Duration::from_secs(90));
    }
}
