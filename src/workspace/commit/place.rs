//! The person's `.git` on disk: names are looked up one by one, no link is followed, and a file is replaced
//! by its `.lock`, as git does it.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::workspace::disk::{self, Root, Type};
use crate::workspace::error::{Error, Result};

/// An open directory.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fd: OwnedFd,
    pub(super) path: PathBuf,
}

/// A name without NUL, as one from a checkpoint is.
pub(super) fn c_name(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}

/// Makes a file that is not there.
pub(super) fn create(dir: impl AsFd, name: &CStr, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, mode)
}

impl Place {
    /// The repository's own directory.
    pub(super) fn open(root: &Root) -> Result<Self> {
        let path = root.path.join(".git");
        let fd = disk::open(&root.fd, c".git", OFlags::RDONLY | OFlags::DIRECTORY);
        Ok(Self {
            fd: fd.map_err(Error::file("open", &path))?,
            path,
        })
    }

    /// A directory in it, which may be made.
    pub(super) fn enter(&self, name: &[u8], make: bool) -> Result<Self> {
        let path = self.path.join(OsStr::from_bytes(name));
        let name = c_name(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut fd = disk::open(&self.fd, &name, flags);
        if make && matches!(fd, Err(Errno::NOENT)) {
            match rustix::fs::mkdirat(&self.fd, &name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => fd = disk::open(&self.fd, &name, flags),
                Err(errno) => fd = Err(errno),
            }
        }
        Ok(Self {
            fd: fd.map_err(Error::file("open", &path))?,
            path,
        })
    }

    /// The directory of a path of several names, and the last of them.
    pub(super) fn above(&self, path: &[u8], make: bool) -> Result<(Self, CString)> {
        let mut names: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
        let last = c_name(names.pop().unwrap_or_default());
        let fd = self
            .fd
            .try_clone()
            .map_err(Error::file("open", &self.path))?;
        let mut place = Self {
            fd,
            path: self.path.clone(),
        };
        for name in names {
            place = place.enter(name, make)?;
        }
        Ok((place, last))
    }

    /// A file of several names, if it is there.
    pub(super) fn read(&self, path: &[u8], limit: u64) -> Result<Option<Vec<u8>>> {
        let whole = self.path.join(OsStr::from_bytes(path));
        let open = || -> Result<_> {
            let (place, name) = self.above(path, false)?;
            disk::open(&place.fd, &name, OFlags::RDONLY).map_err(Error::file("open", &whole))
        };
        let fd = match open() {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let is_file = disk::found(&fd).is_ok_and(|found| found.kind == Type::File);
        let mut content = Vec::new();
        File::from(fd)
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(Error::file("read", &whole))?;
        if !is_file || content.len() as u64 > limit {
            return Err(Error::unsafe_at(&whole, "not a file of git"));
        }
        Ok(Some(content))
    }

    /// Adds to a file, which is made if it is not there.
    pub(super) fn append(&self, path: &[u8], line: &[u8]) -> Result<()> {
        let (place, name) = self.above(path, true)?;
        let whole = self.path.join(OsStr::from_bytes(path));
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(0o666);
        let fd = rustix::fs::openat(&place.fd, &name, flags, mode);
        let fd = fd.map_err(Error::file("open", &whole))?;
        // Another name of it may be anywhere.
        if !disk::found(&fd).is_ok_and(|found| found.kind == Type::File && found.links == 1) {
            return Err(Error::unsafe_at(&whole, "not a file of git alone"));
        }
        let mut file = File::from(fd);
        file.write_all(line).map_err(Error::file("write", &whole))
    }

    /// Takes the lock of a file.
    pub(super) fn lock(&self, path: &[u8]) -> Result<Lock> {
        let (place, name) = self.above(path, true)?;
        let lock = c_name(&[name.to_bytes(), b".lock"].concat());
        let whole = place.path.join(OsStr::from_bytes(lock.to_bytes()));
        match create(&place.fd, &lock, Mode::from_raw_mode(0o666)) {
            Ok(fd) => Ok(Lock {
                place,
                name,
                lock,
                file: File::from(fd),
                path: whole,
                is_done: false,
            }),
            Err(Errno::EXIST) => Err(Error::refused(format!(
                "another process works on the repository, or was killed doing so: {whole:?} is there"
            ))),
            Err(errno) => Err(Error::file("create", &whole)(errno)),
        }
    }
}

/// A file's lock, which becomes the file or goes.
#[derive(Debug)]
pub(super) struct Lock {
    place: Place,
    name: CString,
    lock: CString,
    file: File,
    path: PathBuf,
    is_done: bool,
}

impl Lock {
    pub(super) fn write(&mut self, content: &[u8]) -> Result<()> {
        self.file
            .write_all(content)
            .and_then(|()| self.file.sync_data())
            .map_err(Error::file("write", &self.path))
    }

    /// Puts it in the place of the file.
    pub(super) fn finish(mut self) -> Result<()> {
        rustix::fs::renameat(&self.place.fd, &self.lock, &self.place.fd, &self.name)
            .map_err(Error::file("create", &self.path))?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_done {
            // It may be gone.
            let _ = rustix::fs::unlinkat(&self.place.fd, &self.lock, AtFlags::empty());
        }
    }
}
