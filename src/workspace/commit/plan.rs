//! What a commit holds: everything that is in the index, as it is in the workspace by now, and what came
//! since and was not ignored in the beginning.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use crate::workspace::changes::pairs;
use crate::workspace::disk::Time;
use crate::workspace::error::{Error, Result};
use crate::workspace::id::ObjectId;
use crate::workspace::snapshot::{self, At, EntryKind, Node, Snapshot};
use crate::workspace::store::Store;

use super::ignore::Ignore;
use super::index::{Entry, GITLINK, Stat};
use super::state::{self, State, child};
use super::{Personal, is_among};

pub(super) const LINK: u32 = 0o120_000;
const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
/// The longest path that `git fsck` takes without a word, in bytes.
const MAX_PATH: usize = 4096;

#[derive(Debug)]
pub(super) enum Planned {
    /// As it is in the index.
    Keep(Entry),
    /// As it is in the workspace.
    Blob {
        id: ObjectId,
        size: u64,
        mode: u32,
        mtime: Time,
    },
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) files: BTreeMap<Vec<u8>, Planned>,
    pub(super) left_out: Vec<PathBuf>,
    pub(super) added: u64,
}

/// A directory that is looked into.
struct Frame {
    before: Option<At>,
    after: At,
    above: usize,
    ignored: bool,
    /// Belongs to a repository of its own.
    foreign: bool,
}

struct Planner<'a> {
    state: &'a State,
    base: &'a Snapshot,
    at: &'a Snapshot,
    paths: &'a [PathBuf],
    ignore: Ignore,
    /// Directories in which something is in the index.
    tracked: HashSet<&'a [u8]>,
    /// Of the index, what was met in the workspace.
    seen: HashSet<Vec<u8>>,
    /// Whose content the checkpoint does not know.
    unknown: HashSet<Vec<u8>>,
    plan: Plan,
}

pub(super) fn plan(
    store: &Store,
    state: &State,
    base: &Snapshot,
    at: &Snapshot,
    paths: &[PathBuf],
    personal: &Personal,
) -> Result<Plan> {
    let mut tracked = HashSet::new();
    for path in state.entries.keys() {
        let ends = path.iter().enumerate().rev();
        for (end, _) in ends.filter(|(_, byte)| **byte == b'/') {
            // Those above it are known, then.
            if !tracked.insert(path.get(..end).unwrap_or_default()) {
                break;
            }
        }
    }
    let mut planner = Planner {
        state,
        base,
        at,
        paths,
        ignore: rules(store, base, &personal.excludes)?,
        tracked,
        seen: HashSet::new(),
        unknown: HashSet::new(),
        plan: Plan::default(),
    };
    planner.walk();
    planner.rest();
    Ok(planner.plan)
}

/// The ignore rules as they were before the agent.
fn rules(store: &Store, base: &Snapshot, excludes: &[u8]) -> Result<Ignore> {
    let mut ignore = Ignore::default();
    let mut files = Vec::new();
    base.walk(|directory, path| {
        if let Some(at) = child(base, directory, b".gitignore") {
            files.push((path.to_vec(), at));
        }
    });
    for (directory, at) in files {
        if let Some(text) = state::read(store, base, Some(at))? {
            ignore.add(&directory, &text);
        }
    }
    let exclude = child(base, 0, b".git")
        .and_then(|git| child(base, git, b"info"))
        .and_then(|info| child(base, info, b"exclude"));
    let exclude = state::read(store, base, exclude)?;
    ignore.exclude(&exclude.unwrap_or_default());
    ignore.exclude(excludes);
    Ok(ignore)
}

impl Planner<'_> {
    fn walk(&mut self) {
        let mut path = Vec::new();
        let mut stack = vec![Frame {
            before: Some(0),
            after: 0,
            above: 0,
            ignored: false,
            foreign: false,
        }];
        while let Some(frame) = stack.pop() {
            path.truncate(frame.above);
            snapshot::join(&mut path, self.at.name(frame.after));
            let length = path.len();
            for (before, after) in pairs(self.base, frame.before, self.at, Some(frame.after)) {
                let Some(after) = after else { continue };
                let Some(node) = self.at.node(after) else {
                    continue;
                };
                let name = self.at.name(after);
                if length == 0 && name == b".git" {
                    continue;
                }
                path.truncate(length);
                snapshot::join(&mut path, name);
                if node.kind != EntryKind::Directory {
                    self.file(&path, before, node, &frame);
                    continue;
                }
                let foreign = frame.foreign || child(self.at, after, b".git").is_some();
                let entry = self.state.entries.get(&path);
                let is_known = entry.is_some_and(|entry| entry.mode == GITLINK);
                if foreign && !frame.foreign && !is_known {
                    self.plan.left_out.push(snapshot::path(&path));
                }
                if is_known {
                    // Somebody else's, whether its repository is there or not.
                    continue;
                }
                let ignored = frame.ignored || self.ignore.ignores(&path, true);
                if self.tracked.contains(path.as_slice()) || !(foreign || ignored) {
                    stack.push(Frame {
                        before,
                        after,
                        above: length,
                        ignored,
                        foreign,
                    });
                }
            }
        }
    }

    /// A file, a link, or what the checkpoint does not know.
    fn file(&mut self, path: &[u8], before: Option<At>, node: &Node, frame: &Frame) {
        let entry = self.state.entries.get(path);
        if matches!(node.kind, EntryKind::LeftOut(_)) {
            self.unknown.insert(path.to_vec());
            return;
        }
        let before = before.and_then(|at| self.base.node(at));
        let same = before.is_some_and(|before| {
            let what = |node: &Node| (node.kind, node.id, node.mode & 0o100);
            what(before) == what(node)
        });
        let mode = match node.kind {
            EntryKind::Symlink => LINK,
            _ if !self.state.modes => match entry {
                Some(entry) if entry.mode == EXECUTABLE => EXECUTABLE,
                _ => FILE,
            },
            _ if node.mode & 0o100 != 0 => EXECUTABLE,
            _ => FILE,
        };
        let blob = Planned::Blob {
            id: node.id,
            size: node.size,
            mode,
            mtime: node.mtime,
        };
        let planned = match entry {
            Some(entry) => {
                self.seen.insert(path.to_vec());
                let is_kept = !is_among(self.paths, path)
                    || same && entry.mode == mode && self.is_clean(entry, before);
                if !is_kept && !same && entry.is_skipped() {
                    self.plan.left_out.push(snapshot::path(path));
                }
                if is_kept || entry.is_skipped() {
                    Planned::Keep(self.settled(entry))
                } else {
                    blob
                }
            }
            // What was there before, and not in the index, is the person's own affair.
            None if same || frame.foreign || !is_among(self.paths, path) => return,
            None if frame.ignored || self.ignore.ignores(path, false) => return,
            None if path.split(|&byte| byte == b'/').any(is_gits_own)
                || path.len() > MAX_PATH
                || node.kind == EntryKind::Symlink && is_followed(path) =>
            {
                self.plan.left_out.push(snapshot::path(path));
                return;
            }
            None => {
                self.plan.added += 1;
                blob
            }
        };
        self.plan.files.insert(path.to_vec(), planned);
    }

    /// As git decides it: the file was as in its entry before the agent, by time and size.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index has the lower 32 bits"
    )]
    fn is_clean(&self, entry: &Entry, before: Option<&Node>) -> bool {
        before.is_some_and(|before| {
            let (seconds, nanoseconds) = entry.stat.mtime;
            seconds == before.mtime.seconds as u32
                && (nanoseconds == before.mtime.nanoseconds || nanoseconds == 0)
                && entry.stat.size == before.size as u32
                && !entry.is_intent()
                && !self.is_racy(entry)
        })
    }

    /// Written so late that it may have been written again in the same moment.
    fn is_racy(&self, entry: &Entry) -> bool {
        let (seconds, nanoseconds) = entry.stat.mtime;
        let index = self.state.index_time;
        (i64::from(seconds), nanoseconds) >= (index.seconds, index.nanoseconds)
    }

    /// An entry for an index that is written later: git has to look at one that was too fresh.
    fn settled(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        if self.is_racy(&entry) {
            entry.stat = Stat::default();
        }
        entry
    }

    /// What is in the index and was not met: it is gone, or nobody knows.
    fn rest(&mut self) {
        for (path, entry) in &self.state.entries {
            if self.seen.contains(path) {
                continue;
            }
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            let mut above = ends.map(|(end, _)| path.get(..end).unwrap_or_default());
            let is_unknown =
                self.unknown.contains(path) || above.any(|above| self.unknown.contains(above));
            let is_kept = !is_among(self.paths, path)
                || entry.is_skipped()
                || is_unknown
                || entry.mode == GITLINK && self.is_directory(path);
            if is_kept {
                let entry = self.settled(entry);
                self.plan.files.insert(path.clone(), Planned::Keep(entry));
            }
        }
    }

    fn is_directory(&self, path: &[u8]) -> bool {
        let mut names = path.split(|&byte| byte == b'/');
        let at = names.try_fold(0, |at, name| child(self.at, at, name));
        at.and_then(|at| self.at.node(at))
            .is_some_and(Node::is_directory)
    }
}

/// The names that some system may take a name for, as git itself sees it: in lower case, up to a colon, as a stream of a
/// file is named, and without what is dropped. A backslash parts names, too.
fn aliases(name: &[u8]) -> impl Iterator<Item = String> {
    let lower = String::from_utf8_lossy(name).to_lowercase();
    let ignorable = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let plain = lower.replace(ignorable, "");
    let parts: Vec<String> = plain.split('\\').map(str::to_owned).collect();
    parts.into_iter().map(|part| {
        let part = part.split(':').next().unwrap_or_default();
        part.trim_end_matches(['.', ' ']).to_owned()
    })
}

/// A name that some system takes for `.git`.
fn is_gits_own(name: &[u8]) -> bool {
    name.is_empty() || aliases(name).any(|name| matches!(name.as_str(), ".git" | "git~1"))
}

/// Files that git reads, and does not take as links.
fn is_followed(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let others = [".gitattributes", ".gitignore", ".mailmap"];
    let lower = name.to_ascii_lowercase();
    others.iter().any(|other| lower == other.as_bytes())
        || aliases(name).any(|name| name == ".gitmodules" || is_short(&name))
}

/// A short name of `.gitmodules`, as NTFS makes them.
fn is_short(name: &str) -> bool {
    let Some((head, digits)) = name.split_once('~') else {
        return false;
    };
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    matches!((head, digits), ("gitmod", "1" | "2" | "3" | "4"))
        || name.len() == 8 && "gi7eba".starts_with(head) && is_number
}

/// That a path is no directory of another.
pub(super) fn conflict(path: &[u8]) -> Error {
    Error::refused(format!(
        "{:?} would be a file and a directory: name both paths, or none",
        snapshot::path(path)
    ))
}
