//! What one tree has changed since a common beginning, taken over into another one that may have changed as well.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::PathBuf;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Owners;
use crate::workspace::snapshot::Snapshot;

/// Directories inside each other: each takes its part of the stack.
const MAX_DEPTH: usize = 256;
/// Groups of hard links of the second tree get other numbers.
const OTHERS: u32 = 1 << 31;
/// Run as its owner, or its group.
const SET_ID: u32 = 0o6000;

/// Both together.
#[derive(Debug)]
pub struct Merged {
    pub(super) snapshot: Snapshot,
    /// What is taken over: the names themselves, and not what they are in.
    pub taken: Vec<PathBuf>,
    /// What both have changed in the same way: as after a taking over that was not finished.
    pub same: Vec<PathBuf>,
    /// What both have changed, each in its way; what is taken over counts.
    pub conflicts: Vec<PathBuf>,
}

struct Built {
    name: Vec<u8>,
    node: Node,
    children: Vec<Self>,
}

struct Merger<'a> {
    base: &'a Snapshot,
    there: &'a Snapshot,
    work: &'a Snapshot,
    /// Only these; all, if there are none.
    paths: &'a [PathBuf],
    path: Vec<u8>,
    depth: usize,
    taken: Vec<PathBuf>,
    same: Vec<PathBuf>,
    conflicts: Vec<PathBuf>,
    owners: Owners,
}

/// The same name in each.
#[derive(Clone, Copy, Default)]
struct Three {
    base: Option<At>,
    there: Option<At>,
    work: Option<At>,
}

/// The tree `there` with what `work` has changed since `base`. `.git` at the top, and what a checkpoint does not
/// know, stays as it is there.
pub(super) fn merge(
    base: &Snapshot,
    there: &Snapshot,
    work: &Snapshot,
    paths: &[PathBuf],
) -> Result<Merged> {
    let mut merger = Merger {
        base,
        there,
        work,
        paths,
        path: Vec::new(),
        depth: 0,
        taken: Vec::new(),
        same: Vec::new(),
        conflicts: Vec::new(),
        owners: Owners::ours(),
    };
    let top = Three {
        base: Some(0),
        there: Some(0),
        work: Some(0),
    };
    let built = merger.name(b"", top)?;
    let built = built.ok_or_else(|| Error::refused("there is nothing left"))?;
    Ok(Merged {
        snapshot: flat(built)?,
        taken: merger.taken,
        same: merger.same,
        conflicts: merger.conflicts,
    })
}

/// Whether a name stands for something else. Times are no difference.
fn differs(one: Option<&Node>, other: Option<&Node>) -> bool {
    match (one, other) {
        (None, None) => false,
        (Some(one), Some(other)) => {
            one.kind != other.kind
                || (!one.is_directory() && one.id != other.id)
                || (one.kind != EntryKind::Symlink && one.mode != other.mode)
        }
        _ => true,
    }
}

fn is_unknown(node: Option<&Node>) -> bool {
    node.is_some_and(|node| matches!(node.kind, EntryKind::LeftOut(_)))
}

impl Merger<'_> {
    fn name(&mut self, name: &[u8], three: Three) -> Result<Option<Built>> {
        let above = self.path.len();
        if self.depth > 0 {
            snapshot::join(&mut self.path, name);
        }
        let built = self.here(name, three);
        self.path.truncate(above);
        built
    }

    fn here(&mut self, name: &[u8], three: Three) -> Result<Option<Built>> {
        let base = three.base.and_then(|at| self.base.node(at)).copied();
        let there = three.there.and_then(|at| self.there.node(at)).copied();
        let mut work = three.work.and_then(|at| self.work.node(at)).copied();
        // What another user of the sandbox made is the person's here, and runs as nobody else.
        if let Some(work) = &mut work
            && self.owners.settle(work)
        {
            work.mode &= !SET_ID;
        }
        let unknown = [&base, &there, &work].map(|node| is_unknown(node.as_ref()));
        if self.path == b".git" || unknown.contains(&true) {
            return self.as_it_is(name, three.there);
        }
        let (base, there, work) = (base.as_ref(), there.as_ref(), work.as_ref());
        let path = snapshot::path(&self.path);
        let mut paths = self.paths.iter();
        let is_asked = self.paths.is_empty() || paths.any(|one| path.starts_with(one));
        let is_changed = is_asked && differs(base, work);
        let taken = is_changed && differs(there, work);
        let is_directory = |node: Option<&Node>| node.is_some_and(Node::is_directory);
        if is_changed && !taken && !is_directory(work) {
            self.same.push(path.clone());
        }
        if taken {
            let both = is_directory(there) && is_directory(work);
            if differs(base, there) && !both {
                self.conflicts.push(path.clone());
            }
            if !is_directory(work) || !is_directory(there) {
                self.taken.push(path.clone());
            }
        }
        let children = self.children(three)?;
        let winner = if taken { work } else { there };
        let Some(winner) = winner.filter(|node| node.is_directory() || children.is_empty()) else {
            if children.is_empty() {
                return Ok(None);
            }
            // Something is to be in it: it has to be a directory.
            let directory = [work, there, base].into_iter().flatten();
            let directory = directory.copied().find(Node::is_directory);
            if differs(base, there) || winner.is_some() {
                self.conflicts.push(path);
            }
            return Ok(directory.map(|node| built(name, node, children)));
        };
        let mut node = *winner;
        if taken && node.group != 0 {
            node.group |= OTHERS;
        }
        Ok(Some(built(name, node, children)))
    }

    fn children(&mut self, three: Three) -> Result<Vec<Built>> {
        let mut names: BTreeMap<Vec<u8>, Three> = BTreeMap::new();
        let (base, there, work) = (self.base, self.there, self.work);
        for at in three.base.iter().flat_map(|at| base.children(*at)) {
            names.entry(base.name(at).to_vec()).or_default().base = Some(at);
        }
        for at in three.there.iter().flat_map(|at| there.children(*at)) {
            names.entry(there.name(at).to_vec()).or_default().there = Some(at);
        }
        for at in three.work.iter().flat_map(|at| work.children(*at)) {
            names.entry(work.name(at).to_vec()).or_default().work = Some(at);
        }
        self.depth += 1;
        self.not_too_deep()?;
        let mut all = Vec::new();
        for (name, three) in names {
            all.extend(self.name(&name, three)?);
        }
        self.depth -= 1;
        Ok(all)
    }

    fn not_too_deep(&self) -> Result<()> {
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        let top = self.path.split(|&byte| byte == b'/').next();
        Err(Error::refused(format!(
            "more than {MAX_DEPTH} directories are inside each other in {:?}",
            snapshot::path(top.unwrap_or_default())
        )))
    }

    /// What the person has there, with all that is in it.
    fn as_it_is(&mut self, name: &[u8], there: Option<At>) -> Result<Option<Built>> {
        let Some(node) = there.and_then(|at| self.there.node(at)).copied() else {
            return Ok(None);
        };
        let tree = self.there;
        self.depth += 1;
        self.not_too_deep()?;
        let mut children = Vec::new();
        for at in there.iter().flat_map(|at| tree.children(*at)) {
            children.extend(self.as_it_is(tree.name(at), Some(at))?);
        }
        self.depth -= 1;
        Ok(Some(built(name, node, children)))
    }
}

fn built(name: &[u8], node: Node, children: Vec<Built>) -> Built {
    Built {
        name: name.to_vec(),
        node,
        children,
    }
}

/// As trees are kept: children side by side, behind their directory.
fn flat(top: Built) -> Result<Snapshot> {
    let full = || Error::limit("the length of all names", u32::MAX.into());
    let mut snapshot = Snapshot::new(top.node.alone());
    let mut rest = VecDeque::from([(0, top.children)]);
    while let Some((directory, children)) = rest.pop_front() {
        let first = At::try_from(snapshot.len()).map_err(|_| full())?;
        let mut below = Vec::new();
        for child in children {
            let at = snapshot
                .push(&child.name, child.node.alone())
                .ok_or_else(full)?;
            if !child.children.is_empty() {
                below.push((at, child.children));
            }
        }
        snapshot.adopt(directory, first);
        rest.extend(below);
    }
    Ok(snapshot)
}

#[cfg(test)]
#[path = "merge/tests.rs"]
mod tests;
