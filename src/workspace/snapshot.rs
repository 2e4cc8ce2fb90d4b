//! A whole tree in memory: everything that a checkpoint knows but contents.

use std::collections::HashMap;
use std::ffi::CString;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use sha2::Digest as _;
use sha2::Sha256;

use crate::workspace::disk::Time;
use crate::workspace::id::ID;
use crate::workspace::id::ObjectId;

/// Why something is not in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// A directory that a tool makes again, or what the caller excluded.
    Excluded,
    /// Socket, FIFO or device.
    Special,
    /// Another file system, or another part of this one.
    MountPoint,
    /// More nested directories, or a longer path, than the caps allow.
    Deep,
    /// Larger than a file may be.
    Large,
    /// The caps on entries or bytes were reached.
    Full,
    /// It cannot be read.
    Unreadable,
    /// It vanished or was replaced while it was looked at.
    Changed,
}

impl Reason {
    pub(super) const ALL: [Self; 8] = [
        Self::Excluded,
        Self::Special,
        Self::MountPoint,
        Self::Deep,
        Self::Large,
        Self::Full,
        Self::Unreadable,
        Self::Changed,
    ];

    /// A word, as it stands in a checkpoint.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Special => "special",
            Self::MountPoint => "mount-point",
            Self::Deep => "deep",
            Self::Large => "large",
            Self::Full => "full",
            Self::Unreadable => "unreadable",
            Self::Changed => "changed",
        }
    }

    /// It is there because of the caps.
    pub fn is_cap(self) -> bool {
        matches!(self, Self::Deep | Self::Large | Self::Full)
    }
}

/// What a name stands for in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// Something whose content the checkpoint does not know.
    LeftOut(Reason),
}

/// One name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    name: (u32, u32),
    pub(super) kind: EntryKind,
    /// The content changed while it was read, each time.
    pub(super) torn: bool,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) mtime: Time,
    pub(super) size: u64,
    pub(super) id: ObjectId,
    /// Files of one group are one file; 0 for none.
    pub(super) group: u32,
    /// The first child and how many there are.
    children: (u32, u32),
}

impl Node {
    pub(super) fn new(kind: EntryKind) -> Self {
        Self {
            name: (0, 0),
            kind,
            torn: false,
            mode: 0,
            owner: (0, 0),
            mtime: Time::default(),
            size: 0,
            id: ObjectId::NONE,
            group: 0,
            children: (0, 0),
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == EntryKind::Directory
    }

    /// The same name, of which nothing else is known.
    pub(super) fn left_out(self, reason: Reason) -> Self {
        Self {
            name: self.name,
            ..Self::new(EntryKind::LeftOut(reason))
        }
    }

    /// For another tree: without its name and its children.
    pub(super) fn alone(self) -> Self {
        Self {
            name: (0, 0),
            children: (0, 0),
            ..self
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.children.1
    }
}

/// The place of a node.
pub(super) type At = u32;

/// Whose what we make can be.
pub(super) struct Owners {
    /// `None` for root: anybody's.
    user: Option<u32>,
    group: u32,
    groups: Vec<u32>,
}

impl Owners {
    /// Ours, of any group that we are in.
    pub(super) fn ours() -> Self {
        let us = rustix::process::geteuid();
        let groups = rustix::process::getgroups().unwrap_or_default();
        Self {
            user: (!us.is_root()).then_some(us.as_raw()),
            group: rustix::process::getegid().as_raw(),
            groups: groups.into_iter().map(rustix::fs::Gid::as_raw).collect(),
        }
    }

    /// Gives something an owner that we can give it; whether that is another one.
    pub(super) fn settle(&self, node: &mut Node) -> bool {
        let Some(user) = self.user else {
            return false;
        };
        let before = node.owner;
        if node.owner.0 != user {
            node.owner = (user, self.group);
        } else if node.owner.1 != self.group && !self.groups.contains(&node.owner.1) {
            node.owner.1 = self.group;
        }
        node.owner != before
    }
}

/// A tree. The children of a directory stand side by side, behind it, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    nodes: Vec<Node>,
    names: Vec<u8>,
}

impl Snapshot {
    /// With a root.
    pub(super) fn new(root: Node) -> Self {
        Self {
            nodes: vec![root],
            names: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, at: At) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    pub(super) fn node_mut(&mut self, at: At) -> Option<&mut Node> {
        self.nodes.get_mut(at as usize)
    }

    pub(super) fn name(&self, at: At) -> &[u8] {
        let (start, length) = self.node(at).map(|node| node.name).unwrap_or_default();
        let start = start as usize;
        self.names
            .get(start..start + length as usize)
            .unwrap_or_default()
    }

    pub(super) fn c_name(&self, at: At) -> CString {
        // Neither a directory nor a checkpoint can hold a name with a NUL.
        CString::new(self.name(at)).unwrap_or_default()
    }

    pub(super) fn children(&self, at: At) -> Range<At> {
        let (first, count) = self.node(at).map(|node| node.children).unwrap_or_default();
        first..first.saturating_add(count)
    }

    /// Appends a node without making it anybody's child; `None` if there is no room for more.
    pub(super) fn push(&mut self, name: &[u8], node: Node) -> Option<At> {
        let at = At::try_from(self.nodes.len()).ok()?;
        let start = u32::try_from(self.names.len()).ok()?;
        let length = u32::try_from(name.len()).ok()?;
        start.checked_add(length)?;
        self.names.extend_from_slice(name);
        self.nodes.push(Node {
            name: (start, length),
            ..node
        });
        Some(at)
    }

    /// Forgets what no checkpoint says of what it does not hold.
    pub(super) fn settle(&mut self) {
        for node in &mut self.nodes {
            if matches!(node.kind, EntryKind::LeftOut(_)) {
                *node = Node {
                    name: node.name,
                    ..Node::new(node.kind)
                };
            }
        }
    }

    /// Gives what belongs to others to us, unless we are root and can make it theirs.
    pub(super) fn own_as_far_as_possible(&mut self) {
        let owners = Owners::ours();
        for node in &mut self.nodes {
            owners.settle(node);
        }
    }

    /// Makes all nodes from `first` on the children of a directory.
    pub(super) fn adopt(&mut self, directory: At, first: At) {
        let end = At::try_from(self.nodes.len()).unwrap_or(At::MAX);
        if let Some(node) = self.node_mut(directory) {
            node.children = (first, end.saturating_sub(first));
        }
    }

    /// Every directory with its path, in the order in which it is reached from the top.
    pub(super) fn walk(&self, mut see: impl FnMut(At, &[u8])) {
        let mut path = Vec::new();
        let mut stack = vec![(0, 0)];
        while let Some((at, above)) = stack.pop() {
            path.truncate(above);
            join(&mut path, self.name(at));
            see(at, &path);
            let children = self.children(at).rev();
            let children = children.filter(|at| self.node(*at).is_some_and(Node::is_directory));
            stack.extend(children.map(|at| (at, path.len())));
        }
    }

    /// For each group of files what it consists of, as a number: equal if the paths are.
    pub(super) fn groups(&self) -> HashMap<u32, [u8; ID]> {
        let mut groups: HashMap<u32, Sha256> = HashMap::new();
        if self.nodes.iter().all(|node| node.group == 0) {
            return HashMap::new();
        }
        // The way to a directory as a number, so that deep trees take no more memory than others.
        let mut ways: HashMap<At, [u8; ID]> = HashMap::new();
        self.walk(|directory, _| {
            let way = ways.remove(&directory).unwrap_or_default();
            for at in self.children(directory) {
                let Some(node) = self.node(at) else { continue };
                let below = || {
                    let hasher = Sha256::new().chain_update(way);
                    <[u8; ID]>::from(hasher.chain_update(self.name(at)).finalize())
                };
                if node.is_directory() {
                    ways.insert(at, below());
                } else if node.group != 0 {
                    groups.entry(node.group).or_default().update(below());
                }
            }
        });
        let groups = groups.into_iter();
        groups
            .map(|(group, hasher)| (group, hasher.finalize().into()))
            .collect()
    }
}

/// Appends a name to a path.
pub(super) fn join(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// A path made of names.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
