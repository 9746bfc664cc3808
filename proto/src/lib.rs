//! What travels on the bus: announcements of facts, as typed values, as protobuf, and the subjects they travel on.
//!
//! 1. [`ActName`] and [`Kind`]: the words of a subject.
//! 2. [`mod@subject`] — `custos.v1.<tenant>.<kind>.<act>`.
//! 3. [`Announcement`] — the message; [`Announcement::of`] a fact, [`Announcement::decode`] from a stranger.
//! 4. [`wire`] — the generated code, which nobody else needs.

mod announcement;
mod decode;
pub mod names;
pub mod subject;

pub use announcement::Announcement;
pub use decode::{DecodeError, MAX_BYTES};
pub use names::{ACTS, ActName, Kind};

/// Code generated from `custos/v1/*.proto`.
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/custos.v1.rs"));
}
