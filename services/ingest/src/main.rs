//! The ingest service; see the library.

use std::process::ExitCode;

use custos_ingest::{Args, Command, probe, serve};
use custos_platform::service::{parse, run_once, start};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAME: &str = "custos-ingest";

fn main() -> ExitCode {
    let args: Args = match parse(NAME) {
        Ok(args) => args,
        Err(code) => return code,
    };
    match args.command() {
        None => start(NAME, args, serve),
        Some(Command::Probe(how)) => {
            run_once(NAME, args.beside_the_service(), move |args, context| probe::run(args, context, how))
        }
    }
}
