//! One local file in, one folder of derivatives out, with a named outcome.
//!
//! This is the part of transcode that touches hostile bytes. A recorder's file is parsed only by FFmpeg, and FFmpeg only
//! runs inside a [`Sandbox`]: no network, no host file system but one read-only input and one output folder, an empty
//! environment, a system-call filter and resource limits. Derivatives are never evidence: the original is opened for
//! reading and nothing else.
//!
//! ```text
//! derive ── probe (header) ── scan (timestamps) ── plan (pure) ─┬─ playback ── storyboard, thumbnail
//!                                                               ├─ playback ── waveform
//!                                                               └─ photograph
//! ```
//!
//! What the *input* causes is an [`Outcome`] and final: the same bytes end the same way again. What *we* cause (no disk, no
//! sandbox, a starved host) is a [`DeriveError`], and most of those are worth another try. The table:
//!
//! | what happened | answer |
//! |---|---|
//! | nothing in the file can be decoded, whatever the reason | [`Outcome::Undecodable`] |
//! | CPU seconds, memory, output size, pixels or duration beyond [`Limits`] | [`Outcome::ExceededLimits`] |
//! | a crash of the decoder | [`Outcome::Undecodable`] with [`Reason::DecoderCrashed`] |
//! | wall clock or output time stood still while CPU seconds were left | [`DeriveError::Starved`], retry |
//! | disk full, sandbox did not start, child killed from outside | [`DeriveError`], retry |
//! | FFmpeg refuses our arguments | [`DeriveError::Tool`], an operator has to look |
//!
//! Dropping the future of [`derive()`] kills the sandbox; the output folder is then the caller's to discard.

mod bench;
mod derive;
mod error;
mod jpeg;
mod limits;
mod outcome;
mod outputs;
mod photo;
mod plan;
mod playback;
mod playlist;
mod probe;
mod progress;
mod rehearsal;
mod riff;
mod sandbox;
mod scan;
mod storyboard;
mod technical;
mod timeline;
mod tool;
mod waveform;

pub use derive::{Job, derive};
pub use error::DeriveError;
pub use limits::Limits;
pub use outcome::{Derivation, Form, LimitKind, MediaKind, Method, Note, Outcome, OutputFile, Reason, Role};
pub use progress::{Progress, Stage};
pub use rehearsal::{RehearsalError, rehearse};
pub use sandbox::{Programs, Sandbox, Unusable};
pub use technical::{Gap, Rational, Stream, StreamKind, TechnicalMetadata};
pub use tool::ToolVersion;

#[cfg(test)]
mod tests;
