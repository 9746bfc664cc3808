//! Recorders' statements about themselves.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz::recorder::info_file(bytes));
