//! What a commit holds besides what a run has changed, and what of that it does not hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use flate2::read::ZlibDecoder;

use crate::workspace::changes::{Change, ChangeKind, changes};
use crate::workspace::error::Result;
use crate::workspace::snapshot::{self, EntryKind, Snapshot};
use crate::workspace::store::Store;

use super::objects::{self, Id};
use super::plan::{Plan, Planned};
use super::state::{self, State};
use super::{index, is_among, piecewise};

/// The longest commit or tree that is read, in bytes.
const MAX_OBJECT: u64 = 64 << 20;
/// How a tree's entry says that it is one.
const DIRECTORY: u32 = 0o40_000;

#[derive(Debug, Default)]
pub(super) struct Beside {
    /// In the commit, and not among the run's changes, or more of it than those.
    pub(super) also: Vec<PathBuf>,
    /// Among the run's changes, and not in the commit.
    pub(super) missing: Vec<PathBuf>,
    /// The index may hold more than the branch, but that cannot be read.
    pub(super) is_unsure: bool,
}

/// Whether the branch has a file of some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    HasIt,
    HasNot,
}

type Staged = BTreeMap<Vec<u8>, Head>;

/// Looks at a plan, with the run's changes from `base` to `work`. The repository is as in `there`.
pub(super) fn look(
    store: &Store,
    (state, plan): (&State, &Plan),
    (base, there): (&Snapshot, &Snapshot),
    work: &Snapshot,
    paths: &[PathBuf],
) -> Result<Beside> {
    let mut shown: HashMap<Vec<u8>, Change> = HashMap::new();
    for change in changes(base, work)? {
        let path = change.path.as_os_str().as_bytes().to_vec();
        if !change.path.starts_with(".git") && is_among(paths, &path) {
            shown.insert(path, change);
        }
    }
    let (staged, is_unsure) = staged(store, state, there)?;
    let mut also: BTreeSet<&[u8]> = BTreeSet::new();
    for (path, planned) in &plan.files {
        let is_staged = staged.contains_key(path);
        if is_staged || holds_more(store, state, (path, planned), shown.get(path))? {
            also.insert(path);
        }
    }
    for path in state.entries.keys().chain(staged.keys()) {
        let is_gone = !plan.files.contains_key(path) && !shown.contains_key(path);
        // What was added and is gone by now is in no commit.
        if is_gone && staged.get(path).is_none_or(|was| *was == Head::HasIt) {
            also.insert(path);
        }
    }
    let mut missing: Vec<PathBuf> = shown
        .values()
        .filter(|change| is_missing(state, plan, change))
        .map(|change| change.path.clone())
        .collect();
    missing.sort();
    Ok(Beside {
        also: also.into_iter().map(snapshot::path).collect(),
        missing,
        is_unsure,
    })
}

/// Whether a commit has more of a file than the run has changed.
fn holds_more(
    store: &Store,
    state: &State,
    (path, planned): (&[u8], &Planned),
    shown: Option<&Change>,
) -> Result<bool> {
    let &Planned::Blob { id, size, mode, .. } = planned else {
        return Ok(false);
    };
    let entry = state.entries.get(path).filter(|entry| !entry.is_intent());
    let before = match shown {
        Some(change) => match change.before {
            Some(before) if matches!(before.kind, EntryKind::File | EntryKind::Symlink) => {
                (before.id, before.size)
            }
            // All of it is shown.
            _ => return Ok(false),
        },
        None => (id, size),
    };
    let Some(entry) = entry else {
        return Ok(true);
    };
    let blob = |out: &mut dyn FnMut(&[u8]) -> Result<()>| piecewise(store, before.0, out);
    let name = objects::id_of(state.format, "blob", before.1, &blob)?;
    Ok(name != entry.id || shown.is_none() && mode != entry.mode)
}

/// Whether a change is in no commit, and nobody has said so yet.
fn is_missing(state: &State, plan: &Plan, change: &Change) -> bool {
    let path = change.path.as_os_str().as_bytes();
    let is_directory = |entry: Option<crate::workspace::Entry>| {
        entry.is_none_or(|entry| entry.kind == EntryKind::Directory)
    };
    if change.kind == ChangeKind::Mode
        || is_directory(change.before) && is_directory(change.after)
        || plan.left_out.iter().any(|one| change.path.starts_with(one))
    {
        return false;
    }
    match plan.files.get(path) {
        Some(Planned::Blob { .. }) => false,
        Some(Planned::Keep(_)) => true,
        // It has gone from the index, or never was in it.
        None => !(is_directory(change.after) && state.entries.contains_key(path)),
    }
}

/// Names that are not in the index as they are in the branch, as far as that can be read, and whether it could
/// not be.
fn staged(store: &Store, state: &State, there: &Snapshot) -> Result<(Staged, bool)> {
    let mut differ = Staged::new();
    let kept = index::trees(&state.index, state.format).unwrap_or_default();
    let mut heads: BTreeMap<Vec<u8>, (u32, Id)> = BTreeMap::new();
    // Directories in which nothing is looked at, and whether all is the same there.
    let mut passed: HashSet<Vec<u8>> = HashSet::new();
    let mut is_unsure = false;
    let mut stack = Vec::new();
    if let Some(parent) = &state.parent {
        let commit = object(store, state, there, parent, "commit")?;
        let tree = commit.as_deref().and_then(|text| {
            let line = text
                .strip_prefix(b"tree ")?
                .split(|&byte| byte == b'\n')
                .next()?;
            Id::from_hex(line, state.format)
        });
        match tree {
            Some(tree) => stack.push((Vec::new(), tree)),
            // Both are in a pack. Of what was added since, git writes trees as files.
            None if kept
                .get(&b""[..])
                .is_some_and(|tree| !is_loose(state, tree)) =>
            {
                return Ok((differ, false));
            }
            None => return Ok((differ, true)),
        }
    }
    while let Some((directory, tree)) = stack.pop() {
        let is_same = kept.get(&directory).is_some_and(|kept| *kept == tree);
        let content = match is_same {
            true => None,
            false => object(store, state, there, &tree, "tree")?,
        };
        let entries = content.and_then(|content| entries(&content, state.format.length()));
        let Some(entries) = entries else {
            is_unsure |= !is_same;
            passed.insert(directory);
            continue;
        };
        for (mode, name, id) in entries {
            let mut path = directory.clone();
            snapshot::join(&mut path, &name);
            match mode {
                DIRECTORY => stack.push((path, id)),
                _ => drop(heads.insert(path, (mode, id))),
            }
        }
    }
    let is_passed = |path: &[u8]| {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = ends.map(|(end, _)| path.get(..end).unwrap_or_default());
        passed.contains(&b""[..]) || above.any(|above| passed.contains(above))
    };
    for (path, entry) in &state.entries {
        let head = heads.remove(path);
        let was = head.as_ref().map_or(Head::HasNot, |_| Head::HasIt);
        let is_same = head.is_some_and(|(mode, id)| mode == entry.mode && id == entry.id);
        if !is_same && !is_passed(path) {
            differ.insert(path.clone(), was);
        }
    }
    differ.extend(heads.into_keys().map(|path| (path, Head::HasIt)));
    Ok((differ, is_unsure))
}

fn is_loose(state: &State, id: &Id) -> bool {
    let hex = id.to_string();
    let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
    state.loose.contains(&format!("{first}/{rest}"))
}

/// An object that is a file of its own, if it is what it is called.
fn object(
    store: &Store,
    state: &State,
    there: &Snapshot,
    id: &Id,
    kind: &str,
) -> Result<Option<Vec<u8>>> {
    let hex = id.to_string();
    let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
    let at = state::find(there, &format!(".git/objects/{first}/{rest}"));
    let Some(packed) = state::read(store, there, at)? else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let mut limited = ZlibDecoder::new(packed.as_slice()).take(MAX_OBJECT);
    if limited.read_to_end(&mut text).is_err() || state.format.checksum(&text) != *id {
        return Ok(None);
    }
    let end = text.iter().position(|&byte| byte == 0);
    let is_kind = text.starts_with(format!("{kind} ").as_bytes());
    Ok(end.filter(|_| is_kind).map(|end| text.split_off(end + 1)))
}

/// What is in a tree: mode, name and id of each.
fn entries(mut content: &[u8], length: usize) -> Option<Vec<(u32, Vec<u8>, Id)>> {
    let mut entries = Vec::new();
    while !content.is_empty() {
        let end = content.iter().position(|&byte| byte == 0)?;
        let (head, rest) = content.split_at_checked(end)?;
        let (id, rest) = rest.get(1..)?.split_at_checked(length)?;
        let space = head.iter().position(|&byte| byte == b' ')?;
        let (mode, name) = head.split_at_checked(space)?;
        let mode = u32::from_str_radix(str::from_utf8(mode).ok()?, 8).ok()?;
        entries.push((mode, name.get(1..)?.to_vec(), Id::from_bytes(id)));
        content = rest;
    }
    Some(entries)
}
