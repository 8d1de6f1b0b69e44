//! The rules of the security checklist that are due, and their tests.

use crate::{
    checklist,
    run::{Log, Outcome, Project, Stop, skipped},
};

/// Each rule that is due has a test, and each numbered test a rule.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let (report, is_well) =
        checklist::check(project).map_err(|reason| skipped(reason, "install git and work in a clone"))?;
    log.line(report);
    if is_well {
        Ok(())
    } else {
        Err(Stop::Failed("`cargo xtask checklist` shows what is missing".to_owned()))
    }
}
