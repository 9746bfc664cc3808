//! Records.
pub mod catalogue;
pub mod fold;
pub mod load;
pub mod words;
