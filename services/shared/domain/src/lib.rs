//! The words of Custos as types: what an item is, how it is named, digested, signed for, kept and accounted for.
//!
//! Pure: no async, no I/O, no clock, no randomness. A value of these types is valid because it exists; text from outside
//! becomes one through a `parse` that says what is wrong. In reading order, along an item's way:
//!
//! 1. [`ids`], [`item`]: who and what; the unified code.
//! 2. [`recorder`]: what a recorder's folders and file names say.
//! 3. [`digest`], [`outboard`]: how bytes are proven, whole and by the MiB.
//! 4. [`dsse`], [`declaration`], [`evidence`], [`manifest`], [`receipt`], [`seal`]: the signed and locked documents.
//!    [`station`]: who may bring them.
//! 5. [`calendar`], [`policy`]: how long an item is kept, and why.
//! 6. [`hold`]: why an item may not be let go at all.
//! 7. [`fact`]: every custody act, once.
//! 8. [`keys`]: where each of these lies in the store. The only place that spells an object key.

pub mod calendar;
pub mod declaration;
pub mod digest;
pub mod dsse;
pub mod evidence;
pub mod fact;
pub mod hold;
pub mod ids;
pub mod item;
pub mod keys;
pub mod manifest;
pub mod outboard;
pub mod policy;
pub mod receipt;
pub mod recorder;
pub mod seal;
pub mod station;
