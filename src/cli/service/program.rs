//! Which `podman` is started.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::trust::{Distrust, Trust, shown};

/// What it is called.
const NAME: &str = "podman";

/// A `podman` that was found and is not used.
#[derive(Debug)]
pub(crate) struct Refused {
    path: PathBuf,
    why: Distrust,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = shown(&self.path);
        let why = self.why.to_string().replace(&path, "it");
        write!(f, "{path} is not used: {why}")
    }
}

/// Finds the first `podman` in a `PATH` that can be trusted, links resolved. What is found before
/// and cannot be trusted is passed over; if there is no other, the first of those is the error.
pub(super) fn find(search: &OsStr, trust: &Trust<'_>) -> Result<PathBuf, Option<Refused>> {
    let mut first = None;
    for entry in std::env::split_paths(search) {
        let path = entry.join(NAME);
        if !exists(&path, trust) {
            continue;
        }
        match vet(&path, trust) {
            Ok(program) => return Ok(program),
            Err(why) => first = first.or(Some(Refused { path, why })),
        }
    }
    Err(first)
}

fn exists(path: &Path, trust: &Trust<'_>) -> bool {
    if path.is_absolute() {
        trust.on_disk(path).symlink_metadata().is_ok()
    } else {
        trust
            .workspace()
            .is_some_and(|directory| trust.on_disk(directory).join(path).is_file())
    }
}

fn vet(path: &Path, trust: &Trust<'_>) -> Result<PathBuf, Distrust> {
    let (program, metadata) = trust.resolve(path)?;
    if !metadata.is_file() {
        return Err(Distrust::NotRegular);
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(Distrust::NotExecutable);
    }
    Ok(program)
}

#[cfg(test)]
mod tests;
