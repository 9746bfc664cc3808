//! Tests on real servers: MinIO, nats-server, PostgreSQL, ffmpeg, and every service as its own process.

mod intake;
