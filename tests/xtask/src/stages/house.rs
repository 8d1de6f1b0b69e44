//! The house rules: what this project asks of its files and no other tool checks.

use crate::run::{Log, Outcome, Project, Stop, skipped};

/// Checks every file of the project against every rule.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let mut findings = 0_u32;
    for path in files(project)? {
        // Pictures and the like are not text, and a file may just have been deleted.
        let Ok(text) = std::fs::read_to_string(project.root.join(&path)) else { continue };
        for finding in judge(&path, &text) {
            log.line(format_args!("{path}: {finding}"));
            findings += 1;
        }
    }
    if findings == 0 { Ok(()) } else { Err(Stop::Failed(format!("findings: {findings}"))) }
}

/// The files of the project, or a skipped stage where git cannot list them.
pub(super) fn files(project: &Project) -> Outcome<Vec<String>> {
    project.files().map_err(|reason| skipped(reason, "install git and work in a clone"))
}

/// What one file breaks.
fn judge(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if path.ends_with(".rs") && !is_test_code(path) && lines > MAX_LINES {
        findings.push(format!("{lines} lines; a file of more than {MAX_LINES} has become two things"));
    }
    // This file has to name what it forbids.
    if path == "tests/xtask/src/stages/house.rs" {
        return findings;
    }
    for (number, line) in (1..).zip(text.lines()) {
        if is_source(path) {
            findings.extend(unfinished(line).map(|word| format!("{number}: `{word}` is left in the code")));
        }
        findings
            .extend(place(line).map(|word| format!("{number}: `{word}` is a place that others do not have")));
    }
    findings
}

/// Tests may be long: a table of cases is read differently from code. The checks themselves are code.
fn is_test_code(path: &str) -> bool {
    let in_folder = path.split('/').any(|part| ["tests", "benches", "examples", "fuzz"].contains(&part));
    path.ends_with("/tests.rs") || (in_folder && !path.starts_with("tests/xtask/src/"))
}

fn is_source(path: &str) -> bool {
    [".rs", ".sh", ".py", ".mjs", ".js"].iter().any(|ending| path.ends_with(ending))
}

/// A mark of unfinished work in a line.
fn unfinished(line: &str) -> Option<&'static str> {
    let as_word = |word: &&&str| {
        line.match_indices(**word).any(|(at, _)| {
            let (before, rest) = line.split_at(at);
            let after = rest.strip_prefix(**word).unwrap_or_default();
            let continues = word.ends_with(is_word) && after.starts_with(is_word);
            !(continues || before.ends_with(is_word))
        })
    };
    UNFINISHED.iter().find(as_word).copied()
}

/// The name of a place that exists on one machine or in one network.
fn place(line: &str) -> Option<&'static str> {
    let stands_alone = |place: &&&str| {
        line.match_indices(**place).any(|(at, _)| {
            let before = line.split_at(at).0;
            !place.starts_with('/') || !before.ends_with(|c| is_word(c) || matches!(c, '.' | '-' | '~' | '}'))
        })
    };
    PLACES.iter().find(stands_alone).copied()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

const MAX_LINES: usize = 450;

const UNFINISHED: [&str; 7] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Folders of one machine, package registries, and the options that name another one.
const PLACES: [&str; 13] = [
    "/work/",
    "/root/",
    "../shared",
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    "pypi.org/simple",
    "files.pythonhosted.org",
    "registry.npmjs.org",
    "deb.debian.org",
    "index-url",
    "find-links",
    "replace-with",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        judge(path, text).len()
    }

    #[test]
    fn a_file_of_450_lines_is_accepted_and_one_more_is_not() {
        assert_eq!(findings("host/src/lib.rs", &"\n".repeat(450)), 0);
        assert_eq!(findings("host/src/lib.rs", &"\n".repeat(451)), 1);
    }

    #[test]
    fn tests_may_be_long_but_the_checks_may_not() {
        let long = "\n".repeat(451);
        for path in
            ["host/src/client/tests.rs", "host/tests/client.rs", "tests/src/lib.rs", "host/benches/sign.rs"]
        {
            assert_eq!(findings(path, &long), 0, "{path}");
        }
        assert_eq!(findings("tests/xtask/src/run.rs", &long), 1);
        assert_eq!(findings("docs/guide.md", &long), 0);
    }

    #[test]
    fn unfinished_work_is_found_in_code_with_its_line() {
        assert_eq!(judge("a.rs", "fn a() {}\n// TODO: more"), ["2: `TODO` is left in the code"]);
        for line in ["let x = dbg!(y);", "#[ignore = \"slow\"]", "unimplemented!()", "# FIXME"] {
            assert_eq!(findings("a.sh", line), 1, "{line}");
        }
    }

    #[test]
    fn words_that_only_contain_a_mark_are_left_alone() {
        for line in ["let AUTODOC = TODOS;", "```ignore", "XXXX", "my_dbg!(x)"] {
            assert_eq!(findings("a.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn documents_may_speak_of_unfinished_work() {
        assert_eq!(findings("CONTRIBUTING.md", "no TODO in code"), 0);
    }

    #[test]
    fn folders_of_one_machine_are_found_in_every_file() {
        for line in ["see /work/main", "(/root/.cache)", "read ../shared/notes.md", "CACHE=\"/work/x\""] {
            assert_eq!(findings("README.md", line), 1, "{line}");
        }
    }

    #[test]
    fn folders_of_the_same_name_inside_the_project_are_left_alone() {
        for line in ["target/work/log", "$HOME/work/", "${CACHE}/work/x", "~/work/x"] {
            assert_eq!(findings("README.md", line), 0, "{line}");
        }
    }

    #[test]
    fn registries_and_the_options_that_name_them_are_found() {
        for line in ["https://index.crates.io/", "pip install --index-url x", "replace-with = \"mirror\""] {
            assert_eq!(findings("a.toml", line), 1, "{line}");
        }
    }
}
