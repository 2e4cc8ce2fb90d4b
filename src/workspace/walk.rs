//! The walk over a hostile tree: every name, what it stands for, and which files have to be read.

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rustix::io::Errno;

use crate::workspace::contents::Job;
use crate::workspace::descent::Descent;
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
use crate::workspace::scan;
use crate::workspace::scan::Ahead;
use crate::workspace::scan::Question;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::withheld::Withheld;

/// So many directories are looked into ahead.
const AHEAD: usize = 6;

/// Jobs are handed over when there are so many, of so many bytes, or in so many directories: each of
/// these is kept open until they are done.
const BATCH: usize = 128;
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_DIRECTORIES: usize = 8;

/// What the walk needs.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Root,
    pub(super) rules: &'a Rules,
    pub(super) withheld: Option<&'a Withheld>,
    pub(super) caps: Caps,
    /// The object with a file's content, if that is known without reading it.
    pub(super) known: &'a dyn Fn(&Found) -> Option<ObjectId>,
    /// An error as soon as somebody wants it to end.
    pub(super) go_on: &'a dyn Fn() -> Result<()>,
    pub(super) jobs: SyncSender<Vec<Job>>,
    pub(super) ahead: &'a Ahead,
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
    directories: Vec<(At, Found)>,
    next: usize,
    /// So many of them were asked about ahead, or are done.
    asked: usize,
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
        let found = root.found().map_err(failed)?;
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
        let here = walking.descent.here().cloned().map_err(failed)?;
        let names = scan::names(&here, walking.room());
        let names = names.map_err(|failure| match failure {
            scan::Failure::Left(reason) => Error::cap(&root.path, reason.as_str()),
            scan::Failure::Ours(errno) => failed(errno),
        })?;
        let directories = walking.list(0, &names, None)?;
        walking.frames.push(Frame::new(directories, 0, None));
        while let Some(frame) = walking.frames.last_mut() {
            if let Some((at, found)) = frame.directories.get(frame.next).copied() {
                frame.next += 1;
                (walking.walk.go_on)()?;
                walking.look_ahead();
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

impl Frame {
    fn new(directories: Vec<(At, Found)>, above: usize, opened: Option<Arc<OpenedUp>>) -> Self {
        Self {
            directories,
            next: 0,
            asked: 0,
            above,
            _opened: opened,
        }
    }
}

impl Walking<'_> {
    /// How many more names there may be.
    fn room(&self) -> usize {
        let entries = self.walk.caps.entries as usize;
        entries.saturating_sub(self.walked.snapshot.len())
    }

    /// Has others look into the directories that come next.
    fn look_ahead(&mut self) {
        let limit = self.room();
        let (Some(frame), Ok(dir)) = (self.frames.last_mut(), self.descent.here()) else {
            return;
        };
        frame.asked = frame.asked.max(frame.next);
        while frame.asked < frame.next + AHEAD {
            let Some((at, found)) = frame.directories.get(frame.asked).copied() else {
                return;
            };
            let question = || Question {
                dir: Arc::clone(dir),
                name: self.walked.snapshot.c_name(at),
                found,
                limit,
            };
            if !self.walk.ahead.ask(at, question) {
                return;
            }
            frame.asked += 1;
        }
    }

    /// Goes into a directory.
    fn visit(&mut self, at: At, found: Found) -> Result<()> {
        let above = self.path.len();
        let name = self.walked.snapshot.c_name(at);
        snapshot::join(&mut self.path, name.to_bytes());
        let answer = self.walk.ahead.answer(at).unwrap_or_else(|| {
            let question = Question {
                dir: Arc::clone(self.descent.here()?),
                name: name.clone(),
                found,
                limit: self.room(),
            };
            question.answer()
        });
        let reason = match answer {
            Ok(scanned) if scanned.names.len() <= self.room() => {
                if let Some(node) = self.walked.snapshot.node_mut(at) {
                    describe(node, &scanned.found);
                }
                self.descent.enter(&name, scanned.found.id, scanned.fd);
                let opened = scanned.opened.map(Arc::new);
                let directories = self.list(at, &scanned.names, opened.as_ref())?;
                self.frames.push(Frame::new(directories, above, opened));
                return Ok(());
            }
            Ok(_) => Reason::Full,
            Err(scan::Failure::Left(reason)) => reason,
            Err(scan::Failure::Ours(errno)) => {
                return Err(Error::file("read", &snapshot::path(&self.path))(errno));
            }
        };
        self.leave_out(at, reason);
        self.path.truncate(above);
        Ok(())
    }

    fn leave_out(&mut self, at: At, reason: Reason) {
        if let Some(node) = self.walked.snapshot.node_mut(at) {
            node.kind = EntryKind::LeftOut(reason);
        }
    }

    /// Takes in the names of the current directory; returns the directories in it.
    fn list(
        &mut self,
        directory: At,
        names: &scan::Names,
        opened: Option<&Arc<OpenedUp>>,
    ) -> Result<Vec<(At, Found)>> {
        let here = self.descent.here().cloned();
        let here = here.map_err(Error::file("read", &snapshot::path(&self.path)))?;
        let first = At::try_from(self.walked.snapshot.len());
        let first = first.map_err(|_| Error::limit("the number of names", u32::MAX.into()))?;
        let mut directories = Vec::new();
        let above = self.path.len();
        for (name, found) in names.iter() {
            let found = match found {
                Ok(found) => found,
                // Gone: as if it had never been there.
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    let reason = reason(errno).unwrap_or(Reason::Unreadable);
                    self.push(name, Node::new(EntryKind::LeftOut(reason)))?;
                    continue;
                }
            };
            snapshot::join(&mut self.path, name.to_bytes());
            let kind = self.classify(&found);
            self.path.truncate(above);
            let at = self.push(name, node(kind, &found))?;
            match kind {
                EntryKind::Directory => directories.push((at, found)),
                EntryKind::File | EntryKind::Symlink => {
                    if !self.is_known(at, &found) {
                        self.read(Job {
                            at,
                            dir: Arc::clone(&here),
                            opened: opened.cloned(),
                            name: name.to_owned(),
                            found,
                        });
                    }
                }
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
        Ok(directories)
    }

    fn push(&mut self, name: &CStr, node: Node) -> Result<At> {
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
        } else if self.walk.rules.leaves_out(&self.path, is_directory) || self.is_withheld(found) {
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

    fn is_withheld(&self, found: &Found) -> bool {
        let withheld = self.walk.withheld;
        withheld.is_some_and(|withheld| withheld.withholds(&self.path, found))
    }

    /// Whether a file's content is known, or will be by another name of it.
    fn is_known(&mut self, at: At, found: &Found) -> bool {
        if found.kind == Type::File && found.links > 1 {
            if let Some(first) = self.first.get(&found.id) {
                self.walked.links.push((at, *first));
                return true;
            }
            self.first.insert(found.id, at);
        }
        if found.kind == Type::File {
            self.walked.bytes += found.size;
        }
        let Some(id) = (self.walk.known)(found) else {
            self.walked.draft.expect(at);
            return false;
        };
        self.walked.draft.add(found, id);
        if let Some(node) = self.walked.snapshot.node_mut(at) {
            node.id = id;
        }
        true
    }

    /// Sees to it that a file's content gets into the checkpoint.
    fn read(&mut self, job: Job) {
        let size = job.found.size;
        self.batch.push(job);
        self.batch_bytes += size;
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
    match scan::Failure::from(errno) {
        scan::Failure::Left(reason) => Some(reason),
        scan::Failure::Ours(_) => None,
    }
}
