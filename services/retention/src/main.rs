//! The retention service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_platform::service::run("custos-retention", custos_retention::serve)
}
