//! A directory that files are put into, and nothing outside of it. Somebody else may write there at
//! the same time.

use std::ffi::CStr;
use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_OMIT;
use rustix::io::Errno;

use crate::context::entries::Entries;
use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::tree;
use crate::context::tree::FileId;
use crate::context::tree::Found;
use crate::context::tree::Listing;
use crate::context::tree::Type;
use crate::context::tree::as_path;

/// Each open directory holds a file descriptor; the usual limit is 1024.
const MAX_DEPTH: usize = 256;

/// Names that are taken before it is given up.
const MAX_TRIES: usize = 1000;

/// What may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// A file by a file; a directory is added to.
    SameKind,
    /// Also a directory, with all that is in it, by a file, and a file by a directory.
    AnyKind,
}

/// What a file or directory is given when it is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    /// Permission bits.
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) mtime: i64,
}

/// What a directory gets that no entry speaks of.
const IMPLIED: u32 = 0o755;

/// An open directory, and the way to the one that was last written to.
#[derive(Debug)]
pub(super) struct Destination {
    root: OwnedFd,
    overwrite: Overwrite,
    open: Vec<Open>,
    /// For names that are free.
    temporary: u64,
}

#[derive(Debug)]
struct Open {
    name: CString,
    fd: OwnedFd,
    /// If it was made here; one that was there stays as it is.
    attributes: Option<Attributes>,
}

impl Destination {
    pub(super) fn new(root: OwnedFd, overwrite: Overwrite) -> Self {
        Self {
            root,
            overwrite,
            open: Vec::new(),
            temporary: 0,
        }
    }

    /// Makes a directory, unless it is there.
    pub(super) fn directory(
        &mut self,
        path: &[CString],
        attributes: Attributes,
    ) -> Result<(), Error> {
        let Some((name, parents)) = path.split_last() else {
            return Ok(());
        };
        let shared = self.open.iter().zip(path);
        if shared.filter(|(open, name)| open.name == **name).count() == path.len() {
            // It is on the way to what was written last.
            return Ok(());
        }
        self.enter(parents)?;
        self.descend(name, Some(attributes))
    }

    /// Makes a file of the entry's content, in place of one that was there. Returns which it is.
    pub(super) fn file<R: Read>(
        &mut self,
        path: &[CString],
        attributes: Attributes,
        content: &mut Entries<R>,
    ) -> Result<FileId, Error> {
        let name = self.enter_parent(path)?;
        let failed = |errno: Errno| Error::create(&joined(path), errno);
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let (temporary, fd) = self
            .free_name(|dir, name| rustix::fs::openat(dir, name, flags, mode))
            .map_err(failed)?;
        let written = write_content(&fd, content, &failed)
            .and_then(|()| {
                let id = tree::found_open(&fd, &joined(path))?.id();
                complete(&fd, attributes).map_err(failed)?;
                Ok(id)
            })
            .and_then(|id| {
                self.settle(&temporary, name, path)?;
                Ok(id)
            });
        if written.is_err() {
            self.forget(&temporary);
        }
        written
    }

    /// Makes a symbolic link, in place of a file that was there.
    pub(super) fn symlink(
        &mut self,
        path: &[CString],
        target: &CStr,
        attributes: Attributes,
    ) -> Result<(), Error> {
        let name = self.enter_parent(path)?;
        let (temporary, ()) = self
            .free_name(|dir, name| rustix::fs::symlinkat(target, dir, name))
            .map_err(|errno| Error::create(&joined(path), errno))?;
        let times = times(attributes);
        // A time is not worth a failure.
        let _ = rustix::fs::utimensat(self.dir(), &temporary, &times, AtFlags::SYMLINK_NOFOLLOW);
        let settled = self.settle(&temporary, name, path);
        if settled.is_err() {
            self.forget(&temporary);
        }
        settled
    }

    /// Gives a file another name, in place of a file that was there; `linkable` says whether it is
    /// one that may get it.
    pub(super) fn hard_link(
        &mut self,
        path: &[CString],
        to: &[CString],
        linkable: impl Fn(FileId) -> bool,
    ) -> Result<(), Error> {
        let refuse = || {
            Error::new(
                Kind::Refused("hard link to what the archive did not bring"),
                &joined(path),
            )
        };
        let name = self.enter_parent(path)?;
        let Some((target, parents)) = to.split_last() else {
            return Err(refuse());
        };
        let mut dir = tree::reopen_root(&self.root)?;
        for name in parents {
            dir = open_directory(&dir, name).map_err(|_| refuse())?;
        }
        let (temporary, ()) = self
            .free_name(|here, name| rustix::fs::linkat(&dir, target, here, name, AtFlags::empty()))
            .map_err(|errno| match errno {
                // A directory has one name only.
                Errno::NOENT | Errno::PERM => refuse(),
                errno => Error::create(&joined(path), errno),
            })?;
        // Only what has the new name is what got it.
        let settled = tree::find(self.dir(), &temporary, &joined(path)).and_then(|found| {
            if found.kind() != Type::File || !linkable(found.id()) {
                return Err(refuse());
            }
            self.settle(&temporary, name, path)
        });
        // Of two names for one file, a rename leaves both.
        self.forget(&temporary);
        settled
    }

    /// Completes the directories that are open.
    pub(super) fn leave(&mut self) -> Result<(), Error> {
        self.leave_to(0)
    }

    fn dir(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(&self.root, |open| &open.fd).as_fd()
    }

    fn enter_parent<'a>(&mut self, path: &'a [CString]) -> Result<&'a CStr, Error> {
        let (name, parents) = path
            .split_last()
            .ok_or_else(|| Error::without_path(Kind::Refused("entry without a name")))?;
        self.enter(parents)?;
        Ok(name)
    }

    /// Goes to a directory, making what is missing on the way.
    fn enter(&mut self, path: &[CString]) -> Result<(), Error> {
        let shared = self.open.iter().zip(path);
        let shared = shared.take_while(|(open, name)| open.name == **name);
        let shared = shared.count();
        self.leave_to(shared)?;
        path.iter()
            .skip(shared)
            .try_for_each(|name| self.descend(name, None))
    }

    fn leave_to(&mut self, depth: usize) -> Result<(), Error> {
        while self.open.len() > depth {
            let path = self.path();
            if let Some(open) = self.open.pop()
                && let Some(attributes) = open.attributes
            {
                complete(&open.fd, attributes).map_err(|errno| Error::create(&path, errno))?;
            }
        }
        Ok(())
    }

    fn descend(&mut self, name: &CStr, attributes: Option<Attributes>) -> Result<(), Error> {
        let path = self.path().join(as_path(name.to_bytes()));
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::new(Kind::TooDeep(MAX_DEPTH), &path));
        }
        let failed = |errno| Error::create(&path, errno);
        let make = |dir: BorrowedFd<'_>| rustix::fs::mkdirat(dir, name, Mode::RWXU);
        let mut made = make(self.dir());
        if made == Err(Errno::EXIST) {
            let found = tree::find(self.dir(), name, &path)?;
            made = match (found.kind(), self.overwrite) {
                (Type::Directory, _) => made,
                (_, Overwrite::AnyKind) => {
                    rustix::fs::unlinkat(self.dir(), name, AtFlags::empty()).map_err(failed)?;
                    make(self.dir())
                }
                (kind, Overwrite::SameKind) => {
                    return Err(Error::new(Kind::InTheWay(kind), &path));
                }
            };
        }
        let made = match made {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(errno)),
        };
        let fd = open_directory(self.dir(), name).map_err(failed)?;
        self.open.push(Open {
            name: name.to_owned(),
            fd,
            attributes: made.then_some(attributes).map(|given| {
                given.unwrap_or(Attributes {
                    mode: IMPLIED,
                    mtime: NO_TIME,
                })
            }),
        });
        Ok(())
    }

    /// Makes something under a name that is free.
    fn free_name<T>(
        &mut self,
        mut make: impl FnMut(BorrowedFd<'_>, &CStr) -> Result<T, Errno>,
    ) -> Result<(CString, T), Errno> {
        let process = rustix::process::getpid().as_raw_nonzero();
        for _ in 0..MAX_TRIES {
            self.temporary += 1;
            let name = format!(".stockade-{process}-{}", self.temporary);
            let name = CString::new(name).map_err(|_| Errno::INVAL)?;
            match make(self.dir(), &name) {
                Err(Errno::EXIST) => {}
                result => return result.map(|made| (name, made)),
            }
        }
        Err(Errno::EXIST)
    }

    /// Gives what is complete its name.
    fn settle(&self, temporary: &CStr, name: &CStr, path: &[CString]) -> Result<(), Error> {
        let failed = |errno| Error::create(&joined(path), errno);
        match tree::find(self.dir(), name, &joined(path)) {
            Ok(found) if found.kind() == Type::Directory => {
                if self.overwrite == Overwrite::SameKind {
                    return Err(Error::new(Kind::InTheWay(found.kind()), &joined(path)));
                }
                remove(self.dir(), name, &found, &joined(path))?;
            }
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        rustix::fs::renameat(self.dir(), temporary, self.dir(), name).map_err(failed)
    }

    /// After a failure, or when it has its name already.
    fn forget(&self, temporary: &CStr) {
        let _ = rustix::fs::unlinkat(self.dir(), temporary, AtFlags::empty());
    }

    /// The directory that is open last, relative to the root.
    fn path(&self) -> PathBuf {
        self.open
            .iter()
            .map(|open| as_path(open.name.to_bytes()))
            .collect()
    }
}

/// Stands for "now".
const NO_TIME: i64 = i64::MIN;

fn times(attributes: Attributes) -> Timestamps {
    let at = match attributes.mtime {
        NO_TIME => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        tv_sec => Timespec { tv_sec, tv_nsec: 0 },
    };
    Timestamps {
        last_access: at,
        last_modification: at,
    }
}

/// Sets mode and time of what is open.
fn complete(fd: &OwnedFd, attributes: Attributes) -> Result<(), Errno> {
    // A time is not worth a failure.
    let _ = rustix::fs::futimens(fd, &times(attributes));
    rustix::fs::fchmod(fd, Mode::from_raw_mode(attributes.mode & 0o777))
}

fn write_content<R: Read>(
    fd: &OwnedFd,
    content: &mut Entries<R>,
    failed: &impl Fn(Errno) -> Error,
) -> Result<(), Error> {
    let mut buffer = vec![0; 64 * 1024];
    while content.left() > 0 {
        let got = content.read(&mut buffer)?;
        let mut rest = buffer.get(..got).unwrap_or_default();
        while !rest.is_empty() {
            match rustix::io::write(fd, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
    Ok(())
}

fn open_directory(dir: impl std::os::fd::AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Removes a directory with all that is in it.
fn remove(
    dir: BorrowedFd<'_>,
    name: &CStr,
    found: &Found,
    path: &std::path::Path,
) -> Result<(), Error> {
    let failed = |errno| Error::create(path, errno);
    let root = tree::open_directory(dir, name, found, path)?;
    let listing = Listing::read(&root, path)?;
    let mut open = vec![(name.to_owned(), root, listing)];
    while let Some((_, here, listing)) = open.last_mut() {
        let Some(start) = listing.pop() else {
            let Some((name, _, _)) = open.pop() else {
                break;
            };
            let above = open.last().map_or(dir, |(_, fd, _)| fd.as_fd());
            rustix::fs::unlinkat(above, &name, AtFlags::REMOVEDIR).map_err(failed)?;
            continue;
        };
        let name = listing.name(start).to_owned();
        let found = tree::find(&*here, &name, path)?;
        if found.kind() != Type::Directory {
            rustix::fs::unlinkat(&*here, &name, AtFlags::empty()).map_err(failed)?;
            continue;
        }
        let fd = tree::open_directory(&*here, &name, &found, path)?;
        let listing = Listing::read(&fd, path)?;
        if open.len() >= MAX_DEPTH {
            return Err(Error::new(Kind::TooDeep(MAX_DEPTH), path));
        }
        open.push((name, fd, listing));
    }
    Ok(())
}

fn joined(path: &[CString]) -> PathBuf {
    path.iter().map(|name| as_path(name.to_bytes())).collect()
}
