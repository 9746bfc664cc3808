//! `custos-dock`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_dock::run(std::env::args_os()).into()
}
