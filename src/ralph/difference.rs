//! How much an iteration has changed, in numbers. Counting lines means reading what changed: only where that is not much.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::workspace::diff::Diff;
use crate::workspace::{Change, ChangeKind, Entry, EntryKind, Repository};

/// Of more files, or more bytes in them, lines are not counted; nor after so long.
const FILES: usize = 500;
const BYTES: u64 = 4 << 20;
const TIME: Duration = Duration::from_secs(2);

/// Files and links that differ between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Those that are new.
    pub added: u64,
    /// Those that are others now: content, kind or permissions.
    pub modified: u64,
    /// Those that are gone.
    pub removed: u64,
    /// Lines of them, if it was not too much to count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
}

/// Lines of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lines {
    /// That are new.
    pub added: u64,
    /// That are gone.
    pub removed: u64,
}

impl Difference {
    /// Counts. Blocks.
    pub(super) fn of(repository: &Repository, changes: &[Change]) -> Self {
        let is_file =
            |entry: Option<Entry>| entry.is_some_and(|entry| entry.kind != EntryKind::Directory);
        let files: Vec<&Change> = changes
            .iter()
            .filter(|change| is_file(change.before) || is_file(change.after))
            .collect();
        let mut counted = Self {
            lines: lines(repository, &files),
            ..Self::default()
        };
        for change in files {
            match change.kind {
                ChangeKind::Added => counted.added += 1,
                ChangeKind::Removed => counted.removed += 1,
                ChangeKind::Type | ChangeKind::Modified | ChangeKind::Mode => {
                    counted.modified += 1;
                }
            }
        }
        counted
    }

    /// All of them.
    pub fn files(&self) -> u64 {
        self.added + self.modified + self.removed
    }
}

fn lines(repository: &Repository, files: &[&Change]) -> Option<Lines> {
    let begun = Instant::now();
    let of_content = |entry: &Entry| matches!(entry.kind, EntryKind::File | EntryKind::Symlink);
    let sizes = files
        .iter()
        .flat_map(|change| [change.before, change.after]);
    let sizes = sizes.flatten().filter(of_content).map(|entry| entry.size);
    if files.len() > FILES || sizes.fold(0, u64::saturating_add) > BYTES {
        return None;
    }
    let text = |entry: Option<Entry>| match entry.filter(of_content) {
        Some(entry) => repository.read_blob(entry.id, BYTES).ok(),
        None => Some(Vec::new()),
    };
    let mut lines = Lines::default();
    for change in files {
        if begun.elapsed() > TIME {
            return None;
        }
        let (added, removed) = Diff::of(&text(change.before)?, &text(change.after)?, 0).counts();
        lines.added += added as u64;
        lines.removed += removed as u64;
    }
    Some(lines)
}
