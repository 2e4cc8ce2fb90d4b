//! Series of checkpoints, and one checkpoint of a series.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::metadata::Decoder;
use crate::workspace::metadata::MAX_CHUNK;
use crate::workspace::object;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::store::Store;

/// The longest commit or tree of a checkpoint that is read (bytes).
const MAX_COMMIT: u64 = 64 * 1024;

/// The longest list of chunks that is read (bytes).
const MAX_CHUNKS: u64 = 16 << 20;

/// So many chunks are read before they are decoded.
const CHUNKS_AHEAD: usize = 8;

/// The longest reason that is kept (characters).
const MAX_REASON: usize = 500;

/// The name of a series: the id of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series(String);

impl Series {
    /// # Errors
    ///
    /// Anything but 1 to 64 lower-case letters, digits and hyphens.
    pub fn new(name: &str) -> Result<Self> {
        let fits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-');
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::series(name))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a workspace at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    series: Series,
    number: u32,
    id: ObjectId,
    seconds: i64,
    reason: String,
    pub(super) parts: Parts,
    kept: Kept,
}

/// Its tree, if that need not be read.
#[derive(Clone, Default)]
struct Kept(Option<Arc<Snapshot>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "kept" } else { "not kept" })
    }
}

impl PartialEq for Kept {
    /// It is what the checkpoint's id says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

/// What the tree of its commit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// Chunks of what git's trees do not know.
    pub(super) metadata: ObjectId,
    /// What is left out, as decided for the whole series.
    pub(super) policy: ObjectId,
    pub(super) workspace: ObjectId,
}

impl Checkpoint {
    /// Which series it belongs to.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Its number, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The id of its commit.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// The id of the workspace's tree: equal where names, contents, links and execute bits are. Other
    /// mode bits and times are not in it.
    pub fn tree(&self) -> ObjectId {
        self.parts.workspace
    }

    /// When it was taken, in seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Why it was taken, on one line without control characters.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn load(store: &Store, series: &Series, number: u32, id: ObjectId) -> Result<Self> {
        let damaged = |why| Error::damaged(format!("checkpoint {number} of {series}"), why);
        let commit = store.read(id, Kind::Commit, MAX_COMMIT)?;
        let commit = object::Commit::parse(&commit).ok_or_else(|| damaged("its commit is none"))?;
        let tree = store.read(commit.tree, Kind::Tree, MAX_COMMIT)?;
        let entries = object::parse_tree(&tree).ok_or_else(|| damaged("its tree is none"))?;
        let part = |name: &str| {
            let found = entries.iter().find(|entry| entry.name == name.as_bytes());
            found.map(|entry| entry.id)
        };
        let parts = part("metadata").zip(part("policy")).zip(part("workspace"));
        let ((metadata, policy), workspace) =
            parts.ok_or_else(|| damaged("part of it is missing"))?;
        let reason = commit.message.lines().next().unwrap_or_default();
        let reason = reason.split_once(": ").map(|(_, reason)| reason);
        Ok(Self {
            series: series.clone(),
            number,
            id,
            seconds: commit.seconds,
            reason: reason.unwrap_or_default().to_owned(),
            parts: Parts {
                metadata,
                policy,
                workspace,
            },
            kept: Kept::default(),
        })
    }
}

impl Checkpoint {
    /// The same, with its tree in memory.
    pub(super) fn keeping(self, tree: Arc<Snapshot>) -> Self {
        let kept = Kept(Some(tree));
        Self { kept, ..self }
    }

    /// The whole tree, without contents.
    pub(super) fn snapshot(&self, store: &Store) -> Result<Arc<Snapshot>> {
        if let Some(tree) = &self.kept.0 {
            return Ok(Arc::clone(tree));
        }
        let what = || format!("checkpoint {} of {}", self.number, self.series);
        let tree = store.read(self.parts.metadata, Kind::Tree, MAX_CHUNKS)?;
        let chunks = object::parse_tree(&tree)
            .ok_or_else(|| Error::damaged(what(), "its metadata is no tree"))?;
        let mut decoder = Decoder::new();
        // One thread reads and another one decodes.
        let (sender, receiver) = mpsc::sync_channel(CHUNKS_AHEAD);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for chunk in chunks {
                    let text = store.read(chunk.id, Kind::Blob, MAX_CHUNK);
                    let failed = text.is_err();
                    if sender.send(text).is_err() || failed {
                        return;
                    }
                }
            });
            for text in receiver {
                let read = decoder.chunk(&text?);
                read.map_err(|why| Error::damaged(what(), why))?;
            }
            let tree = decoder.finish();
            tree.map_err(|why| Error::damaged(what(), why))
        })
        .map(Arc::new)
    }
}

/// A reason as it is kept: printable and short, whatever the caller was given.
pub(super) fn clean(reason: &str) -> String {
    let clean = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MAX_REASON).collect()
}
