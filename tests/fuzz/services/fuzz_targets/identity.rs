//! Certificates and the stations they name.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz_services::services::identity(bytes));
