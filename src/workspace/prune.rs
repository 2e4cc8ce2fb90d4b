//! Dropping checkpoints. What others need of their packs is moved on first, then the refs go, then the
//! packs: cut short anywhere, what is kept is whole, and it can be done again.
//!
//! A commit names the one before it, which may be gone: `shallow` says so to `git`, as in a clone without
//! its history.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use crate::workspace::error::{Error, Result};
use crate::workspace::files;
use crate::workspace::id::{Kind, ObjectId};
use crate::workspace::index::{Index, MAX_INDEX};
use crate::workspace::object::{self, Commit, Type};
use crate::workspace::pack::{Pack, PackWriter};
use crate::workspace::series::Series;
use crate::workspace::store::Store;
use crate::workspace::take::{INDEX, TEMPORARY_INDEX};

/// The longest tree, or commit, that is read.
const MAX_TREE: u64 = 1 << 30;
/// A pack of which so little is needed no more stays as it is: one part in so many, and no more than this.
const WASTE: u64 = 8;
const MAX_WASTE: u64 = 64 << 20;

const SHALLOW: &str = "shallow";
pub(super) const TEMPORARY_SHALLOW: &str = "stockade-shallow.tmp";
const MAX_SHALLOW: u64 = 128 << 20;

/// Drops what is not kept; the caller holds the lock. The last checkpoint goes only with all others.
pub(super) fn prune(
    store: &mut Store,
    series: &Series,
    keep: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>> {
    let refs = store.refs(series)?;
    let last = refs.last().map(|(number, _)| *number);
    let stays = |number: u32| keep.contains(&number) || !keep.is_empty() && Some(number) == last;
    let dropped: BTreeSet<u32> = refs
        .iter()
        .map(|(number, _)| *number)
        .filter(|number| !stays(*number))
        .collect();
    if dropped.is_empty() && !keep.is_empty() {
        return Ok(dropped);
    }
    let mut kept = HashSet::new();
    for other in store.series()? {
        let refs = store.refs(&other)?.into_iter();
        let refs = refs.filter(|(number, _)| other != *series || !dropped.contains(number));
        kept.extend(refs.map(|(_, id)| id));
    }
    let live = Live::of(store, &kept)?;
    let (going, moved) = move_on(store, &live.objects)?;
    if let Some(index) = moved {
        store.add_pack(&index)?;
    }
    let path = store.path().join(SHALLOW);
    let temporary = store.path().join(TEMPORARY_SHALLOW);
    let write = |ids: &BTreeSet<ObjectId>| {
        let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
        files::replace(&path, &temporary, text.as_bytes())
    };
    // Also what is there until the refs are gone.
    let old = files::read(&path, MAX_SHALLOW)?.unwrap_or_default();
    let old = old
        .split(|&byte| byte == b'\n')
        .filter_map(ObjectId::from_hex);
    write(&old.chain(live.shallow.iter().copied()).collect())?;
    store.remove_refs(series, &dropped)?;
    match live.shallow.is_empty() {
        true => files::remove(&path)?,
        false => write(&live.shallow)?,
    }
    let sums: Vec<ObjectId> = store
        .sums()
        .into_iter()
        .filter(|sum| !going.iter().any(|(other, _)| other == sum))
        .collect();
    renew_index(store, &live.objects, &sums)?;
    for (_, pack) in &going {
        // Without its index it is none.
        files::remove(&pack.with_extension("idx"))?;
        files::remove(pack)?;
    }
    files::sync(&store.packs_directory())?;
    store.load()?;
    Ok(dropped)
}

/// What is needed.
struct Live {
    objects: HashSet<ObjectId>,
    /// Commits whose parent is not kept.
    shallow: BTreeSet<ObjectId>,
}

impl Live {
    fn of(store: &Store, commits: &HashSet<ObjectId>) -> Result<Self> {
        let mut live = Self {
            objects: HashSet::new(),
            shallow: BTreeSet::new(),
        };
        for id in commits {
            let damaged = || Error::damaged(format!("object {id}"), "it is no commit");
            let commit = store.read(*id, Kind::Commit, MAX_TREE)?;
            let commit = Commit::parse(&commit).ok_or_else(damaged)?;
            live.objects.insert(*id);
            if commit
                .parent
                .is_some_and(|parent| !commits.contains(&parent))
            {
                live.shallow.insert(*id);
            }
            live.tree(store, commit.tree)?;
        }
        Ok(live)
    }

    fn tree(&mut self, store: &Store, id: ObjectId) -> Result<()> {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !self.objects.insert(id) {
                continue;
            }
            let damaged = || Error::damaged(format!("object {id}"), "it is no tree");
            let tree = store.read(id, Kind::Tree, MAX_TREE)?;
            for entry in object::parse_tree(&tree).ok_or_else(damaged)? {
                match entry.kind {
                    Type::Directory => open.push(entry.id),
                    Type::File | Type::Executable | Type::Link => {
                        self.objects.insert(entry.id);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Packs that go, by checksum and path, and the index of the new one with what is needed of them.
type Moved = (Vec<(ObjectId, PathBuf)>, Option<PathBuf>);

fn move_on(store: &Store, live: &HashSet<ObjectId>) -> Result<Moved> {
    let going: Vec<&Pack> = store
        .packs()
        .iter()
        .filter(|pack| is_waste(pack, live))
        .collect();
    let mut writer = PackWriter::create(&store.packs_directory())?;
    let stays = |id: &ObjectId| {
        let mut packs = store.packs().iter();
        packs.any(|pack| {
            going.iter().all(|other| other.sum() != pack.sum()) && pack.find(id).is_some()
        })
    };
    let mut any = false;
    for pack in &going {
        for (id, offset, length) in pack.entries() {
            if !live.contains(&id) || writer.contains(&id) || stays(&id) {
                continue;
            }
            // What is damaged is not moved on as if it were whole.
            let mut object = pack.object(id, offset)?;
            let mut buffer = [0; 16 * 1024];
            while object.read(&mut buffer)? > 0 {}
            let mut from = pack.raw(offset, length);
            writer.copy(id, &mut from)?;
            any = true;
        }
    }
    let going = going
        .iter()
        .map(|pack| (pack.sum(), pack.path().to_owned()));
    let going = going.collect();
    let index = match any {
        true => Some(writer.finish()?),
        false => None,
    };
    Ok((going, index))
}

/// Whether enough of a pack is needed no more.
fn is_waste(pack: &Pack, live: &HashSet<ObjectId>) -> bool {
    let (mut all, mut dead) = (0, 0);
    for (id, _, length) in pack.entries() {
        all += length;
        if !live.contains(&id) {
            dead += length;
        }
    }
    dead > 0 && (dead >= all / WASTE || dead >= MAX_WASTE)
}

/// What need not be read again stays known, if all of it is kept.
fn renew_index(store: &Store, live: &HashSet<ObjectId>, sums: &[ObjectId]) -> Result<()> {
    let path = store.path().join(INDEX);
    let index = files::read(&path, MAX_INDEX).unwrap_or(None);
    let known = store.sums();
    let index = index
        .and_then(Index::parse)
        .filter(|index| index.packs().all(|pack| known.contains(&pack)))
        .and_then(|index| index.renewed(live, sums));
    match index {
        Some(bytes) => files::replace_lightly(&path, &store.path().join(TEMPORARY_INDEX), &bytes),
        None => files::remove(&path),
    }
}
