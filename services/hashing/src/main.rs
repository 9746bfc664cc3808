//! The hashing service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_platform::service::run("custos-hashing", custos_hashing::serve)
}
