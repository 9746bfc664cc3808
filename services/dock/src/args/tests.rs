//! What the command line takes and refuses.

use clap::CommandFactory;

use super::*;

const PUSH: [&str; 14] = [
    "custos-dock",
    "push",
    "/mnt/r",
    "--ingest-url=https://127.0.0.1:8443",
    "--ca=ca",
    "--cert=c",
    "--key=k",
    "--trust=t",
    "--state=s",
    "--device=DSJ1",
    "--clock-offset-ms=-42",
    "--parallel=2",
    "--json",
    "--log=debug",
];

fn push(args: &[&str]) -> Result<Push, clap::Error> {
    Args::try_parse_from(args).map(|args| match args.command {
        Command::Push(push) => push,
        other => panic!("{other:?}"),
    })
}

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn nothing_is_erased_unless_asked_for() {
    let plain = push(&PUSH).expect("push");
    assert_eq!(plain.order().erase, None);
    assert_eq!(plain.order().offset.map(|offset| offset.offset_ms), Some(-42));
    let erasing = push(&[PUSH.as_slice(), &["--erase", "--permit-wait=5"]].concat()).expect("push");
    assert_eq!(erasing.order().erase, Some(Duration::from_secs(5)));
}

#[test]
fn wrong_values_are_refused() {
    for wrong in [
        "--bandwidth=08-18=fast",
        "--time-zone=Nanjing",
        "--ingest-url=http://127.0.0.1",
        "--device=../x",
        "--parallel=0",
        "--clock-offset-ms=x",
    ] {
        let name = wrong.split('=').next().expect("name");
        let args: Vec<&str> = PUSH.iter().copied().filter(|arg| !arg.starts_with(name)).chain([wrong]).collect();
        assert!(push(&args).is_err(), "{wrong}");
    }
}
