//! What must hold of everything that reads input from outside, whatever the bytes: one function for each reader, called with
//! mutated samples by the property tests here and with whatever libFuzzer thinks of by the targets in `tests/fuzz`.
//!
//! Each function panics when a property does not hold: nothing panics by itself, what is read and written again is the same, what
//! is kept is bounded, and no accepted text can leave its folder or reach a terminal raw.
//!
//! 1. [`documents`]: signed documents, the register of stations, manifest, fact, code.
//! 2. [`mod@outboard`]: the values of every MiB.
//! 3. [`bus`]: announcements and their subjects.
//! 4. [`recorder`]: names and statements.
//! 5. [`services`]: what only a service reads: tus headers, an unsigned client's metadata, certificates, the dock's journal.
//! 6. [`texts`]: what must hold of what was read.
//!
//! `tests/fuzz` compiles these files too, each as a module of its own: they name each other by `super` alone.

pub mod bus;
pub mod documents;
pub mod outboard;
#[cfg(test)]
mod properties;
pub mod recorder;
pub mod services;
pub mod texts;
