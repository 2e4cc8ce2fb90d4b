//! Links, followed in a tree that is only known from a checkpoint.

use std::collections::HashMap;

use crate::workspace::changes::{ChangeKind, pairs};
use crate::workspace::error::Result;
use crate::workspace::id::{Kind, ObjectId};
use crate::workspace::snapshot::{self, At, EntryKind, Snapshot};
use crate::workspace::store::Store;

use super::{Concern, What};

/// No system follows more links in one path, nor longer ones.
const MAX_LINKS: u32 = 40;
const MAX_TARGET: u64 = 64 << 10;
/// Names that are looked up for one report: afterwards every new link counts as one that leaves.
const MAX_WORK: u64 = 20_000_000;

pub(super) struct Links<'a> {
    store: &'a Store,
    from: &'a Snapshot,
    to: &'a Snapshot,
    targets: HashMap<ObjectId, Vec<u8>>,
    work: u64,
}

impl<'a> Links<'a> {
    pub(super) fn new(store: &'a Store, from: &'a Snapshot, to: &'a Snapshot) -> Self {
        Self {
            store,
            from,
            to,
            targets: HashMap::new(),
            work: 0,
        }
    }

    /// Links that leave the tree, and are new or did not leave it before. One that is as it was may leave
    /// since a directory on its way is a link by now.
    pub(super) fn leaving(mut self, found: &mut Vec<Concern>) -> Result<()> {
        let mut way = Vec::new();
        let mut path = Vec::new();
        // The way to a directory, as places in the later tree, its name, and its place in the earlier one.
        let mut stack = vec![(Some(0), 0, 0_usize, 0_usize)];
        while let Some((before, after, depth, above)) = stack.pop() {
            way.truncate(depth);
            path.truncate(above);
            snapshot::join(&mut path, self.to.name(after));
            way.push(after);
            for (old, new) in pairs(self.from, before, self.to, Some(after)) {
                let Some(new) = new else { continue };
                let Some(node) = self.to.node(new) else {
                    continue;
                };
                match node.kind {
                    EntryKind::Directory => stack.push((old, new, way.len(), path.len())),
                    EntryKind::Symlink => {
                        let was = old.and_then(|at| self.from.node(at));
                        let same =
                            was.is_some_and(|was| was.kind == node.kind && was.id == node.id);
                        if !self.leaves(self.to, &way, node.id, !same)? {
                            continue;
                        }
                        let kind = match was {
                            None => ChangeKind::Added,
                            Some(was) if was.kind != node.kind => ChangeKind::Type,
                            Some(_) => ChangeKind::Modified,
                        };
                        if same && self.left_before(&path, node.id)? {
                            continue;
                        }
                        let mut path = path.clone();
                        snapshot::join(&mut path, self.to.name(new));
                        found.push(Concern {
                            path: snapshot::path(&path),
                            what: What::LinkOut,
                            kind: Some(kind),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Whether a link in a directory left the earlier tree already.
    fn left_before(&mut self, directory: &[u8], id: ObjectId) -> Result<bool> {
        let mut way = vec![0];
        for name in directory
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
        {
            let here = way.last().copied().unwrap_or_default();
            let Some(at) = child(self.from, here, name) else {
                return Ok(false);
            };
            way.push(at);
        }
        self.leaves(self.from, &way, id, false)
    }

    /// Whether whoever follows a link, from a directory on, gets out of a tree; `unsure` is the answer
    /// where that would take too long.
    fn leaves(&mut self, tree: &Snapshot, way: &[At], id: ObjectId, unsure: bool) -> Result<bool> {
        let mut way: Vec<Option<At>> = way.iter().copied().map(Some).collect();
        let Some(mut rest) = self.names(id)? else {
            return Ok(true);
        };
        let mut links = 1;
        while let Some(name) = rest.pop() {
            self.work += 1;
            if self.work > MAX_WORK {
                return Ok(unsure);
            }
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    way.pop();
                    if way.is_empty() {
                        return Ok(true);
                    }
                    continue;
                }
                _ => {}
            }
            // Below what is not there now, something may be made.
            let here = way.last().copied().flatten();
            let at = here.and_then(|here| child(tree, here, &name));
            let node = at.and_then(|at| tree.node(at));
            match node.filter(|node| node.kind == EntryKind::Symlink) {
                None => way.push(at),
                // Nobody gets any further.
                Some(_) if links == MAX_LINKS => return Ok(false),
                Some(node) => {
                    links += 1;
                    let Some(more) = self.names(node.id)? else {
                        return Ok(true);
                    };
                    rest.extend(more);
                }
            }
        }
        Ok(false)
    }

    /// The names in a link's target, the last one first; `None` of one that is absolute.
    fn names(&mut self, id: ObjectId) -> Result<Option<Vec<Vec<u8>>>> {
        if !self.targets.contains_key(&id) {
            let target = self.store.read(id, Kind::Blob, MAX_TARGET)?;
            self.targets.insert(id, target);
        }
        let target = self.targets.get(&id).map(Vec::as_slice).unwrap_or_default();
        if target.starts_with(b"/") {
            return Ok(None);
        }
        let names = target.split(|&byte| byte == b'/').rev();
        Ok(Some(names.map(<[u8]>::to_vec).collect()))
    }
}

/// A name in a directory; children are sorted.
fn child(tree: &Snapshot, directory: At, name: &[u8]) -> Option<At> {
    let all = tree.children(directory);
    let (mut low, mut high) = (all.start, all.end);
    while low < high {
        let middle = low + (high - low) / 2;
        match tree.name(middle).cmp(name) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(middle),
        }
    }
    None
}
