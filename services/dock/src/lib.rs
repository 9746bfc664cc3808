//! The station client: hands a recorder's files in to ingest and erases only what was proven safe.
//!
//! The program is [`run()`]; everything it does is [`dock::Dock`]. In reading order, along a docking:
//!
//! 1. [`identity`], [`trust`]: who this station is, whose signatures it believes.
//! 2. [`scan`], [`plan`]: what is on a recorder, and what to do with it in which order.
//! 3. `docking`, `closing`: one docking from its opening to its close.
//! 4. [`deposit`], [`read`], [`declare`], [`upload`], [`flow`]: one file from the medium to a receipt.
//! 5. [`client`], [`trouble`], [`retry`]: ingest's HTTP API, what can go wrong with it, and what follows.
//! 6. [`verify`], [`permits`], [`erase`]: what must be proven before a recorder is touched (INV-4).
//! 7. [`slots`], [`bandwidth`], [`smooth`], [`timetable`]: who goes first, how fast, and when; [`adapter`]: a recorder's clock.
//! 8. [`enrol`], [`renew`], [`register`], [`pair`]: how this station gets its certificate and keeps it.
//! 9. [`journal`]: what is remembered across restarts. [`watch`], [`status`], [`report`], [`progress`]: around it all. [`sys`]: what
//!    each operating system does its own way.

pub mod adapter;
pub mod args;
pub mod bandwidth;
pub mod client;
pub mod clock;
mod closing;
pub mod declare;
pub mod deposit;
pub mod dock;
mod docking;
pub mod enrol;
pub mod erase;
pub mod exit;
pub mod flow;
pub mod halt;
pub mod identity;
pub mod journal;
pub mod left;
pub mod pair;
pub mod permits;
pub mod plan;
pub mod progress;
pub mod read;
pub mod register;
pub mod renew;
pub mod report;
pub mod retry;
mod run;
pub mod scan;
pub mod session;
pub mod single;
pub mod slots;
pub mod smooth;
pub mod status;
pub mod sys;
pub mod telemetry;
pub mod timetable;
pub mod trouble;
pub mod trust;
pub mod upload;
pub mod verify;
pub mod watch;

pub use run::run;
