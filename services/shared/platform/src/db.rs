//! PostgreSQL as Custos uses it: one schema for each service, owned by a role of its own. SQL stands only where a schema is owned.
//!
//! 1. [`DbArgs`], [`connect`]: a pool that outlives the server.
//! 2. [`migrate()`]: the schema is what this release expects, or the service does not start.
//! 3. [`Moment`]: a point in time as a value of a query.
//! 4. [`outbox`]: facts that are born here leave through a table.

mod connect;
mod error;
mod migrate;
mod moment;
pub mod outbox;

pub use connect::{DbArgs, connect};
pub use error::DbError;
pub use migrate::{MigrationError, migrate};
pub use moment::Moment;
