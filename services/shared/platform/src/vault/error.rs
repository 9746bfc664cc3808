//! What a call to the store can end in, sorted by what the caller can do about it.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No such object or version.
    #[error("{operation}: not found")]
    NotFound {
        /// The S3 operation.
        operation: &'static str,
    },
    /// The store knows no such multipart upload: completed, aborted, expired or lost. Never to be read as "complete".
    #[error("{operation}: the store does not know this multipart upload")]
    NoSuchUpload {
        /// The S3 operation.
        operation: &'static str,
    },
    /// A condition (`If-None-Match`, `If-Match`) did not hold: somebody was first, possibly ourselves.
    #[error("{operation}: the condition did not hold")]
    Precondition {
        /// The S3 operation.
        operation: &'static str,
    },
    /// No answer, or one that says "later". **The outcome is unknown**: the request may have been carried out.
    #[error("{operation}: the store is not available: {detail}")]
    Unavailable {
        /// The S3 operation.
        operation: &'static str,
        /// The cause in the transport's or the store's words.
        detail: String,
    },
    /// The store understood and refused.
    #[error("{operation}: the store refused with {code}: {detail}")]
    Refused {
        /// The S3 operation.
        operation: &'static str,
        /// The S3 error code.
        code: String,
        /// The store's words.
        detail: String,
    },
}

impl StoreError {
    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Unavailable { .. })
    }

    /// Whether there is nothing there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the store said that what is there is what the caller has (304).
    pub(super) fn is_unchanged(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "HTTP 304" || code == "NotModified")
    }

    /// A stable name for metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::NoSuchUpload { .. } => "no_such_upload",
            Self::Precondition { .. } => "precondition",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } => "refused",
        }
    }

    pub(super) fn of<E>(operation: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Some(raw) = error.raw_response() else {
            return Self::Unavailable { operation, detail: DisplayErrorContext(error).to_string() };
        };
        let code = error.code().unwrap_or_default();
        let detail = error.message().unwrap_or_default().to_owned();
        match (raw.status().as_u16(), code) {
            (_, "NoSuchUpload") => Self::NoSuchUpload { operation },
            (404, _) | (_, "NoSuchKey" | "NoSuchVersion") => Self::NotFound { operation },
            (412, _) => Self::Precondition { operation },
            // 409 ConditionalRequestConflict and OperationAborted mean "another request is at it": look again later.
            (409, "ConditionalRequestConflict" | "OperationAborted" | "") | (429 | 499 | 500..=599, _) => {
                Self::Unavailable { operation, detail: format!("{} {code} {detail}", raw.status().as_u16()) }
            }
            (status, "") => Self::Refused { operation, code: format!("HTTP {status}"), detail },
            (_, code) => Self::Refused { operation, code: code.to_owned(), detail },
        }
    }

    /// An answer without what it must carry.
    pub(super) fn incomplete(operation: &'static str, what: &str) -> Self {
        Self::Refused {
            operation,
            code: "IncompleteAnswer".to_owned(),
            detail: format!("the store's answer has no {what}"),
        }
    }
}
