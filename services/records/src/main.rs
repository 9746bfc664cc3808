//! The records service; see the library.

use std::process::ExitCode;

use custos_platform::service::{parse, run_once, start};
use custos_records::{Args, Command, fingerprint, rebuild, serve};

const NAME: &str = "custos-records";

fn main() -> ExitCode {
    let args: Args = match parse(NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    match args.command() {
        None => start(NAME, args, serve),
        Some(Command::Rebuild(mode)) => {
            run_once(NAME, args.beside_the_service(), move |args, c| rebuild::run(args, c, mode))
        }
        Some(Command::Fingerprint(how)) => {
            run_once(NAME, args.beside_the_service(), move |args, c| fingerprint::run(args, c, how))
        }
    }
}
