//! Tests on real servers: MinIO, nats-server, PostgreSQL, ffmpeg, and every service as its own process.

mod clients;
mod dock;
mod faults;
mod holds;
mod intake;
mod locks;
mod memory;
mod pipeline;
mod stations;
