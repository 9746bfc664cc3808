//! The checks of `tests/src/hostile` that need a service's own reader.

use custos_fuzz::{documents, recorder, texts};

#[path = "../../src/hostile/services.rs"]
pub mod services;
