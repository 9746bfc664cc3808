//! The legal-hold service; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    custos_legal_hold::main()
}
