//! Which names differ, and which directories have such in them.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::workspace::changes::pairs;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::ID;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;

/// Where a path stands to those that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// It was asked for, or something above it was.
    Inside,
    /// Something below it was.
    Above,
    Outside,
    /// It is to stay as it is, with all that is below it.
    Spared,
}

/// What it means that something is not there which the target knows the name of, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It was there, and is lost.
    Lost,
    /// It never was: the tree was made of checkpoints.
    Never,
}

pub(super) struct Plan<'a> {
    now: &'a Snapshot,
    to: &'a Snapshot,
    missing: Missing,
    /// None: everything was asked for.
    paths: Vec<Vec<u8>>,
    spared: Vec<Vec<u8>>,
    groups_now: HashMap<u32, [u8; ID]>,
    groups_to: HashMap<u32, [u8; ID]>,
    /// By directory, on each side.
    work_now: Vec<bool>,
    work_to: Vec<bool>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        now: &'a Snapshot,
        to: &'a Snapshot,
        paths: &[PathBuf],
        spared: &[PathBuf],
        missing: Missing,
    ) -> Result<Self> {
        let normal = |path: &PathBuf| {
            let bytes = super::normal(path);
            bytes.ok_or_else(|| Error::unsafe_at(path, "leads out of the workspace"))
        };
        let mut asked: Vec<_> = paths.iter().map(normal).collect::<Result<_>>()?;
        let mut spared: Vec<_> = spared.iter().map(normal).collect::<Result<_>>()?;
        spared.retain(|path| !asked.iter().any(|asked| is_below(asked, path)));
        if asked.iter().any(Vec::is_empty) {
            asked.clear();
        }
        let mut plan = Self {
            now,
            to,
            missing,
            paths: asked,
            spared,
            groups_now: now.groups(),
            groups_to: to.groups(),
            work_now: vec![false; now.len()],
            work_to: vec![false; to.len()],
        };
        plan.find_work();
        Ok(plan)
    }

    /// Marks directories with work in them, from the bottom up.
    fn find_work(&mut self) {
        // Every pair with a directory in it, with the place of the pair above it.
        let mut order = vec![(Some(0), Some(0), 0)];
        let mut work = vec![self.differs(Some(0), Some(0))];
        let mut next = 0;
        while let Some((in_now, in_to, _)) = order.get(next).copied() {
            for (now, to) in pairs(self.now, in_now, self.to, in_to) {
                let differs = self.differs(now, to);
                if self.never(now, to).is_some() {
                    // That has to be told.
                    if let Some(work) = work.get_mut(next) {
                        *work = true;
                    }
                } else if self.is_unknown(to) {
                    continue;
                } else if self.has_directory(now, to) {
                    order.push((now, to, next));
                    work.push(differs);
                } else if let Some(work) = work.get_mut(next) {
                    *work |= differs;
                }
            }
            next += 1;
        }
        for (at, (now, to, above)) in order.iter().enumerate().rev() {
            if work.get(at) != Some(&true) {
                continue;
            }
            if let Some(work) = work.get_mut(*above) {
                *work = true;
            }
            for (list, node) in [(&mut self.work_now, now), (&mut self.work_to, to)] {
                if let Some(work) = node.and_then(|at| list.get_mut(at as usize)) {
                    *work = true;
                }
            }
        }
    }

    /// The target does not know what is there, so it stays, with all that is in it.
    pub(super) fn is_unknown(&self, to: Option<At>) -> bool {
        let node = to.and_then(|at| self.to.node(at));
        node.is_some_and(|node| matches!(node.kind, EntryKind::LeftOut(_)))
    }

    /// Why this can never be what it was.
    pub(super) fn never(&self, now: Option<At>, to: Option<At>) -> Option<&'static str> {
        let kind = |node: Option<&Node>| node.map(|node| node.kind);
        let now = kind(now.and_then(|at| self.now.node(at)));
        let to = kind(to.and_then(|at| self.to.node(at)))?;
        match (now, to) {
            // A FIFO or a device holds nothing.
            (Some(EntryKind::LeftOut(reason)), EntryKind::LeftOut(_))
                if reason != Reason::Special =>
            {
                None
            }
            (now, EntryKind::LeftOut(reason)) => match reason {
                // Nobody counts on those, or could have kept them.
                Reason::Excluded | Reason::Special | Reason::MountPoint => None,
                // That may be why.
                Reason::Changed if now.is_none() => None,
                _ if now.is_none() && self.missing == Missing::Never => None,
                _ => Some("what it was is in no checkpoint"),
            },
            (Some(EntryKind::LeftOut(reason)), _) if reason != Reason::Special => {
                Some("what is there is in no checkpoint, and stays")
            }
            _ => None,
        }
    }

    /// The name stands for a directory in one of the trees.
    pub(super) fn has_directory(&self, now: Option<At>, to: Option<At>) -> bool {
        let now = now.and_then(|at| self.now.node(at));
        let to = to.and_then(|at| self.to.node(at));
        now.is_some_and(Node::is_directory) || to.is_some_and(Node::is_directory)
    }

    pub(super) fn has_work(&self, now: Option<At>, to: Option<At>) -> bool {
        let get = |list: &[bool], at: Option<At>| {
            at.is_some_and(|at| list.get(at as usize).copied().unwrap_or_default())
        };
        get(&self.work_now, now) || get(&self.work_to, to)
    }

    /// Something has to be done for the name itself.
    pub(super) fn differs(&self, now: Option<At>, to: Option<At>) -> bool {
        let now = now.and_then(|at| self.now.node(at));
        let to = to.and_then(|at| self.to.node(at));
        match (now, to) {
            (None, None) => false,
            (_, Some(to)) if matches!(to.kind, EntryKind::LeftOut(_)) => false,
            (Some(now), None) => !matches!(now.kind, EntryKind::LeftOut(_)),
            (None, Some(_)) => true,
            (Some(now), Some(to)) => {
                !self.is_same_content(now, to)
                    || now.mtime != to.mtime
                    || now.owner != to.owner
                    || (now.mode != to.mode && to.kind != EntryKind::Symlink)
            }
        }
    }

    /// All but owner, mode and time is as it should be.
    pub(super) fn is_same_content(&self, now: &Node, to: &Node) -> bool {
        let group_now = self.groups_now.get(&now.group);
        let group_to = self.groups_to.get(&to.group);
        let is_directory = to.is_directory();
        now.kind == to.kind && group_now == group_to && (is_directory || now.id == to.id)
    }

    pub(super) fn scope(&self, path: &[u8]) -> Scope {
        if self.spared.iter().any(|spared| is_below(path, spared)) {
            return Scope::Spared;
        }
        let mut paths = self.paths.iter();
        if self.paths.is_empty() || paths.clone().any(|asked| is_below(path, asked)) {
            Scope::Inside
        } else if paths.any(|asked| is_below(asked, path)) {
            Scope::Above
        } else {
            Scope::Outside
        }
    }
}

/// Whether it is the same path or one below it; everything is below the empty one.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with(b"/"))
}
