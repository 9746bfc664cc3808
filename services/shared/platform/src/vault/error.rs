//! What a call to the store can end in, sorted by what the caller can do about it.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::{http::Problem, worker::Fault};

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

    /// What a person has to mend, where the store refused a credential or lacks a permission rather than the request itself.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let Self::Refused { operation, code, .. } = self else { return None };
        match code.as_str() {
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidSecurity" | "ExpiredToken" | "HTTP 401" => Some(
                "the store does not know this service's credential; put its user's keys into --s3-access-key-file and \
                 --s3-secret-key-file, and start the service again"
                    .to_owned(),
            ),
            "RequestTimeTooSkewed" => Some("the clocks of this machine and the store differ; set them".to_owned()),
            "AccessDenied" | "AllAccessDisabled" | "UnauthorizedAccess" | "HTTP 403" => Some(format!(
                "the store does not let this service's user do that; give it {} as in deploy/s3",
                permission(operation)
            )),
            _ => None,
        }
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

/// A credential and a permission can be mended, and what is missing or was changed by others looks different next time; only a
/// refusal of the very request stays one.
impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match (&error, error.remedy()) {
            (_, Some(remedy)) => Self::blocked(anyhow::Error::new(error).context(remedy)),
            (StoreError::Refused { .. } | StoreError::NoSuchUpload { .. }, None) => Self::reject(error.into()),
            (_, None) => Self::retry(error.into()),
        }
    }
}

/// 503 while the store is away; everything else is ours or an administrator's to mend.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match (&error, error.remedy()) {
            (StoreError::Unavailable { .. }, _) => Self::away("the store", &error),
            (_, Some(remedy)) => Self::internal(&anyhow::Error::new(error).context(remedy)),
            (_, None) => Self::internal(&error.into()),
        }
    }
}

/// The permission behind an operation, where it is called otherwise (AWS, "Actions defined by Amazon S3").
fn permission(operation: &str) -> String {
    match operation {
        "ListObjectsV2" => "s3:ListBucket".to_owned(),
        "ListObjectVersions" => "s3:ListBucketVersions".to_owned(),
        "ListParts" => "s3:ListMultipartUploadParts".to_owned(),
        "HeadObject" | "GetObject" => "s3:GetObject and s3:GetObjectVersion".to_owned(),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            "s3:PutObject, and s3:PutObjectRetention where it locks,".to_owned()
        }
        other => format!("s3:{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: &'static str, code: &str) -> StoreError {
        StoreError::Refused { operation, code: code.to_owned(), detail: "no".to_owned() }
    }

    #[test]
    fn what_a_person_can_mend_never_becomes_a_dead_letter_and_is_named() {
        for (operation, code, named) in [
            ("GetObject", "AccessDenied", "s3:GetObjectVersion"),
            ("HeadObject", "HTTP 403", "s3:GetObject"),
            ("ListObjectVersions", "AccessDenied", "s3:ListBucketVersions"),
            ("PutObjectLegalHold", "AccessDenied", "s3:PutObjectLegalHold"),
            ("PutObject", "InvalidAccessKeyId", "--s3-access-key-file"),
            ("PutObject", "SignatureDoesNotMatch", "--s3-secret-key-file"),
            ("PutObject", "RequestTimeTooSkewed", "clocks"),
        ] {
            let fault = Fault::from(refused(operation, code));
            assert!(matches!(fault, Fault::Blocked { .. }), "{code}: {fault:?}");
            let told = fault.to_string();
            assert!(told.contains(named) && told.contains(operation), "{told}");
        }
    }

    #[test]
    fn only_a_refusal_of_the_request_itself_is_for_ever() {
        let operation = "PutObject";
        assert!(matches!(Fault::from(refused(operation, "EntityTooLarge")), Fault::Reject { .. }));
        assert!(matches!(Fault::from(StoreError::NoSuchUpload { operation }), Fault::Reject { .. }));
        let detail = "connection refused".to_owned();
        for error in [
            StoreError::NotFound { operation },
            StoreError::Precondition { operation },
            StoreError::Unavailable { operation, detail },
        ] {
            assert!(matches!(Fault::from(error), Fault::Retry { .. }));
        }
    }

    #[test]
    fn people_are_told_to_wait_only_while_the_store_is_away() {
        let (operation, detail) = ("GetObject", "10.0.0.7:9000 refused".to_owned());
        let away = Problem::from(StoreError::Unavailable { operation, detail });
        assert_eq!((away.status().as_u16(), away.kind()), (503, "unavailable"));
        assert!(!away.detail().contains("10.0.0.7"), "{}", away.detail());
        assert_eq!(Problem::from(refused(operation, "AccessDenied")).status().as_u16(), 500);
        assert_eq!(Problem::from(StoreError::NotFound { operation }).status().as_u16(), 500);
    }
}
