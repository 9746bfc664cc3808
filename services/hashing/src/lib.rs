//! Hashing: a second pair of eyes. It re-reads every locked original, compares it with what the dock signed and ingest wrote down,
//! and seals it with digests for courts and assessors.
//!
//! 1. [`reread`]: the version's bytes, front to back, into four digests at once.
//! 2. [`verdict`]: pure: do they agree?
//! 3. [`seal`]: the worker's one verb: re-read, judge, write the seal or the mismatch, state the fact.

pub mod reread;
pub mod seal;
mod serve;
pub mod verdict;

pub use serve::{Args, serve};
