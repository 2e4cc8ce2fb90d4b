//! `stockade.toml`: the flags of `ralph` in a file, beside what is worked on. An agent may have written
//! it, so that without the person's trust it can only lower limits.

mod loosens;
mod trust;
mod words;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::{CliError, CliResult};
use super::exit::Exit;
use crate::sandbox::host_path::{FileIdentity, FileKind, HostPath};

pub(crate) use loosens::loosens;
pub(crate) use trust::Store;
pub(crate) use words::{for_phase, phases, words};

/// What it is called.
pub(crate) const FILE: &str = "stockade.toml";
/// The longest that is read, in bytes.
const MAX: u64 = 64 << 10;

/// A configuration as it was read, once: what is trusted is what is used.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// Exactly.
    pub(crate) text: String,
    /// What it says.
    pub(crate) table: toml::Table,
    /// The directory that it is in, without a link.
    pub(crate) directory: PathBuf,
    /// Which that is.
    pub(crate) identity: FileIdentity,
}

impl Configuration {
    /// Reads that of a directory; `None` if there is none.
    ///
    /// # Errors
    /// It is a link or no file, too long, or no TOML that a configuration can be.
    pub(crate) fn read(directory: &Path) -> CliResult<Option<Self>> {
        let heading = format!("cannot use `{}`", directory.join(FILE).display());
        let fault = |error: &(dyn std::error::Error + 'static)| {
            CliError::context(Exit::Usage, heading.clone(), error)
        };
        let refuse = |why: &str| {
            let mut error = CliError::new(Exit::Usage, heading.clone());
            error.causes.push(why.to_owned());
            error
        };
        let within = HostPath::resolve(directory, directory).map_err(|e| fault(&e))?;
        match within.path().join(FILE).symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(&error)),
            Ok(found) if found.is_symlink() => {
                return Err(refuse("it is a symbolic link, and somebody else's words"));
            }
            Ok(_) => {}
        }
        let found = HostPath::resolve(Path::new(FILE), within.path()).map_err(|e| fault(&e))?;
        if found.kind() != FileKind::Regular {
            return Err(refuse("it is no regular file"));
        }
        let file = found.open().map_err(|e| fault(&e))?;
        let mut text = String::new();
        let read = file.take(MAX + 1).read_to_string(&mut text);
        read.map_err(|e| fault(&e))?;
        if text.len() as u64 > MAX {
            return Err(refuse("it is longer than 64 KiB"));
        }
        let table: toml::Table = text.parse().map_err(|e| fault(&e))?;
        Ok(Some(Self {
            text,
            table,
            directory: within.path().to_owned(),
            identity: within.identity(),
        }))
    }
}

#[cfg(test)]
mod tests;
