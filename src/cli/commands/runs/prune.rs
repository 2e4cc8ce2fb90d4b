//! `stockade runs prune`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::clock;
use crate::cli::connect::{self, Service};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::reclaim::reclaim;
use crate::cli::state::State;
use crate::cli::ui::Ui;
use crate::ralph::journal::Reader;
use crate::ralph::{self, Decision, Event, Run};
use crate::sandbox::Home;
use crate::sandbox::size::ByteSize;

/// Remove runs that have ended, and their checkpoints
///
/// Those that were accepted or rolled back; prints their ids, and says how many others were kept and why. One
/// that somebody has in hand, or that has not ended, is never removed. Copies of workspaces that belong to no run go, too,
/// and homes of agents whose container was removed without them.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only those that ended longer ago, as in 8h, 90m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = night::parse_time)]
    older_than: Option<Duration>,
    /// All but so many of the newest that have ended
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    keep: usize,
    /// All but the newest that take no more than this together, their checkpoints included
    #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
    keep_size: Option<ByteSize>,
    /// Also those that nobody has accepted or rolled back
    #[arg(short, long)]
    force: bool,
    /// Only say which
    #[arg(long)]
    dry_run: bool,
}

/// Why a run stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stays {
    InHand,
    NotEnded,
    NeverBegan,
    Unreadable,
    Undecided,
    Newer,
}

impl Stays {
    fn words(self) -> &'static str {
        match self {
            Self::InHand => "in hand",
            Self::NotEnded => "not ended (`stockade resume`)",
            Self::NeverBegan => "that never began (`stockade resume --all` forgets them)",
            Self::Unreadable => "that cannot be read",
            Self::Undecided => "neither accepted nor rolled back (`--force`)",
            Self::Newer => "newer than asked for",
        }
    }
}

/// Runs the verb.
pub(super) async fn run(args: &PruneArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut kept: BTreeMap<Stays, usize> = BTreeMap::new();
    let mut newest = args.keep;
    let mut room = args.keep_size.map(ByteSize::bytes);
    let mut going = Vec::new();
    let now = jiff::Timestamp::now().as_second();
    for run in night::runs()?.list()?.into_iter().rev() {
        let ended = match look(&run) {
            Ok(found) => found,
            Err(why) => {
                *kept.entry(why).or_default() += 1;
                continue;
            }
        };
        let age = u64::try_from(now.saturating_sub(ended.at)).unwrap_or(0);
        let is_young = args.older_than.is_some_and(|least| age <= least.as_secs());
        // One that does not fit ends it: an older one that would is not worth more.
        let fits = match &mut room {
            None => false,
            Some(room) => {
                let size = run.record().and_then(|record| run.size(&record));
                let left = size.ok().and_then(|size| room.checked_sub(size));
                *room = left.unwrap_or(0);
                left.is_some()
            }
        };
        let why = if newest > 0 || is_young || fits {
            newest = newest.saturating_sub(1);
            Stays::Newer
        } else if !ended.is_decided && !args.force {
            Stays::Undecided
        } else {
            going.push(run);
            continue;
        };
        *kept.entry(why).or_default() += 1;
    }
    night::clear_copies(args.dry_run, ui).await?;
    let mut failures = Vec::new();
    for run in going.into_iter().rev() {
        let id = run.id().to_string();
        if !args.dry_run
            && let Err(error) = remove(run, global, ui).await
        {
            if matches!(error.exit, Exit::Signal(_)) {
                return Err(error);
            }
            failures.push((id, error));
            continue;
        }
        ui.line(&id).doing("write")?;
    }
    clear_homes(args.dry_run, global, ui).await?;
    let words = kept
        .iter()
        .map(|(why, count)| format!("{count} {}", why.words()));
    let words: Vec<String> = words.collect();
    if !words.is_empty() {
        ui.status(&format!("kept: {}", words.join(", ")));
    }
    let mut failures = failures.into_iter();
    match failures.next() {
        None => Ok(Exit::Done),
        Some((id, first)) => {
            for (id, error) in failures {
                ui.error(&error.under(format!("cannot remove the run {id}")));
            }
            Err(first.under(format!("cannot remove the run {id}")))
        }
    }
}

/// Removes homes of agents that nobody removed with their container: the machine went down in between, or somebody
/// removed the container by other means. One that a container still uses stays.
async fn clear_homes(only_look: bool, global: &Global, ui: &Ui) -> CliResult<()> {
    let Ok(client) = connect::client(global, ui).await else {
        return Ok(());
    };
    // Before the runs: a run is there before its home is.
    let Ok(homes) = Home::all(&client).await else {
        return Ok(());
    };
    let state = State::open()?;
    let runs = night::runs()?.list()?;
    for (home, volume) in homes {
        let run = runs.iter().find(|run| run.id().as_str() == home.run());
        let in_need = run.is_some_and(|run| run.is_held() || !has_ended(run));
        if in_need || !state.owns_volume(home.name(), &volume.labels) {
            continue;
        }
        let name = home.name();
        if only_look {
            ui.status(&format!("{name}: an agent's home that no run needs"));
            continue;
        }
        match home.remove(&client).await {
            Ok(()) => ui.status(&format!(
                "{name}: an agent's home that no run needed: removed"
            )),
            Err(error) if error.api().is_some_and(|api| api.status == 409) => {}
            Err(error) => ui.warning(&format!("{name}: an agent's home stays: {error}")),
        }
    }
    Ok(())
}

fn has_ended(run: &Run) -> bool {
    matches!(night::verdict(run), Ok(Some(_)))
}

/// How a run has ended.
struct Ended {
    /// Seconds since 1970.
    at: i64,
    /// It was accepted or rolled back.
    is_decided: bool,
}

/// Looks at a run that nobody has in hand. One that has ended stays so.
fn look(run: &Run) -> Result<Ended, Stays> {
    let is_unbegun = night::never_began(run);
    let _held = run.hold().map_err(|error| match error {
        ralph::Error::Busy { .. } => Stays::InHand,
        _ => Stays::Unreadable,
    })?;
    if is_unbegun {
        return Err(Stays::NeverBegan);
    }
    let read = Reader::open(&run.journal_path()).and_then(|read| run.record().map(|_| read));
    let (_, entries) = read.map_err(|_| Stays::Unreadable)?;
    let mut all = entries.iter();
    let verdict = all.find(|entry| matches!(entry.event, Event::Verdict { .. }));
    let verdict = verdict.ok_or(Stays::NotEnded)?;
    Ok(Ended {
        at: clock::unix_seconds(&verdict.at).unwrap_or(i64::MAX),
        is_decided: Decision::of(entries.iter().map(|entry| &entry.event)) != Decision::Open,
    })
}

/// The checkpoints first: without the run nobody would find them.
async fn remove(run: Run, global: &Global, ui: &Ui) -> CliResult<()> {
    let _held = run.hold()?;
    let record = run.record()?;
    run.checkpoints(&record)?.drop_all()?;
    if record.original.is_none() {
        return Ok(run.discard()?);
    }
    let original = run.original_checkpoints(&record)?;
    original.drop_all()?;
    original.for_looking()?.drop_all()?;
    let error = match run.clone().discard() {
        Err(error) if error.is_denied() => error,
        done => return Ok(done?),
    };
    // Other users of the sandbox have closed something in the copy.
    let service = Service::connect(global, ui).await?;
    let taken = reclaim(&record.workspace.path, &run, &record, &service, ui).await;
    taken.map_err(|why| why.under(error.to_string()))?;
    Ok(run.discard()?)
}
