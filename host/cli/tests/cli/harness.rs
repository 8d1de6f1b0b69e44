//! Running the command, and running keys for it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

pub(crate) const KEYWRIGHT: &str = env!("CARGO_BIN_EXE_keywright");

/// A folder that is removed with everything in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short, since the path of a Unix socket may have 107 bytes.
        let path = std::env::temp_dir().join(format!("kwcli-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The names of what is in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A command that serves until it is ended.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What its first line said.
    pub(crate) first: String,
}

impl Serving {
    pub(crate) fn start(words: &[&str]) -> Self {
        let mut child = Command::new(KEYWRIGHT)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{words:?} said nothing");
        Self { child, stdout, first }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.first).unwrap()
    }

    /// The lines up to the one that begins so.
    #[cfg(feature = "iam")]
    pub(crate) fn until(&mut self, begin: &str) -> String {
        let mut lines = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "no {begin} in {lines}");
            if line.starts_with(begin) {
                return lines;
            }
            lines.push_str(&line);
        }
    }

    /// Sends a signal, waits for the end, and gives what else was said and the exit code.
    pub(crate) fn end(&mut self, signal: &str) -> (String, Option<i32>) {
        send(signal, self.child.id());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have been ended by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that a test started.
pub(crate) fn send(signal: &str, process: u32) {
    let status = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// A virtual key.
pub(crate) struct Key {
    pub(crate) folder: Folder,
    serving: Serving,
    words: Vec<String>,
}

impl Key {
    /// A key in memory that touches itself.
    pub(crate) fn new() -> Self {
        Self::with(&["--ephemeral", "--touch", "auto"])
    }

    /// A key in memory whose user is `touch`.
    pub(crate) fn touched_by(touch: &str) -> Self {
        Self::with(&["--ephemeral", "--touch", touch])
    }

    /// A key that is started with these words, and has a control socket.
    pub(crate) fn with(words: &[&str]) -> Self {
        let folder = Folder::new();
        let control = folder.text("control");
        let words: Vec<_> = ["emulate", "--json", "--udp", "127.0.0.1:0", "--control", &control]
            .into_iter()
            .chain(words.iter().copied())
            .map(str::to_owned)
            .collect();
        let serving = start(&words);
        Self { folder, serving, words }
    }

    /// A key over a state file.
    pub(crate) fn kept(state: &Path) -> Self {
        Self::with(&["--state", state.to_str().unwrap(), "--touch", "auto"])
    }

    /// Kills the process with SIGKILL, and starts it anew.
    pub(crate) fn killed_and_restarted(&mut self) {
        let (_, code) = self.serving.end("KILL");
        assert_eq!(code, None, "it ended by the signal");
        self.serving = start(&self.words);
    }

    pub(crate) fn device(&self) -> String {
        format!("udp:{}", self.serving.json()["udp"].as_str().unwrap())
    }

    /// The address of its TCP frontend, if it was given one.
    pub(crate) fn tcp_device(&self) -> String {
        format!("tcp:{}", self.first()["tcp"].as_str().unwrap())
    }

    /// Its first line.
    pub(crate) fn first(&self) -> Value {
        self.serving.json()
    }

    pub(crate) fn end(&mut self, signal: &str) -> (String, Option<i32>) {
        self.serving.end(signal)
    }

    /// Has the key's hand do something; the answer.
    pub(crate) fn hand(&self, what: &str) -> Value {
        let mut socket = UnixStream::connect(self.folder.path("control")).unwrap();
        writeln!(socket, "{{\"do\":\"{what}\"}}").unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Waits until the key wants to be touched. The other process needs the time, so it is given it.
    pub(crate) fn wait_for_wish(&self) {
        while self.hand("state")["state"]["indication"] != "touch-wanted" {
            std::thread::yield_now();
        }
    }

    /// Runs the command on this key, with `--json`.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        keywright(&self.words_for(words))
    }

    /// As [`Key::run`], with environment variables.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], words: &[&str]) -> Ran {
        run(command(&self.words_for(words)).envs(variables.iter().copied()), b"")
    }

    /// As [`Key::run`], with something on standard input.
    pub(crate) fn run_fed(&self, input: &[u8], words: &[&str]) -> Ran {
        run(&mut command(&self.words_for(words)), input)
    }

    /// Starts the command on this key.
    pub(crate) fn begin(&self, words: &[&str]) -> Child {
        begin(&self.words_for(words))
    }

    /// A key with the PIN `1234`.
    pub(crate) fn with_pin() -> Self {
        let key = Self::new();
        key.run_with(&[("NEW", "1234")], &["pin", "set", "--new-pin-env", "NEW"]).ok();
        key
    }

    /// Registers; the credential's file has this name in the key's folder.
    pub(crate) fn register(&self, name: &str, more: &[&str]) -> Ran {
        let file = self.folder.text(name);
        let words = [&["register", "--rp", "example.org", "--user", "ada", "-o", &file], more].concat();
        self.run_with(&[("PIN", "1234")], &words)
    }

    /// The words with this key's address behind them.
    fn words_for(&self, words: &[&str]) -> Vec<String> {
        let device = self.device();
        words.iter().copied().chain(["--device", &device, "--json"]).map(str::to_owned).collect()
    }
}

fn start(words: &[String]) -> Serving {
    Serving::start(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one JSON value, of a command that succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.json()
    }

    /// The error, of a command that failed with this code and kind.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, kind: &str) -> Value {
        let error = self.json()["error"].clone();
        assert_eq!((self.code, error["kind"].as_str()), (Some(code), Some(kind)), "{self:?}");
        assert_eq!(error["exit_code"], code);
        let message = error["message"].as_str().unwrap();
        assert!(self.stderr.contains(message) || code == 2, "the person is told the same: {self:?}");
        error
    }

    /// Standard output, which is one line with one value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }
}

fn command(words: &[impl AsRef<str>]) -> Command {
    let mut command = Command::new(KEYWRIGHT);
    command.args(words.iter().map(AsRef::as_ref)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command.
pub(crate) fn keywright(words: &[impl AsRef<str>]) -> Ran {
    run(&mut command(words), b"")
}

/// As [`keywright`], with environment variables, and something on standard input.
pub(crate) fn keywright_with<V: AsRef<OsStr>>(
    variables: &[(&str, V)],
    input: &[u8],
    words: &[impl AsRef<str>],
) -> Ran {
    run(command(words).envs(variables.iter().map(|(name, value)| (name, value))), input)
}

/// Starts the command so.
#[cfg(feature = "iam")]
pub(crate) fn begin_with<V: AsRef<OsStr>>(
    variables: &[(&str, V)],
    input: &[u8],
    words: &[impl AsRef<str>],
) -> Child {
    let mut command = command(words);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child
}

/// Starts the command.
pub(crate) fn begin(words: &[impl AsRef<str>]) -> Child {
    command(words).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits for a command that was started.
pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input);
    finish(child)
}

/// The members of a JSON file.
pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
