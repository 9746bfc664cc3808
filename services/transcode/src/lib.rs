//! Custos transcode: derivatives of sealed originals.

pub mod media;
