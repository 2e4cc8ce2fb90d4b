//! What the check has not seen: it was closed when the run's result was kept, and has been given to the person since.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{SHOWN, changes_to, closed};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::ralph::{Checkpoints, Entry, Event, RunId};
use crate::workspace::{self, Change, Checkpoint, EntryKind, Repository};

/// A verdict is of what was checked, or was checked once more since. What is named the person takes all the same.
pub(super) fn refuse(
    id: &RunId,
    entries: &[Entry],
    (checkpoints, repository): (&Checkpoints, &Repository),
    (result, now): (&Checkpoint, &Checkpoint),
    paths: &[PathBuf],
) -> CliResult<()> {
    let closed: BTreeSet<PathBuf> = closed(repository, result)?.collect();
    let held = (checkpoints, repository);
    let unseen = changes_to(held, result, now, paths)?.into_iter();
    let is_unseen = |change: &Change| is_there(change) && !is_named(change, &closed, paths);
    let unseen: Vec<Change> = unseen.filter(is_unseen).collect();
    if unseen.is_empty() {
        return Ok(());
    }
    for number in passed(entries) {
        // It may have made room for newer ones.
        if let Ok(checked) = checkpoints.get(number)
            && changes_to(held, &checked, now, paths)?.is_empty()
        {
            return Ok(());
        }
    }
    let text = "the check has not seen all that would be taken over: nobody could read it then";
    let mut error = CliError::new(Exit::Failed, text);
    let shown = unseen.iter().take(SHOWN);
    let shown = shown.map(|change| sanitize_line(&change.path.to_string_lossy()));
    error.causes.extend(shown);
    if unseen.len() > SHOWN {
        let more = unseen.len() - SHOWN;
        error.causes.push(format!("and {more} more"));
    }
    Err(error
        .hint(format!(
            "check it with that, and accept it then: `stockade check {id}`"
        ))
        .hint(format!(
            "or look at it, and name what you want of it: `stockade accept {id} . PATH`"
        )))
}

/// Whether something has come that can be taken over.
fn is_there(change: &Change) -> bool {
    let after = change.after.map(|after: workspace::Entry| after.kind);
    after.is_some_and(|kind| !matches!(kind, EntryKind::LeftOut(_)))
}

/// Whether the person has named it, or it is not below what was closed at all.
fn is_named(change: &Change, closed: &BTreeSet<PathBuf>, paths: &[PathBuf]) -> bool {
    let mut above = change.path.ancestors();
    let above: Option<&Path> = above.find(|above| closed.contains(*above));
    above.is_none_or(|above| {
        let names = |one: &&PathBuf| one.starts_with(above) && change.path.starts_with(one);
        paths.iter().any(|one| names(&one))
    })
}

/// Checkpoints that have passed the task's check since.
fn passed(entries: &[Entry]) -> impl Iterator<Item = u32> {
    entries.iter().rev().filter_map(|entry| match entry.event {
        Event::CheckedAgain {
            checkpoint,
            exit_code: 0,
            cut: None,
            other: None,
            ..
        } => Some(checkpoint),
        _ => None,
    })
}
