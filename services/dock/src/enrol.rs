//! `custos-dock enrol`: this station gets its first certificate, for a one-time code.
//!
//! The key is made here and never leaves. Everything needed to ask again is on disk before anybody is asked: whenever the power or
//! the answer is lost, the same command gets the same certificate.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use reqwest::Url;

use crate::{
    exit::Exit,
    pair::{Held, Pair, PairError, request},
    register::{Register, RegisterError},
};

/// Where the address of the register is noted, for renewing.
pub(crate) const ADDRESS: &str = "stations-url";
/// Which code the pair came from, as a digest.
const USED_CODE: &str = "station.code";

/// What is needed to enrol.
#[derive(Debug)]
pub struct Order {
    /// The register of stations.
    pub register: Url,
    /// Certificates of the authority that signed the register's certificate.
    pub ca: PathBuf,
    /// The one-time code, as typed.
    pub code: String,
    /// The state folder.
    pub state: PathBuf,
}

/// Why the station has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The files in the state folder.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The register.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Another dock of this state folder asks for a certificate just now.
    #[error("another custos-dock renews the certificate in this state folder just now: run the command again")]
    Taken,
    /// The code was used for a certificate that has ended.
    #[error("this code was used already, for a certificate that ended on {0}: ask your administrator for a new one")]
    Ended(Timestamp),
    /// The request could not be made. Cannot happen; told all the same.
    #[error("the request for a certificate could not be made: {0}")]
    Request(String),
}

impl EnrolError {
    /// The exit code this deserves.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Register(error) if error.is_passing() => Exit::Unavailable,
            Self::Taken => Exit::Unavailable,
            _ => Exit::Usage,
        }
    }
}

/// Enrols this station. With the same code again it answers the pair it has; `now` is the station's clock.
pub async fn enrol(order: &Order, now: Timestamp) -> Result<Held, EnrolError> {
    let pair = Pair::of(&order.state);
    let _taken = pair.take()?.ok_or(EnrolError::Taken)?;
    let digest = digest(&order.code);
    if pair.note(USED_CODE)?.is_some_and(|used| used == digest)
        && let Some(held) = pair.read()?
    {
        // Asked with a new key, the register would have to take it for somebody else's try.
        return if held.until > now { Ok(held) } else { Err(EnrolError::Ended(held.until)) };
    }
    let register = Register::new(&order.register, &order.ca, None)?;
    let key = pair.next_key(&mut rand::rng())?;
    let issued = register.enrol(&order.code, &request(&key).map_err(EnrolError::Request)?).await?;
    let held = pair.replace(&key, &issued.certificate, None)?;
    pair.write(ADDRESS, order.register.as_str())?;
    pair.write(USED_CODE, &digest)?;
    pair.forget_next_key()?;
    Ok(held)
}

/// What a person is told.
#[must_use]
pub fn told(held: &Held, state: &Path) -> String {
    format!(
        "this station is {}; certificate and key are in {}, good until {}\n",
        held.station,
        Pair::of(state).path().display(),
        held.until
    )
}

/// Spaces, hyphens and case do not matter in a code. It was used and is no secret any more; its digest says even less.
fn digest(code: &str) -> String {
    let typed: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    blake3::hash(typed.as_bytes()).to_hex().to_string()
}
