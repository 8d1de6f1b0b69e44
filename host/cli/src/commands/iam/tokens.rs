//! `keywright iam tokens`.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use keywright_iam::{DataDirectory, Imported, Token};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::iam::Tokens;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Imports or lists the hardware TOTP tokens of a data directory.
///
/// # Errors
/// If the file or the data cannot be used.
pub(crate) fn run(command: Tokens, output: &Output) -> Result<(), Failure> {
    match command {
        Tokens::Import { file, data } => {
            let text = read(&file)?;
            output.answer(&Done(DataDirectory::new(data.data).import_tokens(&text)?))
        }
        Tokens::List(data) => output.answer(&List { tokens: DataDirectory::new(data.data).tokens()? }),
    }
}

/// The file's text, which holds secrets.
fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: &dyn fmt::Display| Failure::new(Kind::Usage, format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| failed(&error))?;
    // Room for all of it: text that grows would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LARGEST));
    let length = file.take(LARGEST as u64).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if length == LARGEST {
        return Err(failed(&"a file of tokens is smaller than 4 MiB: import it in parts"));
    }
    Ok(text)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Done(Imported);

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imported {}; {} were there already.", self.0.imported, self.0.already)
    }
}

#[derive(Serialize)]
struct List {
    tokens: Vec<Token>,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tokens.is_empty() {
            return write!(
                f,
                "There are no hardware tokens: `keywright iam tokens import` takes them from a file."
            );
        }
        for Token { serial, user } in &self.tokens {
            writeln!(f, "{serial}  {}", user.as_deref().unwrap_or("(nobody's)"))?;
        }
        Ok(())
    }
}

const LARGEST: usize = 4 * 1024 * 1024;
