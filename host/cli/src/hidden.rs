//! A line that is typed at the terminal and not shown.

use std::io;

use zeroize::Zeroizing;

use crate::interrupt::Interrupt;

/// Shows the prompt and reads the line; `None` if the user ends the input, or is interrupted.
///
/// # Errors
/// If the process has no terminal.
#[cfg(unix)]
pub(crate) fn line(prompt: &str, interrupt: &Interrupt) -> io::Result<Option<Zeroizing<String>>> {
    use std::io::Write as _;
    let mut terminal = std::fs::File::options().read(true).write(true).open("/dev/tty")?;
    // Before the prompt: nothing that is typed because of it is shown.
    let _silence = unix::Silence::begin(terminal.try_clone()?)?;
    terminal.write_all(prompt.as_bytes())?;
    let line = unix::read(&mut terminal, interrupt);
    terminal.write_all(b"\n")?;
    line
}

/// As on Unix.
#[cfg(windows)]
pub(crate) fn line(prompt: &str, _interrupt: &Interrupt) -> io::Result<Option<Zeroizing<String>>> {
    match rpassword::prompt_password(prompt) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::os::fd::AsFd as _;

    use nix::errno::Errno;
    use nix::sys::select::{FdSet, select};
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use nix::sys::time::{TimeVal, TimeValLike as _};
    use zeroize::Zeroizing;

    use crate::interrupt::Interrupt;

    /// A terminal that does not show what is typed, until this is dropped.
    pub(super) struct Silence {
        terminal: File,
        before: Termios,
    }

    impl Silence {
        /// What was typed before is thrown away: it was shown.
        pub(super) fn begin(terminal: File) -> io::Result<Self> {
            let before = tcgetattr(&terminal)?;
            let mut silent = before.clone();
            silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
            tcsetattr(&terminal, SetArg::TCSAFLUSH, &silent)?;
            Ok(Self { terminal, before })
        }
    }

    impl Drop for Silence {
        fn drop(&mut self) {
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
        }
    }

    /// The terminal gives whole lines, which its user may still edit until then.
    pub(super) fn read(terminal: &mut File, interrupt: &Interrupt) -> io::Result<Option<Zeroizing<String>>> {
        let mut line = Zeroizing::new([0; LONGEST]);
        loop {
            if interrupt.is_asked() {
                return Ok(None);
            }
            if is_ready(terminal)? {
                break;
            }
        }
        let length = terminal.read(line.as_mut_slice())?;
        let bytes = line.get(..length).and_then(|line| line.strip_suffix(b"\n"));
        let Some(bytes) = bytes else { return Ok(None) };
        let text =
            std::str::from_utf8(bytes).map_err(|_| io::Error::other("what was typed is no UTF-8 text"))?;
        Ok(Some(Zeroizing::new(text.to_owned())))
    }

    /// Waits a moment for a line; a signal ends the wait. (poll would not do: on macOS it knows no terminals.)
    fn is_ready(terminal: &File) -> io::Result<bool> {
        let mut readable = FdSet::new();
        readable.insert(terminal.as_fd());
        match select(None, &mut readable, None, None, &mut TimeVal::milliseconds(MOMENT)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What a terminal gives of a line at most; an otpauth URI has a few hundred bytes.
    const LONGEST: usize = 4096;
    /// How long an interrupted user waits at most.
    const MOMENT: i64 = 100;
}
