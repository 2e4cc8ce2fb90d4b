//! `stockade accept`

mod commit;
mod copied;
mod settings;
mod unseen;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::commit::{prepare, uncommitted};
use self::copied::{Original, Over};
use super::diff::{self, Written};
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::reclaim::{is_foreign, reclaim_clear};
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::cli::{night, paths, prompt};
use crate::ralph::journal::Reader;
use crate::ralph::{Checkpoints, Event, Night, Report, Run, RunId, Verdict};
use crate::workspace::{
    Change, ChangeKind, Checkpoint, Concern, Entry, EntryKind, Reason, Repository, What, Words,
};

/// So many names are shown.
const SHOWN: usize = 20;
/// The longest that is looked for repositories in what checkpoints leave out.
const LOOK: Duration = Duration::from_secs(20);

/// Take what a run came to
///
/// Shows what changed and what of it would run on this machine, and asks. The work is in the workspace
/// already: accepting marks the run, and with `--commit` makes a commit of it in the workspace's own git
/// repository. It is refused if the workspace is not what the run left, or holds repositories that are new,
/// or in what checkpoints leave out, and were not named.
///
/// The work of a run with `--workspace copy` is put into your own directory, beside what you have done there meanwhile;
/// as that was before, it is kept. Your `.git` is not touched, but for the commit. What the check could not see, since another
/// user of the sandbox had closed it, is refused until `stockade check` has seen it or you name it.
///
/// No git, hook or filter is run for the commit. In it are files that git knows, as they are by now, and those that
/// came during the run and that the ignore files of before the run do not ignore. What of that is your own, since you
/// had not committed it, is named before you are asked, and so is what of the run's is not in the commit. Files that git
/// itself would change (filters, ends of lines) are refused. The author is whom git would name; nothing is signed.
#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Commit it to the repository in the workspace
    #[arg(long, requires = "message")]
    commit: bool,
    /// Message of the commit, a paragraph each (can be repeated)
    #[arg(short, long, value_name = "MESSAGE", requires = "commit")]
    message: Vec<String>,
    /// After `ralph --workspace copy`: also what you have changed meanwhile is as the run has it
    #[arg(long)]
    overwrite: bool,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    /// Only these paths, from where you stand in the workspace, or else from its top
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the verb.
pub(crate) async fn run(args: &AcceptArgs, global: &Global, ui: &Ui) -> CliResult {
    let failed = |e| CliError::from_source(Exit::Failed, &e);
    let (run, first) = night::find_here(args.run.as_deref())?;
    let id = run.id();
    let record = run.record()?;
    let paths = paths::below(first, &args.paths, &record)?;
    if !args.yes {
        prompt::somebody("--yes")?;
    }
    // Nobody may work on it meanwhile.
    night::refuse_overlap(&record.workspace.path, None)?;
    let _held = run.hold()?;
    let (_, entries) = Reader::open(&run.journal_path())?;
    let report = Report::of(&entries);
    let (Some(verdict), Some(result)) = (&report.verdict, report.result) else {
        return Err(
            CliError::new(Exit::Failed, format!("the run {id} has come to nothing"))
                .hint(format!("what happened: `stockade show {id}`")),
        );
    };
    let checkpoints = run.checkpoints(&record)?.but_for_own_git(&run, &record);
    let (base, result) = (checkpoints.get(0)?, checkpoints.get(result)?);
    let (mut night, _) = Night::open(&run)?;
    let (now, event) = checkpoints.take_with_tree("before it is accepted")?;
    night.note(event)?;
    let original = Original::look(&run, &record)?;
    let mut repository = checkpoints.open()?;
    let unknown = repository.lacks(&[&base, &now], &paths).map_err(failed)?;
    paths::refuse_unknown(&unknown, &record.workspace.path)?;
    let mut changes = changes_to((&checkpoints, &repository), &result, &now, &paths)?;
    if original.is_some() {
        // An earlier attempt may have given it to the person.
        let closed: BTreeSet<PathBuf> = closed(&repository, &result)?.collect();
        changes.retain(|change| {
            !change.path.ancestors().any(|above| closed.contains(above)) && !is_given(change)
        });
    }
    refuse_other(&run, &changes, &result)?;
    let place = &record.workspace.path;
    let now = match original.is_some() && has_closed(&repository, &now, place)? {
        true => {
            let service = Service::connect(global, ui).await?;
            reclaim_clear(place, (&run, &mut night), &record, &service, ui).await?;
            let (mine, event) = checkpoints.take_with_tree("before it is accepted")?;
            night.note(event)?;
            repository.refresh().map_err(failed)?;
            mine
        }
        false => now,
    };
    if matches!(verdict, Verdict::Verified { .. }) {
        let held = (&checkpoints, &repository);
        unseen::refuse(id, &entries, held, (&result, &now), &paths)?;
    }
    let of = |from: &Checkpoint| changes_to((&checkpoints, &repository), from, &now, &paths);
    let mut concerns = repository.concerns(&base, &now).map_err(failed)?;
    let root = checkpoints.root()?;
    let hidden = repository.hidden(&root, &now, LOOK).map_err(failed)?;
    concerns.extend(hidden.repositories.into_iter().map(|path| Concern {
        path,
        what: What::NestedRepository,
        kind: None,
    }));
    for path in hidden.unseen.iter().take(SHOWN) {
        let path = sanitize_line(&path.to_string_lossy());
        ui.warning(&format!(
            "not all of it was looked through for git repositories: {path}"
        ));
    }
    let concerns: Vec<Concern> = concerns
        .into_iter()
        .filter(|concern| is_among(&paths, &concern.path))
        .collect();
    // A `.git` of the person's own bars nothing.
    let of_run = concerns
        .iter()
        .filter(|concern| checkpoints.counts(&concern.path));
    refuse_nested(id, of_run, &paths)?;
    let over = |original| {
        Over::look(
            original,
            &repository,
            &base,
            &now,
            &paths,
            args.overwrite,
            ui,
        )
    };
    let over = original.map(over).transpose()?;
    let message = args.message.join("\n\n");
    let prepared = match args.commit {
        true => {
            let place = record.original.as_ref().unwrap_or(&record.workspace);
            let personal = settings::personal(&place.path)?;
            let prepared = match &over {
                Some(over) => over.prepare(&repository, &base, &now, &personal)?,
                None => {
                    let now = (&now, checkpoints.git());
                    prepare(&repository, &base, now, &paths, &personal)?
                }
            };
            let words = Words {
                message: &message,
                personal: &personal,
                seconds: jiff::Timestamp::now().as_second(),
            };
            prepared.signed(&words).map_err(|e| uncommitted(&e))?;
            Some((prepared, personal))
        }
        false => None,
    };
    show(&repository, &of(&base)?, &concerns, ui)?;
    if let Some((prepared, _)) = &prepared {
        commit::tell(prepared, ui);
    }
    let what = if args.commit { "Commit" } else { "Accept" };
    let question = format!("{verdict}. {what} this?");
    if !args.yes && !prompt::confirm(ui, &sanitize_line(&question), "--yes").await? {
        return Ok(Exit::Failed);
    }
    if let Some(over) = &over {
        over.apply(&repository, &run, ui)?;
    }
    let root = match &over {
        Some(over) => over.root()?,
        None => root,
    };
    let commit = match prepared {
        Some((prepared, personal)) => {
            let words = (message, jiff::Timestamp::now().as_second(), personal);
            let done = commit::commit(repository, root, prepared, words).await;
            let done = done.map_err(|error| match over {
                Some(_) => error.hint("the work is in your directory: to commit it, do this again"),
                None => error,
            })?;
            let branch = done.branch.as_deref().unwrap_or("HEAD");
            ui.status(&format!("{branch}: {}", done.id));
            Some(done.id)
        }
        None => None,
    };
    night.note(Event::Accepted {
        checkpoint: now.number(),
        paths: paths.iter().map(|p| p.display().to_string()).collect(),
        commit,
    })?;
    ui.status(&format!("{id}: accepted"));
    Ok(Exit::Done)
}

fn is_among(paths: &[PathBuf], path: &Path) -> bool {
    paths.is_empty() || paths.iter().any(|one| path.starts_with(one))
}

fn changes_to(
    (checkpoints, repository): (&Checkpoints, &Repository),
    from: &Checkpoint,
    to: &Checkpoint,
    paths: &[PathBuf],
) -> CliResult<Vec<Change>> {
    let mut changes = checkpoints.changes(repository, from, to)?;
    changes.retain(|change| is_among(paths, &change.path));
    Ok(changes)
}

/// Whether another user of the sandbox made something that the person cannot read.
fn has_closed(repository: &Repository, at: &Checkpoint, place: &Path) -> CliResult<bool> {
    Ok(closed(repository, at)?.any(|path| is_foreign(place, &path)))
}

/// Whether all that has changed is whose it is, with which set-id bits go.
fn is_given(change: &Change) -> bool {
    let us = rustix::process::geteuid().as_raw();
    let plain = |entry: Entry| entry.mode & !0o6000;
    match (change.before, change.after) {
        (Some(before), Some(after)) => {
            change.kind == ChangeKind::Mode
                && (before.owner.0 != us && after.owner.0 == us)
                && plain(before) == plain(after)
        }
        _ => false,
    }
}

/// What nobody could read when a checkpoint was taken.
fn closed(repository: &Repository, at: &Checkpoint) -> CliResult<impl Iterator<Item = PathBuf>> {
    let entries = repository.entries(at);
    let entries = entries.map_err(|e| CliError::from_source(Exit::Failed, &e))?;
    let is_closed = |kind| matches!(kind, EntryKind::LeftOut(Reason::Unreadable));
    Ok(entries
        .filter(move |(_, entry)| is_closed(entry.kind))
        .map(|(path, _)| path))
}

/// What somebody else has done since is not the run's work.
fn refuse_other(run: &Run, changes: &[Change], result: &Checkpoint) -> CliResult<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let id = run.id();
    let text = format!("the workspace is not what the run {id} left");
    let mut error = CliError::new(Exit::Failed, text);
    for change in changes.iter().take(SHOWN) {
        let path = sanitize_line(&change.path.to_string_lossy());
        error.causes.push(format!("{path} has changed since"));
    }
    if changes.len() > SHOWN {
        let more = changes.len() - SHOWN;
        error.causes.push(format!("and {more} more"));
    }
    let number = result.number();
    // A rollback spares the repository unless it is named, but where the agent could write it.
    let git = match changes.iter().any(|change| change.path.starts_with(".git")) {
        true => " . .git",
        false => "",
    };
    Err(error
        .hint(format!("see how: `stockade diff {id} {number}..`"))
        .hint(format!(
            "to have the run's result again: `stockade rollback {id} --to {number}{git}`"
        )))
}

/// A repository runs commands of its own as soon as somebody uses git in it.
fn refuse_nested<'a>(
    id: &RunId,
    concerns: impl Iterator<Item = &'a Concern>,
    paths: &[PathBuf],
) -> CliResult<()> {
    let is_named = |path: &Path| {
        let holder = match path.file_name().is_some_and(|name| name == ".git") {
            true => path.parent(),
            false => None,
        };
        let mut paths = paths.iter();
        paths.any(|one| one == path || holder.is_some_and(|holder| one == holder))
    };
    let is_refused =
        |concern: &&Concern| concern.what == What::NestedRepository && !is_named(&concern.path);
    let concerns: Vec<Concern> = concerns.filter(is_refused).cloned().collect();
    let nested: Vec<String> = concerns
        .iter()
        .map(|concern| sanitize_line(&concern.path.to_string_lossy()))
        .collect();
    if nested.is_empty() {
        return Ok(());
    }
    let is_sure = |concern: &Concern| concern.kind.is_some();
    let text = match concerns.iter().any(is_sure) {
        true => "the workspace holds git repositories that the run made or changed",
        false => {
            "the workspace holds git repositories that no checkpoint knows: the run may have made or changed them"
        }
    };
    let mut error = CliError::new(Exit::Failed, text);
    error.causes = nested;
    Err(error.hint(format!(
        "look at their hooks and configuration; then remove them, or name each: \
         `stockade accept {id} . PATH`"
    )))
}

fn show(
    repository: &Repository,
    changes: &[Change],
    concerns: &[Concern],
    ui: &Ui,
) -> CliResult<()> {
    let mut written = Written::new(repository, ui);
    for change in changes {
        written.change(change, true)?;
    }
    written.total()?;
    diff::shown(concerns, false, ui)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_let_in_by_its_own_name_alone() {
        let nested = |path: &str| Concern {
            path: path.into(),
            what: What::NestedRepository,
            kind: Some(ChangeKind::Added),
        };
        let id = RunId::parse("20261124-101500-abcdef").unwrap();
        let refused = |path: &str, named: &[&str]| {
            let named: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
            refuse_nested(&id, [nested(path)].iter(), &named).is_err()
        };
        assert!(refused("a/b/.git", &[]) && refused("a/b/.git", &["a", ""]));
        assert!(!refused("a/b/.git", &["", "a/b"]) && !refused("a/b/.git", &["a/b/.git"]));
        assert!(refused("bare", &[""]) && !refused("bare", &["bare"]));
    }
}
