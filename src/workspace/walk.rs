//! The walk over a hostile tree: every name, what it stands for, and which files have to be read.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rustix::io::Errno;

use crate::workspace::contents::Job;
use crate::workspace::descent::Descent;
use crate::workspace::disk;
use crate::workspace::disk::FileId;
use crate::workspace::disk::Found;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::ObjectId;
use crate::workspace::index::Draft;
use crate::workspace::policy::Caps;
use crate::workspace::policy::Rules;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;

/// How often a name that is another thing each time is looked at.
const TRIES: usize = 3;

/// Jobs are handed over when there are so many, of so many bytes, or in so many directories: each of
/// these is kept open until they are done.
const BATCH: usize = 128;
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_DIRECTORIES: usize = 8;

/// What the walk needs.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Root,
    pub(super) rules: &'a Rules,
    pub(super) caps: Caps,
    /// The object with a file's content, if that is known without reading it.
    pub(super) known: &'a dyn Fn(&Found) -> Option<ObjectId>,
    pub(super) jobs: SyncSender<Vec<Job>>,
}

/// What came of it; contents of files are still being read.
pub(super) struct Walked {
    pub(super) snapshot: Snapshot,
    /// Further names of a file, with the first one.
    pub(super) links: Vec<(At, At)>,
    pub(super) draft: Draft,
    pub(super) bytes: u64,
}

/// A directory whose subdirectories are being visited.
struct Frame {
    directories: std::vec::IntoIter<(At, Found)>,
    /// How long the path above is.
    above: usize,
    /// Closed again when this goes and its files are read.
    _opened: Option<Arc<OpenedUp>>,
}

struct Walking<'a> {
    walk: Walk<'a>,
    descent: Descent<'a>,
    frames: Vec<Frame>,
    path: Vec<u8>,
    first: HashMap<FileId, At>,
    batch: Vec<Job>,
    batch_bytes: u64,
    batch_directories: usize,
    walked: Walked,
}

impl<'a> Walk<'a> {
    pub(super) fn run(self) -> Result<Walked> {
        let root = self.root;
        let failed = |errno: Errno| Error::file("read", &root.path)(errno);
        let found = disk::found(&root.fd).map_err(failed)?;
        let mut walking = Walking {
            descent: Descent::new(root).map_err(failed)?,
            walk: self,
            frames: Vec::new(),
            path: Vec::new(),
            first: HashMap::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            batch_directories: 0,
            walked: Walked {
                draft: Draft::new(),
                snapshot: Snapshot::new(node(EntryKind::Directory, &found)),
                links: Vec::new(),
                bytes: 0,
            },
        };
        let directories = walking.list(0, None)?;
        let directories = directories.map_err(|reason| {
            let why = reason.as_str();
            Error::cap(&root.path, why)
        })?;
        walking.frames.push(Frame {
            directories,
            above: 0,
            _opened: None,
        });
        while let Some(frame) = walking.frames.last_mut() {
            if let Some((at, found)) = frame.directories.next() {
                walking.visit(at, found)?;
            } else if let Some(frame) = walking.frames.pop() {
                walking.descent.leave();
                walking.path.truncate(frame.above);
            }
        }
        walking.hand_over();
        Ok(walking.walked)
    }
}

/// What a directory holds, or why that is unknown.
type Listed = Result<std::vec::IntoIter<(At, Found)>, Reason>;

impl Walking<'_> {
    /// Goes into a directory.
    fn visit(&mut self, at: At, found: Found) -> Result<()> {
        let above = self.path.len();
        snapshot::join(&mut self.path, self.walked.snapshot.name(at));
        let name = self.walked.snapshot.c_name(at);
        let listed = match self.open(&name, found)? {
            Ok((fd, found, opened)) => {
                if let Some(node) = self.walked.snapshot.node_mut(at) {
                    describe(node, &found);
                }
                self.descent.enter(&name, found.id, fd);
                let opened = opened.map(Arc::new);
                match self.list(at, opened.as_ref())? {
                    Ok(directories) => {
                        self.frames.push(Frame {
                            directories,
                            above,
                            _opened: opened,
                        });
                        return Ok(());
                    }
                    Err(reason) => {
                        self.descent.leave();
                        reason
                    }
                }
            }
            Err(reason) => reason,
        };
        self.leave_out(at, listed);
        self.path.truncate(above);
        Ok(())
    }

    fn leave_out(&mut self, at: At, reason: Reason) {
        if let Some(node) = self.walked.snapshot.node_mut(at) {
            node.kind = EntryKind::LeftOut(reason);
        }
    }

    /// Opens a directory as it was found, or as what it is by now.
    #[expect(
        clippy::type_complexity,
        reason = "an error, a reason, or what was opened"
    )]
    fn open(
        &self,
        name: &CString,
        mut found: Found,
    ) -> Result<Result<(OwnedFd, Found, Option<OpenedUp>), Reason>> {
        let mut reason = Reason::Changed;
        for _ in 0..TRIES {
            let here = match self.descent.here() {
                Ok(here) => here,
                Err(_) => return Ok(Err(Reason::Changed)),
            };
            let mut opened = None;
            let mut fd = disk::open_directory(here, name, found.id);
            let closed = match &fd {
                Ok(fd) => !disk::is_usable(fd, false),
                Err(errno) => *errno == Errno::ACCESS,
            };
            if closed {
                opened = OpenedUp::new(here, name, &found);
                if opened.is_some() {
                    fd = disk::open_directory(here, name, found.id);
                }
            }
            match fd {
                Ok(fd) => return Ok(Ok((fd, found, opened))),
                Err(errno) => reason = self.reason(errno)?,
            }
            if reason != Reason::Changed {
                break;
            }
            match disk::find(here, name) {
                Ok(again) if again.kind == Type::Directory => found = again,
                _ => break,
            }
        }
        Ok(Err(reason))
    }

    fn reason(&self, errno: Errno) -> Result<Reason> {
        reason(errno).ok_or_else(|| Error::file("read", &snapshot::path(&self.path))(errno))
    }

    /// Reads the names in the current directory, and what they are.
    fn list(&mut self, directory: At, opened: Option<&Arc<OpenedUp>>) -> Result<Listed> {
        let Ok(here) = self.descent.here() else {
            return Ok(Err(Reason::Changed));
        };
        let here = Arc::clone(here);
        let entries = self.walk.caps.entries as usize;
        let room = entries.saturating_sub(self.walked.snapshot.len());
        let names = match disk::list(&here, room) {
            Ok(Some(names)) => names,
            Ok(None) => return Ok(Err(Reason::Full)),
            Err(errno) => return self.reason(errno).map(Err),
        };
        let first = At::try_from(self.walked.snapshot.len());
        let first = first.map_err(|_| Error::limit("the number of names", u32::MAX.into()))?;
        let mut directories = Vec::new();
        let above = self.path.len();
        for name in names {
            let found = match disk::find(&here, &name) {
                Ok(found) => found,
                // Gone: as if it had never been there.
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    let reason = self.reason(errno)?;
                    self.push(&name, Node::new(EntryKind::LeftOut(reason)))?;
                    continue;
                }
            };
            snapshot::join(&mut self.path, name.to_bytes());
            let kind = self.classify(&found);
            self.path.truncate(above);
            let at = self.push(&name, node(kind, &found))?;
            match kind {
                EntryKind::Directory => directories.push((at, found)),
                EntryKind::File | EntryKind::Symlink => self.content(Job {
                    at,
                    dir: Arc::clone(&here),
                    opened: opened.cloned(),
                    name,
                    found,
                }),
                EntryKind::LeftOut(_) => {}
            }
        }
        self.walked.snapshot.adopt(directory, first);
        if self
            .batch
            .last()
            .is_some_and(|job| Arc::ptr_eq(&job.dir, &here))
        {
            self.batch_directories += 1;
            if self.batch_directories >= BATCH_DIRECTORIES {
                self.hand_over();
            }
        }
        Ok(Ok(directories.into_iter()))
    }

    fn push(&mut self, name: &CString, node: Node) -> Result<At> {
        let pushed = self.walked.snapshot.push(name.to_bytes(), node);
        pushed.ok_or_else(|| Error::limit("the length of all names", u32::MAX.into()))
    }

    /// What becomes of the name that the path ends in.
    fn classify(&mut self, found: &Found) -> EntryKind {
        let is_directory = found.kind == Type::Directory;
        let caps = self.walk.caps;
        let reason = if found.kind == Type::Special {
            Reason::Special
        } else if found.id.0 != self.walk.root.id.0 {
            Reason::MountPoint
        } else if self.walk.rules.leaves_out(&self.path, is_directory) {
            Reason::Excluded
        } else if self.path.len() > caps.path
            || (is_directory && self.descent.depth() >= caps.depth)
        {
            Reason::Deep
        } else if found.kind == Type::File && found.size > caps.file {
            Reason::Large
        } else if found.kind == Type::File
            && !self.first.contains_key(&found.id)
            && found.size > caps.total.saturating_sub(self.walked.bytes)
        {
            Reason::Full
        } else {
            return match found.kind {
                Type::Directory => EntryKind::Directory,
                Type::Link => EntryKind::Symlink,
                Type::File | Type::Special => EntryKind::File,
            };
        };
        EntryKind::LeftOut(reason)
    }

    /// Sees to it that a file's content gets into the checkpoint.
    fn content(&mut self, job: Job) {
        let Job { at, found, .. } = job;
        if found.kind == Type::File && found.links > 1 {
            if let Some(first) = self.first.get(&found.id) {
                self.walked.links.push((at, *first));
                return;
            }
            self.first.insert(found.id, at);
        }
        if found.kind == Type::File {
            self.walked.bytes += found.size;
        }
        if let Some(id) = (self.walk.known)(&found) {
            self.walked.draft.add(&found, id);
            if let Some(node) = self.walked.snapshot.node_mut(at) {
                node.id = id;
            }
            return;
        }
        self.batch.push(job);
        self.batch_bytes += found.size;
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        self.batch_bytes = 0;
        self.batch_directories = 0;
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            // Without a reader there was an error, which that reader returns.
            let _ = self.walk.jobs.send(batch);
        }
    }
}

fn node(kind: EntryKind, found: &Found) -> Node {
    let mut node = Node::new(kind);
    if !matches!(kind, EntryKind::LeftOut(_)) {
        describe(&mut node, found);
    }
    node
}

/// What is known of a name besides its content.
pub(super) fn describe(node: &mut Node, found: &Found) {
    node.mode = found.mode;
    node.owner = found.owner;
    node.mtime = found.mtime;
    if found.kind != Type::Directory {
        node.size = found.size;
    }
}

/// Why something is left out that cannot be opened; `None` if that is our own fault.
pub(super) fn reason(errno: Errno) -> Option<Reason> {
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => None,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE => Some(Reason::Changed),
        Errno::XDEV => Some(Reason::MountPoint),
        _ => Some(Reason::Unreadable),
    }
}
