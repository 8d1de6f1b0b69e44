//! The images for the boards: built, measured, and put where a person finds them.

mod budget;
mod elf;
mod uf2;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    run::{Log, Outcome, Project, Stop, answers, by_hand, failed},
    thumb,
};

use budget::Budget;
use elf::Elf;

/// One kind of board.
struct Board {
    /// The package, and the name of its files.
    name: &'static str,
    target: &'static str,
    /// Where its flash begins.
    flash: u32,
    /// Where its RAM is: the stack has memory of its own, or the bottom of this.
    ram: std::ops::Range<u32>,
    /// Another form of the image, beside the ELF file.
    form: Form,
}

/// What a board's own loader takes.
enum Form {
    /// Blocks for a BOOTSEL drive, of this family.
    Uf2(u32),
    /// The flash from its start.
    Bin,
}

const RP2040: Board = Board {
    name: "keywright-rp2040",
    target: "thumbv6m-none-eabi",
    flash: 0x1000_0000,
    ram: 0x2000_0000..0x2004_2000,
    form: Form::Uf2(uf2::RP2040),
};
const STM32F4: Board = Board {
    name: "keywright-stm32f4",
    target: "thumbv7em-none-eabihf",
    flash: 0x0800_0000,
    ram: 0x2000_0000..0x2002_0000,
    form: Form::Bin,
};
const BOARDS: [Board; 2] = [RP2040, STM32F4];

/// An image that was built.
pub(crate) struct Image {
    /// The ELF file.
    pub(crate) elf: PathBuf,
    /// The UF2 or binary file.
    pub(crate) flashable: PathBuf,
    name: &'static str,
    flash: usize,
    ram: usize,
}

/// `cargo xtask firmware`: builds the images and says how large they are; true if each keeps its budget.
pub(crate) fn run(project: &Project) -> Result<bool, String> {
    let images = by_hand(project, "firmware-images", |log| build(project, log))?;
    let budget = Budget::read(project).map_err(|stop| format!("{stop:?}"))?;
    let mut is_well = true;
    for image in &images {
        println!("{}", describe(image, &budget));
        for over in budget.findings(image.name, image.flash, image.ram) {
            is_well = false;
            println!("        {over}");
        }
    }
    Ok(is_well)
}

/// Each board's package and what it is built for.
pub(crate) fn names_and_targets() -> impl Iterator<Item = (&'static str, &'static str)> {
    BOARDS.iter().map(|board| (board.name, board.target))
}

/// Builds every image into `target/firmware`.
pub(crate) fn build(project: &Project, log: &Log) -> Outcome<Vec<Image>> {
    let toolchain = thumb::require(project)?;
    let folder = project.target.join("boards");
    toolchain.forget_builds_of_another(&folder)?;
    let place = project.target.join("firmware");
    fs::create_dir_all(&place).map_err(|error| failed(&place.display(), &error))?;
    for board in &BOARDS {
        let words = format!("build --locked --release --package {} --target {}", board.name, board.target);
        let mut command = project.cargo(&words);
        // Where the boards' own .cargo/config.toml is read.
        command.current_dir(project.root.join(WORKSPACE));
        log.run(toolchain.apply(command.arg("--target-dir").arg(&folder)))?;
    }
    BOARDS.iter().map(|board| board.put_into(&place, &folder)).collect()
}

/// Builds the images, and gives that of the RP2040.
pub(crate) fn rp2040(project: &Project, log: &Log) -> Outcome<Image> {
    let images = build(project, log)?;
    images.into_iter().next().ok_or_else(|| Stop::Failed("there is no image for the RP2040".to_owned()))
}

/// Builds the RP2040's image as a later version of itself, for the tests to flash over the one of today: the ELF file.
pub(crate) fn build_newer(project: &Project, log: &Log) -> Outcome<PathBuf> {
    let toolchain = thumb::require(project)?;
    // A folder of its own, or the two versions would take turns at throwing each other's builds away.
    let folder = project.target.join("boards-newer");
    toolchain.forget_builds_of_another(&folder)?;
    let Board { name, target, .. } = RP2040;
    let mut command = project.cargo(&format!("build --locked --release --package {name} --target {target}"));
    command.current_dir(project.root.join(WORKSPACE)).env("KEYWRIGHT_VERSION", "7.8.9");
    log.run(toolchain.apply(command.arg("--target-dir").arg(&folder)))?;
    Ok(folder.join(target).join("release").join(name))
}

/// Lints the boards' own crates as they are built; where the boards' compiler comes without clippy, says so in the log.
pub(crate) fn lint(project: &Project, log: &Log) -> Outcome {
    let toolchain = thumb::require(project)?;
    let driver = toolchain
        .rustc
        .as_ref()
        .map_or_else(|| PathBuf::from("clippy-driver"), |rustc| rustc.with_file_name("clippy-driver"));
    if !answers(project.command(&driver).arg("--version")) {
        log.line("no lints for the boards' crates: their compiler has no clippy-driver");
        return Ok(());
    }
    for board in &BOARDS {
        let words = format!("check --locked --release --package {} --target {}", board.name, board.target);
        let mut command = project.cargo(&words);
        command.current_dir(project.root.join(WORKSPACE)).env("RUSTC_WORKSPACE_WRAPPER", &driver);
        command.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
        command.arg("--target-dir").arg(project.target.join("boards-clippy"));
        log.run(toolchain.apply(&mut command))?;
    }
    Ok(())
}

/// Holds the images against `budget.toml`.
pub(crate) fn check_budgets(project: &Project, log: &Log, images: &[Image]) -> Outcome {
    let budget = Budget::read(project)?;
    let mut findings = Vec::new();
    for image in images {
        log.line(describe(image, &budget));
        findings.extend(budget.findings(image.name, image.flash, image.ram));
    }
    findings.iter().for_each(|finding| log.line(finding));
    if findings.is_empty() { Ok(()) } else { Err(Stop::Failed(findings.join("; "))) }
}

impl Board {
    /// Copies the ELF file and writes the other form beside it.
    fn put_into(&self, place: &Path, folder: &Path) -> Outcome<Image> {
        let built = folder.join(self.target).join("release").join(self.name);
        let bytes = fs::read(&built).map_err(|error| failed(&built.display(), &error))?;
        let elf = Elf::parse(&bytes).ok_or_else(|| Stop::Failed(format!("{} is no image", self.name)))?;
        let loaded = elf.flash_image(self.flash);
        let (ending, content) = match self.form {
            Form::Uf2(family) => ("uf2", uf2::encode(self.flash, &loaded, family)),
            Form::Bin => ("bin", loaded.clone()),
        };
        let image = Image {
            elf: place.join(self.name).with_extension("elf"),
            flashable: place.join(self.name).with_extension(ending),
            name: self.name,
            flash: loaded.len(),
            ram: elf.occupied(&self.ram),
        };
        for (path, content) in [(&image.elf, &bytes), (&image.flashable, &content)] {
            fs::write(path, content).map_err(|error| failed(&path.display(), &error))?;
        }
        Ok(image)
    }
}

fn describe(image: &Image, budget: &Budget) -> String {
    let (flash, ram) = budget.of(image.name);
    format!(
        "{:<18} flash {:>7} of {flash:>7} bytes, RAM {:>7} of {ram:>7} bytes, {} and {}",
        image.name,
        image.flash,
        image.ram,
        image.elf.display(),
        image.flashable.display(),
    )
}

/// The boards' own workspace.
pub(crate) const WORKSPACE: &str = "firmware/boards";
