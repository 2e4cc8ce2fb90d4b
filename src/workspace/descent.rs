//! Where a walk stands. A tree may be deeper than there are descriptors: only the lowest directories
//! stay open, and those above are found again on the way up.

use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::FileId;
use crate::workspace::disk::Root;

/// Directories that stay open.
const WINDOW: usize = 48;

#[derive(Debug)]
struct Level {
    /// Empty for the root.
    name: CString,
    id: FileId,
    fd: Option<Arc<OwnedFd>>,
}

/// The way from the root to a directory.
#[derive(Debug)]
pub(super) struct Descent<'a> {
    root: &'a Root,
    levels: Vec<Level>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(root: &'a Root) -> Result<Self, Errno> {
        let fd = Some(Arc::new(root.reopen()?));
        let level = Level {
            name: CString::default(),
            id: root.id,
            fd,
        };
        Ok(Self {
            root,
            levels: vec![level],
        })
    }

    /// Levels below the root.
    pub(super) fn depth(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// The directory, unless it was lost: moved away while below it.
    pub(super) fn here(&self) -> Result<&Arc<OwnedFd>, Errno> {
        let level = self.levels.last();
        level
            .and_then(|level| level.fd.as_ref())
            .ok_or(Errno::STALE)
    }

    /// Goes down into a directory that was opened in this one.
    pub(super) fn enter(&mut self, name: &CStr, id: FileId, fd: OwnedFd) {
        self.levels.push(Level {
            name: name.to_owned(),
            id,
            fd: Some(Arc::new(fd)),
        });
        // The root is never closed, so that the way down can always be taken anew.
        let above = self.levels.len().checked_sub(WINDOW + 1);
        if let Some(level) = above
            .filter(|at| *at > 0)
            .and_then(|at| self.levels.get_mut(at))
        {
            level.fd = None;
        }
    }

    /// Goes up.
    pub(super) fn leave(&mut self) {
        let Some(below) = self.levels.pop() else {
            return;
        };
        if self.levels.last().is_some_and(|level| level.fd.is_none()) {
            let found = below.fd.and_then(|fd| self.above(&fd).ok());
            let found = found.or_else(|| self.again().ok());
            if let Some(level) = self.levels.last_mut() {
                level.fd = found.map(Arc::new);
            }
        }
    }

    /// The directory above an open one, if it is still the one that was come from.
    fn above(&self, fd: &OwnedFd) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(fd, c"..", flags, Mode::empty())?;
        let id = disk::found(&fd)?.id;
        match self.levels.last() {
            Some(level) if level.id == id => Ok(fd),
            _ => Err(Errno::STALE),
        }
    }

    /// The lowest directory, from the root down.
    fn again(&self) -> Result<OwnedFd, Errno> {
        let mut fd = self.root.reopen()?;
        for level in self.levels.iter().skip(1) {
            fd = disk::open_directory(&fd, &level.name, level.id)?;
        }
        Ok(fd)
    }
}
