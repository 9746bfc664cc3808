//! File names of recorders.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz::recorder::file_name(bytes));
