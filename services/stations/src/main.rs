//! The stations service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_platform::service::run("custos-stations", custos_stations::serve)
}
