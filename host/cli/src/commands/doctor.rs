//! `keywright doctor`.

use std::process::ExitCode;

use crate::args::Doctor;
use crate::doctor::{Machine, Purpose, examine, install};
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Says what the machine lacks for keys, or installs the udev rule. That something is missing is an answer, and told by the
/// exit code.
///
/// # Errors
/// If the rule cannot be installed.
pub(crate) fn run(arguments: Doctor, output: &Output) -> Result<ExitCode, Failure> {
    let machine = Machine::new(arguments.root);
    if arguments.install_udev_rule {
        output.answer(&install(&machine, arguments.replace)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let all = [Purpose::Keys, Purpose::Uhid, Purpose::Usbip];
    let purposes = if arguments.purposes.is_empty() { &all[..] } else { &arguments.purposes };
    let report = examine(&machine, purposes);
    output.answer(&report)?;
    Ok(if report.ready { ExitCode::SUCCESS } else { Kind::Other.exit_code() })
}
