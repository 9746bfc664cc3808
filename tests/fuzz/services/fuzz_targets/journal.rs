//! Rows of the dock's journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz_services::services::journal(bytes));
