//! What a checkpoint does not hold that is taken while somebody writes: what would be obeyed at its place, and was not there
//! before. Nothing may be moved away then, and a look beforehand would soon be out of date: it is told by what the walk has found.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::workspace::disk::Found;
use crate::workspace::disk::Type;
use crate::workspace::git::TopKind;
use crate::workspace::id::Hasher;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;

/// What may be at a place all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unless {
    /// Nothing.
    Never,
    /// What has this device and inode, and is of this kind.
    Is((u64, u64), TopKind),
    /// What is of this kind.
    IsA(TopKind),
    /// A file that holds this.
    Holds(String),
    /// All but a link.
    IsNoLink,
}

/// Places, and what may be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld {
    places: HashMap<Vec<u8>, Unless>,
    never_bare: bool,
}

impl Withheld {
    /// Leaves out what is at this path, relative to the top.
    pub fn at(&mut self, path: &Path, unless: Unless) {
        self.places
            .insert(path.as_os_str().as_bytes().to_vec(), unless);
    }

    /// Leaves out `HEAD` where git would else take the directory itself for a repository.
    pub fn never_bare(&mut self) {
        self.never_bare = true;
    }

    /// Whether this is none that may be there. A file's content is looked at later.
    pub(super) fn withholds(&self, path: &[u8], found: &Found) -> bool {
        let kind = match found.kind {
            Type::Directory => TopKind::Directory,
            Type::File => TopKind::File,
            Type::Link | Type::Special => TopKind::Other,
        };
        match self.places.get(path) {
            None => false,
            Some(Unless::Never) => true,
            Some(Unless::Is(id, is)) => found.id != *id || kind != *is,
            Some(Unless::IsA(is)) => kind != *is,
            Some(Unless::Holds(text)) => kind != TopKind::File || found.size != text.len() as u64,
            Some(Unless::IsNoLink) => found.kind == Type::Link,
        }
    }

    /// Looks at what was read.
    pub(super) fn look(&self, snapshot: &mut Snapshot) {
        for (path, unless) in &self.places {
            if let Unless::Holds(text) = unless
                && let Some(at) = find(snapshot, path)
                && id(snapshot, at) != Some(Hasher::of(Kind::Blob, text.as_bytes()))
            {
                leave_out(snapshot, at);
            }
        }
        let is_there = |name: &[u8]| find(snapshot, name).is_some_and(|at| is_held(snapshot, at));
        if self.never_bare
            && !is_there(b".git")
            && (is_there(b"objects") || is_there(b"commondir"))
            && let Some(head) = find(snapshot, b"HEAD")
            && !snapshot.node(head).is_some_and(|node| node.is_directory())
        {
            leave_out(snapshot, head);
        }
    }
}

/// The node of a path.
fn find(snapshot: &Snapshot, path: &[u8]) -> Option<At> {
    let mut names = path.split(|byte| *byte == b'/');
    names.try_fold(0, |at, name| {
        let mut children = snapshot.children(at);
        children.find(|at| snapshot.name(*at) == name)
    })
}

fn is_held(snapshot: &Snapshot, at: At) -> bool {
    let node = snapshot.node(at);
    node.is_some_and(|node| !matches!(node.kind, EntryKind::LeftOut(_)))
}

/// What a plain file holds.
fn id(snapshot: &Snapshot, at: At) -> Option<ObjectId> {
    let node = snapshot.node(at)?;
    (node.kind == EntryKind::File).then_some(node.id)
}

fn leave_out(snapshot: &mut Snapshot, at: At) {
    if let Some(node) = snapshot.node_mut(at) {
        *node = node.left_out(Reason::Excluded);
    }
}
