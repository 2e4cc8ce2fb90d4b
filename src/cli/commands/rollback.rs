//! `stockade rollback`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::reclaim::{is_foreign, reclaim_clear};
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::{Caught, heeded};
use crate::cli::ui::Ui;
use crate::cli::{night, paths};
use crate::ralph::journal::Reader;
use crate::ralph::{Entry, Event, Newcomer, Night, Spared, Theirs, WayBack};

/// So many names are shown.
const SHOWN: usize = 20;

/// Make a run's workspace what it was at a checkpoint
///
/// What it is now is kept first, as another checkpoint. Files that no checkpoint knows stay, and those that were
/// another user's before the run stay theirs; your `.git` stays as it is, also one that you have made since the run ended, unless the run had `--git rw` or you name it. After `ralph --workspace copy` that is the copy, unless
/// you say `--original`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// Checkpoint
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    to: u32,
    /// After `ralph --workspace copy`, your own directory, as it was each time before `accept` changed it: 0 is the
    /// first time
    #[arg(long)]
    original: bool,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    /// Only these paths, from where you stand in the workspace, or else from its top
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

fn interrupted(caught: Caught, what: &str) -> CliError {
    CliError::new(
        Exit::Signal(caught.number()),
        format!("interrupted: {what}"),
    )
}

/// Runs the verb.
pub(crate) async fn run(args: &RollbackArgs, global: &Global, ui: &Ui) -> CliResult {
    let (run, first) = night::find_here(args.run.as_deref())?;
    let record = run.record()?;
    let paths = paths::below(first, &args.paths, &record)?;
    // Nobody may work on it meanwhile.
    night::refuse_overlap(&record.workspace.path, None)?;
    let _held = run.hold()?;
    let (_, entries) = Reader::open(&run.journal_path())?;
    let (mut night, _) = Night::open(&run)?;
    let (checkpoints, workspace) = match (&record.original, args.original) {
        (Some(original), true) => (run.original_checkpoints(&record)?, original),
        (None, true) => {
            return Err(CliError::usage(
                "the run worked in your own directory: without `--original`",
            ));
        }
        (_, false) => (run.checkpoints(&record)?, &record.workspace),
    };
    night::refuse_overlap(&workspace.path, Some(&run))?;
    let flag = if args.original { " --original" } else { "" };
    let spared = match args.original {
        true => Spared::Original,
        false => Spared::Persons(
            record.repository.as_ref(),
            Newcomer::of_run(&run, &record.workspace.path),
        ),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let checkpoints = checkpoints.stopped_by(Arc::clone(&stop));
    let (begun, caught) = heeded(&stop, || WayBack::begin(&checkpoints, args.to, spared));
    let (mut way, event) = match (begun, caught) {
        (Err(_), Some(caught)) => return Err(interrupted(caught, "nothing was changed")),
        (begun, _) => begun?,
    };
    if !args.original {
        night.note(event)?;
    }
    paths::refuse_unknown(&way.lacks(&paths)?, &workspace.path)?;
    let (id, number) = (run.id(), way.from());
    let before = format!(
        "what it was before is checkpoint {number}: `stockade rollback {id}{flag} --to {number}`"
    );
    let midway = |caught| {
        interrupted(caught, "some of it is as it was")
            .hint("do it again: it goes on where it ended")
            .hint(&before)
    };
    let go = |way: &WayBack<'_>| {
        let (done, now) = heeded(&stop, || way.go(&paths));
        match (done, caught.or(now)) {
            (Err(_), Some(caught)) => Err(midway(caught)),
            (done, _) => CliResult::Ok(done?),
        }
    };
    let mut done = go(&way)?;
    let place = &workspace.path;
    let mut ended = None;
    let theirs = Theirs::of(&checkpoints)?;
    let failed_at = done.failed.iter().map(|one| &one.path);
    // In the person's own directory beside a copy no agent has made anything.
    let is_taken = !args.original
        && failed_at
            .chain(&done.left)
            .any(|path| is_foreign(place, path) && !theirs.keeps(path));
    if is_taken {
        let reclaimed = async {
            let service = Service::connect(global, ui).await?;
            reclaim_clear(place, (&run, &mut night), &record, &service, ui).await
        };
        match reclaimed.await {
            // What is done is done, and noted below.
            Err(error) if matches!(error.exit, Exit::Signal(_)) => ended = Some(error),
            Err(error) => ui.warning(&format!(
                "what belongs to other users of the sandbox stays theirs: {}",
                error.message
            )),
            Ok(()) => {
                // With what could not be read before.
                let (kept, caught) = heeded(&stop, || way.keep_again());
                let (mine, event) = match (kept, caught) {
                    (Err(_), Some(caught)) => return Err(midway(caught)),
                    (kept, _) => kept?,
                };
                night.note(event)?;
                done = go(&way)?;
                ui.status(&format!(
                    "what could not be read before that is in checkpoint {mine}"
                ));
            }
        }
    }
    let stays = theirs.spare(place, &mut done);
    let failures = done.failed.len() as u64 + done.failed_more;
    night.note(way.event(&done, &paths)?)?;
    if let Some(error) = ended {
        return Err(error);
    }
    let place = place.display();
    let what = match paths.as_slice() {
        [] => String::new(),
        [path] => format!("/{}", sanitize_line(&path.to_string_lossy())),
        more => format!(": {} paths", more.len()),
    };
    ui.status(&format!(
        "{place}{what}: as at checkpoint {} ({} restored, {} removed)",
        args.to, done.restored, done.removed
    ));
    ui.status(&before);
    // Whoever names paths means those; and back there a commit of the work would be lost.
    let is_commit = |entry: &Entry| {
        matches!(
            &entry.event,
            Event::Accepted {
                commit: Some(_),
                ..
            }
        )
    };
    let is_committed = entries.iter().any(is_commit);
    if !done.spared.is_empty() && paths.is_empty() && !is_committed {
        ui.status(&format!(
            "`.git` is left as it is, since what is there is none of the run's; to go back there, too: \
             `stockade rollback {id}{flag} --to {} .git`",
            args.to
        ));
    }
    for path in done.left.iter().take(SHOWN) {
        let path = sanitize_line(&path.to_string_lossy());
        ui.warning(&format!("left, since no checkpoint knows it: {path}"));
    }
    if done.left.len() > SHOWN {
        ui.warning(&format!("and {} more", done.left.len() - SHOWN));
    }
    for path in stays.iter().take(SHOWN) {
        let path = sanitize_line(&path.to_string_lossy());
        ui.warning(&format!(
            "not as it was, and left: it was another user's before the run: {path}"
        ));
    }
    if stays.len() > SHOWN {
        ui.warning(&format!("and {} more", stays.len() - SHOWN));
    }
    if failures == 0 {
        return Ok(Exit::Done);
    }
    let mut error = CliError::new(
        Exit::Failed,
        format!("{failures} names are not what they were"),
    );
    for one in done.failed.iter().take(SHOWN) {
        let path = sanitize_line(&one.path.to_string_lossy());
        error.causes.push(format!("{path}: {}", one.error));
    }
    Err(error.hint("mend that, and do it again: it goes on where it ended"))
}
