//! Transcode: what people look at instead of the original. Never evidence: a derivative lives in another bucket, says what it was
//! made from and how, and can be made again.
//!
//! 1. [`work`]: the worker's one verb: fetch, derive, publish, state.
//! 2. [`fetch`]: the original by verified MiB into a scratch file.
//! 3. [`media`]: FFmpeg in a sandbox: everything that touches hostile bytes.
//! 4. [`publish`]: derivatives and their record into the derived bucket.

pub mod fetch;
pub mod media;
pub mod publish;
mod serve;
pub mod work;

pub use serve::{Args, serve};
