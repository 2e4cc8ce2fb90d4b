//! Two trees side by side.

use std::path::PathBuf;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::ObjectId;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Snapshot;

/// A deep tree has paths much larger than itself: all paths of an answer have at most so many bytes.
const MAX_PATHS: u64 = 1 << 30;

/// What a checkpoint knows of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it stands for.
    pub kind: EntryKind,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// When it was modified: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of a file or of a link's target; 0 of a directory.
    pub size: u64,
    /// The blob of a file or link; meaningless for others.
    pub id: ObjectId,
    /// Files of one checkpoint with the same number are one file; 0 for one with one name.
    pub hard_link: u32,
    /// It changed while it was read, each time.
    pub torn: bool,
}

impl From<&Node> for Entry {
    fn from(node: &Node) -> Self {
        Self {
            kind: node.kind,
            mode: node.mode,
            owner: node.owner,
            mtime: (node.mtime.seconds, node.mtime.nanoseconds),
            size: node.size,
            id: node.id,
            hard_link: node.group,
            torn: node.torn,
        }
    }
}

/// How a name changed; the first that is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It stands for something else: a file became a link, or is left out now.
    Type,
    /// Other content, or another target.
    Modified,
    /// Only the mode.
    Mode,
}

/// A name that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the root, not escaped.
    pub path: PathBuf,
    /// How.
    pub kind: ChangeKind,
    /// As it was.
    pub before: Option<Entry>,
    /// As it is.
    pub after: Option<Entry>,
}

/// The children of a directory in each of two trees, those of one name together.
pub(super) fn pairs(
    one: &Snapshot,
    in_one: Option<At>,
    other: &Snapshot,
    in_other: Option<At>,
) -> Vec<(Option<At>, Option<At>)> {
    let mut left = in_one
        .map(|at| one.children(at))
        .unwrap_or_default()
        .peekable();
    let mut right = in_other
        .map(|at| other.children(at))
        .unwrap_or_default()
        .peekable();
    let mut pairs = Vec::with_capacity(left.len().max(right.len()));
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => one.name(*a).cmp(other.name(*b)),
        };
        pairs.push((
            if order.is_le() { left.next() } else { None },
            if order.is_ge() { right.next() } else { None },
        ));
    }
}

/// Compares a name in two trees.
fn compare(before: Option<&Node>, after: Option<&Node>) -> Option<ChangeKind> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some(ChangeKind::Added),
        (Some(_), None) => Some(ChangeKind::Removed),
        (Some(before), Some(after)) => match (before.kind, after.kind) {
            (EntryKind::LeftOut(_), EntryKind::LeftOut(_)) => None,
            (a, b) if a != b => Some(ChangeKind::Type),
            (EntryKind::Directory, _) if before.mode == after.mode => None,
            (EntryKind::Directory, _) => Some(ChangeKind::Mode),
            _ if before.id != after.id => Some(ChangeKind::Modified),
            _ if before.mode != after.mode => Some(ChangeKind::Mode),
            _ => None,
        },
    }
}

pub(super) fn changes(from: &Snapshot, to: &Snapshot) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut path = Vec::new();
    let mut bytes = 0;
    let mut stack = vec![(Some(0), Some(0), 0)];
    while let Some((before, after, above)) = stack.pop() {
        path.truncate(above);
        let name = match (before, after) {
            (Some(at), _) => from.name(at),
            (None, at) => to.name(at.unwrap_or_default()),
        };
        snapshot::join(&mut path, name);
        let nodes = (
            before.and_then(|at| from.node(at)),
            after.and_then(|at| to.node(at)),
        );
        if let Some(kind) = compare(nodes.0, nodes.1) {
            bytes += path.len() as u64;
            if bytes > MAX_PATHS {
                return Err(Error::limit("the length of all changed paths", MAX_PATHS));
            }
            changes.push(Change {
                path: snapshot::path(&path),
                kind,
                before: nodes.0.map(Entry::from),
                after: nodes.1.map(Entry::from),
            });
        }
        // Only a directory has children.
        let pairs = pairs(from, before, to, after).into_iter().rev();
        stack.extend(pairs.map(|(before, after)| (before, after, path.len())));
    }
    Ok(changes)
}

/// Every name in a checkpoint with its path, directories before what is in them; the root first, with
/// an empty path.
#[derive(Debug)]
pub struct Entries {
    snapshot: Snapshot,
    path: Vec<u8>,
    stack: Vec<(At, usize)>,
}

impl Entries {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            path: Vec::new(),
            stack: vec![(0, 0)],
        }
    }
}

impl Iterator for Entries {
    type Item = (PathBuf, Entry);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, above) = self.stack.pop()?;
        self.path.truncate(above);
        snapshot::join(&mut self.path, self.snapshot.name(at));
        let length = self.path.len();
        let children = self.snapshot.children(at).rev();
        self.stack.extend(children.map(|at| (at, length)));
        let entry = Entry::from(self.snapshot.node(at)?);
        Some((snapshot::path(&self.path), entry))
    }
}
