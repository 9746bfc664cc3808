//! The transcode service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_platform::service::run("custos-transcode", custos_transcode::serve)
}
