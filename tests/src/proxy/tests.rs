//! Every fault shown on small servers of its own protocol.

mod s3;
mod wire;
