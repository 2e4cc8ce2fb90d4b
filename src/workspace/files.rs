//! Files of the repository: 0600, whole under their names or not at all.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::workspace::error::Error;
use crate::workspace::error::Result;

/// Makes a file that only its owner reads.
pub(super) fn create(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("create", path))
}

/// Makes a directory, unless it is there.
pub(super) fn directory(path: &Path) -> Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::file("create", path)(error))
        }
        _ => Ok(()),
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::file("create", to))
}

/// Waits until a file or the names in a directory are on disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::file("write", path))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Replaces a file in one step, by way of a temporary name that only the holder of the lock uses.
pub(super) fn replace(path: &Path, temporary: &Path, content: &[u8]) -> Result<()> {
    write(temporary, content)?;
    sync(temporary)?;
    rename(temporary, path)
}

/// As [`replace`], for what may be lost or damaged when the machine stops.
pub(super) fn replace_lightly(path: &Path, temporary: &Path, content: &[u8]) -> Result<()> {
    write(temporary, content)?;
    // Some file systems wait for the disk when one name replaces another.
    remove(path)?;
    rename(temporary, path)
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    remove(path)?;
    create(path)?
        .write_all(content)
        .map_err(Error::file("write", path))
}

/// Reads a file, if it is there.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let mut content = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut content)
        .map_err(Error::file("read", path))?;
    if content.len() as u64 > limit {
        return Err(Error::limit("the size of a file of the repository", limit));
    }
    Ok(Some(content))
}
