//! The hostile tree on disk: names are looked up one by one relative to an open directory, no link
//! is followed, no mount point crossed, and what is opened is what was found.

use std::ffi::CStr;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RawDir;
use rustix::fs::ResolveFlags;
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::workspace::error::Error;
use crate::workspace::error::Result;

/// A block as `stat` counts, in bytes.
const BLOCK: u64 = 512;

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// A moment as a file system has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Directory,
    File,
    Link,
    Special,
}

/// What a name stood for at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Type,
    /// Permission, set-id and sticky bits.
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) id: FileId,
    pub(super) links: u64,
    pub(super) size: u64,
    /// Bytes that it takes on its disk.
    pub(super) disk: u64,
    pub(super) mtime: Time,
    pub(super) ctime: Time,
}

#[expect(
    clippy::unnecessary_cast,
    reason = "the fields' types differ between architectures"
)]
impl From<Stat> for Found {
    fn from(stat: Stat) -> Self {
        Self {
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Type::Directory,
                FileType::RegularFile => Type::File,
                FileType::Symlink => Type::Link,
                _ => Type::Special,
            },
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid, stat.st_gid),
            id: (stat.st_dev as u64, stat.st_ino as u64),
            links: stat.st_nlink as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            disk: u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK,
            mtime: Time {
                seconds: stat.st_mtime as i64,
                nanoseconds: stat.st_mtime_nsec as u32,
            },
            ctime: Time {
                seconds: stat.st_ctime as i64,
                nanoseconds: stat.st_ctime_nsec as u32,
            },
        }
    }
}

impl Found {
    /// Nothing that was read has changed since.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let version = |found: &Self| (found.kind, found.id, found.size, found.mtime, found.ctime);
        version(self) == version(other)
    }
}

/// Looks a name up without following it.
pub(super) fn find(dir: impl AsFd, name: &CStr) -> Result<Found, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(Found::from)
}

/// What is open.
pub(super) fn found(fd: impl AsFd) -> Result<Found, Errno> {
    rustix::fs::fstat(fd).map(Found::from)
}

/// A directory that the person named.
#[derive(Debug)]
pub struct Root {
    pub(super) fd: OwnedFd,
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    /// If its owner, who is us, had closed it to itself: an agent may own the top, too.
    pub(super) opened: Option<Arc<OpenedUp>>,
}

impl Root {
    /// Opens a directory; links in its path are followed, this once. One that we own and that is closed to us is opened
    /// up for as long as this lives.
    ///
    /// # Errors
    ///
    /// It is none or cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut fd = rustix::fs::open(path, flags, Mode::empty());
        let closed = match &fd {
            Ok(fd) => !is_usable(fd, false),
            Err(errno) => *errno == Errno::ACCESS,
        };
        let mut opened = None;
        if closed && let Some(up) = OpenedUp::top(path) {
            // What was opened up, whatever is at the path by now.
            fd = rustix::fs::openat(&up.path, c".", flags, Mode::empty());
            opened = Some(Arc::new(up));
        }
        Self::of(fd.map_err(Error::file("open", path))?, path, opened)
    }

    /// The same; one that is closed to us stays so, and cannot be opened.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_as_it_is(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(Error::file("open", path))?;
        Self::of(fd, path, None)
    }

    fn of(fd: OwnedFd, path: &Path, opened: Option<Arc<OpenedUp>>) -> Result<Self> {
        let found = found(&fd).map_err(Error::file("open", path))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
            id: found.id,
            opened,
        })
    }

    /// Device and inode, to be compared with what was mounted.
    pub fn id(&self) -> (u64, u64) {
        self.id
    }

    /// Waits until all that was written on its file system is on disk.
    ///
    /// # Errors
    ///
    /// Some of it could not be written.
    pub fn sync(&self) -> Result<()> {
        #[cfg(test)]
        SYNCED.with_borrow_mut(|synced| synced.push(self.id));
        rustix::fs::syncfs(&self.fd).map_err(Error::file("write", &self.path))
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is, with the mode that it has when nobody has opened it up.
    pub(super) fn found(&self) -> Result<Found, Errno> {
        let mut found = found(&self.fd)?;
        if let Some(opened) = &self.opened {
            found.mode = opened.mode();
        }
        Ok(found)
    }

    /// Opens it up for names to be made and removed in it; `None` if they can be already, or it is not ours.
    pub(super) fn open_up(&self) -> Option<Arc<OpenedUp>> {
        if self.opened.is_some() || is_usable(&self.fd, true) {
            return self.opened.clone();
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = rustix::fs::openat(&self.fd, c".", flags, Mode::empty()).ok()?;
        OpenedUp::of(path, &found(&self.fd).ok()?).map(Arc::new)
    }

    /// The directory once more, with a reading position of its own.
    pub(super) fn reopen(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, c".", flags, Mode::empty())
    }
}

#[cfg(test)]
thread_local! {
    /// What a test has synced: nothing else tells.
    pub(crate) static SYNCED: std::cell::RefCell<Vec<FileId>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Whether the kernel has `openat2`, or may be asked for it.
static CONFINED: AtomicBool = AtomicBool::new(true);

/// Opens one name: no link, nothing across a mount point, nothing that would wait.
pub(super) fn open(dir: impl AsFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if !flags.contains(OFlags::PATH) {
        flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
    }
    if CONFINED.load(Ordering::Relaxed) {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(&dir, name, flags, Mode::empty(), resolve) {
            // A filter of system calls may answer with either.
            Err(Errno::NOSYS | Errno::PERM) => {}
            result => return result,
        }
        if matches!(
            rustix::fs::openat2(&dir, c".", OFlags::PATH, Mode::empty(), resolve),
            Err(Errno::NOSYS | Errno::PERM)
        ) {
            CONFINED.store(false, Ordering::Relaxed);
        }
    }
    // Then a mount of the same file system goes unnoticed; others are told by their device.
    rustix::fs::openat(&dir, name, flags, Mode::empty())
}

/// Opens a directory that was found, and makes sure that it is that one.
pub(super) fn open_directory(
    dir: impl AsFd,
    name: &CStr,
    wanted: FileId,
) -> Result<OwnedFd, Errno> {
    let fd = open(dir, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
    if found(&fd)?.id == wanted {
        Ok(fd)
    } else {
        Err(Errno::STALE)
    }
}

/// Whether names in an open directory can be looked up, and also made and removed.
pub(super) fn is_usable(fd: impl AsFd, to_write: bool) -> bool {
    let mut access = Access::EXEC_OK;
    if to_write {
        access |= Access::WRITE_OK;
    }
    rustix::fs::accessat(fd, c".", access, AtFlags::EACCESS).is_ok()
}

/// A directory or file that its owner closed to itself is opened up for as long as this lives.
#[derive(Debug)]
pub(super) struct OpenedUp {
    path: OwnedFd,
    mode: AtomicU32,
}

impl OpenedUp {
    /// `None` if it is not ours to open up, or another one by now.
    pub(super) fn new(dir: impl AsFd, name: &CStr, wanted: &Found) -> Option<Self> {
        Self::lacks(wanted)?;
        Self::of(open(dir, name, OFlags::PATH).ok()?, wanted)
    }

    /// The same of a directory that the person named.
    fn top(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        let wanted = found(&path).ok()?;
        Self::of(path, &wanted)
    }

    /// The same of what a descriptor stands for.
    fn of(path: OwnedFd, wanted: &Found) -> Option<Self> {
        let rights = Self::lacks(wanted)?;
        if found(&path).ok()?.id != wanted.id {
            return None;
        }
        let mode = AtomicU32::new(wanted.mode);
        let opened = Self { path, mode };
        set_mode(&opened.path, wanted.mode | rights).ok()?;
        Some(opened)
    }

    /// The rights that it is to get, if it lacks some and is ours.
    fn lacks(wanted: &Found) -> Option<u32> {
        let rights = match wanted.kind {
            Type::Directory => 0o700,
            Type::File => 0o600,
            _ => return None,
        };
        let us = rustix::process::geteuid().as_raw();
        (wanted.mode & rights != rights && wanted.owner.0 == us).then_some(rights)
    }

    /// The mode that it gets in the end: the one that it had.
    fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    /// It gets another mode in the end.
    pub(super) fn set(&self, mode: u32) {
        self.mode.store(mode, Ordering::Relaxed);
    }
}

impl Drop for OpenedUp {
    fn drop(&mut self) {
        // It may be gone.
        let _ = set_mode(&self.path, self.mode());
    }
}

/// Sets the mode of what a descriptor stands for, one without rights to its content included.
pub(super) fn set_mode(path: &OwnedFd, mode: u32) -> Result<(), Errno> {
    let name = format!("/proc/self/fd/{}", path.as_raw_fd());
    rustix::fs::chmod(name, Mode::from_raw_mode(mode))
}

/// Names in one piece of memory, each with a NUL behind it.
#[derive(Debug, Default)]
pub(super) struct Listed {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Listed {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &CStr> {
        let name = |start: &usize| {
            let name = self.bytes.get(*start..).unwrap_or_default();
            CStr::from_bytes_until_nul(name).unwrap_or_default()
        };
        self.starts.iter().map(name)
    }

    /// Each for itself.
    pub(super) fn to_vec(&self) -> Vec<CString> {
        self.iter().map(CStr::to_owned).collect()
    }
}

/// The names in a directory, sorted by their bytes; `None` if there are more than `limit`.
pub(super) fn list(dir: impl AsFd, limit: usize) -> Result<Option<Listed>, Errno> {
    let mut listed = Listed::default();
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if listed.starts.len() == limit {
            return Ok(None);
        }
        listed.starts.push(listed.bytes.len());
        listed.bytes.extend_from_slice(name.to_bytes_with_nul());
    }
    let Listed { bytes, starts } = &mut listed;
    // What comes after a NUL decides nothing: no name is there twice.
    starts.sort_unstable_by_key(|start| bytes.get(*start..));
    Ok(Some(listed))
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_full(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match rustix::io::read(&fd, room) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(filled)
}
