//! The demonstration that the command carries: the binary as a person builds it, run once, read by a program.

use std::{path::PathBuf, time::Duration};

use crate::run::{Log, Outcome, Project, Stop, failed, skipped};

/// Builds the command for release, runs `keywright demo --json`, and reads what it says.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !has_demo(project)? {
        return Err(skipped("`keywright demo` is not written yet", "write it in host/cli"));
    }
    let mut command = project.command(release_build(project, log)?);
    let said = log.capture_within(Duration::from_secs(180), command.args(["demo", "--json"]))?;
    log.line(&said);
    judge(&said)
}

/// Builds the command for release, as its users do; the path of the binary.
pub(crate) fn release_build(project: &Project, log: &Log) -> Outcome<PathBuf> {
    log.run(&mut project.cargo("build --locked --release --package keywright-cli"))?;
    Ok(project.target.join("release").join(format!("keywright{}", std::env::consts::EXE_SUFFIX)))
}

/// Whether the command line knows the word.
fn has_demo(project: &Project) -> Outcome<bool> {
    let sources = super::house::files(project)?;
    for path in sources.iter().filter(|path| path.starts_with("host/cli/src/")) {
        if path.contains("demo") || project.read(path)?.contains("demo") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An exit status alone could come from a command that did nothing: it must have said something, in JSON.
pub(super) fn judge(said: &str) -> Outcome {
    let mut values = 0_u32;
    for value in serde_json::Deserializer::from_str(said).into_iter::<serde_json::Value>() {
        value.map_err(|error| failed(&"the demonstration's output is not JSON", &error))?;
        values += 1;
    }
    if values == 0 { Err(Stop::Failed("the demonstration said nothing".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn one_document_or_one_a_line_is_accepted() {
        assert_eq!(judge("{\n  \"passed\": 3\n}\n"), Ok(()));
        assert_eq!(judge("{\"step\":1}\n{\"step\":2}\n"), Ok(()));
    }

    #[test]
    fn silence_is_not_a_demonstration() {
        assert!(judge("\n").is_err());
    }

    #[test]
    fn words_among_the_json_are_refused() {
        assert!(judge("{\"step\":1}\ndone\n").is_err());
    }
}
