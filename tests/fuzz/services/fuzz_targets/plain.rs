//! Metadata of clients that sign nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz_services::services::plain(bytes));
