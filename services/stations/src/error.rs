//! Everything the service can answer but success, and the table that turns it into HTTP.

use std::time::Duration;

use axum::http::StatusCode;
use custos_domain::dsse::SignatureError;
use custos_platform::{db::DbError, http::Problem, vault::StoreError};

use crate::{authority::AuthorityError, code::NoCode, request::BadRequest};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum StationsError {
    /// The text is no code.
    #[error("{0}; check it against what you were given")]
    NoCode(#[from] NoCode),
    /// No such code.
    #[error("this code was not issued here; check it, or have a new one issued")]
    UnknownCode,
    /// Its time is over.
    #[error("this code is no longer good: its time is over; have a new one issued")]
    ExpiredCode,
    /// A newer one was issued, or the station was shut out.
    #[error("this code is void: a newer one was issued, or the station was shut out; have a new one issued")]
    VoidCode,
    /// Used with another key.
    #[error("this code was used already, with another key; this was reported. Have a new one issued")]
    UsedCode,
    /// The request for a certificate.
    #[error("{0}")]
    Request(#[from] BadRequest),
    /// Too many wrong codes from one address.
    #[error("too many wrong codes from this address; try again later")]
    TooManyAttempts(Duration),
    /// Too many certificates for one station.
    #[error("this station was issued too many certificates today; tell the administrator")]
    TooManyCertificates,
    /// The station is not in the register.
    #[error("this station is not registered; have an administrator register it")]
    NotRegistered,
    /// The certificate names another unit than the register.
    #[error(
        "this station is registered in another unit than its certificate says; have a new code issued, and enrol again"
    )]
    OtherUnit,
    /// The certificate was renewed before, for another key.
    #[error(
        "this certificate was renewed already, for another key; this was reported. Have a new code issued, and enrol again"
    )]
    Replaced,
    /// The station, or the certificate it shows, is revoked.
    #[error("this station's certificate is revoked; have an administrator issue a new code, and enrol again")]
    Revoked,
    /// A certificate from before the station enrolled with a code, or from before it had one of ours.
    #[error("this station has enrolled and has a newer certificate; renew that one, or have a new code issued")]
    Superseded,
    /// The authority cannot sign.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The register was not signed.
    #[error("the register: {0}")]
    Sign(#[from] SignatureError),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] DbError),
}

impl StationsError {
    /// The status, the problem's name and its title, for what the caller can do something about.
    fn shape(&self) -> Option<(StatusCode, &'static str, &'static str)> {
        Some(match self {
            Self::NoCode(_) => (StatusCode::UNPROCESSABLE_ENTITY, "code-mistyped", "Not a code"),
            Self::UnknownCode => (StatusCode::FORBIDDEN, "code-unknown", "Unknown code"),
            Self::ExpiredCode => (StatusCode::FORBIDDEN, "code-expired", "Code expired"),
            Self::VoidCode => (StatusCode::FORBIDDEN, "code-void", "Code void"),
            Self::UsedCode => (StatusCode::CONFLICT, "code-used", "Code used before"),
            Self::Request(BadRequest::Key) => (StatusCode::UNPROCESSABLE_ENTITY, "key-refused", "Another kind of key"),
            Self::Request(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request-refused", "No usable request"),
            Self::TooManyAttempts(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "Too many wrong codes"),
            Self::TooManyCertificates => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-certificates", "Too many certificates")
            }
            Self::NotRegistered => (StatusCode::FORBIDDEN, "not-registered", "Station not registered"),
            Self::OtherUnit => (StatusCode::FORBIDDEN, "other-unit", "Registered in another unit"),
            Self::Replaced => (StatusCode::CONFLICT, "certificate-replaced", "Certificate renewed before"),
            Self::Revoked => (StatusCode::FORBIDDEN, "station-revoked", "Certificate revoked"),
            Self::Superseded => (StatusCode::FORBIDDEN, "certificate-superseded", "Certificate superseded"),
            Self::Authority(_) | Self::Sign(_) | Self::Store(_) | Self::Database(_) => return None,
        })
    }

    /// The problem's name, for metrics.
    pub(crate) fn name(&self) -> &'static str {
        self.shape().map_or("failed", |(_, name, _)| name)
    }
}

impl From<sqlx::Error> for StationsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<StationsError> for Problem {
    fn from(error: StationsError) -> Self {
        if let Some((status, name, title)) = error.shape() {
            let problem = Self::new(status, name, title, error.to_string());
            return match error {
                StationsError::TooManyAttempts(wait) => problem.retry_after(wait),
                StationsError::TooManyCertificates => problem.retry_after(Duration::from_hours(1)),
                _ => problem,
            };
        }
        match error {
            StationsError::Database(error) => error.into(),
            StationsError::Store(error) => error.into(),
            _ => Self::internal(&error.into()),
        }
    }
}
