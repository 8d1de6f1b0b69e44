//! A folder as a `.tar.gz` that depends on nothing but its files: neither on times nor on who packed it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use super::slashed;

/// Packs the files of `folder` under `name`.
pub(super) fn pack(folder: &Path, name: &str, archive: &Path) -> io::Result<()> {
    let compressed = GzBuilder::new().mtime(0).write(File::create(archive)?, Compression::best());
    let mut builder = Builder::new(compressed);
    for file in files(folder)? {
        let bytes = fs::read(folder.join(&file))?;
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).map_err(io::Error::other)?);
        header.set_mode(if is_program(&file) { 0o755 } else { 0o644 });
        header.set_mtime(0);
        builder.append_data(&mut header, format!("{name}/{}", slashed(&file)), bytes.as_slice())?;
    }
    builder.into_inner()?.finish()?.sync_all()
}

/// The files of a folder, sorted.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut waiting = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                files.push(path.strip_prefix(folder).map_err(io::Error::other)?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn is_program(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "keywright")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive_whenever_they_were_written() {
        let place = std::env::temp_dir().join(format!("keywright-archive-{}", std::process::id()));
        let packed = |order: [&str; 3]| {
            fs::create_dir_all(place.join("in/firmware")).unwrap();
            order.iter().for_each(|name| fs::write(place.join("in").join(name), name).unwrap());
            pack(&place.join("in"), "x", &place.join("x.tar.gz")).unwrap();
            let bytes = fs::read(place.join("x.tar.gz")).unwrap();
            fs::remove_dir_all(&place).unwrap();
            bytes
        };
        let one = packed(["keywright", "firmware/b.uf2", "README.md"]);
        assert_eq!(one, packed(["README.md", "firmware/b.uf2", "keywright"]));
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(one.as_slice()));
        let entries = archive.entries().unwrap().map(|entry| {
            let header = entry.unwrap().header().clone();
            (slashed(&header.path().unwrap()), header.mode().unwrap(), header.mtime().unwrap())
        });
        let expected = [("x/README.md", 0o644), ("x/firmware/b.uf2", 0o644), ("x/keywright", 0o755)];
        assert_eq!(entries.collect::<Vec<_>>(), expected.map(|(path, mode)| (path.to_owned(), mode, 0)));
    }
}
