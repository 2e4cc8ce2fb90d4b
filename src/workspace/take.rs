//! Taking a checkpoint: the walk, the contents, then trees, metadata and commit, and last the ref.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::SystemTime;

use crate::workspace::contents::Done;
use crate::workspace::contents::Sink;
use crate::workspace::disk::Root;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::files;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::index::Index;
use crate::workspace::index::MAX_INDEX;
use crate::workspace::metadata;
use crate::workspace::object::Commit;
use crate::workspace::object::TreeEntry;
use crate::workspace::object::Type;
use crate::workspace::object::encode_tree;
use crate::workspace::pack::Deflater;
use crate::workspace::policy::OnCap;
use crate::workspace::policy::Policy;
use crate::workspace::policy::Rules;
use crate::workspace::scan::Ahead;
use crate::workspace::series::Checkpoint;
use crate::workspace::series::Parts;
use crate::workspace::series::Series;
use crate::workspace::series::clean;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::store::Store;
use crate::workspace::walk;
use crate::workspace::walk::Walk;
use crate::workspace::walk::Walked;
use crate::workspace::withheld::Withheld;

pub(super) const INDEX: &str = "stockade-index";
pub(super) const TEMPORARY_INDEX: &str = "stockade-index.tmp";

/// Batches of jobs that wait; their directories are open.
const WAITING: usize = 8;

/// The most threads that read.
const MAX_THREADS: usize = 8;

/// The longest list of decisions that is read.
const MAX_RULES: u64 = 1 << 20;

/// Of what was left out, so many are named, with paths of so many bytes.
const NAMED: usize = 10_000;
const NAMED_BYTES: usize = 16 << 20;

/// Something that a checkpoint does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Relative to the root, not escaped.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// A checkpoint that was taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Taken {
    /// It; or the last one, where there is no new one.
    pub checkpoint: Checkpoint,
    /// Whether there is a new one.
    pub is_new: bool,
    /// What it does not hold; with very many, the first ones.
    pub left_out: Vec<LeftOut>,
    /// How many further ones were left out.
    pub left_out_more: u64,
    /// How many of all of them are left out because of the caps.
    pub over_caps: u64,
    /// Files whose content kept changing.
    pub torn: Vec<PathBuf>,
    /// Files and links in it.
    pub files: u64,
    /// Bytes of its files, each once.
    pub bytes: u64,
    /// Files and links that had to be read.
    pub read: u64,
    tree: Arc<Snapshot>,
}

impl Taken {
    /// The checkpoint with its tree in memory, for what is done with it at once: the tree is not read again.
    pub fn with_tree(&self) -> Checkpoint {
        let tree = Arc::clone(&self.tree);
        self.checkpoint.clone().keeping(tree)
    }
}

/// Takes a checkpoint; the caller holds the lock.
pub(super) fn take(
    store: &mut Store,
    root: &Root,
    series: &Series,
    reason: &str,
    policy: &Policy,
    withheld: Option<&Withheld>,
) -> Result<Taken> {
    let last = store.refs(series)?.pop();
    let last = last.map(|(number, id)| Checkpoint::load(store, series, number, id));
    let last = last.transpose()?;
    let rules = match &last {
        Some(last) => {
            let text = store.read(last.parts.policy, Kind::Blob, MAX_RULES)?;
            Rules::parse(&text).ok_or_else(|| Error::damaged("a checkpoint", "its policy"))?
        }
        None => Rules::decide(&policy.leave_out, root)?,
    };
    let index = match policy.reread {
        true => None,
        // An index that cannot be read is as good as none.
        false => files::read(&store.path().join(INDEX), MAX_INDEX).unwrap_or(None),
    };
    let sums = store.sums();
    let whole = |index: &Index| index.packs().all(|pack| sums.contains(&pack));
    let index = index.and_then(Index::parse).filter(whole);
    let sink = Sink::new(store)?;
    let (walked, done) = walk_and_read(&sink, root, &rules, index.as_ref(), policy, withheld)?;
    let Walked {
        mut snapshot,
        links,
        mut draft,
        bytes,
    } = walked;
    let read = done.len() as u64;
    for (at, content) in done {
        let Some(node) = snapshot.node_mut(at) else {
            continue;
        };
        match content {
            Ok(content) => {
                walk::describe(node, &content.found);
                (node.id, node.size, node.torn) = (content.id, content.size, content.torn);
                if !content.torn {
                    draft.fill(at, &content.found, content.id);
                }
            }
            Err(reason) => node.kind = EntryKind::LeftOut(reason),
        }
    }
    tie(&mut snapshot, &links);
    if let Some(withheld) = withheld {
        withheld.look(&mut snapshot);
    }
    snapshot.settle();
    let mut report = Report::default();
    report.fill(&snapshot);
    if let Some(over) = report.over_cap.filter(|_| policy.on_cap == OnCap::Fail) {
        return Err(Error::cap(&over.path, over.reason.as_str()));
    }
    let path = store.path().to_owned();
    let begin = || draft.begin(&path.join(TEMPORARY_INDEX));
    let (made, begun) = std::thread::scope(|scope| {
        // What somebody goes on to write through a mapping may leave no trace.
        let begun = withheld.is_none().then(|| scope.spawn(begin));
        let made = make(
            sink,
            &snapshot,
            &rules,
            last.as_ref(),
            reason,
            withheld.is_some(),
        );
        let begun = begun.map(|begun| {
            let begun = begun.join();
            begun.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        Ok::<_, Error>((made?, begun.transpose()?))
    })?;
    let (checkpoint, is_new) = match (made, last) {
        (None, Some(last)) => (last, false),
        (None, None) => return Err(Error::damaged("the series", "it has no last checkpoint")),
        (Some(Made { number, id, pack }), _) => {
            store.add_pack(&pack)?;
            store.write_ref(series, number, id)?;
            (Checkpoint::load(store, series, number, id)?, true)
        }
    };
    if let Some(begun) = begun {
        begun.finish(&store.sums(), &path.join(INDEX))?;
    }
    Ok(Taken {
        checkpoint,
        is_new,
        left_out: report.left_out,
        left_out_more: report.more,
        over_caps: report.over_caps,
        torn: report.torn,
        files: report.files,
        bytes,
        read,
        tree: Arc::new(snapshot),
    })
}

/// Walks in this thread and reads in others.
fn walk_and_read(
    sink: &Sink<'_>,
    root: &Root,
    rules: &Rules,
    index: Option<&Index>,
    policy: &Policy,
    withheld: Option<&Withheld>,
) -> Result<(Walked, Vec<Done>)> {
    let known = |found: &_| index?.find(found);
    let go_on = || sink.go_on();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    let receiver = Mutex::new(receiver);
    let ahead = Ahead::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(2, MAX_THREADS))
            .map(|_| scope.spawn(|| sink.work(&receiver)))
            .collect();
        let walk = Walk {
            root,
            rules,
            withheld,
            caps: policy.caps,
            known: &known,
            go_on: &go_on,
            jobs: sender,
            ahead: &ahead,
        };
        for _ in 0..(threads / 2).clamp(1, MAX_THREADS) {
            scope.spawn(|| ahead.help());
        }
        // It drops the sender, which ends the workers.
        let closing = ahead.closing();
        let walked = walk.run();
        drop(closing);
        let mut done = Vec::new();
        let mut failed = None;
        for worker in workers {
            match worker.join() {
                Ok(Ok(some)) => done.extend(some),
                Ok(Err(error)) => failed = Some(error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok((walked?, done)),
        }
    })
}

/// Gives every further name of a file the content of the first, and both a group.
fn tie(snapshot: &mut Snapshot, links: &[(At, At)]) {
    let mut groups = 0;
    for (at, first) in links {
        let Some(first) = snapshot.node_mut(*first) else {
            continue;
        };
        if first.group == 0 {
            groups += 1;
            first.group = groups;
        }
        let first = *first;
        if let Some(node) = snapshot.node_mut(*at) {
            // The same file: whatever is known of the one is true of the other.
            (node.id, node.size, node.torn) = (first.id, first.size, first.torn);
            (node.mode, node.mtime, node.owner) = (first.mode, first.mtime, first.owner);
            (node.kind, node.group) = (first.kind, first.group);
        }
    }
}

/// A checkpoint that was written, and is not there yet.
struct Made {
    number: u32,
    id: ObjectId,
    pack: PathBuf,
}

/// Writes it; none, where it is allowed not to, of what is as in the last one.
fn make(
    sink: Sink<'_>,
    snapshot: &Snapshot,
    rules: &Rules,
    last: Option<&Checkpoint>,
    reason: &str,
    may_be_none: bool,
) -> Result<Option<Made>> {
    let parts = parts(&sink, snapshot, rules)?;
    if may_be_none && last.is_some_and(|last| last.parts == parts) {
        return Ok(None);
    }
    let number = last.map_or(Ok(0), |last| {
        let next = last.number().checked_add(1);
        next.ok_or_else(|| Error::limit("the number of checkpoints", u32::MAX.into()))
    })?;
    let id = commit(&sink, &parts, number, last.map(Checkpoint::id), reason)?;
    let pack = sink.into_writer().finish()?;
    Ok(Some(Made { number, id, pack }))
}

/// Writes trees, metadata and policy.
fn parts(sink: &Sink<'_>, snapshot: &Snapshot, rules: &Rules) -> Result<Parts> {
    let (chunks, workspace) = std::thread::scope(|scope| {
        // Neither needs what the other writes.
        let chunks = scope.spawn(|| chunks(sink, snapshot));
        let workspace = trees(sink, snapshot);
        let chunks = chunks
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (chunks, workspace)
    });
    let deflater = &mut Deflater::new();
    let mut buffer = Vec::new();
    let chunks = chunks?;
    let chunks = chunks.iter().map(|(name, id)| entry(name, Type::File, *id));
    encode_tree(&mut chunks.collect::<Vec<_>>(), &mut buffer);
    let metadata = sink.put(deflater, Kind::Tree, &buffer)?;
    Ok(Parts {
        metadata,
        policy: sink.put(deflater, Kind::Blob, rules.encode().as_bytes())?,
        workspace: workspace?,
    })
}

/// Writes the commit, and the tree with the parts.
fn commit(
    sink: &Sink<'_>,
    parts: &Parts,
    number: u32,
    parent: Option<ObjectId>,
    reason: &str,
) -> Result<ObjectId> {
    let deflater = &mut Deflater::new();
    let mut buffer = Vec::new();
    let mut entries = [
        entry(b"metadata", Type::Directory, parts.metadata),
        entry(b"policy", Type::File, parts.policy),
        entry(b"workspace", Type::Directory, parts.workspace),
    ];
    encode_tree(&mut entries, &mut buffer);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let commit = Commit {
        tree: sink.put(deflater, Kind::Tree, &buffer)?,
        parent,
        seconds: now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0)),
        message: format!("checkpoint {number}: {}", clean(reason)),
    };
    sink.put(deflater, Kind::Commit, commit.encode().as_bytes())
}

/// Writes the metadata; names and ids of its chunks.
fn chunks(sink: &Sink<'_>, snapshot: &Snapshot) -> Result<Vec<(Vec<u8>, ObjectId)>> {
    let deflater = &mut Deflater::new();
    let mut chunks = Vec::new();
    metadata::encode(snapshot, |chunk| {
        let name = format!("{:06}", chunks.len()).into_bytes();
        chunks.push((name, sink.put(deflater, Kind::Blob, chunk)?));
        Ok::<_, Error>(())
    })?;
    Ok(chunks)
}

/// Writes the trees; the id of the topmost.
fn trees(sink: &Sink<'_>, snapshot: &Snapshot) -> Result<ObjectId> {
    let deflater = &mut Deflater::new();
    let mut buffer = Vec::new();
    let mut ids: HashMap<At, ObjectId> = HashMap::new();
    // Children stand behind their directories.
    for at in (0..snapshot.len()).rev() {
        let at = At::try_from(at).unwrap_or(0);
        if snapshot.node(at).is_none_or(|node| !node.is_directory()) {
            continue;
        }
        let children = snapshot.children(at);
        let entries = children.filter_map(|at| {
            let node = snapshot.node(at)?;
            let kind = match node.kind {
                EntryKind::Directory => Type::Directory,
                EntryKind::File if node.mode & 0o100 != 0 => Type::Executable,
                EntryKind::File => Type::File,
                EntryKind::Symlink => Type::Link,
                EntryKind::LeftOut(_) => return None,
            };
            let id = if kind == Type::Directory {
                ids.remove(&at)?
            } else {
                node.id
            };
            let name = snapshot.name(at);
            Some(TreeEntry { name, kind, id })
        });
        encode_tree(&mut entries.collect::<Vec<_>>(), &mut buffer);
        ids.insert(at, sink.put(deflater, Kind::Tree, &buffer)?);
    }
    Ok(ids.remove(&0).unwrap_or(ObjectId::NONE))
}

fn entry(name: &[u8], kind: Type, id: ObjectId) -> TreeEntry<'_> {
    TreeEntry { name, kind, id }
}

/// What the caller is told.
#[derive(Default)]
struct Report {
    left_out: Vec<LeftOut>,
    bytes: usize,
    more: u64,
    torn: Vec<PathBuf>,
    files: u64,
    over_cap: Option<LeftOut>,
    over_caps: u64,
}

impl Report {
    fn fill(&mut self, snapshot: &Snapshot) {
        snapshot.walk(|directory, path| {
            for at in snapshot.children(directory) {
                let Some(node) = snapshot.node(at) else {
                    continue;
                };
                let path = || {
                    let mut path = path.to_vec();
                    snapshot::join(&mut path, snapshot.name(at));
                    snapshot::path(&path)
                };
                match node.kind {
                    EntryKind::LeftOut(reason) => self.left_out(path, reason),
                    EntryKind::File | EntryKind::Symlink => self.files += 1,
                    EntryKind::Directory => {}
                }
                if node.torn && self.torn.len() < NAMED {
                    self.torn.push(path());
                }
            }
        });
    }

    fn left_out(&mut self, path: impl Fn() -> PathBuf, reason: Reason) {
        self.over_caps += u64::from(reason.is_cap());
        if reason.is_cap() && self.over_cap.is_none() {
            let path = path();
            self.over_cap = Some(LeftOut { path, reason });
        }
        if self.left_out.len() >= NAMED || self.bytes >= NAMED_BYTES {
            self.more += 1;
            return;
        }
        let path = path();
        self.bytes += path.as_os_str().len();
        self.left_out.push(LeftOut { path, reason });
    }
}
