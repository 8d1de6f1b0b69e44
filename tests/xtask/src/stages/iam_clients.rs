//! Real AWS clients against the local IAM: `tests/iam-clients/run.sh`.
//!
//! The script finds the command that serves it in `KEYWRIGHT_IAM`, the command that signs in in `KEYWRIGHT`, the AWS CLI of
//! version 2 in `KEYWRIGHT_AWS_V2` and the interpreter with the pinned packages in `PYTHON`.

use std::time::Duration;

use crate::{
    python,
    run::{Log, Outcome, Project, answers, skipped},
};

/// Builds the server and the command, and runs the script.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !python::is_ready(project) {
        return Err(skipped("the pinned Python packages are not installed", "cargo xtask setup"));
    }
    if !has_aws_v2(project) {
        return Err(skipped("there is no AWS CLI of version 2", BY_HAND));
    }
    log.run(&mut project.cargo("build --quiet -p keywright-iam --example serve"))?;
    log.run(&mut project.cargo("build --quiet -p keywright-cli"))?;
    let mut command = project.command("bash");
    command.arg("tests/iam-clients/run.sh");
    command.env("KEYWRIGHT_IAM", project.target.join("debug/examples/serve"));
    command.env("KEYWRIGHT", project.target.join("debug/keywright"));
    command.env("KEYWRIGHT_AWS_V2", AWS_V2);
    command.env("PYTHON", python::interpreter(project));
    log.run_within(Duration::from_secs(900), &mut command)
}

/// Whether Debian's AWS CLI is there: whatever else the search path calls `aws` may be version 1.
pub(crate) fn has_aws_v2(project: &Project) -> bool {
    answers(project.command("sh").args(["-c", &format!("{AWS_V2} --version | grep -q ^aws-cli/2")]))
}

const AWS_V2: &str = "/usr/bin/aws";
/// How a person installs it.
pub(crate) const BY_HAND: &str = "apt-get install awscli (or cargo xtask setup --debian)";
