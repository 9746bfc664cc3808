//! The whole way with the real programs: FFmpeg, bubblewrap, this kernel.

mod audio;
mod damaged;
mod fixtures;
mod hostile;
mod limits;
mod photo;
mod sandbox;
mod video;
