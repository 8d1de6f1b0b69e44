//! Running other programs on behalf of a stage, and where their output goes.

use std::{
    env,
    fmt::Display,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Where the project and its build folder are, and whether a machine or a person is asking.
pub(crate) struct Project {
    /// The folder of the workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment puts it.
    pub(crate) target: PathBuf,
    /// Whether `CI` is set: then nothing may be skipped.
    pub(crate) ci: bool,
}

impl Project {
    /// Asks cargo for the workspace around the current folder.
    pub(crate) fn find() -> Result<Self, String> {
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|_| "cargo found no workspace here".to_owned())?;
        let folder = |name: &str| {
            metadata
                .get(name)
                .and_then(|value| value.as_str())
                .map(PathBuf::from)
                .ok_or("unknown cargo metadata")
        };
        let ci = env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")?, ci })
    }

    /// The folder for logs and for what set-up installs, made if it is not there.
    pub(crate) fn scratch(&self) -> Result<PathBuf, Stop> {
        let folder = self.target.join("xtask");
        fs::create_dir_all(&folder).map_err(|error| failed(&folder.display(), &error))?;
        Ok(folder)
    }

    /// A program to be run in the project's folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// A cargo command, given as the words after `cargo`.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let mut command = self.command("cargo");
        command.args(words.split_whitespace());
        command
    }

    /// The project's files, tracked or about to be, by their paths from the root with `/` between folders.
    pub(crate) fn files(&self) -> Result<Vec<String>, String> {
        // A clone that belongs to somebody else is still ours to read.
        let words =
            ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = self.command("git").args(words).stdin(Stdio::null()).output();
        let output =
            output.ok().filter(|output| output.status.success()).ok_or("git does not list the files here")?;
        let names = String::from_utf8_lossy(&output.stdout);
        // A file that was just deleted is listed until that is staged.
        let is_there = |name: &&str| !name.is_empty() && self.root.join(name).is_file();
        Ok(names.split('\0').filter(is_there).map(str::to_owned).collect())
    }

    /// The text of one of the project's files.
    pub(crate) fn read(&self, path: &str) -> Result<String, Stop> {
        fs::read_to_string(self.root.join(path)).map_err(|error| failed(&path, &error))
    }
}

/// Why a stage ended before it passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The check was made and found something, or could not be finished.
    Failed(String),
    /// The check cannot be made on this machine.
    Skipped {
        /// What is missing.
        reason: String,
        /// What a person does about it.
        mend: String,
    },
}

/// A failure of `what`, with its cause.
pub(crate) fn failed(what: &dyn Display, cause: &dyn Display) -> Stop {
    Stop::Failed(format!("{what}: {cause}"))
}

/// A stage that cannot run here.
pub(crate) fn skipped(reason: impl Into<String>, mend: impl Into<String>) -> Stop {
    Stop::Skipped { reason: reason.into(), mend: mend.into() }
}

/// What a stage comes to.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// The output of one stage, in a file that outlives it.
pub(crate) struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Starts the log of a stage anew.
    pub(crate) fn create(folder: &Path, stage: &str) -> Outcome<Self> {
        let path = folder.join(format!("{stage}.log"));
        let file = File::create(&path).map_err(|error| failed(&path.display(), &error))?;
        Ok(Self { file, path })
    }

    /// Where the log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line of the stage's own.
    pub(crate) fn line(&self, line: impl Display) {
        // A log that cannot be written is no reason to call a check failed.
        let _ = writeln!(&self.file, "{line}");
    }

    /// Runs a program into the log; anything but success fails the stage.
    pub(crate) fn run(&self, command: &mut Command) -> Outcome {
        let mut child = self.spawn(command, None)?;
        self.judge(command, child.wait())
    }

    /// As [`Self::run`], but the program is killed when it takes longer than `limit`.
    pub(crate) fn run_within(&self, limit: Duration, command: &mut Command) -> Outcome {
        let child = self.spawn(command, None)?;
        self.finish(child, limit, command)
    }

    /// Runs a program and returns what it writes to its standard output; the rest goes into the log.
    pub(crate) fn capture_within(&self, limit: Duration, command: &mut Command) -> Outcome<String> {
        let path = self.path.with_extension("out");
        let file = File::create(&path).map_err(|error| failed(&path.display(), &error))?;
        let child = self.spawn(command, Some(file))?;
        let outcome = self.finish(child, limit, command);
        let text = fs::read(&path).map_err(|error| failed(&path.display(), &error))?;
        let _ = fs::remove_file(&path);
        let text = String::from_utf8_lossy(&text).into_owned();
        if outcome.is_err() {
            self.line(&text);
        }
        outcome.map(|()| text)
    }

    fn finish(&self, mut child: Child, limit: Duration, command: &Command) -> Outcome {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            match child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) => return self.judge(command, Ok(status)),
                Err(error) => return self.judge(command, Err(error)),
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(Stop::Failed(format!("`{}` was not done after {} s", words(command), limit.as_secs())))
    }

    fn spawn(&self, command: &mut Command, stdout: Option<File>) -> Outcome<Child> {
        self.line(format_args!("$ {}", words(command)));
        let stream = || self.file.try_clone().map_err(|error| failed(&self.path.display(), &error));
        let stdout = stdout.map_or_else(stream, Ok)?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(stream()?);
        command.spawn().map_err(|error| failed(&words(command), &error))
    }

    fn judge(&self, command: &Command, status: std::io::Result<ExitStatus>) -> Outcome {
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Stop::Failed(format!("`{}` ended with {status}", words(command)))),
            Err(error) => Err(failed(&words(command), &error)),
        }
    }
}

/// Does what stages do for a person who asked for it alone; what a failed program said is shown.
pub(crate) fn by_hand<T>(
    project: &Project,
    name: &str,
    act: impl FnOnce(&Log) -> Outcome<T>,
) -> Result<T, String> {
    let log = project.scratch().and_then(|folder| Log::create(&folder, name));
    let log = log.map_err(|stop| format!("{stop:?}"))?;
    act(&log).map_err(|stop| match stop {
        Stop::Failed(why) => {
            print!("{}", fs::read_to_string(log.path()).unwrap_or_default());
            why
        }
        Stop::Skipped { reason, mend } => format!("{reason}; to mend it: {mend}"),
    })
}

/// Whether a program can be started and answers with success; its output is thrown away.
pub(crate) fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> Log {
        Log::create(&env::temp_dir(), &format!("keywright-xtask-{name}-{}", std::process::id())).unwrap()
    }

    #[test]
    fn a_program_that_ends_badly_fails_the_stage_by_name() {
        let outcome = log("bad").run(Command::new("sh").args(["-c", "exit 3"]));
        assert_eq!(outcome, Err(Stop::Failed("`sh -c exit 3` ended with exit status: 3".to_owned())));
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped_at_its_limit() {
        let outcome = log("late").run_within(Duration::from_millis(100), Command::new("sleep").arg("60"));
        assert_eq!(outcome, Err(Stop::Failed("`sleep 60` was not done after 0 s".to_owned())));
    }

    #[test]
    fn standard_output_is_captured_and_errors_go_to_the_log() {
        let log = log("capture");
        let text = log
            .capture_within(
                Duration::from_secs(60),
                Command::new("sh").args(["-c", "echo out; echo err >&2"]),
            )
            .unwrap();
        assert_eq!(text, "out\n");
        assert!(fs::read_to_string(log.path()).unwrap().ends_with("\nerr\n"));
    }

    #[test]
    fn a_program_that_is_missing_does_not_answer() {
        assert!(!answers(&mut Command::new("keywright-no-such-program")));
    }
}
