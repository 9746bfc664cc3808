//! PostgreSQL as Custos uses it: one schema for each service, owned by a role of its own. SQL stands only where a schema is owned.
//!
//! 1. [`DbArgs`], [`connect`]: a pool that outlives the server.
//! 2. [`migrate()`]: the schema is what this release expects, or the service does not start.
//! 3. [`transaction`]: all or nothing, as if alone, tried again when it was not.
//! 4. [`outbox`]: facts that are born here leave through a table.

mod connect;
mod error;
mod migrate;
pub mod outbox;
mod transaction;

pub use connect::{DbArgs, connect};
pub use error::DbError;
pub use migrate::{MigrationError, migrate};
pub use transaction::transaction;
