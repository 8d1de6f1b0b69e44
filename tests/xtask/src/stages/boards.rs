//! The boards' images: built, within their budgets, without a warning; and the tests of what runs on a PC.

use crate::{
    boards,
    run::{Log, Outcome, Project},
};

/// Builds and measures the images, then checks what they are made of.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let images = boards::build(project, log)?;
    boards::check_budgets(project, log, &images)?;
    let target = project.target.join("boards-host");
    let on_a_pc = |words: &str| {
        let mut command = project.cargo(words);
        command.current_dir(project.root.join(boards::WORKSPACE));
        command.args(["--locked", "--target-dir"]).arg(&target);
        command.args(["--package", "keywright-entropy", "--package", "keywright-runner"]);
        command
    };
    log.run(project.cargo("fmt --all --check").current_dir(project.root.join(boards::WORKSPACE)))?;
    log.run(&mut on_a_pc("test"))?;
    log.run(on_a_pc("clippy --all-targets").args(["--", "-D", "warnings"]))
}
