//! A whole Custos on one machine: real MinIO, nats-server and PostgreSQL, every service, on loopback.
//!
//! `deploy/local/up` runs it for people (binary `custos-local`); the tests start it through this library, so there is one
//! description of how the parts fit together. In reading order:
//!
//! 1. [`part`], [`config`]: what a stack is made of, and how it may differ.
//! 2. [`Stack`]: starting it, stopping, killing and emptying parts, getting in.
//! 3. [`folders`], [`ports`], [`launch`], [`process`], [`state`]: where it lives on the machine.
//! 4. [`secrets`], [`certificates`], [`seeds`], [`tokens`]: who may do what.
//! 5. [`servers`], [`provision`], [`services`], [`health`]: each part by itself.
//! 6. [`sample`], [`report`], [`up`]: the sample recorders and what became of their files.
//!
//! ```no_run
//! use custos_local::{Part, Stack, StackConfig, seeds};
//!
//! # async fn test(recorder: &std::path::Path) -> anyhow::Result<()> {
//! let stack = Stack::start(StackConfig::test().with_env(Part::Hashing, "CUSTOS_LOG", "debug")).await?;
//! let files = stack.push(&seeds::station("E")?, recorder).await?;
//! stack.kill9(Part::Records)?;
//! stack.wipe_bus().await?;
//! stack.reset_schema(Part::Records).await?;
//! stack.start_part(Part::Records).await?;
//! let items = stack.https()?.get(format!("{}/v1/items", stack.url(Part::Records)));
//! let answer = items.bearer_auth(stack.token("e-auditor")?).send().await?;
//! # Ok(())
//! # }
//! ```

pub mod certificates;
pub mod config;
mod control;
mod docking;
mod endpoints;
mod environment;
pub mod folders;
pub mod health;
pub mod launch;
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

pub use config::{Server, StackConfig};
pub use docking::Docked;
pub use part::Part;
pub use secrets::Owner;
pub use stack::Stack;
