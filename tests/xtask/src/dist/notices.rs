//! The licences of everything that is compiled into what is handed out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{
    boards,
    run::{Log, Outcome, Project, Stop, failed},
};

/// A package of others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// Everything of others that is in the command and in the images.
pub(crate) fn packages(project: &Project, log: &Log) -> Outcome<BTreeSet<Package>> {
    let mut packages = shipped(project, log, "Cargo.toml", &super::host_triple(project)?, "keywright-cli")?;
    let manifest = format!("{}/Cargo.toml", boards::WORKSPACE);
    for (board, target) in boards::names_and_targets() {
        packages.extend(shipped(project, log, &manifest, target, board)?);
    }
    Ok(packages)
}

/// The text for people: which packages, and each text of a licence once.
pub(crate) fn write(packages: &BTreeSet<Package>) -> Outcome<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for package in packages {
        list += &format!("{}: {}\n", package.label(), package.licence);
        for text in package.texts()? {
            texts.entry(text).or_default().push(package.label());
        }
    }
    let mut notices = format!("{HEAD}\n{list}");
    for (text, owners) in &texts {
        notices += &format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), owners.join(", "));
    }
    Ok(notices)
}

impl Package {
    /// Name and version.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// The texts that come with the package; else the text of the licence that it names.
    fn texts(&self) -> Outcome<Vec<String>> {
        let entries =
            fs::read_dir(&self.folder).map_err(|error| failed(&self.folder.display(), &error))?.flatten();
        let files = entries.filter(|entry| is_notice(&entry.file_name().to_string_lossy()));
        let mut texts: Vec<_> =
            files.filter_map(|file| fs::read_to_string(file.path()).ok()).map(|text| tidy(&text)).collect();
        texts.sort();
        texts.dedup();
        if texts.is_empty() {
            texts.push(self.text_of_its_licence()?);
        }
        Ok(texts)
    }

    fn text_of_its_licence(&self) -> Outcome<String> {
        let names: Vec<_> = self.licence.split([' ', '/', '(', ')']).collect();
        let known = STANDARD.iter().find(|(name, _)| names.contains(name));
        let (_, text) = known.ok_or_else(|| {
            Stop::Failed(format!("{} comes without a text of {}", self.label(), self.licence))
        })?;
        Ok(tidy(&format!("Copyright (c) the authors of {}\n\n{text}", self.name)))
    }
}

/// What cargo would link into a package for a target: its normal dependencies and theirs, but no macros.
fn shipped(
    project: &Project,
    log: &Log,
    manifest: &str,
    target: &str,
    root: &str,
) -> Outcome<BTreeSet<Package>> {
    let mut command = project.cargo("metadata --locked --format-version 1 --filter-platform");
    command.args([target, "--manifest-path", manifest]);
    let text = log.capture_within(Duration::from_secs(900), &mut command)?;
    let metadata = serde_json::from_str(&text).map_err(|error| failed(&manifest, &error))?;
    reach(&metadata, root).ok_or_else(|| Stop::Failed(format!("{manifest} has no package {root}")))
}

fn reach(metadata: &Value, root: &str) -> Option<BTreeSet<Package>> {
    let packages = by_id(metadata.pointer("/packages")?)?;
    let nodes = by_id(metadata.pointer("/resolve/nodes")?)?;
    let is_root = |package: &Value| package.get("name").and_then(Value::as_str) == Some(root);
    let mut waiting = vec![*packages.iter().find(|(_, package)| is_root(package))?.0];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let package = packages.get(id)?;
        if is_macro(package) || !seen.insert(id) {
            continue;
        }
        found.extend(read(package));
        let dependencies = nodes.get(id)?.get("deps")?.as_array()?;
        waiting.extend(
            dependencies.iter().filter(|one| is_normal(one)).filter_map(|one| one.get("pkg")?.as_str()),
        );
    }
    Some(found)
}

fn by_id(list: &Value) -> Option<BTreeMap<&str, &Value>> {
    list.as_array()?.iter().map(|value| Some((value.get("id")?.as_str()?, value))).collect()
}

/// A package that is not the project's own.
fn read(package: &Value) -> Option<Package> {
    let member = |name: &str| package.get(name).and_then(Value::as_str);
    member("source")?;
    Some(Package {
        name: member("name")?.to_owned(),
        version: member("version")?.to_owned(),
        licence: member("license")?.to_owned(),
        folder: Path::new(member("manifest_path")?).parent()?.to_owned(),
    })
}

fn is_macro(package: &Value) -> bool {
    let targets = package.get("targets").and_then(Value::as_array).into_iter().flatten();
    let mut kinds = targets.filter_map(|target| target.get("kind")?.as_array()).flatten();
    kinds.any(|kind| kind == "proc-macro")
}

fn is_normal(dependency: &Value) -> bool {
    let kinds = dependency.get("dep_kinds").and_then(Value::as_array).into_iter().flatten();
    kinds.map(|kind| kind.get("kind")).any(|kind| kind == Some(&Value::Null))
}

/// Whether a file is there for those who hand the package on.
fn is_notice(name: &str) -> bool {
    let name = name.to_uppercase();
    ["LICENSE", "LICENCE", "UNLICENSE", "COPYING", "COPYRIGHT", "NOTICE"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// The same text is the same whatever ends its lines.
fn tidy(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// What most crates are under, in the order in which a choice is made.
const STANDARD: [(&str, &str); 4] = [
    ("Apache-2.0", include_str!("../../../../LICENSE-APACHE")),
    ("MIT", include_str!("licences/MIT.txt")),
    ("BSD-3-Clause", include_str!("licences/BSD-3-Clause.txt")),
    ("MPL-2.0", include_str!("licences/MPL-2.0.txt")),
];

const HEAD: &str = "\
What is here was compiled from Keywright, under MIT or Apache-2.0 (LICENSE-MIT, LICENSE-APACHE), from Rust's standard
library, under MIT or Apache-2.0, from SQLite, which is in the public domain, and from these packages of
https://crates.io; the texts of their licences follow. A package that offers a choice is taken under any of the
licences whose text is here.
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, licence: &str, folder: &Path) -> Package {
        let (name, licence) = (name.to_owned(), licence.to_owned());
        Package { name, version: "1.0.0".to_owned(), licence, folder: folder.to_owned() }
    }

    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keywright-notices-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());
        folder
    }

    #[test]
    fn a_text_that_two_packages_share_is_there_once_and_names_both() {
        let a = folder("a", &[("LICENSE-MIT", "permission is granted\r\n"), ("main.rs", "no notice")]);
        let b = folder("b", &[("licence.txt", "permission is granted")]);
        let notices = write(&[package("a", "MIT", &a), package("b", "MIT", &b)].into()).unwrap();
        assert_eq!(notices.matches("permission is granted").count(), 1);
        assert!(notices.contains("a 1.0.0, b 1.0.0"));
        assert!(!notices.contains("no notice"));
        [a, b].iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    }

    #[test]
    fn a_package_without_a_text_gets_that_of_the_licence_that_it_names() {
        let empty = folder("empty", &[]);
        let text = |licence: &str| package("x", licence, &empty).texts();
        assert!(text("MIT OR Apache-2.0").unwrap()[0].contains("Apache License"));
        assert!(text("MIT").unwrap()[0].contains("Copyright (c) the authors of x\n\nPermission is hereby"));
        assert!(text("Zlib").is_err());
        assert!(text("MIT-0").is_err());
        fs::remove_dir_all(empty).unwrap();
    }

    #[test]
    fn what_only_builds_or_tests_is_not_shipped_and_neither_are_macros() {
        let package = |name: &str, source: Value, kind: &str| {
            json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
                    "manifest_path": format!("/{name}/Cargo.toml"), "targets": [{ "kind": [kind] }] })
        };
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("own", Value::Null, "lib"), package("linked", json!("registry"), "lib"),
                package("deeper", json!("registry"), "lib"), package("built", json!("registry"), "lib"),
                package("macro", json!("registry"), "proc-macro"),
            ],
            "resolve": { "nodes": [
                { "id": "own", "deps": [dependency("linked", Value::Null), dependency("built", json!("build")),
                                        dependency("macro", Value::Null)] },
                { "id": "linked", "deps": [dependency("deeper", Value::Null), dependency("built", json!("dev"))] },
                { "id": "deeper", "deps": [] }, { "id": "built", "deps": [] }, { "id": "macro", "deps": [] },
            ] },
        });
        let names: Vec<_> =
            reach(&metadata, "own").unwrap().into_iter().map(|package| package.name).collect();
        assert_eq!(names, ["deeper", "linked"]);
        assert!(reach(&metadata, "nobody").is_none());
    }
}
