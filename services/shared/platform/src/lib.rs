//! The shell every service runs in, and the only doors to the store, the bus and the database.
//!
//! 1. [`service`]: a service from its options to its exit code; [`lifecycle`], [`config`], [`admin`], [`telemetry`], [`clock`].
//! 2. [`http`]: TLS with reloading files, stations by certificate, people by token, problems (RFC 9457).
//! 3. [`vault`]: the store. [`item`]: an item as it lies there. [`facts`]: custody acts, durable before announced. [`signer`],
//!    [`policies`].
//! 4. [`bus`], [`worker`]: announcements and those who act on them. [`sweep`]: reconcilers. [`db`]: schemas and outbox.

pub mod admin;
mod backoff;
pub mod bus;
pub mod clock;
pub mod config;
pub mod db;
pub mod facts;
pub mod http;
pub mod item;
pub mod lifecycle;
pub mod policies;
pub mod service;
pub mod signer;
pub mod sweep;
pub mod telemetry;
pub mod vault;
pub mod worker;
