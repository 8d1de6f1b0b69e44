//! Where PINs and other secrets come from: a file descriptor, an environment variable, or whoever sits at the terminal. Never the command line,
//! which every user of the machine can read.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};

use keywright_host::pin_uv_auth::Pin;
use zeroize::Zeroizing;

use crate::args::{NewPin, PinSource};
use crate::failure::{Failure, Kind};
use crate::hidden;
use crate::interrupt::Interrupt;

/// Where one secret comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The next line of a file descriptor.
    Descriptor(u32),
    /// An environment variable.
    Variable(String),
    /// The terminal.
    Terminal,
}

/// The descriptors that are being read, so that two secrets can be two lines of one.
#[derive(Debug, Default)]
pub(crate) struct Descriptors(Vec<(u32, File)>);

impl From<PinSource> for Source {
    fn from(source: PinSource) -> Self {
        Self::of(source.pin_fd, source.pin_env)
    }
}

impl From<NewPin> for Source {
    fn from(source: NewPin) -> Self {
        Self::of(source.new_pin_fd, source.new_pin_env)
    }
}

impl Source {
    /// A descriptor, a variable, or the terminal.
    pub(crate) fn of(descriptor: Option<u32>, variable: Option<String>) -> Self {
        match (descriptor, variable) {
            (Some(descriptor), _) => Self::Descriptor(descriptor),
            (None, Some(variable)) => Self::Variable(variable),
            (None, None) => Self::Terminal,
        }
    }

    /// The PIN, if it comes without asking; `None` if it is to be asked for.
    ///
    /// # Errors
    /// If there is none where it was said to be, or it breaks a rule of every PIN.
    pub(crate) fn read(&self, descriptors: &mut Descriptors) -> Result<Option<Pin>, Failure> {
        Ok(self.text(descriptors, "PIN")?.map(|text| Pin::new(&text)).transpose()?)
    }

    /// As [`Source::read`], for whatever `what` is and may be.
    ///
    /// # Errors
    /// If there is none where it was said to be.
    pub(crate) fn text(
        &self,
        descriptors: &mut Descriptors,
        what: &str,
    ) -> Result<Option<Zeroizing<String>>, Failure> {
        match self {
            Self::Descriptor(number) => descriptors.line(*number, what).map(Some),
            Self::Variable(name) => variable(name, what).map(Some),
            Self::Terminal => Ok(None),
        }
    }
}

impl Descriptors {
    /// The next line of a descriptor, without its end.
    fn line(&mut self, number: u32, what: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |words: &str| Failure::usage(format!("descriptor {number}: {words}"));
        if !self.0.iter().any(|(open, _)| *open == number) {
            let file = open(number)
                .map_err(|error| failed(&format!("{error}; open it for reading, as a file or a pipe")))?;
            if file.is_terminal() {
                return Err(failed(&format!(
                    "this is a terminal, which would show the {what}: leave the option out to be asked for it, hidden"
                )));
            }
            self.0.push((number, file));
        }
        let file = self.0.iter_mut().find(|(open, _)| *open == number).map(|(_, file)| file);
        let bytes = file.map_or_else(|| Ok(Zeroizing::default()), read_line);
        let bytes = bytes.map_err(|error| failed(&error.to_string()))?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| failed(&format!("the {what} is no UTF-8 text")))?;
        if text.is_empty() {
            return Err(failed(&format!("there is no {what} in its next line: write one there")));
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// Asks for a PIN at the terminal, hidden; `None` if the user gives none, or is interrupted.
///
/// # Errors
/// If there is no terminal.
pub(crate) fn ask(prompt: &str, interrupt: &mut Interrupt) -> Result<Option<Zeroizing<String>>, Failure> {
    // Whoever is interrupted gets the terminal back as it was.
    interrupt.watch();
    let line = hidden::line(prompt, interrupt).map_err(|error| {
        Failure::new(
            Kind::Pin,
            format!("a PIN is needed and there is no terminal to ask at ({error}): give it with --pin-fd or --pin-env (a new one with --new-pin-fd or --new-pin-env)"),
        )
    })?;
    Ok(line.filter(|text| !text.is_empty()))
}

fn variable(name: &str, what: &str) -> Result<Zeroizing<String>, Failure> {
    let text = std::env::var_os(name).ok_or_else(|| {
        Failure::usage(format!("there is no environment variable {name}: export it, or name another one"))
    })?;
    let text =
        text.into_string().map_err(|_| Failure::usage(format!("the {what} in {name} is no UTF-8 text")))?;
    Ok(Zeroizing::new(text))
}

/// Byte by byte, so that nothing behind the line is taken, and nothing is left in a buffer.
fn read_line(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    // With room from the start, so that growing leaves no copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    while line.len() < LONGEST && file.read(byte.as_mut_slice())? == 1 && *byte != *b"\n" {
        line.extend_from_slice(byte.as_slice());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

#[cfg(unix)]
fn open(number: u32) -> io::Result<File> {
    use std::os::fd::AsFd as _;
    if number == 0 {
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    File::open(format!("/dev/fd/{number}"))
}

#[cfg(windows)]
fn open(number: u32) -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    if number == 0 {
        return Ok(io::stdin().as_handle().try_clone_to_owned()?.into());
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "only 0 can be read here"))
}

/// Much longer than a PIN can be, which is 63 bytes, or a passphrase.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn file(content: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("keywright-pin-{}-{:p}", std::process::id(), content));
        let mut options = File::options();
        let mut file = options.read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn two_pins_are_two_lines_of_one_descriptor() {
        let mut descriptors = Descriptors(vec![(7, file(b"1234\r\n56789"))]);
        assert_eq!(descriptors.line(7, "PIN").unwrap().as_str(), "1234");
        assert_eq!(descriptors.line(7, "PIN").unwrap().as_str(), "56789");
        assert_eq!(descriptors.line(7, "PIN").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        let mut descriptors = Descriptors(vec![
            (3, file(b"\n1234\n")),
            (4, file(b"\xff\xfe12\n")),
            (5, file(b"")),
            (6, file(b"12\n")),
        ]);
        for number in [3, 4, 5] {
            assert_eq!(descriptors.line(number, "PIN").unwrap_err().kind(), Kind::Usage, "{number}");
        }
        assert_eq!(Source::Descriptor(6).read(&mut descriptors).unwrap_err().kind(), Kind::Pin);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_for_ever() {
        let mut descriptors = Descriptors(vec![(3, file(&[b'1'; 2 * LONGEST]))]);
        assert_eq!(descriptors.line(3, "PIN").unwrap().len(), LONGEST);
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_told() {
        let error = Descriptors::default().line(987, "PIN").unwrap_err();
        assert!(error.to_string().starts_with("descriptor 987: "), "{error}");
    }
}
