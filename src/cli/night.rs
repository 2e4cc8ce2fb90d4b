//! Runs as the command line has them: where they are kept, and what a verdict is as an exit code.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::args::Global;
use super::connect;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use super::sanitize::sanitize_line;
use super::state::State;
use super::ui::Ui;
use crate::libpod::{Client, Container, Status};
use crate::ralph::journal::Reader;
use crate::ralph::{self, Decision, Entry, Event, Follow, Named, Record, Run, Runs, Stop, Verdict};
use crate::sandbox::host_path::HostPath;
use crate::sandbox::mounts::{Mount, MountSource};
use crate::sandbox::{Home, Sandbox};

/// All runs of this person.
pub(crate) fn runs() -> CliResult<Runs> {
    Ok(Runs::open(&host::state_directory()?)?)
}

/// The run that a person means: the last one here, if none is named, or the last one of all.
pub(crate) fn find(word: Option<&str>) -> CliResult<Run> {
    let runs = runs()?;
    match word {
        Some(word) => Ok(runs.find(word)?.0),
        None => match runs.last_at(&host::working_directory()?)? {
            Some(run) => Ok(run),
            None => Ok(runs.last()?),
        },
    }
}

/// The run that a first word means, where a path may stand in its place: then it is the last one here, and the word is left
/// over. Where nothing is named that is no run of another directory: what is done to it cannot be seen from here.
pub(crate) fn find_here(word: Option<&str>) -> CliResult<(Run, Option<&str>)> {
    let (runs, here) = (runs()?, host::working_directory()?);
    let last = runs.last_at(&here)?;
    let Some(word) = word else {
        let none = || {
            CliError::new(Exit::Failed, "no run has worked in this directory")
                .hint("`stockade runs` lists all: name one")
        };
        return Ok((last.ok_or_else(none)?, None));
    };
    match (runs.find(word), last) {
        (Ok((run, Named::Loosely)), _) if here.join(word).symlink_metadata().is_ok() => {
            Err(CliError::usage(format!(
                "`{word}` is a path here, and names the run {}, too",
                run.id()
            ))
            .hint("write the id whole, or the path with `./` before it"))
        }
        (Ok((run, _)), _) => Ok((run, None)),
        (Err(ralph::Error::NoSuchRun(_)), Some(run)) => Ok((run, Some(word))),
        (Err(error), _) => Err(error.into()),
    }
}

/// The run of this id or name, where a container could be meant as well.
pub(crate) fn named(word: &str) -> CliResult<Option<Run>> {
    let all = runs()?.list()?;
    let named = |run: &&Run| {
        run.id().as_str() == word
            || (run.record()).is_ok_and(|record| record.name.as_deref() == Some(word))
    };
    Ok(all.iter().rev().find(named).cloned())
}

/// As [`named`], unless the run has ended and the person has used its name again, for a container.
pub(crate) async fn meant(word: &str, global: &Global, ui: &Ui) -> CliResult<Option<Run>> {
    let Some(run) = named(word)? else {
        return Ok(None);
    };
    if run.id().as_str() == word || run.is_held() || is_left_alone(&run) {
        return Ok(Some(run));
    }
    let taken = match connect::client(global, ui).await {
        Ok(client) => client.container_exists(word).await.unwrap_or(false),
        Err(_) => false,
    };
    Ok((!taken).then_some(run))
}

/// The sandbox of a run, while its agent works.
pub(crate) async fn sandbox(run: &Run, client: &Client) -> CliResult<Container> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let made = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Created { container } => Some(container),
        _ => None,
    });
    let found = match made {
        Some(container) => match client.inspect_container(container).await {
            Err(error) if error.is_not_found() => None,
            found => Some(found?),
        },
        None => None,
    };
    let id = run.id();
    match found {
        Some(container) if matches!(container.state.status, Status::Running | Status::Paused) => {
            Ok(container)
        }
        Some(_) if run.is_held() => {
            let text = format!("the agent of the run {id} does not work just now");
            Err(CliError::new(Exit::Failed, text)
                .hint("its sandbox lives from the beginning of an iteration to its end")
                .hint(format!("what it does: `stockade watch {id}`")))
        }
        Some(_) => {
            let text = format!("nobody has the run {id} in hand, and its sandbox does not run");
            Err(CliError::new(Exit::Failed, text)
                .hint(format!("take it up again: `stockade resume {id}`")))
        }
        None => {
            let text = format!("the run {id} has no sandbox any more");
            Err(CliError::new(Exit::Failed, text)
                .hint(format!("what it came to: `stockade report {id}`")))
        }
    }
}

/// Removes containers of checks that were cut off: one that the service was still making when its
/// supervisor was killed is there only later. Returns what could not be removed.
pub(crate) async fn clear_cut_checks(run: &Run, client: &Client) -> CliResult<Vec<String>> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let mut cut = Vec::new();
    let mut open = None;
    for entry in entries {
        match entry.event {
            Event::Checking { container, .. } | Event::CheckingAgain { container, .. } => {
                cut.extend(open.replace(container));
            }
            Event::Checked { .. } | Event::CheckedAgain { .. } => open = None,
            _ => {}
        }
    }
    cut.extend(open);
    let state = State::open()?;
    let mut left = Vec::new();
    for name in cut {
        let Ok(found) = client.inspect_container(&name).await else {
            continue;
        };
        if state.owns(&found.name, &found.id, &found.config.labels)
            && let Err(error) = Sandbox::adopt(client, &found).remove().await
            && !error.is_not_found()
        {
            left.push(format!("`{name}` stays: {error}"));
        }
    }
    Ok(left)
}

/// The agent's home in a run's container, which goes with it.
pub(crate) fn home(run: &Run) -> Home {
    Home::of_run(run.id().as_str())
}

/// Whether whoever began it was killed before it had a container, as far as it could say.
pub(crate) fn never_began(run: &Run) -> bool {
    !run.is_held() && has_no_container(run)
}

/// One whose journal is damaged may have had one.
fn has_no_container(run: &Run) -> bool {
    let path = run.journal_path();
    if !path.exists() {
        return true;
    }
    Reader::open(&path).is_ok_and(|(_, entries)| {
        let far = |event: &Event| matches!(event, Event::Created { .. } | Event::Verdict { .. });
        !entries.iter().any(|entry| far(&entry.event))
    })
}

/// The name of the container that it was about to make.
fn about_to_make(run: &Run) -> Option<String> {
    let (_, entries) = Reader::open(&run.journal_path()).ok()?;
    entries.into_iter().find_map(|entry| match entry.event {
        Event::Creating { name } => Some(name),
        _ => None,
    })
}

/// Forgets a run that never began, with its container if there is one. Nothing of the agent has run.
pub(crate) async fn forget(run: Run, global: &Global, ui: &Ui) -> CliResult<()> {
    // Whoever begins one holds it as soon as others can have their turn.
    let _turn = runs()?.turn()?;
    let _held = run.hold()?;
    if !has_no_container(&run) {
        return Err(CliError::new(Exit::Failed, "it has begun meanwhile"));
    }
    if let Some(name) = about_to_make(&run) {
        let client = connect::client(global, ui).await?;
        match client.inspect_container(&name).await {
            Ok(found) => {
                // Its name may be somebody else's by now.
                if State::open()?.owns(&found.name, &found.id, &found.config.labels) {
                    Sandbox::adopt(&client, &found).remove().await?;
                }
            }
            Err(error) if error.is_not_found() => home(&run).remove(&client).await?,
            Err(error) => return Err(error.into()),
        }
    }
    if let Ok(record) = run.record()
        && record.original.is_some()
    {
        run.checkpoints(&record)?.drop_all()?;
    }
    Ok(run.discard()?)
}

/// Removes copies of workspaces that were being made for runs when whoever did so was killed.
/// Who ends it meanwhile leaves the rest to the next one.
pub(crate) async fn clear_copies(only_look: bool, ui: &Ui) -> CliResult<()> {
    let state = host::state_directory()?;
    let cleared = tokio::task::spawn_blocking(move || ralph::clear_abandoned(&state, only_look));
    for one in cleared.await.doing("look for copies")?? {
        let path = sanitize_line(&one.copy.to_string_lossy());
        match one.stays {
            None if only_look => ui.status(&format!("{path}: a copy that belongs to no run")),
            None => ui.status(&format!("{path}: a copy that belonged to no run: removed")),
            Some(error) => ui.warning(&format!(
                "{path}: a copy that belongs to no run stays: {error}"
            )),
        }
    }
    Ok(())
}

/// How a run has ended, if it has.
pub(crate) fn verdict(run: &Run) -> CliResult<Option<Verdict>> {
    let path = run.journal_path();
    if !path.exists() {
        return Ok(None);
    }
    let (_, entries) = Reader::open(&path)?;
    Ok(entries.into_iter().find_map(|entry| match entry.event {
        Event::Verdict { verdict } => Some(verdict),
        _ => None,
    }))
}

/// Ends a run that somebody has in hand; after so long not gently.
pub(crate) async fn stop(run: &Run, patience: Option<Duration>) -> CliResult<()> {
    let mut follow = Follow::new(run)?;
    run.ask_to_stop(Stop::Gently)?;
    let ended = async {
        while run.is_held() {
            follow.changed().await;
        }
    };
    tokio::pin!(ended);
    let harder = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = &mut ended => return Ok(()),
        () = harder => run.ask_to_stop(Stop::Now)?,
    }
    ended.await;
    Ok(())
}

/// Two agents, or an agent and a person, cannot work in one directory: a run that has not ended in
/// it, above it or below it is in the way. Its agent may be alive though nobody has it in hand.
pub(crate) fn refuse_overlap(workspace: &Path, own: Option<&Run>) -> CliResult<()> {
    let found = workspace.symlink_metadata();
    let found = found.map(|found| (found.dev(), found.ino())).ok();
    for run in runs()?.list()? {
        if own.is_some_and(|own| own.id() == run.id()) {
            continue;
        }
        let Ok(Record {
            workspace: record, ..
        }) = run.record()
        else {
            continue;
        };
        let other = &record.path;
        let overlaps = workspace.starts_with(other)
            || other.starts_with(workspace)
            || found == Some((record.device, record.inode));
        let id = run.id();
        if overlaps && run.is_held() {
            return Err(CliError::new(
                Exit::Failed,
                format!("the run {id} is at work in `{}`", other.display()),
            )
            .hint(format!("stop it first: `stockade stop {id}`")));
        }
        if overlaps && is_left_alone(&run) {
            return Err(CliError::new(
                Exit::Failed,
                format!("the run {id} has not ended in `{}`", other.display()),
            )
            .hint(format!(
                "take it up again: `stockade resume {id}`; or end it: `stockade stop {id}`"
            )));
        }
    }
    Ok(())
}

/// Nor may any other sandbox have a part of it.
pub(crate) fn refuse_mounts(mounts: &[Mount], own: Option<&Run>) -> CliResult<()> {
    let cwd = host::working_directory()?;
    for mount in mounts {
        if let MountSource::Host(typed) = &mount.source
            && let Ok(real) = HostPath::resolve(typed, &cwd)
        {
            refuse_overlap(real.path(), own)?;
        }
    }
    Ok(())
}

/// Whether it has a container and no verdict. One whose journal is damaged can never get one.
pub(crate) fn is_left_alone(run: &Run) -> bool {
    let entries = Reader::open(&run.journal_path()).map(|(_, entries)| entries);
    let entries = entries.unwrap_or_default();
    let is_created = |entry: &Entry| matches!(entry.event, Event::Created { .. });
    entries.iter().any(is_created) && !has_ended(&entries)
}

/// So often it is tried to tell of an end: at boot the network may come late.
const TELLINGS: usize = 3;

/// Whether whoever is to be told of a run's end was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Or it was tried often enough, or the person knows it.
    Yes,
    No,
}

/// As its journal says.
pub(crate) fn told(entries: &[Entry]) -> Told {
    let tried = entries.iter().filter_map(|entry| match &entry.event {
        Event::Notified { unless } => Some(unless.is_none()),
        _ => None,
    });
    let tried: Vec<bool> = tried.collect();
    let decision = Decision::of(entries.iter().map(|entry| &entry.event));
    match tried.contains(&true) || tried.len() >= TELLINGS || decision != Decision::Open {
        true => Told::Yes,
        false => Told::No,
    }
}

/// Whether there is a verdict.
pub(crate) fn has_ended(entries: &[Entry]) -> bool {
    let is_verdict = |entry: &Entry| matches!(entry.event, Event::Verdict { .. });
    entries.iter().any(is_verdict)
}

/// Whether a run has ended, and whoever had it in hand came no further: nobody was told, or no report was kept.
pub(crate) fn is_unfinished(run: &Run, entries: &[Entry]) -> bool {
    // One that cannot be read has nothing that could be told or kept.
    let Ok(record) = run.record() else {
        return false;
    };
    let is_untold = record.notify.is_some() && told(entries) == Told::No;
    has_ended(entries) && (run.keeps_room() || is_untold)
}

/// The exit code of a run that has ended so.
pub(crate) fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Verified { .. } | Verdict::Claimed => Exit::Done,
        Verdict::Unchecked => Exit::Unchecked,
        Verdict::CheckFailed => Exit::CheckFailed,
        Verdict::Iterations => Exit::Iterations,
        Verdict::Time => Exit::Time,
        Verdict::NoProgress { .. } => Exit::NoProgress,
        Verdict::ApiRefused { .. } => Exit::ApiRefused,
        Verdict::RateLimited { .. } => Exit::RateLimited,
        Verdict::Blocked { .. } => Exit::Blocked,
        Verdict::OutOfMemory { .. } => Exit::OutOfMemory,
        Verdict::Pids => Exit::Pids,
        Verdict::Disk { .. } | Verdict::Grown { .. } => Exit::Disk,
        Verdict::Stopped => Exit::Stopped,
        _ => Exit::Failed,
    }
}

impl From<ralph::Error> for CliError {
    fn from(error: ralph::Error) -> Self {
        match error {
            ralph::Error::Podman(error) => error.into(),
            ralph::Error::Busy { .. } => Self::from_source(Exit::Failed, &error)
                .hint("see what it does: `stockade watch`; end it: `stockade stop RUN`"),
            ralph::Error::NoSuchRun(_) => {
                Self::from_source(Exit::Failed, &error).hint("to see them: `stockade runs`")
            }
            ralph::Error::Dropped { .. } => Self::from_source(Exit::Failed, &error)
                .hint("to see those that are left: `stockade history`"),
            ralph::Error::Damaged { .. } => Self::from_source(Exit::Failed, &error)
                .hint("it was changed by somebody else, or the disk is at fault"),
            _ => Self::from_source(Exit::Failed, &error),
        }
    }
}

/// A time as people write it: `8h`, `90m`, `1h 30m`, or seconds.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let time = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let span = text.parse::<jiff::SignedDuration>().ok();
            span.and_then(|span| Duration::try_from(span).ok())
        }
    };
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "write it as in 8h, 90m or 1h30m".to_owned())
}

/// A time as people read it.
pub(crate) fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        for (text, seconds) in [("8h", 28_800), ("90m", 5400), ("1h30m", 5400), ("45", 45)] {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "0s", "-1h", "tomorrow", "8 parsecs"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert_eq!(shown(Duration::from_millis(950)), "950 ms");
        assert_eq!(shown(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(shown(Duration::from_secs(5400)), "1 h 30 min");
    }
}
