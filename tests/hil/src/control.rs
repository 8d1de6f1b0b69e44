//! The emulator's control socket (host/emulator/CONTROL.md).

use std::io;
use std::path::PathBuf;

/// Does what a hand would do.
pub(crate) struct ControlSocket(PathBuf);

impl ControlSocket {
    /// The socket at a path; it must answer.
    pub(crate) fn new(path: PathBuf) -> Result<Self, String> {
        let socket = Self(path);
        socket.tell("state")?;
        Ok(socket)
    }

    /// Has something done.
    pub(crate) fn tell(&self, word: &str) -> Result<(), String> {
        let answer = self.exchange(&format!("{{\"do\":\"{word}\"}}\n"));
        let answer = answer.map_err(|error| format!("the control socket {}: {error}", self.0.display()))?;
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        if value.get("done").is_some() { Ok(()) } else { Err(format!("the control socket answers {answer}")) }
    }

    #[cfg(unix)]
    fn exchange(&self, line: &str) -> io::Result<String> {
        use std::io::{BufRead as _, BufReader, Write as _};
        use std::os::unix::net::UnixStream;

        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    }

    #[cfg(not(unix))]
    fn exchange(&self, _line: &str) -> io::Result<String> {
        Err(io::Error::other("there is none on this system: leave out --control"))
    }
}
