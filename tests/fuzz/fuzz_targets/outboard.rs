//! Outboards.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz::outboard::outboard(bytes));
