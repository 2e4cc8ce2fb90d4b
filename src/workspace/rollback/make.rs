//! Files and links as they were: made under a name of their own, completed, and then renamed.

use std::collections::HashMap;
use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::SeekFrom;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::Uid;
use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::FileId;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::Kind;
use crate::workspace::id::checksum;
use crate::workspace::snapshot;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::store::Store;

/// Targets of links are no longer on Linux.
const MAX_TARGET: u64 = 64 * 1024;

const PIECE: usize = 64 * 1024;

/// So many names are tried.
const NAMES: u32 = 8;

/// What is made for a name is made under this one: always the same, so that what a killed rollback left is found again,
/// and none that an agent could know beforehand.
pub(in crate::workspace) fn temporary(key: &[u8], name: &CStr, number: u32) -> CString {
    let text = [key, &number.to_be_bytes(), name.to_bytes()].concat();
    let sum = checksum(&text);
    let sum: String = sum
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    CString::new(format!(".stockade-{sum}")).unwrap_or_default()
}

/// The first name of a file with several.
struct Made {
    id: FileId,
    path: Vec<u8>,
}

/// Makes files and links.
pub(super) struct Maker<'a> {
    store: &'a Store,
    root: &'a Root,
    /// Groups of files that have a first name by now.
    made: HashMap<u32, Made>,
    path: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(store: &'a Store, root: &'a Root) -> Self {
        Self {
            store,
            root,
            made: HashMap::new(),
            path: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(Errno) -> Error + use<> {
        super::failed(operation, &self.path)
    }

    /// Makes a name what it was, in the place of `was`; `same` if all but owner, mode and time is so already. The names
    /// of one file are all made by one of these.
    pub(super) fn make(
        &mut self,
        here: &OwnedFd,
        path: &[u8],
        name: &CStr,
        (was, node): (Option<&Node>, &Node),
        same: bool,
    ) -> Result<()> {
        self.path.clear();
        self.path.extend_from_slice(path);
        self.store.go_on()?;
        if same {
            not_newer(here, path, name, (was, Some(node)))?;
            if self.adjust(here, name, node)? {
                return Ok(());
            }
        }
        let temporary = self.free(here, name);
        let made = match node.kind {
            EntryKind::Symlink => self.link(here, &temporary, node).map(|()| None),
            _ => self.contents(here, &temporary, node),
        };
        let settled = made.and_then(|made| {
            not_newer(here, path, name, (was, Some(node)))?;
            rustix::fs::renameat(here, &temporary, here, name).map_err(self.failed("replace"))?;
            Ok(made)
        });
        // Of two names for one file, a rename leaves both.
        let _ = rustix::fs::unlinkat(here, &temporary, AtFlags::empty());
        if let Some(id) = settled? {
            let path = self.path.clone();
            self.made.entry(node.group).or_insert(Made { id, path });
        }
        Ok(())
    }

    /// A temporary name where nothing is that cannot be removed.
    fn free(&self, here: &OwnedFd, name: &CStr) -> CString {
        let key = self.store.key();
        for number in 1..NAMES {
            let temporary = temporary(key, name, number - 1);
            let there = disk::find(here, &temporary);
            // What a killed rollback left is removed; a directory is nothing of ours.
            let removed =
                there.and_then(|_| rustix::fs::unlinkat(here, &temporary, AtFlags::empty()));
            if matches!(removed, Ok(()) | Err(Errno::NOENT)) {
                return temporary;
            }
        }
        temporary(key, name, NAMES - 1)
    }

    /// Sets what can be set on what is there; false if that is not what it should be.
    fn adjust(&self, here: &OwnedFd, name: &CStr, node: &Node) -> Result<bool> {
        let failed = |errno| self.failed("complete")(errno);
        let Ok(fd) = disk::open(here, name, OFlags::PATH) else {
            return Ok(false);
        };
        let found = disk::found(&fd).map_err(failed)?;
        let fits = match node.kind {
            EntryKind::Symlink => found.kind == Type::Link,
            _ => found.kind == Type::File && found.size == node.size,
        };
        if !fits {
            return Ok(false);
        }
        let owned = set_owner(&fd, found.owner, node);
        let mode = mode(node, &owned);
        if node.kind == EntryKind::File && (found.mode != mode || found.owner != node.owner) {
            disk::set_mode(&fd, mode).map_err(failed)?;
        }
        // By name, as a descriptor like this one cannot be used; no link is followed.
        rustix::fs::utimensat(here, name, &times(node), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed)?;
        owned.map_err(failed)?;
        Ok(true)
    }

    fn link(&self, here: &OwnedFd, temporary: &CStr, node: &Node) -> Result<()> {
        let failed = |errno| self.failed("create")(errno);
        let target = self.store.read(node.id, Kind::Blob, MAX_TARGET)?;
        let target = CString::new(target).map_err(|_| failed(Errno::INVAL))?;
        again(here, temporary, || {
            rustix::fs::symlinkat(&target, here, temporary)
        })
        .map_err(failed)?;
        let found = disk::find(here, temporary).map_err(failed)?;
        if found.owner != node.owner {
            let (user, group) = owner(node);
            rustix::fs::chownat(here, temporary, user, group, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed)?;
        }
        rustix::fs::utimensat(here, temporary, &times(node), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed)
    }

    /// A file of its content, or a further name for one that was made; which it is, if it is the
    /// first of several.
    fn contents(
        &mut self,
        here: &OwnedFd,
        temporary: &CStr,
        node: &Node,
    ) -> Result<Option<FileId>> {
        let path = self.path.clone();
        let failed = |errno| super::failed("create", &path)(errno);
        if let Some(made) = self.made.get(&node.group)
            && let Ok(()) = self.further(here, temporary, made)
        {
            return Ok(None);
        }
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = again(here, temporary, || {
            rustix::fs::openat(here, temporary, flags, mode)
        })
        .map_err(failed)?;
        self.write(&fd, node)?;
        let found = disk::found(&fd).map_err(failed)?;
        set_owner(&fd, found.owner, node).map_err(failed)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(node.mode)).map_err(failed)?;
        rustix::fs::futimens(&fd, &times(node)).map_err(failed)?;
        Ok((node.group != 0).then_some(found.id))
    }

    fn write(&mut self, fd: &OwnedFd, node: &Node) -> Result<()> {
        let failed = |errno| super::failed("write", &self.path)(errno);
        let mut object = self.store.object(node.id, Kind::Blob)?;
        let buffer = &mut self.buffer;
        buffer.resize(PIECE, 0);
        let mut position = 0;
        let mut hole = false;
        loop {
            self.store.go_on()?;
            // Full pieces, so that holes are found.
            let mut filled = 0;
            while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
                match object.read(room)? {
                    0 => break,
                    got => filled += got,
                }
            }
            let mut rest = buffer.get(..filled).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            position += filled as u64;
            hole = filled == PIECE && rest.iter().all(|byte| *byte == 0);
            if hole {
                rustix::fs::seek(fd, SeekFrom::Start(position)).map_err(failed)?;
                continue;
            }
            while !rest.is_empty() {
                match rustix::io::write(fd, rest) {
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
        }
        if hole {
            rustix::fs::ftruncate(fd, position).map_err(failed)?;
        }
        Ok(())
    }

    /// Gives a file that was made a further name.
    fn further(&self, here: &OwnedFd, temporary: &CStr, made: &Made) -> Result<(), Errno> {
        let mut names = made.path.split(|&byte| byte == b'/').peekable();
        let mut dir = self.root.reopen()?;
        while let Some(name) = names.next() {
            let name = CString::new(name).map_err(|_| Errno::INVAL)?;
            if names.peek().is_some() {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                dir = disk::open(&dir, &name, flags)?;
                continue;
            }
            again(here, temporary, || {
                rustix::fs::linkat(&dir, &name, here, temporary, AtFlags::empty())
            })?;
            // Only what has the new name is what got it.
            if disk::find(here, temporary)?.id != made.id {
                rustix::fs::unlinkat(here, temporary, AtFlags::empty())?;
                return Err(Errno::STALE);
            }
        }
        Ok(())
    }
}

/// Makes something under a temporary name; what a killed rollback left there goes.
fn again<T>(
    here: &OwnedFd,
    temporary: &CStr,
    mut make: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(here, temporary, AtFlags::empty())?;
            make()
        }
        result => result,
    }
}

/// Refuses to replace what is neither as the checkpoint has it, which was taken just before, nor as it is to be: it would
/// be lost.
pub(super) fn not_newer(
    here: &OwnedFd,
    path: &[u8],
    name: &CStr,
    (was, to): (Option<&Node>, Option<&Node>),
) -> Result<()> {
    let Ok(found) = disk::find(here, name) else {
        return Ok(());
    };
    let fits = |node: &Node| match (node.kind, found.kind) {
        (EntryKind::File, Type::File) => (node.size, node.mtime) == (found.size, found.mtime),
        (EntryKind::Symlink, Type::Link) => node.mtime == found.mtime,
        _ => false,
    };
    // A directory is not replaced, and nothing is in what is no file.
    let is_known =
        !matches!(found.kind, Type::File | Type::Link) || [was, to].into_iter().flatten().any(fits);
    match is_known {
        true => Ok(()),
        false => {
            let path = snapshot::path(path);
            Err(Error::unsafe_at(&path, "it has been changed meanwhile"))
        }
    }
}

fn owner(node: &Node) -> (Option<Uid>, Option<Gid>) {
    let (user, group) = node.owner;
    (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
}

/// Gives something its owner, where it has another one.
pub(super) fn set_owner(fd: &OwnedFd, found: (u32, u32), node: &Node) -> Result<(), Errno> {
    if found == node.owner {
        return Ok(());
    }
    let (user, group) = owner(node);
    rustix::fs::chownat(fd.as_fd(), c"", user, group, AtFlags::EMPTY_PATH)
}

/// The mode it gets: somebody else's set-id file that has become ours is worse than none.
pub(super) fn mode(node: &Node, owned: &Result<(), Errno>) -> u32 {
    match owned {
        Ok(()) => node.mode,
        Err(_) => node.mode & !0o6000,
    }
}

pub(super) fn times(node: &Node) -> Timestamps {
    let at = Timespec {
        tv_sec: node.mtime.seconds,
        tv_nsec: node.mtime.nanoseconds.into(),
    };
    Timestamps {
        last_access: at,
        last_modification: at,
    }
}
