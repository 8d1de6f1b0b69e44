//! `cargo xtask dist`: the command, the images, and what must come with them, for people without a toolchain.

mod archive;
pub(crate) mod notices;

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    boards,
    run::{self, Log, Outcome, Project, Stop, failed},
    stages::demo::release_build,
};

/// What was gathered.
pub(crate) struct Bundle {
    /// The folder with the files.
    pub(crate) folder: PathBuf,
    /// The same in one file.
    pub(crate) archive: PathBuf,
}

/// `cargo xtask dist`: gathers everything into target/dist and says where it is.
pub(crate) fn run(project: &Project) -> Result<bool, String> {
    let bundle = run::by_hand(project, "dist-files", |log| gather(project, log))?;
    println!("{}\n{}", bundle.folder.display(), bundle.archive.display());
    Ok(true)
}

/// Builds the command and the images, and puts them where they are handed out from.
pub(crate) fn gather(project: &Project, log: &Log) -> Outcome<Bundle> {
    let images = boards::build(project, log)?;
    let command = release_build(project, log)?;
    let name = format!("keywright-{}-{}", env!("CARGO_PKG_VERSION"), host_triple(project)?);
    let place = project.target.join("dist");
    let folder = place.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| failed(&folder.display(), &error))?;
    }
    fs::create_dir_all(folder.join("firmware")).map_err(|error| failed(&folder.display(), &error))?;
    copy(&command, &folder)?;
    for image in &images {
        copy(&image.elf, &folder.join("firmware"))?;
        copy(&image.flashable, &folder.join("firmware"))?;
    }
    for path in ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "host/cli/udev/70-keywright.rules"] {
        copy(&project.root.join(path), &folder)?;
    }
    write(&folder.join("README.md"), README)?;
    write(&folder.join(NOTICES), &notices::write(&notices::packages(project, log)?)?)?;
    write(&folder.join(SUMS), &checksums(&folder)?)?;
    let archive = place.join(format!("{name}.tar.gz"));
    archive::pack(&folder, &name, &archive).map_err(|error| failed(&archive.display(), &error))?;
    let own = format!("{}  {name}.tar.gz\n", digest(&archive)?);
    write(&place.join(format!("{name}.tar.gz.sha256")), &own)?;
    Ok(Bundle { folder, archive })
}

/// The machine that the command was built for.
pub(crate) fn host_triple(project: &Project) -> Outcome<String> {
    let output = project.command("rustc").arg("-vV").output();
    let output = output.map_err(|error| failed(&"rustc", &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| Stop::Failed("rustc does not say what it builds for".to_owned()))
}

/// Every file of a folder and its folders by its path from there, in the order of the alphabet.
pub(crate) fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    archive::files(folder).map_err(|error| failed(&folder.display(), &error))
}

/// A file's SHA-256, as `sha256sum` writes it.
pub(crate) fn digest(path: &Path) -> Outcome<String> {
    let bytes = fs::read(path).map_err(|error| failed(&path.display(), &error))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One line a file, as `sha256sum --check` reads them.
fn checksums(folder: &Path) -> Outcome<String> {
    let line = |file: &PathBuf| Ok(format!("{}  {}\n", digest(&folder.join(file))?, slashed(file)));
    files(folder)?.iter().map(line).collect()
}

/// A path with `/` between folders, wherever it was made.
pub(crate) fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn copy(file: &Path, folder: &Path) -> Outcome {
    let name = file.file_name().ok_or_else(|| Stop::Failed(format!("{} is no file", file.display())))?;
    fs::copy(file, folder.join(name)).map(|_| ()).map_err(|error| failed(&file.display(), &error))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| failed(&path.display(), &error))
}

/// The checksums of all other files.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The licences of others.
pub(crate) const NOTICES: &str = "THIRD-PARTY-NOTICES.txt";
/// How to flash without a toolchain.
const README: &str = include_str!("dist/README.md");
