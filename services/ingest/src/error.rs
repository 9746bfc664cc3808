//! Everything ingest can answer but success, and the one table that turns it into HTTP.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use custos_platform::{
    http::Problem,
    vault::{StoreError, skew::ClockError},
};
use http::StatusCode;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A header of the tus protocol is missing or unreadable.
    #[error("{0}")]
    Header(String),
    /// The client speaks another version of tus.
    #[error("this server speaks tus 1.0.0: send `Tus-Resumable: 1.0.0`")]
    TusVersion,
    /// The declaration does not hold.
    #[error("the declaration was refused: {0}")]
    Declaration(String),
    /// Metadata of an unsigned upload that cannot be used.
    #[error("Upload-Metadata: {0}")]
    Metadata(String),
    /// A body that is not said to be bytes.
    #[error("send the bytes with `Content-Type: application/offset+octet-stream`")]
    MediaType,
    /// More than the store takes.
    #[error("{length} bytes are more than the store takes in one object ({max})")]
    TooLarge {
        /// Bytes announced.
        length: u64,
        /// Bytes that could be taken.
        max: u64,
    },
    /// The station is not registered for unsigned uploads.
    #[error(
        "station {0} is not registered for deposits without a signed declaration: hand in with custos-dock, or have the \
         administrator register the station as plain"
    )]
    NotPlain(String),
    /// Nobody could say yet who may bring what.
    #[error("the register of stations has not been read yet; try again in a few seconds")]
    RegisterUnknown,
    /// The bytes are not the ones that were announced.
    #[error("{0}. Nothing was taken in: read the file again, and begin a new upload")]
    Digest(String),
    /// A body that is not what its `Upload-Checksum` says.
    #[error(
        "the bytes of this request do not have the digest in Upload-Checksum; they were dropped. Send again from byte {offset}"
    )]
    Chunk {
        /// Where to go on.
        offset: u64,
    },
    /// The station acts for somebody else.
    #[error("this station may not do that: {0}")]
    Foreign(String),
    /// A body that says nothing usable.
    #[error("{0}")]
    Body(String),
    /// No such upload, or another station's.
    #[error("there is no such upload for this station; create it again with a POST to /v1/uploads")]
    Unknown,
    /// The store lost the upload.
    #[error("this upload was lost: {0}. Create it again with a POST to /v1/uploads: a new one will be given")]
    Lost(String),
    /// Bytes before the outboard.
    #[error("send the outboard first: PUT it to this upload's /outboard")]
    OutboardRequired,
    /// The outboard is not that of the declared bytes.
    #[error("the outboard was refused: {0}")]
    Outboard(String),
    /// Bytes for another place.
    #[error("this upload continues at byte {offset}")]
    Offset {
        /// The durable offset.
        offset: u64,
    },
    /// A newer request took over.
    #[error("a newer request took over this upload; ask for the offset before sending more")]
    Superseded {
        /// The durable offset.
        offset: u64,
    },
    /// A MiB that is not the declared one.
    #[error(
        "MiB {mib} does not match the outboard: it was damaged on the way or on the medium. Send again from byte {offset}"
    )]
    Checksum {
        /// Which, counted from zero.
        mib: usize,
        /// Where to go on.
        offset: u64,
    },
    /// More bytes than declared.
    #[error("this upload has {length} bytes; more were sent, and what goes with them was dropped")]
    TooLong {
        /// Bytes declared.
        length: u64,
        /// The durable offset.
        offset: u64,
    },
    /// The upload ended in an item and cannot be given up.
    #[error("this upload is finished: its item is locked and cannot be taken back")]
    Finished,
    /// What the store holds is not what was sent; a person must look.
    #[error("the store did not keep what was sent: {0}. The item was not accepted; create the upload again")]
    Rejected(String),
    /// An incident stands in the way of an erase permit.
    #[error("no erase permit: {0}. Leave the recorder as it is and tell the unit's administrator")]
    NoPermit(String),
    /// No memory for another part.
    #[error("too many uploads are running; try again in a few seconds")]
    Busy,
    /// More is under way for a recorder or a station than it may have.
    #[error(
        "{open} of {limit} bytes are under way for this {whose}, {length} more do not fit: finish or give up uploads first"
    )]
    Quota {
        /// `recorder` or `station`.
        whose: &'static str,
        /// Bytes that may be under way.
        limit: u64,
        /// Bytes that are.
        open: u64,
        /// Bytes that were to come.
        length: u64,
    },
    /// One item is more than may ever be under way.
    #[error("{length} bytes are more than may be under way for this {whose} ({limit}): have its quota raised")]
    OverQuota {
        /// `recorder` or `station`.
        whose: &'static str,
        /// Bytes that may be under way.
        limit: u64,
        /// Bytes that were to come.
        length: u64,
    },
    /// A short body that takes for ever.
    #[error("the body did not arrive within {0} seconds; send it again")]
    Slow(u64),
    /// Another request is finishing the same upload.
    #[error("the upload is being finished; ask for its receipt in a few seconds")]
    Finishing,
    /// Our clock and the store's differ too much to lock anything, or were never compared.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The store has not been tried yet.
    #[error("the store is being tried; nothing is taken until it has shown that it keeps what it is given")]
    Untried,
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// A commit that several requests waited for did not succeed.
    #[error("{0}")]
    Commit(std::sync::Arc<IngestError>),
    /// Something of ours that should not happen.
    #[error("internal: {0}")]
    Internal(String),
}

impl IngestError {
    /// The HTTP status, the problem's name and title, and seconds to wait when trying again helps.
    fn shape(&self) -> (u16, &'static str, &'static str, Option<u64>) {
        match self {
            Self::Header(_) => (400, "tus-header", "Unusable header", None),
            Self::TusVersion => (412, "tus-version", "Unknown tus version", None),
            Self::Declaration(_) => (422, "declaration-refused", "Declaration refused", None),
            Self::Metadata(_) => (422, "metadata-refused", "Metadata refused", None),
            Self::MediaType => (415, "unsupported-media-type", "Not bytes of an upload", None),
            Self::TooLarge { .. } => (413, "too-large", "Too large", None),
            Self::NotPlain(_) => (403, "declaration-required", "Declaration required", None),
            Self::RegisterUnknown => (503, "register-unknown", "Register not read yet", Some(2)),
            Self::Digest(_) => (422, "digest-mismatch", "Not the announced bytes", None),
            Self::Chunk { .. } => (460, "chunk-checksum", "Checksum mismatch", None),
            Self::Foreign(_) => (403, "foreign-station", "Not this station's", None),
            Self::Body(_) => (422, "unusable-body", "Unusable body", None),
            Self::Unknown => (404, "unknown-upload", "No such upload", None),
            Self::Lost(_) => (410, "lost-session", "Upload lost", None),
            Self::OutboardRequired => (409, "outboard-required", "Outboard required", None),
            Self::Outboard(_) => (422, "outboard-mismatch", "Outboard refused", None),
            Self::Offset { .. } => (409, "offset-mismatch", "Another offset", None),
            Self::Superseded { .. } => (409, "superseded", "A newer request took over", None),
            Self::Checksum { .. } => (460, "checksum-mismatch", "Damaged bytes", None),
            Self::TooLong { .. } => (413, "too-long", "Too many bytes", None),
            Self::Finished => (403, "upload-finished", "Upload finished", None),
            Self::Rejected(_) => (409, "deposit-rejected", "Deposit rejected", None),
            Self::NoPermit(_) => (409, "incident-open", "No erase permit", None),
            Self::Busy => (503, "busy", "Busy", Some(5)),
            Self::Quota { .. } => (429, "quota", "Too much under way", Some(30)),
            Self::OverQuota { .. } => (413, "over-quota", "More than may be under way", None),
            Self::Slow(_) => (408, "too-slow", "Too slow", Some(5)),
            Self::Finishing => (503, "finishing", "Being finished", Some(2)),
            Self::Clock(_) => (503, "clock-skew", "Clocks disagree", Some(30)),
            Self::Untried => (503, "store-untried", "Store not tried yet", Some(2)),
            Self::Store(error) if error.is_permanent() => (500, "store-refused", "Refused by the store", None),
            Self::Store(_) => (503, "store-unavailable", "Store unavailable", Some(5)),
            Self::Commit(error) => error.shape(),
            Self::Internal(_) => (500, "internal", "Internal error", None),
        }
    }

    /// The durable offset it tells the client.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Offset { offset }
            | Self::Superseded { offset }
            | Self::Checksum { offset, .. }
            | Self::TooLong { offset, .. }
            | Self::Chunk { offset } => Some(*offset),
            Self::Commit(error) => error.offset(),
            _ => None,
        }
    }

    /// Whether it is what was sent that is wrong, so that sending it again would not help.
    #[must_use]
    pub fn is_about_the_bytes(&self) -> bool {
        let (status, ..) = self.shape();
        (400..500).contains(&status) && !matches!(self, Self::Superseded { .. })
    }

    /// The problem's name, for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.shape().1
    }
}

impl IntoResponse for IngestError {
    fn into_response(self) -> Response {
        let (status, name, title, retry_after) = self.shape();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::warn!(problem = name, error = %self, "request failed");
        } else {
            tracing::info!(problem = name, error = %self, "request refused");
        }
        crate::metrics::refused(name);
        let mut problem = Problem::new(status, name, title, self.to_string());
        if let Self::Checksum { mib, .. } = &self {
            problem = problem.with("mib", *mib);
        }
        if let Some(offset) = self.offset() {
            problem = problem.with("offset", offset);
        }
        if let Some(seconds) = retry_after {
            problem = problem.retry_after(jittered(seconds));
        }
        problem.into_response()
    }
}

/// Between once and twice the seconds, so that a shift's docks do not come back in one wave.
fn jittered(seconds: u64) -> Duration {
    Duration::from_secs(seconds + rand::random_range(0..=seconds))
}
