//! An archive that somebody else wrote, unpacked into a directory and never outside of it.
//!
//! Names are looked up one by one relative to an open directory, and no link is followed, whether
//! the archive made it or it was there. Files appear whole under their names or not at all. What is
//! made belongs to the caller; set-id and sticky bits are dropped, as are owners and extended
//! attributes; FIFOs and devices are left out. A symbolic link is made as it is, wherever it leads:
//! whoever follows it later has to look.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::context::copy::Top;
use crate::context::destination::Attributes;
use crate::context::destination::Destination;
use crate::context::destination::Overwrite;
use crate::context::entries::Entries;
use crate::context::entries::Entry;
use crate::context::entries::EntryKind;
use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::tree::FileId;
use crate::context::tree::as_path;
use crate::context::tree::names;

/// Files that a hard link may lead to, those that were made first: a bound for memory.
const MAX_LINKABLE: usize = 1 << 20;

/// Of what was skipped, so many are named.
const NAMED_SKIPPED: usize = 5;

/// What was unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unpacked {
    /// Files, directories and links.
    pub entries: u64,
    /// How many FIFOs and devices were left out.
    pub skipped: u64,
    /// The first few of them, as the archive has them, not escaped.
    pub skipped_paths: Vec<PathBuf>,
}

/// Unpacks an archive into a directory that is open. Blocks; keeps no content in memory.
///
/// # Errors
///
/// The archive is none, ends early, or does not fit `top`; a name leads out of the directory; a hard
/// link leads to what this archive did not bring; something of another kind is in the way; and errors
/// of the reader and of the file system. What was made before stays.
pub fn unpack(
    archive: impl Read,
    directory: File,
    top: Top,
    overwrite: Overwrite,
) -> Result<Unpacked, Error> {
    let mut entries = Entries::new(archive);
    let mut unpacking = Unpacking {
        destination: Destination::new(directory.into(), overwrite),
        top,
        seen: None,
        linkable: HashSet::new(),
        unpacked: Unpacked::default(),
    };
    while let Some(entry) = entries.next()? {
        unpacking.entry(&entry, &mut entries)?;
    }
    unpacking.finish()?;
    entries.drain()?;
    Ok(unpacking.unpacked)
}

struct Unpacking {
    destination: Destination,
    top: Top,
    /// What the archive calls its top.
    seen: Option<Vec<u8>>,
    /// The files that were made.
    linkable: HashSet<FileId>,
    unpacked: Unpacked,
}

impl Unpacking {
    fn entry<R: Read>(&mut self, entry: &Entry, content: &mut Entries<R>) -> Result<(), Error> {
        let refuse = |what| Error::new(Kind::Refused(what), as_path(&entry.path));
        let path = parts(&entry.path).map_err(refuse)?;
        let Some(first) = path.first() else {
            // The directory itself.
            return match entry.kind {
                EntryKind::Directory => Ok(()),
                _ => Err(refuse("entry without a name")),
            };
        };
        if self.top != Top::Contents && self.seen.as_ref().is_some_and(|seen| seen != first) {
            return Err(refuse("more than what was asked for"));
        }
        let is_top = path.len() == 1;
        match &self.top {
            Top::File(_) if !is_top || entry.kind != EntryKind::File || self.seen.is_some() => {
                return Err(refuse("more than the file that was asked for"));
            }
            Top::Directory(_) if is_top && entry.kind != EntryKind::Directory => {
                return Err(refuse("not the directory that was asked for"));
            }
            _ => {}
        }
        self.seen.get_or_insert_with(|| first.clone());
        let path = self.mapped(path)?;
        let attributes = Attributes {
            mode: entry.mode & 0o777,
            mtime: entry.mtime,
        };
        let target = || c_string(&entry.target).map_err(refuse);
        self.unpacked.entries += 1;
        match entry.kind {
            EntryKind::Directory => self.destination.directory(&path, attributes),
            EntryKind::File => {
                let made = self.destination.file(&path, attributes, content)?;
                if self.linkable.len() < MAX_LINKABLE {
                    self.linkable.insert(made);
                }
                Ok(())
            }
            EntryKind::Symlink if entry.target.is_empty() => Err(refuse("link to nowhere")),
            EntryKind::Symlink => self.destination.symlink(&path, &target()?, attributes),
            EntryKind::HardLink => {
                let to = parts(&entry.target).map_err(refuse)?;
                if self.top != Top::Contents && to.first() != self.seen.as_ref() {
                    return Err(refuse("hard link to what the archive did not bring"));
                }
                let to = self.mapped(to)?;
                // A link to anything else would give a file of the person's another name.
                let linkable = |found| self.linkable.contains(&found);
                self.destination.hard_link(&path, &to, linkable)
            }
            EntryKind::Special => {
                self.unpacked.entries -= 1;
                self.unpacked.skipped += 1;
                if self.unpacked.skipped_paths.len() < NAMED_SKIPPED {
                    let path = as_path(&entry.path).to_owned();
                    self.unpacked.skipped_paths.push(path);
                }
                Ok(())
            }
        }
    }

    /// The path in the directory: with the name that the caller wants at the top.
    fn mapped(&self, mut path: Vec<Vec<u8>>) -> Result<Vec<CString>, Error> {
        if let (Top::File(name) | Top::Directory(name), Some(first)) = (&self.top, path.first_mut())
        {
            *first = name.as_bytes().to_vec();
        }
        path.into_iter()
            .map(|name| {
                c_string(&name).map_err(|what| Error::new(Kind::Refused(what), as_path(&name)))
            })
            .collect()
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.top != Top::Contents && self.seen.is_none() {
            return Err(Error::without_path(Kind::Archive("it is empty")));
        }
        self.destination.leave()
    }
}

/// The names of a path that stays below the directory it is relative to.
fn parts(path: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    if path.starts_with(b"/") {
        return Err("absolute name");
    }
    names(path)
        .map(|name| match name {
            b".." => Err("name that leads out of the archive"),
            name => Ok(name.to_vec()),
        })
        .collect()
}

fn c_string(name: &[u8]) -> Result<CString, &'static str> {
    CString::new(name).map_err(|_| "name with a NUL")
}
