//! Going back: the difference between two trees, applied to the one on disk.
//!
//! In each directory first what goes, then files and links, then the directories in it, and its own
//! mode and time last. A step that was done before does no harm when it is done again. Files are made by
//! several threads beside what comes next; their directory is complete when the last of them is.

mod crew;
pub(super) mod make;
mod plan;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::workspace::changes::pairs;
use crate::workspace::descent::Descent;
use crate::workspace::disk;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::store::Store;

use crew::Order;
use crew::Place;
use make::Maker;
pub use plan::Missing;
use plan::Plan;
use plan::Scope;

/// Of what was left and of what failed, so many are named.
const NAMED: usize = 10_000;

/// What came of it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RolledBack {
    /// Files, links and directories that were made, replaced or given their mode and time.
    pub restored: u64,
    /// Names that were removed.
    pub removed: u64,
    /// What checkpoints do not know, and directories that still hold such.
    pub left: Vec<PathBuf>,
    /// What was to be spared, and is not what it was.
    pub spared: Vec<PathBuf>,
    /// What could not be done; with very many, the first ones.
    pub failed: Vec<Failed>,
    /// How many further ones failed.
    pub failed_more: u64,
}

/// A name that is not what it was.
#[derive(Debug)]
pub struct Failed {
    /// Relative to the root, not escaped.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// A directory that is being worked on.
struct Frame {
    /// Directories in it that have work, on either side.
    rest: std::vec::IntoIter<(Option<At>, Option<At>)>,
    now: Option<At>,
    to: Option<At>,
    above: usize,
    name: CString,
    place: Arc<Place>,
}

struct Rollback<'a> {
    now: &'a Snapshot,
    to: &'a Snapshot,
    plan: Plan<'a>,
    descent: Descent<'a>,
    frames: Vec<Frame>,
    path: Vec<u8>,
    /// Makes what the others cannot: names of one file.
    maker: Maker<'a>,
    orders: SyncSender<Vec<Order>>,
    result: RolledBack,
}

pub(super) fn rollback(
    store: &Store,
    root: &Root,
    now: &Snapshot,
    to: &Snapshot,
    paths: &[PathBuf],
    spared: &[PathBuf],
    missing: Missing,
) -> Result<RolledBack> {
    let (sender, receiver) = mpsc::sync_channel(crew::WAITING);
    let opened = root.open_up();
    let mut rollback = Rollback {
        now,
        to,
        plan: Plan::new(now, to, paths, spared, missing)?,
        descent: Descent::new(root).map_err(Error::file("read", &root.path))?,
        frames: Vec::new(),
        path: Vec::new(),
        maker: Maker::new(store, root),
        orders: sender,
        result: RolledBack::default(),
    };
    rollback.unknown();
    if !rollback.plan.has_work(Some(0), Some(0)) {
        return Ok(rollback.result);
    }
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        let work = || crew::work(store, root, &receiver);
        let crew = [(); crew::WRITERS].map(|()| scope.spawn(work));
        // Without it there is nobody who orders anything.
        let result = rollback.run(store, opened);
        let mut done = RolledBack::default();
        for writer in crew {
            done.add(
                writer
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        let mut result = result?;
        // What was not done for that failed at nothing.
        store.go_on()?;
        result.add(done);
        result.failed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(result)
    })
}

impl Rollback<'_> {
    fn run(mut self, store: &Store, opened: Option<Arc<OpenedUp>>) -> Result<RolledBack> {
        let place = Place::new(b"", opened);
        let rest = self.directory(Some(0), Some(0), &place);
        self.frames.push(Frame {
            rest,
            now: Some(0),
            to: Some(0),
            above: 0,
            name: CString::default(),
            place,
        });
        while let Some(frame) = self.frames.last_mut() {
            store.go_on()?;
            if let Some((now, to)) = frame.rest.next() {
                self.visit(now, to);
            } else if let Some(frame) = self.frames.pop() {
                self.leave(frame);
            }
        }
        Ok(self.result)
    }

    /// Lists what checkpoints do not know.
    fn unknown(&mut self) {
        let (now, plan) = (self.now, &self.plan);
        let left = &mut self.result.left;
        now.walk(|directory, above| {
            for at in now.children(directory) {
                let kind = now.node(at).map(|node| node.kind);
                if matches!(kind, Some(EntryKind::LeftOut(_))) && left.len() < NAMED {
                    let mut path = above.to_vec();
                    snapshot::join(&mut path, now.name(at));
                    if plan.scope(&path) == Scope::Inside {
                        left.push(snapshot::path(&path));
                    }
                }
            }
        });
    }

    fn fail(&mut self, error: Error) {
        self.result.fail(&self.path, error);
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(Errno) -> Error + use<> {
        failed(operation, &self.path)
    }

    /// Goes into a directory: one that is to be there, or one that goes.
    fn visit(&mut self, now: Option<At>, to: Option<At>) {
        let above = self.path.len();
        let name = match (now, to) {
            (_, Some(at)) => self.to.c_name(at),
            (at, None) => self.now.c_name(at.unwrap_or_default()),
        };
        snapshot::join(&mut self.path, name.to_bytes());
        let stays = to.is_some_and(|at| self.to.node(at).is_some_and(Node::is_directory));
        match self.enter(now, &name, stays) {
            Ok(Some(opened)) => {
                let in_to = to.filter(|_| stays);
                let place = Place::new(&self.path, opened.map(Arc::new));
                let rest = self.directory(now, in_to, &place);
                self.frames.push(Frame {
                    rest,
                    now,
                    to,
                    above,
                    name,
                    place,
                });
                return;
            }
            // Nothing there that would have to go; what is to be there is made at once.
            Ok(None) if to.is_some() => self.file_instead(now, to),
            Ok(None) => {
                let here = self.descent.here().map_err(self.failed("find"));
                let known =
                    here.and_then(|here| make::not_newer(here, &self.path, &name, (None, None)));
                known.unwrap_or_else(|error| self.fail(error));
            }
            Err(error) => self.fail(error),
        }
        self.path.truncate(above);
    }

    /// Opens a directory, makes it if it is to be there; says whether there is one to work in.
    #[expect(
        clippy::option_option,
        reason = "whether there is one, and whether it was opened up"
    )]
    fn enter(
        &mut self,
        was: Option<At>,
        name: &CString,
        stays: bool,
    ) -> Result<Option<Option<OpenedUp>>> {
        let failed = self.failed("open");
        let here = Arc::clone(self.descent.here().map_err(self.failed("find"))?);
        let mut found = disk::find(&here, name);
        if stays && found.is_ok_and(|found| found.kind != Type::Directory) {
            let was = was.and_then(|at| self.now.node(at));
            make::not_newer(&here, &self.path, name, (was, None))?;
            rustix::fs::unlinkat(&here, name, AtFlags::empty()).map_err(self.failed("remove"))?;
            found = Err(Errno::NOENT);
        }
        let found = match found {
            Ok(found) if found.kind == Type::Directory => found,
            Ok(_) => return Ok(None),
            Err(Errno::NOENT) if stays => {
                rustix::fs::mkdirat(&here, name, Mode::RWXU).map_err(self.failed("create"))?;
                disk::find(&here, name).map_err(self.failed("find"))?
            }
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let mut opened = None;
        let mut fd = disk::open_directory(&here, name, found.id);
        let closed = match &fd {
            Ok(fd) => !disk::is_usable(fd, true),
            Err(errno) => *errno == Errno::ACCESS,
        };
        if closed {
            opened = OpenedUp::new(&here, name, &found);
            fd = disk::open_directory(&here, name, found.id);
        }
        let fd = fd.map_err(failed)?;
        self.descent.enter(name, found.id, fd);
        Ok(Some(opened))
    }

    /// Does what is to be done in the current directory, but for the directories in it, which it
    /// returns.
    fn directory(
        &mut self,
        now: Option<At>,
        to: Option<At>,
        place: &Arc<Place>,
    ) -> std::vec::IntoIter<(Option<At>, Option<At>)> {
        let mut directories = Vec::new();
        let mut files = Vec::new();
        let above = self.path.len();
        for (now, to) in pairs(self.now, now, self.to, to) {
            let name = match (now, to) {
                (Some(at), _) => self.now.name(at),
                (None, at) => self.to.name(at.unwrap_or_default()),
            };
            snapshot::join(&mut self.path, name);
            let scope = self.plan.scope(&self.path);
            let never = self.plan.never(now, to);
            match (now, to) {
                _ if scope == Scope::Spared => {
                    if self.plan.has_work(now, to) || self.plan.differs(now, to) {
                        self.result.spared.push(snapshot::path(&self.path));
                    }
                }
                _ if scope == Scope::Outside => {}
                _ if never.is_some() => {
                    let why = never.unwrap_or_default();
                    self.fail(Error::unsafe_at(&snapshot::path(&self.path), why));
                }
                _ if self.plan.is_unknown(to) => {}
                _ if self.plan.has_directory(now, to) => {
                    if self.plan.has_work(now, to) {
                        directories.push((now, to));
                    }
                }
                _ if scope == Scope::Above || !self.plan.differs(now, to) => {}
                (Some(at), None) => self.remove(at),
                (_, Some(at)) => files.push((now, at)),
                (None, None) => {}
            }
            self.path.truncate(above);
        }
        let mut batch = Vec::new();
        for (now, to) in files {
            snapshot::join(&mut self.path, self.to.name(to));
            match self.order(now, to, place) {
                Ok(Some(order)) => batch.push(order),
                Ok(None) => {}
                Err(error) => self.fail(error),
            }
            self.path.truncate(above);
            if batch.len() >= crew::TOGETHER {
                self.hand_over(&mut batch);
            }
        }
        self.hand_over(&mut batch);
        directories.into_iter()
    }

    fn hand_over(&self, batch: &mut Vec<Order>) {
        if !batch.is_empty() {
            // They take orders as long as there may be some.
            let _ = self.orders.send(std::mem::take(batch));
        }
    }

    /// What is to be done so that the name which the path ends in is what it was; a name of several is so at once.
    fn order(&mut self, now: Option<At>, to: At, place: &Arc<Place>) -> Result<Option<Order>> {
        let Some(node) = self.to.node(to).copied() else {
            return Ok(None);
        };
        if node.group != 0 {
            self.file(now, to);
            return Ok(None);
        }
        let now = now.and_then(|at| self.now.node(at));
        Ok(Some(Order {
            here: Arc::clone(self.descent.here().map_err(self.failed("find"))?),
            place: Arc::clone(place),
            path: self.path.clone(),
            name: self.to.c_name(to),
            was: now.copied(),
            node,
            same: now.is_some_and(|now| self.plan.is_same_content(now, &node)),
        }))
    }

    /// Makes the name that the path ends in what it was.
    fn file(&mut self, now: Option<At>, to: At) {
        let Some(node) = self.to.node(to).copied() else {
            return;
        };
        let now = now.and_then(|at| self.now.node(at));
        let same = now.is_some_and(|now| self.plan.is_same_content(now, &node));
        let name = self.to.c_name(to);
        let here = self.descent.here().map_err(self.failed("find"));
        let made =
            here.and_then(|here| self.maker.make(here, &self.path, &name, (now, &node), same));
        self.result.note(&self.path, made);
    }

    /// Removes a file or link that is not to be there.
    fn remove(&mut self, at: At) {
        let name = self.now.c_name(at);
        let here = self.descent.here().cloned().map_err(self.failed("find"));
        let checked = here.and_then(|here| {
            let was = self.now.node(at);
            make::not_newer(&here, &self.path, &name, (was, None))?;
            Ok(here)
        });
        let here = match checked {
            Ok(here) => here,
            Err(error) => return self.fail(error),
        };
        // A directory by now is nothing that the checkpoint knows.
        match rustix::fs::unlinkat(here, &name, AtFlags::empty()) {
            Ok(()) => self.result.removed += 1,
            Err(Errno::NOENT) => {}
            Err(errno) => self.fail(self.failed("remove")(errno)),
        }
    }

    /// Where a directory was, there is to be a file or link.
    fn file_instead(&mut self, now: Option<At>, to: Option<At>) {
        if let Some(at) = to
            && self.plan.scope(&self.path) == Scope::Inside
            && self.to.node(at).is_some_and(|node| !node.is_directory())
            && self.plan.differs(now, to)
        {
            self.file(now, at);
        }
    }

    /// Leaves a directory, complete.
    fn leave(&mut self, frame: Frame) {
        let Frame {
            now,
            to,
            above,
            name,
            place,
            ..
        } = frame;
        let fd = self.descent.here().cloned();
        self.descent.leave();
        let inside = self.plan.scope(&self.path) == Scope::Inside;
        let node = to.and_then(|at| self.to.node(at));
        match node {
            Some(node) if node.is_directory() => {
                let was = now.and_then(|at| self.now.node(at));
                let made = was.is_none_or(|node| !node.is_directory());
                if let Ok(fd) = fd
                    && (inside || made)
                {
                    place.finish(fd, *node);
                }
            }
            _ if !inside => {}
            _ => {
                let removed = self
                    .descent
                    .here()
                    .and_then(|here| rustix::fs::unlinkat(here, &name, AtFlags::REMOVEDIR));
                match removed {
                    Ok(()) => {
                        self.result.removed += 1;
                        self.file_instead(now, to);
                    }
                    Err(Errno::NOTEMPTY | Errno::EXIST) if to.is_none() => {
                        if self.result.left.len() < NAMED {
                            self.result.left.push(snapshot::path(&self.path));
                        }
                    }
                    Err(Errno::NOENT) => self.file_instead(now, to),
                    Err(errno) => self.fail(self.failed("remove")(errno)),
                }
            }
        }
        place.leave(&mut self.result);
        self.path.truncate(above);
    }
}

fn failed(operation: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> Error + use<> {
    let path = snapshot::path(path);
    move |errno| Error::file(operation, &path)(errno)
}

/// Gives a directory its owner, mode and time.
fn complete_directory(fd: &OwnedFd, node: &Node) -> Result<(), Errno> {
    let found = disk::found(fd)?;
    let owned = make::set_owner(fd, found.owner, node);
    // That may have cleared some of it.
    let mode = make::mode(node, &owned);
    if disk::found(fd)?.mode != mode {
        rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?;
    }
    rustix::fs::futimens(fd, &make::times(node))?;
    owned
}

/// As names without `.` and empty ones; `None` if it leads out.
fn normal(path: &Path) -> Option<Vec<u8>> {
    use std::path::Component;
    let mut bytes = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                snapshot::join(&mut bytes, std::os::unix::ffi::OsStrExt::as_bytes(name));
            }
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(bytes)
}
