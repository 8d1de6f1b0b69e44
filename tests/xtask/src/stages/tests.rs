//! Tests of the report: what a person and a CI machine see.

use super::*;
use crate::run::skipped;

fn tally(outcomes: &[Outcome]) -> Tally {
    let mut tally = Tally::default();
    outcomes.iter().for_each(|outcome| tally.count(outcome));
    tally
}

fn failure() -> Outcome {
    Err(Stop::Failed("`cargo clippy` ended with exit status: 101".to_owned()))
}

#[test]
fn a_passed_stage_is_one_line_with_its_time() {
    assert_eq!(line("clippy", &Ok(()), Duration::from_millis(12_300)), "ok      clippy         12.3 s");
}

#[test]
fn a_failed_stage_names_the_command_that_failed() {
    let line = line("clippy", &failure(), Duration::from_secs(1));
    assert!(line.starts_with("FAILED  clippy"));
    assert!(line.ends_with("`cargo clippy` ended with exit status: 101"));
}

#[test]
fn a_skipped_stage_says_why_and_how_to_mend_it() {
    let line = line("foreign", &Err(skipped("no python3", "install Python 3")), Duration::ZERO);
    assert_eq!(line, "SKIPPED foreign: no python3; to mend it: install Python 3");
}

#[test]
fn the_summary_has_exactly_the_promised_form() {
    let tally = tally(&[Ok(()), Ok(()), failure(), Err(skipped("a", "b"))]);
    assert_eq!(tally.to_string(), "2 passed, 1 failed, 1 skipped");
}

#[test]
fn a_failure_is_never_well() {
    assert!(!tally(&[Ok(()), failure()]).is_well(false));
}

#[test]
fn a_skipped_stage_is_well_for_a_person_but_not_in_ci() {
    let tally = tally(&[Ok(()), Err(skipped("a", "b"))]);
    assert!(tally.is_well(false));
    assert!(!tally.is_well(true));
}

#[test]
fn a_long_log_is_cut_at_its_beginning() {
    let log: String = (0..EXCERPT + 2).map(|n| format!("{n}\n")).collect();
    let shown = excerpt(&log);
    assert!(shown.starts_with("        (2 lines above)\n        2\n"));
    assert!(shown.ends_with(&format!("        {}\n", EXCERPT + 1)));
}

#[test]
fn a_fast_run_takes_the_unit_tests_and_a_full_run_every_test() {
    let taken = |selection: Selection| -> Vec<_> {
        TABLE.iter().filter(|stage| selection.includes(stage)).map(|stage| stage.name).collect()
    };
    assert_eq!(taken(Selection::Fast), ["fmt", "house", "checklist", "clippy", "unit"]);
    assert!(!taken(Selection::Full).contains(&"unit"));
    assert!(taken(Selection::Full).contains(&"test"));
}

#[test]
fn stages_run_in_the_order_of_the_table_however_they_are_named() {
    let selection = Selection::Named(vec!["docs".to_owned(), "fmt".to_owned()]);
    let taken: Vec<_> =
        TABLE.iter().filter(|stage| selection.includes(stage)).map(|stage| stage.name).collect();
    assert_eq!(taken, ["fmt", "docs"]);
}

#[test]
fn no_two_stages_share_a_name() {
    let mut seen = std::collections::BTreeSet::new();
    assert!(names().all(|name| seen.insert(name)));
}
