//! What has to be in the servers before services start. Doing it twice changes nothing.

mod archive;
pub mod bus;
pub mod database;
pub mod register;
pub mod store;
