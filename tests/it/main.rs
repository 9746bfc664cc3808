//! Tests on real servers: MinIO, nats-server, PostgreSQL, ffmpeg, and every service as its own process.

mod audit;
mod clients;
mod dock;
mod faults;
mod hazards;
mod history;
mod holds;
mod intake;
mod load;
mod locks;
mod memory;
mod package;
mod pipeline;
mod probe;
mod reaper;
mod recall;
mod reread;
mod stations;
mod sweep;
mod watch;
