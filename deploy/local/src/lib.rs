//! A whole Custos on one machine: real MinIO, nats-server and PostgreSQL, every service, on loopback.
//!
//! `deploy/local/up` runs it for people (binary `custos-local`); the tests start it through this library, so there is one
//! description of how the parts fit together. In reading order:
//!
//! 1. [`part`], [`config`]: what a stack is made of, and how it may differ.
//! 2. [`stack`]: starting it; [`control`]: stopping, killing and emptying parts; [`endpoints`]: getting in.
//! 3. [`folders`], [`ports`], [`process`], [`state`]: where it lives on the machine.
//! 4. [`secrets`], [`certificates`], [`seeds`], [`tokens`]: who may do what.
//! 5. [`servers`], [`provision`], [`services`], [`health`]: each part by itself.
//! 6. [`sample`], [`report`], [`up`]: the sample recorders and what became of their files.

pub mod certificates;
pub mod config;
mod control;
mod docking;
mod endpoints;
mod environment;
pub mod folders;
pub mod health;
mod leftovers;
pub mod part;
pub mod ports;
pub mod process;
pub mod provision;
pub mod report;
pub mod sample;
pub mod secrets;
pub mod seeds;
pub mod servers;
pub mod services;
mod stack;
pub mod state;
pub mod status;
pub mod steps;
pub mod tokens;
pub mod up;

pub use config::StackConfig;
pub use docking::Docked;
pub use part::Part;
pub use secrets::Owner;
pub use stack::Stack;
