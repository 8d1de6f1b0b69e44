//! Licences and sources of every dependency, against the lists in `deny.toml`.

use std::time::Duration;

use serde_json::Value;

use crate::{
    run::{Log, Outcome, Project, Stop, failed},
    spdx,
};

/// Reads the dependencies of every workspace and holds them against the lists.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let allow = allow_list(&project.read("deny.toml")?)?;
    let mut findings = Vec::new();
    for manifest in WORKSPACES.iter().filter(|manifest| project.root.join(manifest).exists()) {
        let mut command = project.cargo("metadata --locked --format-version 1 --manifest-path");
        let text = log.capture_within(Duration::from_secs(900), command.arg(manifest))?;
        let metadata: Value = serde_json::from_str(&text).map_err(|error| failed(manifest, &error))?;
        let packages =
            metadata.get("packages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        log.line(format_args!("{manifest}: {} packages", packages.len()));
        findings.extend(packages.iter().filter_map(|package| fault(package, &allow)));
    }
    findings.iter().for_each(|finding| log.line(finding));
    if findings.is_empty() { Ok(()) } else { Err(Stop::Failed(format!("findings: {}", findings.len()))) }
}

/// The licences that `deny.toml` allows.
fn allow_list(deny: &str) -> Outcome<Vec<String>> {
    let table: toml::Table = deny.parse().map_err(|error| failed(&"deny.toml", &error))?;
    let allow =
        table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(|allow| allow.as_array());
    let names: Vec<_> =
        allow.into_iter().flatten().filter_map(|name| name.as_str()).map(str::to_owned).collect();
    if names.is_empty() { Err(Stop::Failed("deny.toml allows no licence".to_owned())) } else { Ok(names) }
}

/// What is wrong with a package of `cargo metadata`, if anything.
fn fault(package: &Value, allow: &[String]) -> Option<String> {
    let field = |name| package.get(name).and_then(Value::as_str);
    let name = format!("{} {}", field("name")?, field("version")?);
    if field("source").is_some_and(|source| !is_crates_io(source)) {
        return Some(format!("{name}: comes from {}", field("source")?));
    }
    let Some(licence) = field("license") else {
        return Some(format!("{name}: states no licence"));
    };
    match spdx::is_allowed(licence, allow) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name}: {licence} is not allowed by deny.toml")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

/// Cargo's one name for crates.io, whichever way its index is fetched.
fn is_crates_io(source: &str) -> bool {
    source.starts_with("registry+") && source.ends_with("/rust-lang/crates.io-index")
}

/// The project's workspaces; those not there yet are passed over.
const WORKSPACES: [&str; 3] = ["Cargo.toml", "firmware/boards/Cargo.toml", "tests/fuzz/Cargo.toml"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault_of(licence: Option<&str>, source: Option<&str>) -> Option<String> {
        let package = json!({"name": "x", "version": "1.0.0", "license": licence, "source": source});
        fault(&package, &["MIT".to_owned()])
    }

    #[test]
    fn an_allowed_licence_from_crates_io_is_no_fault() {
        assert_eq!(
            fault_of(Some("MIT"), Some("registry+https://github.com/rust-lang/crates.io-index")),
            None
        );
    }

    #[test]
    fn a_licence_outside_the_list_is_named_with_its_package() {
        let fault = fault_of(Some("GPL-3.0-only"), None).unwrap();
        assert_eq!(fault, "x 1.0.0: GPL-3.0-only is not allowed by deny.toml");
    }

    #[test]
    fn a_package_that_states_no_licence_is_refused() {
        assert_eq!(fault_of(None, None).unwrap(), "x 1.0.0: states no licence");
    }

    #[test]
    fn a_package_from_git_or_another_registry_is_refused() {
        assert!(fault_of(Some("MIT"), Some("git+https://example.org/x#1")).is_some());
        assert!(fault_of(Some("MIT"), Some("registry+https://example.org/index")).is_some());
    }

    #[test]
    fn an_allow_list_that_cannot_be_read_fails_rather_than_allows() {
        assert!(allow_list("[licenses]\nallow = []\n").is_err());
        assert!(allow_list("[licences]\nallow = [\"MIT\"]\n").is_err());
        assert!(allow_list("not toml").is_err());
    }

    #[test]
    fn the_projects_own_list_holds_no_strong_copyleft() {
        let allow = allow_list(include_str!("../../../../deny.toml")).unwrap();
        assert!(allow.iter().all(|licence| !licence.contains("GPL")));
        assert!(allow.contains(&"MIT".to_owned()));
    }
}
