//! The scenarios against the key of this project, which fails none of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bench;

use bench::Bench;
use keywright_hil::{Selection, Verdict, run};

#[test]
fn our_own_key_passes_every_scenario_and_is_left_empty() {
    let bench = Bench::new();
    let selection = Selection { may_wipe: true, ..Selection::default() };
    let report = run(&mut bench.rig(), &selection).unwrap();
    println!("{}", report.table());
    assert!(report.is_well(), "{}", report.table());
    let remarks: Vec<_> = report.played.iter().flat_map(|played| &played.remarks).collect();
    assert_eq!(remarks, Vec::<&String>::new());
    for played in &report.played {
        let is_slow = played.verdict == Verdict::Skipped("it takes its time: --slow".to_owned());
        assert_eq!(is_slow, played.scenario.is_slow, "{}", played.line());
    }
}
