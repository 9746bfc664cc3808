//! Headers of tus.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz_services::services::tus_headers(bytes));
