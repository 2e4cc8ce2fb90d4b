//! Reading a directory tree without ever following a link in it: names are looked up one by one,
//! relative to an open directory. The tree is hostile; what it was a moment ago may be gone.

#[cfg(test)]
mod tests;

use std::ffi::CStr;
use std::ffi::OsStr;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RawDir;
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::context::error::Error;
use crate::context::error::Kind;

/// The longest path that Linux takes in one call, and so what can be unpacked (bytes).
pub(super) const MAX_PATH: usize = 4095;

/// As the kernel: more links than this in one path are a loop.
const MAX_LINKS: usize = 40;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Directory,
    File,
    Link,
    /// Socket, FIFO or device.
    Special,
}

/// A file's identity on this machine: device and inode.
pub(super) type FileId = (u64, u64);

/// What is known of a name before it is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    stat: Stat,
}

impl Found {
    pub(super) fn kind(&self) -> Type {
        match FileType::from_raw_mode(self.stat.st_mode) {
            FileType::Directory => Type::Directory,
            FileType::RegularFile => Type::File,
            FileType::Symlink => Type::Link,
            _ => Type::Special,
        }
    }

    /// Permission, set-id and sticky bits.
    pub(super) fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// User and group id.
    pub(super) fn owner(&self) -> (u32, u32) {
        (self.stat.st_uid, self.stat.st_gid)
    }

    /// When the content last changed, in seconds since 1970, and not before.
    pub(super) fn mtime(&self) -> u64 {
        u64::try_from(self.stat.st_mtime).unwrap_or(0)
    }

    pub(super) fn id(&self) -> FileId {
        (self.stat.st_dev, self.stat.st_ino)
    }

    pub(super) fn has_hard_links(&self) -> bool {
        self.stat.st_nlink > 1
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// Equal as long as the content is, as far as the file system tells: size, times of
    /// modification and change, identity, as one number.
    pub(super) fn version(&self) -> u64 {
        let stat = &self.stat;
        let mut hasher = DefaultHasher::new();
        (self.id(), stat.st_size).hash(&mut hasher);
        (
            stat.st_mtime,
            stat.st_mtime_nsec,
            stat.st_ctime,
            stat.st_ctime_nsec,
        )
            .hash(&mut hasher);
        hasher.finish()
    }
}

/// Looks a name up without following it; `path` is for the error.
pub(super) fn find(dir: impl AsFd, name: &CStr, path: &Path) -> Result<Found, Error> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Found { stat }),
        Err(errno) => Err(Error::read(path, errno)),
    }
}

/// As [`find`], for a name that was listed a moment ago.
pub(super) fn find_again(dir: impl AsFd, name: &CStr, path: &Path) -> Result<Found, Error> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Found { stat }),
        Err(errno) => Err(Error::reread(path, errno)),
    }
}

/// What an open file is; `path` is for the error.
pub(super) fn found_open(fd: impl AsFd, path: &Path) -> Result<Found, Error> {
    match rustix::fs::fstat(fd) {
        Ok(stat) => Ok(Found { stat }),
        Err(errno) => Err(Error::read(path, errno)),
    }
}

/// Opens the context's root, following links in its path: the person's word.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::read(path, errno))
}

/// The root once more, with a reading position of its own.
pub(super) fn reopen_root(root: &OwnedFd) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(root, c".", flags, Mode::empty())
        .map_err(|errno| Error::read(as_path(b"."), errno))
}

/// Opens a directory that was found, and makes sure that it is that one.
pub(super) fn open_directory(
    dir: impl AsFd,
    name: &CStr,
    found: &Found,
    path: &Path,
) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::empty())
        .map_err(|errno| Error::reread(path, errno))?;
    if found_open(&fd, path)?.id() == found.id() {
        Ok(fd)
    } else {
        Err(Error::new(Kind::Changed, path))
    }
}

/// The target of a link.
pub(super) fn read_link(dir: impl AsFd, name: &CStr, path: &Path) -> Result<Vec<u8>, Error> {
    rustix::fs::readlinkat(dir, name, Vec::new())
        .map(std::ffi::CString::into_bytes)
        .map_err(|errno| Error::reread(path, errno))
}

/// A regular file that is read once, from start to end, and has to stay as it was found.
#[derive(Debug)]
pub(super) struct Reading {
    fd: OwnedFd,
    found: Found,
    left: u64,
}

impl Reading {
    pub(super) fn open(
        dir: impl AsFd,
        name: &CStr,
        found: &Found,
        path: &Path,
    ) -> Result<Self, Error> {
        // NONBLOCK: had it become a FIFO by now, opening would wait for a writer.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, name, flags, Mode::empty())
            .map_err(|errno| Error::reread(path, errno))?;
        let opened = found_open(&fd, path)?;
        if opened.kind() != Type::File || opened.id() != found.id() {
            return Err(Error::new(Kind::Changed, path));
        }
        Ok(Self::new(fd, opened))
    }

    /// Of a file that is open, at its start.
    pub(super) fn new(fd: OwnedFd, found: Found) -> Self {
        Self {
            fd,
            found,
            left: found.size(),
        }
    }

    /// As it was when opened.
    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// Bytes still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Reads up to `buffer.len()` bytes; at least one while some are left.
    pub(super) fn read(&mut self, buffer: &mut [u8], path: &Path) -> Result<usize, Error> {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = buffer.get_mut(..want).unwrap_or_default();
        let got = read_some(&self.fd, buffer, path)?;
        if got == 0 && want > 0 {
            // Shorter than it was.
            return Err(Error::new(Kind::Changed, path));
        }
        self.left -= got as u64;
        Ok(got)
    }

    /// Makes sure that this was all of it and that nothing changed meanwhile.
    pub(super) fn finish(self, path: &Path) -> Result<(), Error> {
        let more = read_some(&self.fd, &mut [0], path)?;
        let found = found_open(&self.fd, path)?;
        if more == 0 && self.left == 0 && self.found.version() == found.version() {
            Ok(())
        } else {
            Err(Error::new(Kind::Changed, path))
        }
    }
}

fn read_some(fd: &OwnedFd, buffer: &mut [u8], path: &Path) -> Result<usize, Error> {
    loop {
        match rustix::io::read(fd, &mut *buffer) {
            Err(Errno::INTR) => {}
            result => return result.map_err(|errno| Error::read(path, errno)),
        }
    }
}

/// The names in a directory, sorted by their bytes. One allocation for all of them: a directory may
/// hold very many.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Each name with its NUL.
    names: Vec<u8>,
    /// Where each name begins; the last one first, so that `next` can pop.
    starts: Vec<u32>,
}

impl Listing {
    pub(super) fn read(dir: impl AsFd, path: &Path) -> Result<Self, Error> {
        let mut listing = Self::default();
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut entries = RawDir::new(dir, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|errno| Error::read(path, errno))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let start = u32::try_from(listing.names.len())
                .map_err(|_| Error::new(Kind::TooManyNames, path))?;
            listing.starts.push(start);
            listing.names.extend_from_slice(name.to_bytes_with_nul());
        }
        let mut starts = std::mem::take(&mut listing.starts);
        starts.sort_unstable_by(|a, b| listing.name(*b).cmp(listing.name(*a)));
        starts.shrink_to_fit();
        listing.starts = starts;
        Ok(listing)
    }

    /// Moves to the next name.
    pub(super) fn pop(&mut self) -> Option<u32> {
        self.starts.pop()
    }

    pub(super) fn name(&self, start: u32) -> &CStr {
        let rest = usize::try_from(start)
            .ok()
            .and_then(|start| self.names.get(start..));
        rest.and_then(|rest| CStr::from_bytes_until_nul(rest).ok())
            .unwrap_or_default()
    }
}

/// A path below the root as text for errors and names for look-up.
pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

/// Where a path (relative to the root) leads when links in it are followed, with the root as `/`:
/// the real path below the root, and what is there. `None` if there is nothing at the path itself.
pub(super) fn resolve(root: &OwnedFd, path: &[u8]) -> Result<Option<(PathBuf, Found)>, Error> {
    let mut links = 0;
    let mut pending: Vec<Vec<u8>> = names(path).rev().map(<[u8]>::to_vec).collect();
    let mut dirs: Vec<OwnedFd> = Vec::new();
    let mut real: Vec<Vec<u8>> = Vec::new();
    while let Some(name) = pending.pop() {
        if name == b".." {
            dirs.pop();
            real.pop();
            continue;
        }
        let dir = dirs.last().unwrap_or(root).as_fd();
        let missing = || match links {
            0 => Ok(None),
            _ => Err(Error::new(Kind::DanglingLink, as_path(path))),
        };
        let Ok(c_name) = std::ffi::CString::new(name.clone()) else {
            return missing();
        };
        let found = match find(dir, &c_name, as_path(path)) {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return missing(),
            Err(error) => return Err(error),
        };
        match found.kind() {
            Type::Link => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Error::new(Kind::DanglingLink, as_path(path)));
                }
                let target = read_link(dir, &c_name, as_path(path))?;
                if target.starts_with(b"/") {
                    dirs.clear();
                    real.clear();
                }
                pending.extend(names(&target).rev().map(<[u8]>::to_vec));
            }
            Type::Directory if !pending.is_empty() => {
                dirs.push(open_directory(dir, &c_name, &found, as_path(path))?);
                real.push(name);
            }
            _ if pending.is_empty() => {
                real.push(name);
                let real = real.join(&b'/');
                return Ok(Some((as_path(&real).to_owned(), found)));
            }
            _ => return missing(),
        }
    }
    // The path leads to the root itself.
    let found = found_open(root, as_path(path))?;
    Ok(Some((as_path(&real.join(&b'/')).to_owned(), found)))
}

/// The names of a path, without `.` and empty ones.
pub(super) fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

/// Reads a small regular file below the root, no link followed.
pub(super) fn read_file(root: &OwnedFd, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let bytes = path.as_os_str().as_bytes();
    let mut dir = root.try_clone().map_err(|error| Error::read(path, error))?;
    let mut pending = names(bytes).peekable();
    while let Some(name) = pending.next() {
        let name = std::ffi::CString::new(name)
            .map_err(|_| Error::read(path, io::Error::from(io::ErrorKind::InvalidInput)))?;
        let found = find(&dir, &name, path)?;
        if pending.peek().is_some() {
            dir = open_directory(&dir, &name, &found, path)?;
            continue;
        }
        if found.kind() != Type::File {
            return Err(Error::new(Kind::NotRegular, path));
        }
        let mut reading = Reading::open(&dir, &name, &found, path)?;
        if reading.left() > limit {
            return Err(Error::new(Kind::TooLarge(limit), path));
        }
        let mut content = Vec::new();
        let mut buffer = [0; 8192];
        while reading.left() > 0 {
            let got = reading.read(&mut buffer, path)?;
            content.extend_from_slice(buffer.get(..got).unwrap_or_default());
        }
        reading.finish(path)?;
        return Ok(content);
    }
    Err(Error::new(Kind::NotRegular, path))
}
