//! What can go wrong between dock and ingest, sorted by what to do about it. The one place that reads ingest's refusals.

use std::{error::Error, io, time::Duration};

use serde::Deserialize;

use crate::read::ReadError;

/// Why a request did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No answer: refused, cut, stalled or timed out. What the request did is unknown.
    #[error("ingest cannot be reached: {0}")]
    Unreachable(String),
    /// Ingest is there and asks for patience (503, 429, any other 5xx).
    #[error("ingest is busy: {detail}")]
    Busy {
        /// How long it asked to be left alone.
        after: Option<Duration>,
        /// In its words.
        detail: String,
    },
    /// Not ready yet: a commit under way.
    #[error("ingest is still committing")]
    Pending {
        /// When to ask again.
        after: Option<Duration>,
    },
    /// The bytes sent do not begin where ingest stands (409).
    #[error("ingest stands at byte {offset}")]
    Offset {
        /// First byte ingest does not have.
        offset: u64,
    },
    /// A newer request for the same upload took over (409).
    #[error("another request took this upload over")]
    Superseded,
    /// A MiB arrived otherwise than declared (460).
    #[error("MiB {mib} arrived damaged")]
    Checksum {
        /// Which one, counted from zero.
        mib: u64,
        /// First byte to send again.
        offset: u64,
    },
    /// Ingest wants the outboard first (409).
    #[error("ingest has no outboard yet")]
    OutboardRequired,
    /// The upload is unknown or was lost by the store (404, 410): declare it again.
    #[error("ingest no longer knows this upload")]
    Lost,
    /// Ingest understood and said no; asking again changes nothing.
    #[error("ingest refused: {0}")]
    Refused(String),
    /// One side does not accept the other's certificate.
    #[error("{0}")]
    Certificate(String),
    /// An answer outside the agreement.
    #[error("ingest gave an answer this dock does not understand: {0}")]
    Protocol(String),
    /// The bytes could not be read from the recorder.
    #[error(transparent)]
    Recorder(#[from] ReadError),
}

/// RFC 9457 problem details, as far as a dock acts on them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// `urn:custos:problem:<name>`.
    pub r#type: String,
    /// Short text.
    pub title: String,
    /// Long text.
    pub detail: String,
    /// Where to continue.
    pub offset: Option<u64>,
    /// Which MiB was damaged.
    pub mib: Option<u64>,
}

impl Problem {
    /// The problem's name without its URN prefix.
    fn name(&self) -> &str {
        self.r#type.strip_prefix("urn:custos:problem:").unwrap_or(&self.r#type)
    }

    pub(crate) fn words(&self, status: u16) -> String {
        let said = if self.detail.is_empty() { &self.title } else { &self.detail };
        match (said.is_empty(), self.name()) {
            (true, "") => format!("status {status}"),
            (true, name) => format!("{name} (status {status})"),
            (false, "") => format!("{said} (status {status})"),
            (false, name) => format!("{said} ({name})"),
        }
    }
}

impl Trouble {
    /// What a refusing answer asks for.
    #[must_use]
    pub fn of_answer(status: u16, problem: &Problem, after: Option<Duration>) -> Self {
        let detail = problem.words(status);
        match (status, problem.name(), problem.offset) {
            (409, "offset-mismatch", Some(offset)) => Self::Offset { offset },
            (409, "superseded", _) => Self::Superseded,
            (409, "outboard-required", _) => Self::OutboardRequired,
            (460, _, Some(offset)) => Self::Checksum { mib: problem.mib.unwrap_or(offset >> 20), offset },
            (404 | 410, ..) => Self::Lost,
            (408 | 423 | 425 | 429 | 500.., ..) => Self::Busy { after, detail },
            (401 | 403, ..) => Self::Refused(format!("this station is not allowed to: {detail}")),
            (400..=499, ..) => Self::Refused(detail),
            _ => Self::Protocol(detail),
        }
    }

    /// What a request that got no answer means.
    #[must_use]
    pub fn of_failure(error: &reqwest::Error) -> Self {
        match tls_error(error) {
            Some(tls) => explain_tls(tls),
            None => Self::Unreachable(innermost(error)),
        }
    }

    /// Whether trying again later can help without a person changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. } | Self::Pending { .. } | Self::Superseded)
    }
}

/// Says which of the two certificates is the trouble and what to do.
fn explain_tls(error: &rustls::Error) -> Trouble {
    use rustls::{AlertDescription as Alert, CertificateError as Cert, Error as Tls};
    let text = match error {
        Tls::AlertReceived(Alert::CertificateRevoked) => {
            "ingest refused this station's certificate: it is revoked; ask for a new one".into()
        }
        Tls::AlertReceived(Alert::CertificateExpired) => {
            "ingest refused this station's certificate: it has expired; renew it".into()
        }
        Tls::AlertReceived(Alert::UnknownCA) => {
            "ingest refused this station's certificate: it does not know the authority that signed it".into()
        }
        Tls::AlertReceived(
            alert @ (Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::AccessDenied
            | Alert::DecryptError),
        ) => format!(
            "ingest refused this station's certificate ({alert:?}): check --cert and --key, or ask whether it is revoked"
        ),
        Tls::InvalidCertificate(Cert::UnknownIssuer) => {
            "ingest's certificate was not signed by the authority given with --ca: wrong --ca, or this is not ingest"
                .into()
        }
        Tls::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
            "ingest's certificate is for another host name than the one in --ingest-url".into()
        }
        Tls::InvalidCertificate(cert) => {
            format!("ingest's certificate is not valid ({cert}): check --ca and this station's clock")
        }
        other => return Trouble::Unreachable(format!("TLS: {other}")),
    };
    Trouble::Certificate(text)
}

/// The TLS error somewhere down the chain. An `io::Error` passes over the error inside it when asked for its source.
pub(crate) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// The last error of the chain: the others say "error sending request" and repeat the URL.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, name: &str, offset: Option<u64>, mib: Option<u64>) -> Trouble {
        let problem = Problem { r#type: format!("urn:custos:problem:{name}"), offset, mib, ..Problem::default() };
        Trouble::of_answer(status, &problem, Some(Duration::from_secs(3)))
    }

    #[test]
    fn every_agreed_refusal_is_understood() {
        assert!(matches!(answer(409, "offset-mismatch", Some(7), None), Trouble::Offset { offset: 7 }));
        assert!(matches!(answer(409, "superseded", None, None), Trouble::Superseded));
        assert!(matches!(answer(409, "outboard-required", None, None), Trouble::OutboardRequired));
        assert!(matches!(answer(460, "checksum-mismatch", Some(1 << 20), Some(1)), Trouble::Checksum { mib: 1, .. }));
        assert!(matches!(answer(410, "lost-session", None, None), Trouble::Lost));
        assert!(matches!(answer(404, "not-found", None, None), Trouble::Lost));
        assert!(matches!(answer(503, "busy", None, None), Trouble::Busy { after: Some(_), .. }));
        assert!(matches!(answer(500, "", None, None), Trouble::Busy { .. }));
        assert!(matches!(answer(409, "incident-open", None, None), Trouble::Refused(_)));
        assert!(matches!(answer(403, "foreign-tenant", None, None), Trouble::Refused(_)));
        assert!(matches!(answer(422, "outboard-mismatch", None, None), Trouble::Refused(_)));
        assert!(matches!(answer(302, "", None, None), Trouble::Protocol(_)));
    }

    #[test]
    fn an_offset_problem_without_an_offset_is_not_guessed() {
        assert!(matches!(answer(409, "offset-mismatch", None, None), Trouble::Refused(_)));
        assert!(matches!(answer(460, "checksum-mismatch", None, Some(3)), Trouble::Refused(_)));
    }

    #[test]
    fn a_tls_alert_is_found_through_the_layers_of_the_http_client() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRevoked);
        let wrapped = io::Error::other(io::Error::other(alert));
        let found = tls_error(&wrapped).expect("alert");
        assert!(matches!(explain_tls(found), Trouble::Certificate(text) if text.contains("revoked")));
        assert!(tls_error(&io::Error::other("cut")).is_none());
    }
}
