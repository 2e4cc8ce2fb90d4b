//! Files are written by several threads: each waits for the file system most of the time, to free what the file was
//! before. Directories are gone through by one.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;

use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Root;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::snapshot;
use crate::workspace::snapshot::Node;
use crate::workspace::store::Store;

use super::Failed;
use super::NAMED;
use super::RolledBack;
use super::make::Maker;

/// Threads that write.
pub(super) const WRITERS: usize = 8;

/// Orders that are handed over together, and how many such wait: the directory of each is open.
pub(super) const TOGETHER: usize = 16;
pub(super) const WAITING: usize = 16;

/// A directory that is complete when nobody works in it any more.
pub(super) struct Place {
    path: Vec<u8>,
    opened: Option<Arc<OpenedUp>>,
    /// What it is to be in the end, if that is anything.
    last: OnceLock<(Arc<OwnedFd>, Node)>,
}

impl Place {
    pub(super) fn new(path: &[u8], opened: Option<Arc<OpenedUp>>) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            opened,
            last: OnceLock::new(),
        })
    }

    /// All that was to be done in it is under way.
    pub(super) fn finish(&self, fd: Arc<OwnedFd>, node: Node) {
        let _ = self.last.set((fd, node));
    }

    /// Whoever is the last to leave completes it.
    pub(super) fn leave(self: Arc<Self>, result: &mut RolledBack) {
        let Some(mut place) = Arc::into_inner(self) else {
            return;
        };
        let Some((fd, node)) = place.last.take() else {
            return;
        };
        if let Some(opened) = &place.opened {
            opened.set(node.mode);
        }
        match super::complete_directory(&fd, &node) {
            Ok(()) => result.restored += 1,
            Err(errno) => {
                let path = snapshot::path(&place.path);
                result.fail(&place.path, Error::file("complete", &path)(errno));
            }
        }
    }
}

/// A file or link to be made what it was.
pub(super) struct Order {
    pub(super) here: Arc<OwnedFd>,
    pub(super) place: Arc<Place>,
    pub(super) path: Vec<u8>,
    pub(super) name: CString,
    /// What is there, as it was kept.
    pub(super) was: Option<Node>,
    pub(super) node: Node,
    /// All but owner, mode and time is as it should be.
    pub(super) same: bool,
}

/// Does what is ordered until there is no more.
pub(super) fn work(store: &Store, root: &Root, orders: &Mutex<Receiver<Vec<Order>>>) -> RolledBack {
    let mut maker = Maker::new(store, root);
    let mut result = RolledBack::default();
    loop {
        let batch = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else {
            return result;
        };
        for order in batch {
            let Order {
                here,
                place,
                path,
                name,
                was,
                node,
                same,
            } = order;
            let made = maker.make(&here, &path, &name, (was.as_ref(), &node), same);
            drop(here);
            result.note(&path, made);
            place.leave(&mut result);
        }
    }
}

impl RolledBack {
    pub(super) fn note(&mut self, path: &[u8], made: Result<()>) {
        match made {
            Ok(()) => self.restored += 1,
            Err(error) => self.fail(path, error),
        }
    }

    pub(super) fn fail(&mut self, path: &[u8], error: Error) {
        if self.failed.len() >= NAMED {
            self.failed_more += 1;
            return;
        }
        let path = match path {
            b"" => b".",
            path => path,
        };
        let path = snapshot::path(path);
        self.failed.push(Failed { path, error });
    }

    /// Adds what another thread has done.
    pub(super) fn add(&mut self, other: Self) {
        self.restored += other.restored;
        self.failed_more += other.failed_more;
        self.failed.extend(other.failed);
        let more = self.failed.len().saturating_sub(NAMED);
        self.failed_more += more as u64;
        self.failed.truncate(NAMED);
    }
}
