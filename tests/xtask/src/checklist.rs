//! `cargo xtask checklist`: the rules of the security checklist and the tests that carry their numbers.

use std::collections::BTreeMap;

use crate::run::Project;

/// The tests of each rule, by the rule's number.
type Tests = BTreeMap<String, Vec<String>>;

/// Prints every rule with its tests; true if every rule that is due has one and no test has a number of its own.
pub(crate) fn run(project: &Project) -> Result<bool, String> {
    let (report, is_well) = check(project)?;
    print!("{report}");
    Ok(is_well)
}

/// Every rule with its tests, and whether all is well.
pub(crate) fn check(project: &Project) -> Result<(String, bool), String> {
    let read = |path: &str| {
        std::fs::read_to_string(project.root.join(path)).map_err(|error| format!("{path}: {error}"))
    };
    let rules = rules(&read(CHECKLIST)?);
    let mut tests = Tests::new();
    for path in project.files()? {
        let names = match path.rsplit_once('.') {
            Some((_, "rs")) => numbered_tests(&read(&path)?),
            Some((_, "mjs")) => numbered_tests_of_the_board(&read(&path)?),
            _ => continue,
        };
        for name in names {
            tests.entry(name.chars().take(3).collect()).or_default().push(name);
        }
    }
    Ok(report(&rules, tests))
}

/// A rule of the checklist.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// Its number as tests carry it, such as `g04`.
    number: String,
    /// When it is due, in the checklist's words.
    when: String,
}

/// The rules in the checklist's tables.
fn rules(checklist: &str) -> Vec<Rule> {
    let rule = |line: &str| {
        let (number, rest) = line.strip_prefix("| `")?.split_once("_`")?;
        let when = rest.trim_end().strip_suffix('|')?.rsplit('|').next()?.trim();
        Some(Rule { number: number.to_owned(), when: when.to_owned() })
    };
    checklist.lines().filter_map(rule).collect()
}

/// The names of functions such as `g04_pin_retry_is_spent_before_the_comparison`.
fn numbered_tests(code: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim_start();
        let name =
            line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?.split(['(', '<']).next()?;
        is_numbered(name).then(|| name.to_owned())
    };
    code.lines().filter_map(name).collect()
}

/// The names in calls such as `test('g25_a_stack_that_runs_out_restarts_the_key', …`, of the tests that Node runs.
fn numbered_tests_of_the_board(code: &str) -> Vec<String> {
    let name = |line: &str| {
        let name = line.trim_start().strip_prefix("test('")?.split('\'').next()?;
        is_numbered(name).then(|| name.to_owned())
    };
    code.lines().filter_map(name).collect()
}

fn is_numbered(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next() == Some('g')
        && characters.by_ref().take(2).all(|c| c.is_ascii_digit())
        && characters.next() == Some('_')
}

/// The lines for a person, and whether all is well.
fn report(rules: &[Rule], mut tests: Tests) -> (String, bool) {
    let mut text = String::new();
    let mut is_well = true;
    for rule in rules {
        let own = tests.remove(&rule.number).unwrap_or_default();
        let is_missing = own.is_empty() && rule.when == "now";
        is_well &= !is_missing;
        let state = if is_missing { "MISSING".to_owned() } else { format!("{:>2} tests", own.len()) };
        text += &format!("{state:<9} {}  {}\n", rule.number, rule.when);
        text.extend(own.iter().map(|name| format!("               {name}\n")));
    }
    for name in tests.into_values().flatten() {
        is_well = false;
        text += &format!("UNKNOWN   {name}: {CHECKLIST} has no such rule\n");
    }
    (text, is_well)
}

const CHECKLIST: &str = "docs/security-checklist.md";

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: &str, when: &str) -> Rule {
        Rule { number: number.to_owned(), when: when.to_owned() }
    }

    fn tests(names: &[&str]) -> Tests {
        names.iter().map(|name| (name.chars().take(3).collect(), vec![(*name).to_owned()])).collect()
    }

    #[test]
    fn rules_are_read_from_the_rows_of_the_tables() {
        let checklist = "| rule | what holds | when |\n|---|---|---|\n| `g04_` | a | now |\n| `g25_` | b | later: boards |\n";
        assert_eq!(rules(checklist), [rule("g04", "now"), rule("g25", "later: boards")]);
    }

    #[test]
    fn the_projects_own_checklist_has_its_rules_in_order_and_without_a_gap() {
        let numbers: Vec<_> = rules(include_str!("../../../docs/security-checklist.md"))
            .into_iter()
            .map(|rule| rule.number)
            .collect();
        let expected: Vec<_> = (1..=37).map(|n| format!("g{n:02}")).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn only_functions_with_a_number_are_tests_of_a_rule() {
        let code =
            "    fn g04_retry() {\nfn g4_x() {}\nfn get_info() {}\nasync fn g22_depth() {\n// fn g01_x()\n";
        assert_eq!(numbered_tests(code), ["g04_retry", "g22_depth"]);
    }

    #[test]
    fn the_tests_that_node_runs_are_read_by_the_same_numbers() {
        let code = "test('g25_stack', () => {\n  test('a plain one', () => {\n// test('g01_x'\ntest('g2_x'\n";
        assert_eq!(numbered_tests_of_the_board(code), ["g25_stack"]);
    }

    #[test]
    fn a_rule_that_is_due_and_has_no_test_is_missing() {
        let (text, is_well) = report(&[rule("g04", "now")], Tests::new());
        assert!(!is_well);
        assert!(text.starts_with("MISSING"));
    }

    #[test]
    fn a_rule_that_is_not_due_may_wait() {
        assert!(report(&[rule("g25", "later: boards"), rule("g04", "now")], tests(&["g04_retry"])).1);
    }

    #[test]
    fn a_test_with_a_number_of_its_own_is_found() {
        let (text, is_well) = report(&[], tests(&["g99_x"]));
        assert!(!is_well);
        assert!(text.starts_with("UNKNOWN   g99_x"));
    }
}
