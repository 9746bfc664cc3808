//! The register of stations as seen by a dock: where certificates come from.

use std::{path::Path, time::Duration};

use reqwest::{StatusCode, Url, header::RETRY_AFTER, redirect::Policy};
use serde::{Deserialize, Serialize};

use crate::{
    identity::CredentialError,
    pair::Held,
    trouble::{self, Problem},
};

/// Longest wait for a connection, and for an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// Largest answer taken into memory: a chain of certificates has a few KiB.
const LARGEST_ANSWER: usize = 1 << 20;

/// The connection to the register.
#[derive(Debug)]
pub struct Register {
    http: reqwest::Client,
    base: Url,
}

/// A certificate as it comes.
#[derive(Debug, Clone, Deserialize)]
pub struct Issued {
    /// The chain, PEM, its own first.
    pub certificate: String,
}

/// Why no certificate came.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The authorities' file, or the TLS library does not take it.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The TLS library takes neither certificate nor authority.
    #[error("certificate, key or authority cannot be used for TLS")]
    Tls(#[source] reqwest::Error),
    /// No answer. Whether a certificate was issued is unknown; asking again gets the same one.
    #[error("the register of stations cannot be reached: {0}")]
    Unreachable(String),
    /// It asks for patience.
    #[error("the register of stations is busy: {detail}")]
    Busy {
        /// How long it asked to be left alone.
        after: Option<Duration>,
        /// In its words.
        detail: String,
    },
    /// It said no; asking again changes nothing.
    #[error("the register of stations refused: {0}")]
    Refused(String),
    /// One side does not accept the other's certificate.
    #[error("{0}")]
    Certificate(String),
    /// An answer outside the agreement.
    #[error("the register of stations gave an answer this dock does not understand: {0}")]
    Protocol(String),
}

#[derive(Serialize)]
struct Enrolling<'a> {
    code: &'a str,
    csr: &'a str,
}

#[derive(Serialize)]
struct Renewing<'a> {
    csr: &'a str,
}

impl Register {
    /// The register at `base`, whose certificate must come from the authorities in `ca`; with `held`, this station shows its own.
    pub fn new(base: &Url, ca: &Path, held: Option<&Held>) -> Result<Self, RegisterError> {
        let http = reqwest::Client::builder()
            .tls_certs_only(crate::identity::authorities(ca)?)
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("custos-dock/", env!("CARGO_PKG_VERSION")));
        let http = match held {
            Some(held) => http.identity(reqwest::Identity::from_pem(held.pem.as_bytes()).map_err(RegisterError::Tls)?),
            None => http,
        };
        Ok(Self { http: http.build().map_err(RegisterError::Tls)?, base: base.clone() })
    }

    /// A certificate for a one-time code.
    pub async fn enrol(&self, code: &str, csr: &str) -> Result<Issued, RegisterError> {
        self.ask("v1/enrol", &Enrolling { code, csr }).await
    }

    /// The next certificate, for the one that is shown.
    pub async fn renew(&self, csr: &str) -> Result<Issued, RegisterError> {
        self.ask("v1/renew", &Renewing { csr }).await
    }

    async fn ask(&self, path: &str, body: &impl Serialize) -> Result<Issued, RegisterError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let mut answer = self.http.post(url).json(body).send().await.map_err(|e| of_failure(&e))?;
        let (status, after) = (answer.status(), answer.headers().get(RETRY_AFTER).cloned());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| of_failure(&e))? {
            if bytes.len() + chunk.len() > LARGEST_ANSWER {
                return Err(RegisterError::Protocol(format!("more than {LARGEST_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|e| RegisterError::Protocol(e.to_string()));
        }
        let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Err(RegisterError::of_answer(status, &problem, after))
    }
}

impl RegisterError {
    /// Whether asking again later can help without a person changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. })
    }

    fn of_answer(status: StatusCode, problem: &Problem, after: Option<Duration>) -> Self {
        let detail = problem.words(status.as_u16());
        match status.as_u16() {
            408 | 425 | 429 | 500.. => Self::Busy { after, detail },
            404 => Self::Refused(format!("{detail}; is --stations-url the register's address?")),
            400..=499 => Self::Refused(detail),
            _ => Self::Protocol(detail),
        }
    }
}

fn of_failure(error: &reqwest::Error) -> RegisterError {
    use rustls::{AlertDescription as Alert, Error as Tls};
    let again = "ask your administrator for a new one-time code, and run `custos-dock enrol`";
    match trouble::tls_error(error) {
        Some(Tls::AlertReceived(Alert::CertificateRevoked)) => {
            RegisterError::Certificate(format!("this station's certificate is revoked: {again}"))
        }
        Some(Tls::AlertReceived(Alert::CertificateExpired)) => {
            RegisterError::Certificate(format!("this station's certificate has expired: {again}"))
        }
        Some(Tls::AlertReceived(alert)) => {
            RegisterError::Certificate(format!("the register refused this station's certificate ({alert:?}): {again}"))
        }
        Some(Tls::InvalidCertificate(why)) => RegisterError::Certificate(format!(
            "the register's certificate is not valid ({why}): check --ca, the address and this station's clock"
        )),
        Some(other) => RegisterError::Unreachable(format!("TLS: {other}")),
        None => RegisterError::Unreachable(trouble::innermost(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_a_person_must_change() {
        let of = |status| {
            let problem = Problem { detail: "this code is void".into(), ..Problem::default() };
            RegisterError::of_answer(StatusCode::from_u16(status).expect("status"), &problem, None)
        };
        assert!([408, 429, 500, 503].into_iter().all(|status| of(status).is_passing()));
        assert!([400, 403, 404, 409, 422, 302].into_iter().all(|status| !of(status).is_passing()));
        assert!(of(403).to_string().contains("this code is void"), "{}", of(403));
    }
}
