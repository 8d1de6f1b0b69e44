//! `keywright iam backup`.

use std::fmt;
use std::path::PathBuf;

use keywright_iam::DataDirectory;
use serde::Serialize;

use crate::args::iam::Backup;
use crate::failure::Failure;
use crate::output::Output;

/// Copies the database of a data directory, while it is being served or not.
///
/// # Errors
/// If the data cannot be read, or the copy be written.
pub(crate) fn run(arguments: Backup, output: &Output) -> Result<(), Failure> {
    let Backup { file, data } = arguments;
    DataDirectory::new(data.data).backup(&file)?;
    output.answer(&Done { backup: file })
}

#[derive(Serialize)]
struct Done {
    backup: PathBuf,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The database is in {}. seal.key is not part of it: keep that file too, elsewhere.",
            self.backup.display()
        )
    }
}
