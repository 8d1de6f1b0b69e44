//! What is handed out, as the one who unpacks it finds it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::read::GzDecoder;

use crate::{
    dist::{self, Bundle, notices},
    run::{Log, Outcome, Project, Stop, failed},
};

/// Gathers everything, unpacks it elsewhere, and holds what is there against what must be.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let bundle = dist::gather(project, log)?;
    let place = project.scratch()?.join("dist");
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| failed(&place.display(), &error))?;
    }
    let folder = unpack(&bundle, &place)?;
    let sums = read(&folder.join(dist::SUMS))?;
    check(&judge(&dist::files(&folder)?, &digests(&folder)?, &sums), log)?;
    check(&missing_licences(project, log, &folder)?, log)?;
    let command = folder.join(format!("keywright{}", std::env::consts::EXE_SUFFIX));
    let said = log.capture_within(Duration::from_secs(60), project.command(command).arg("--version"))?;
    if said.trim() != concat!("keywright ", env!("CARGO_PKG_VERSION")) {
        return Err(Stop::Failed(format!("the unpacked command calls itself {said}")));
    }
    again(project, log, &bundle)
}

/// Gathered twice, it is the same to the last bit.
fn again(project: &Project, log: &Log, bundle: &Bundle) -> Outcome {
    let first = dist::digest(&bundle.archive)?;
    if dist::digest(&dist::gather(project, log)?.archive)? == first {
        return Ok(());
    }
    Err(Stop::Failed("gathered twice, the archives differ".to_owned()))
}

/// Unpacks the archive; the one folder that is in it.
fn unpack(bundle: &Bundle, place: &Path) -> Outcome<PathBuf> {
    let file = File::open(&bundle.archive).map_err(|error| failed(&bundle.archive.display(), &error))?;
    tar::Archive::new(GzDecoder::new(file))
        .unpack(place)
        .map_err(|error| failed(&place.display(), &error))?;
    Ok(place.join(bundle.folder.file_name().unwrap_or_default()))
}

/// What is wrong with the files and their checksums.
fn judge(files: &[PathBuf], digests: &BTreeMap<String, String>, sums: &str) -> Vec<String> {
    let found: Vec<_> = files.iter().map(|file| dist::slashed(file)).collect();
    let expected: Vec<_> =
        FILES.iter().map(|file| file.replace("{exe}", std::env::consts::EXE_SUFFIX)).collect();
    let mut findings = Vec::new();
    findings.extend(
        expected.iter().filter(|file| !found.contains(file)).map(|file| format!("{file} is missing")),
    );
    findings.extend(
        found.iter().filter(|file| !expected.contains(file)).map(|file| format!("{file} is too many")),
    );
    let stated: BTreeMap<_, _> =
        sums.lines().filter_map(|line| line.split_once("  ")).map(|(sum, file)| (file, sum)).collect();
    for file in found.iter().filter(|file| *file != dist::SUMS) {
        if stated.get(file.as_str()).copied() != digests.get(file).map(String::as_str) {
            findings.push(format!("{file}: its checksum is not the stated one"));
        }
    }
    findings
}

fn digests(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    dist::files(folder)?
        .iter()
        .map(|file| Ok((dist::slashed(file), dist::digest(&folder.join(file))?)))
        .collect()
}

/// The packages that `cargo tree` knows in the command and that the notices do not name.
fn missing_licences(project: &Project, log: &Log, folder: &Path) -> Outcome<Vec<String>> {
    let notices = read(&folder.join(dist::NOTICES))?;
    let words =
        "tree --locked --package keywright-cli --edges normal,no-proc-macro --prefix none --format {p}";
    let tree = log.capture_within(Duration::from_secs(600), &mut project.cargo(words))?;
    let known = notices::packages(project, log)?;
    let mut labels: Vec<String> = known.iter().map(notices::Package::label).collect();
    labels.extend(tree.lines().filter_map(label));
    let is_told = |label: &String| notices.contains(&format!("\n{label}: "));
    Ok(labels.iter().filter(|label| !is_told(label)).map(|label| format!("{label} has no notice")).collect())
}

/// `name 1.0.0` of a line such as `name v1.0.0 (*)`; nothing for the project's own, which have a path.
fn label(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let label = format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?);
    (!line.contains("(/")).then_some(label)
}

fn check(findings: &[String], log: &Log) -> Outcome {
    findings.iter().for_each(|finding| log.line(finding));
    findings.first().map_or(Ok(()), |first| Err(Stop::Failed(first.clone())))
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| failed(&path.display(), &error))
}

/// All there is, sorted.
const FILES: [&str; 12] = [
    "70-keywright.rules",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SHA256SUMS",
    "THIRD-PARTY-NOTICES.txt",
    "firmware/keywright-rp2040.elf",
    "firmware/keywright-rp2040.uf2",
    "firmware/keywright-stm32f4.bin",
    "firmware/keywright-stm32f4.elf",
    "keywright{exe}",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> (Vec<PathBuf>, BTreeMap<String, String>, String) {
        let names = FILES.map(|file| file.replace("{exe}", std::env::consts::EXE_SUFFIX));
        let sums = names.iter().filter(|file| *file != dist::SUMS).map(|file| format!("ab  {file}\n"));
        let sums = sums.collect();
        (names.iter().map(PathBuf::from).collect(), names.map(|file| (file, "ab".to_owned())).into(), sums)
    }

    #[test]
    fn all_files_with_their_checksums_are_no_finding() {
        let (files, digests, sums) = everything();
        assert!(judge(&files, &digests, &sums).is_empty());
    }

    #[test]
    fn a_file_that_is_missing_one_too_many_and_one_that_was_changed_are_found() {
        let (mut files, mut digests, sums) = everything();
        digests.insert("README.md".to_owned(), "cd".to_owned());
        let left_out = files.remove(0);
        files.push("notes".into());
        let findings = judge(&files, &digests, &sums);
        assert!(findings.contains(&format!("{} is missing", left_out.display())));
        assert!(findings.contains(&"notes is too many".to_owned()));
        assert!(findings.contains(&"README.md: its checksum is not the stated one".to_owned()));
    }

    #[test]
    fn packages_of_others_are_told_from_the_projects_own() {
        assert_eq!(label("sha2 v0.11.0 (*)"), Some("sha2 0.11.0".to_owned()));
        assert_eq!(label("keywright-host v0.1.0 (/x/host)"), None);
        assert_eq!(label(""), None);
    }
}
