//! A file or directory of the host as an archive, for a copy: all of it, as it is, under a name of
//! the caller's choice. The way back is [`unpack`](crate::context::unpack).

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::context::archive::Archive;
use crate::context::archive::Metadata;
use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::ignore;
use crate::context::ignore::Ignore;
use crate::context::pack::Request;
use crate::context::pack::Summary;
use crate::context::pack::Walk;
use crate::context::select;
use crate::context::tree;
use crate::context::tree::Found;
use crate::context::tree::Reading;
use crate::context::tree::Type;

/// What stands at the top of an archive that is copied, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Top {
    /// One regular file of this name.
    File(OsString),
    /// One directory of this name, with all that is in it.
    Directory(OsString),
    /// What is in a directory, without the directory itself.
    Contents,
}

/// A file or directory that is open.
#[derive(Debug)]
pub struct CopySource {
    file: OwnedFd,
    found: Found,
}

impl CopySource {
    /// Takes what was opened for reading, at its start.
    ///
    /// # Errors
    ///
    /// It is neither a regular file nor a directory. `path` is for the error.
    pub fn new(file: File, path: &Path) -> Result<Self, Error> {
        let found = tree::found_open(&file, path)?;
        match found.kind() {
            Type::File | Type::Directory => Ok(Self {
                file: file.into(),
                found,
            }),
            Type::Link | Type::Special => Err(Error::new(Kind::Special, path)),
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.found.kind() == Type::Directory
    }

    /// Writes the archive: owners, modes and times as they are, links as links, sockets, FIFOs and
    /// devices left out. Blocks; the sink gets pieces of 64 KiB.
    ///
    /// # Errors
    ///
    /// `top` does not fit what is copied; anything that cannot be read, or changes while it is read;
    /// errors of the sink. The archive then has no end.
    pub fn write(self, top: &Top, sink: impl Write) -> Result<Summary, Error> {
        let mut archive = Archive::new(sink);
        let attributes = Metadata::Kept.of(&self.found);
        let prefix = match (top, self.is_directory()) {
            (Top::File(name), false) => {
                let reading = Reading::new(self.file, self.found);
                archive.file(
                    name.as_bytes(),
                    attributes,
                    reading,
                    Path::new(name),
                    |_| (),
                )?;
                return Ok(Summary {
                    entries: 1,
                    bytes: archive.finish()?,
                    ..Summary::default()
                });
            }
            (Top::Directory(name), true) => {
                archive.directory(name.as_bytes(), attributes)?;
                name.as_bytes()
            }
            (Top::Contents, true) => b"",
            (Top::File(name) | Top::Directory(name), _) => {
                return Err(Error::new(Kind::Changed, Path::new(name)));
            }
            (Top::Contents, false) => return Err(Error::new(Kind::Changed, Path::new("."))),
        };
        let nothing = Ignore::default();
        let request = Request {
            root: &self.file,
            ignore: ignore::Level::root(&nothing),
            select: select::Level::everything(&[]),
            always: select::Level::only(&[]),
            reserved: None,
            expected: None,
            prefix,
            metadata: Metadata::Kept,
        };
        let (mut summary, _) = Walk::new(request, archive, None)?.run()?;
        summary.entries += u64::from(!prefix.is_empty());
        Ok(summary)
    }
}
