//! Announcements and subjects of the bus.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| custos_fuzz::bus::announcement(bytes));
