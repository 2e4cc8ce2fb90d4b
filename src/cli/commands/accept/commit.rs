//! What a commit will hold, and the making of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SHOWN;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::workspace::{
    self, Checkpoint, Committed, Personal, Prepared, Repository, Root, Words, Writer,
};

/// Says how it differs from what was shown.
pub(super) fn tell(prepared: &Prepared, ui: &Ui) {
    let missing = [prepared.left_out(), prepared.missing()].concat();
    names("not in the commit", &missing, ui);
    names(
        "also in the commit, as you had not committed it",
        prepared.also(),
        ui,
    );
    if prepared.may_hold_more() {
        ui.warning(
            "also in the commit is what you may have added to the index: `git diff --cached` shows it",
        );
    }
    if prepared.is_to_be_signed() {
        ui.warning(
            "the commit is not signed, as `commit.gpgSign` has it: `git commit --amend --no-edit` signs it",
        );
    }
}

fn names(what: &str, paths: &[PathBuf], ui: &Ui) {
    for path in paths.iter().take(SHOWN) {
        let path = sanitize_line(&path.to_string_lossy());
        ui.warning(&format!("{what}: {path}"));
    }
    if paths.len() > SHOWN {
        ui.warning(&format!("{what}: {} more", paths.len() - SHOWN));
    }
}

pub(super) fn prepare(
    repository: &Repository,
    base: &Checkpoint,
    now: (&Checkpoint, Writer),
    paths: &[PathBuf],
    personal: &Personal,
) -> CliResult<Prepared> {
    repository
        .prepare_commit(base, now, paths, personal)
        .map_err(|e| uncommitted(&e))
}

pub(super) fn uncommitted(error: &workspace::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "nothing was committed", error);
    match error.is_refused() {
        true => cli.hint("without `--commit` the run is only marked, and git is yours to use"),
        false => cli,
    }
}

/// Makes it; a signal ends that before the branch has changed, and leaves no lock behind.
pub(super) async fn commit(
    mut repository: Repository,
    root: Root,
    prepared: Prepared,
    (message, seconds, personal): (String, i64, Personal),
) -> CliResult<Committed> {
    let stop = Arc::new(AtomicBool::new(false));
    repository.stop_by(Arc::clone(&stop));
    let mut signals = Signals::catch().doing("catch signals")?;
    let mut work = tokio::task::spawn_blocking(move || {
        let words = Words {
            message: &message,
            personal: &personal,
            seconds,
        };
        repository.commit(&root, &prepared, &words)
    });
    let mut caught = None;
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            signal = signals.next_end() => {
                stop.store(true, Ordering::Relaxed);
                caught = Some(signal);
            }
        }
    };
    let done = done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    match (done, caught) {
        (Err(_), Some(caught)) => Err(CliError::new(
            Exit::Signal(caught.number()),
            "interrupted: nothing was committed",
        )),
        (Err(error), None) => Err(uncommitted(&error)),
        (Ok(done), _) => Ok(done),
    }
}
