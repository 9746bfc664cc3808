//! The checks of `tests/src/hostile` that need no service; the same files as the property tests'.

#[path = "../src/hostile/bus.rs"]
pub mod bus;
#[path = "../src/hostile/documents.rs"]
pub mod documents;
#[path = "../src/hostile/outboard.rs"]
pub mod outboard;
#[path = "../src/hostile/recorder.rs"]
pub mod recorder;
#[path = "../src/hostile/texts.rs"]
pub mod texts;
