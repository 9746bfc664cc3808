//! Exit codes and what is told to ingest, from outcomes alone.

use super::*;

fn line(result: Outcome, reason_code: Option<&'static str>) -> Line {
    let code = (result != Outcome::Left).then(|| "E-DSJ00012-20261123091500_0007-00".to_owned());
    let code = code.and_then(|body| {
        let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars();
        letters.map(|check| format!("{body}-{check}")).find_map(|text| UnifiedCode::parse(&text).ok())
    });
    Line {
        name: "clip.mp4".into(),
        result,
        reason_code,
        code,
        reason: reason_code.map(str::to_owned),
        ..Line::default()
    }
}

fn report(lines: Vec<Line>) -> Report {
    Report { docking: None, device: None, lines, ignored: vec![], remarks: vec![], remaining: vec![] }
}

#[test]
fn the_exit_code_says_whether_to_look_or_to_try_again() {
    let left = |code| line(Outcome::Left, Some(code));
    let done = || line(Outcome::Deposited, None);
    assert_eq!(report(vec![]).exit(), Exit::Done);
    assert_eq!(report(vec![done(), line(Outcome::DepositedBefore, None)]).exit(), Exit::Done);
    assert_eq!(report(vec![done(), left("medium")]).exit(), Exit::Left);
    assert_eq!(report(vec![done(), left("unavailable")]).exit(), Exit::Unavailable);
    assert_eq!(report(vec![left("unavailable"), left("no_data")]).exit(), Exit::Left);
    assert_eq!(report(vec![Line { to_be_erased: true, ..done() }]).exit(), Exit::Left, "asked to erase and did not");
    assert_eq!(report(vec![line(Outcome::Erased, None)]).exit(), Exit::Done);
}

#[test]
fn ingest_is_told_each_code_once_and_every_file_left() {
    let lines = vec![line(Outcome::Deposited, None), line(Outcome::Erased, None), line(Outcome::Left, Some("no_data"))];
    let report = report(lines);
    assert_eq!((report.deposited().len(), report.left().len(), report.erased()), (1, 1, 1));
}

#[test]
fn a_line_for_scripts_is_one_object_and_the_table_names_every_file() {
    let report = report(vec![line(Outcome::Deposited, None), line(Outcome::Left, Some("medium"))]);
    let json = report.json().expect("json");
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).expect("object")).collect();
    assert_eq!((&lines[0]["result"], &lines[1]["result"]), (&"deposited".into(), &"left".into()));
    assert_eq!(lines[1]["reason_code"], "medium");
    let table = report.table();
    assert!(table.contains("left on the recorder (1)") && table.contains("E-DSJ00012"), "{table}");
}
