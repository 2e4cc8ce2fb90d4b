//! What was done on a copy, taken over into the person's own directory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::SHOWN;
use super::commit::uncommitted;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::heeded;
use crate::cli::ui::Ui;
use crate::ralph::{Checkpoints, Record, Run};
use crate::workspace::{Checkpoint, Merged, Personal, Prepared, Repository, Root};

/// The person's own directory, as it is.
pub(super) struct Original {
    /// Of before each change.
    checkpoints: Checkpoints,
    /// Of now, for as long as this is.
    looking: Checkpoints,
    now: Checkpoint,
}

impl Drop for Original {
    fn drop(&mut self) {
        // What stays goes with the next one.
        let _ = self.looking.drop_all();
    }
}

/// The same, and what is to become of it.
pub(super) struct Over {
    original: Original,
    base: Checkpoint,
    work: Checkpoint,
    paths: Vec<PathBuf>,
    merged: Merged,
}

impl Original {
    /// Looks at it as it is; `None` if the run worked in it.
    pub(super) fn look(run: &Run, record: &Record) -> CliResult<Option<Self>> {
        let Some(original) = &record.original else {
            return Ok(None);
        };
        night::refuse_overlap(&original.path, None)?;
        let checkpoints = run.original_checkpoints(record)?;
        let looking = checkpoints.for_looking()?;
        looking.drop_all()?;
        let (now, _) = looking.take("looked at")?;
        Ok(Some(Self {
            checkpoints,
            looking,
            now,
        }))
    }
}

impl Over {
    /// Puts together what the person and the run have changed. Where both did, that is refused, unless the run's
    /// work is to count.
    pub(super) fn look(
        original: Original,
        repository: &Repository,
        base: &Checkpoint,
        work: &Checkpoint,
        paths: &[PathBuf],
        overwrite: bool,
        ui: &Ui,
    ) -> CliResult<Self> {
        let merged = repository
            .merge(base, &original.now, work, paths)
            .map_err(|e| CliError::from_source(Exit::Failed, &e))?;
        let conflicts = merged.conflicts.iter();
        let conflicts: Vec<String> = conflicts
            .map(|path| sanitize_line(&path.to_string_lossy()))
            .collect();
        if overwrite {
            for path in &conflicts {
                ui.warning(&format!(
                    "what you have changed meanwhile is overwritten: {path}"
                ));
            }
        } else if !conflicts.is_empty() {
            let text = "you and the run have both changed the same names since it began";
            let mut error = CliError::new(Exit::Failed, text);
            error.causes = conflicts.iter().take(SHOWN).cloned().collect();
            if conflicts.len() > SHOWN {
                let more = conflicts.len() - SHOWN;
                error.causes.push(format!("and {more} more"));
            }
            return Err(error.hint("take only others: name their paths").hint(
                "or have the run's work in their place: `--overwrite`; what was there is kept",
            ));
        }
        Ok(Self {
            original,
            base: base.clone(),
            work: work.clone(),
            paths: paths.to_vec(),
            merged,
        })
    }

    /// What a commit of it would be, and of what an earlier attempt has left there.
    pub(super) fn prepare(
        &self,
        repository: &Repository,
        base: &Checkpoint,
        work: &Checkpoint,
        personal: &Personal,
    ) -> CliResult<Prepared> {
        let (there, merged) = (&self.original.now, &self.merged);
        repository
            .prepare_commit_over((base, work), there, merged, personal)
            .map_err(|e| uncommitted(&e))
    }

    /// The person's own directory.
    pub(super) fn root(&self) -> CliResult<Root> {
        Ok(self.original.checkpoints.root()?)
    }

    /// Looks whether the person has gone on since they were asked.
    fn refuse_newer(&self, repository: &Repository, now: &Checkpoint) -> CliResult<()> {
        let changes = repository.changes(&self.original.now, now);
        let changes = changes.map_err(|e| CliError::from_source(Exit::Failed, &e))?;
        if changes.is_empty() {
            return Ok(());
        }
        let mut error = CliError::new(Exit::Failed, "you have changed something meanwhile");
        for change in changes.iter().take(SHOWN) {
            error
                .causes
                .push(sanitize_line(&change.path.to_string_lossy()));
        }
        Err(error.hint("nothing was taken over: do it again"))
    }

    /// Does it. Before that, what is there is kept.
    pub(super) fn apply(&self, repository: &Repository, run: &Run, ui: &Ui) -> CliResult<()> {
        let failed = |e| CliError::from_source(Exit::Failed, &e);
        let (now, _) = self.original.looking.take_with_tree("looked at again")?;
        self.refuse_newer(repository, &now)?;
        // What was but touched meanwhile has another time.
        let merged = repository.merge(&self.base, &now, &self.work, &self.paths);
        let merged = merged.map_err(failed)?;
        let original = &self.original.checkpoints;
        let (kept, _) = original.take("before the run's work was taken over")?;
        let root = original.root()?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut writing = original.open()?;
        writing.stop_by(Arc::clone(&stop));
        let (done, caught) = heeded(&stop, || writing.apply(&root, &now, &merged));
        let back = format!(
            "stockade rollback {} --original --to {}",
            run.id(),
            kept.number()
        );
        let done = match (done, caught) {
            (Err(_), Some(caught)) => {
                let text = "interrupted: some of it was taken over";
                return Err(CliError::new(Exit::Signal(caught.number()), text)
                    .hint("do it again: it goes on where it ended")
                    .hint(format!("or have it as it was before: `{back}`")));
            }
            (done, _) => done.map_err(failed)?,
        };
        let failures = done.failed.len() as u64 + done.failed_more;
        if failures > 0 {
            let text = format!("{failures} names could not be taken over");
            let mut error = CliError::new(Exit::Failed, text);
            for one in done.failed.iter().take(SHOWN) {
                let path = sanitize_line(&one.path.to_string_lossy());
                error.causes.push(format!("{path}: {}", one.error));
            }
            return Err(error
                .hint("mend that, and do it again")
                .hint(format!("or have it as it was before: `{back}`")));
        }
        let place = sanitize_line(&root.path().to_string_lossy());
        ui.status(&format!(
            "{place}: {} names of the run's; as it was before: `{back}`",
            self.merged.taken.len()
        ));
        Ok(())
    }
}
