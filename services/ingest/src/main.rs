//! The ingest service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_platform::service::run("custos-ingest", custos_ingest::serve)
}
