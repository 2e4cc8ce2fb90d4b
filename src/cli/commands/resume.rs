//! `stockade resume`

use clap::Args;

use super::supervise::finish_late;
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::page::LookArgs;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::cli::{connect, logout, night, supervisor};
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Run};
use crate::sandbox::Sandbox;

/// Take up a run again that nobody has in hand
///
/// After a crash, a reboot or a killed supervisor. What the agent has done meanwhile counts.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Do not look at it
    #[arg(short, long)]
    detach: bool,
    /// All that are left alone, without looking at them: after a reboot. What is left to do of those that have ended is done
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    look: LookArgs,
}

/// Removes the container of a run that has ended, if whoever had it in hand came no further.
async fn clear_up(run: &Run, global: &Global, ui: &Ui) -> CliResult<()> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let made = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Created { container } => Some(container),
        _ => None,
    });
    let Some(container) = made else { return Ok(()) };
    let client = connect::client(global, ui).await?;
    for left in night::clear_cut_checks(run, &client).await? {
        ui.warning(&left);
    }
    match client.inspect_container(container).await {
        Ok(left) => {
            let _ = Sandbox::adopt(&client, &left).remove().await?;
            Ok(())
        }
        Err(error) if error.is_not_found() => Ok(night::home(run).remove(&client).await?),
        Err(error) => Err(error.into()),
    }
}

/// Takes up whatever is left alone; one that cannot be is in nobody's way. One that was asked to stop
/// does so.
async fn all(global: &Global, ui: &Ui) -> CliResult {
    let (mut left, mut unbegun, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    let runs = night::runs()?;
    drop(runs.turn()?);
    for run in runs.list()? {
        if night::never_began(&run) {
            unbegun.push(run);
        } else if !run.is_held() && night::is_left_alone(&run) {
            left.push(run);
        } else if !run.is_held() && is_unfinished(&run) {
            unfinished.push(run);
        }
    }
    if left.is_empty() && unbegun.is_empty() && unfinished.is_empty() {
        ui.status("no run is left alone");
        return Ok(Exit::Done);
    }
    if left.is_empty() && unbegun.is_empty() {
        return finish(&unfinished, ui).await;
    }
    let service = Service::connect(global, ui).await?;
    let mut exit = Exit::Done;
    for run in unbegun {
        let id = run.id().clone();
        match night::forget(run, global, ui).await {
            Ok(()) => ui
                .line(&format!("{id}: never began: forgotten"))
                .doing("write")?,
            Err(error) => {
                exit = Exit::Failed;
                ui.error(&error.under(format!("cannot forget the run {id}, which never began")));
            }
        }
    }
    for run in left {
        let id = run.id();
        match take_up(&run, &service, global).await {
            Ok(()) => ui.line(&format!("{id}: taken up")).doing("write")?,
            Err(_) if run.is_held() => ui
                .line(&format!("{id}: somebody else has taken it up"))
                .doing("write")?,
            Err(error) => {
                exit = Exit::Failed;
                let why = std::iter::once(&error.message).chain(&error.causes);
                let why: Vec<&str> = why.map(String::as_str).collect();
                let why = sanitize_line(&why.join(": "));
                ui.line(&format!("{id}: not taken up: {why}"))
                    .doing("write")?;
            }
        }
    }
    match finish(&unfinished, ui).await? {
        Exit::Done => Ok(exit),
        failed => Ok(failed),
    }
}

/// Tells of those that have ended what nobody was told, and keeps their reports.
async fn finish(runs: &[Run], ui: &Ui) -> CliResult {
    let mut exit = Exit::Done;
    for run in runs {
        let id = run.id();
        match finish_late(run).await {
            Ok(true) => {
                let text = format!("{id}: had ended: what was left to do is done");
                ui.line(&text).doing("write")?;
            }
            // Somebody else does so, or has.
            Ok(false) => {}
            Err(_) if run.is_held() => {}
            Err(error) => {
                exit = Exit::Failed;
                ui.error(&error.under(format!("cannot finish the run {id}, which has ended")));
            }
        }
    }
    Ok(exit)
}

fn is_unfinished(run: &Run) -> bool {
    let read = Reader::open(&run.journal_path());
    read.is_ok_and(|(_, entries)| night::is_unfinished(run, &entries))
}

/// Gives it to a supervisor.
async fn take_up(run: &Run, service: &Service, global: &Global) -> CliResult<()> {
    // Nobody else can have it; the supervisor takes it at once.
    drop(run.hold()?);
    night::refuse_overlap(&run.record()?.workspace.path, Some(run))?;
    supervisor::start(run, service, global).await
}

/// Runs the verb.
pub(crate) async fn run(args: &ResumeArgs, global: &Global, ui: &Ui) -> CliResult {
    if args.all {
        return all(global, ui).await;
    }
    let look = args.look.look();
    let run = night::find(args.run.as_deref())?;
    // Nobody else can have it; the supervisor takes it at once.
    drop(run.hold()?);
    if night::never_began(&run) {
        let text = format!(
            "the run {} never began: what there was of it is forgotten",
            run.id()
        );
        night::forget(run, global, ui).await?;
        return Err(CliError::new(Exit::Preflight, text).hint("begin it again: `stockade ralph`"));
    }
    if night::verdict(&run)?.is_some() {
        // It stays as it ended: there is nothing to take up.
        if let Err(error) = finish_late(&run).await {
            ui.warning(&format!("nobody was told of its end: {}", error.message));
        }
        clear_up(&run, global, ui).await?;
        let mut signals = Signals::catch().doing("catch signals")?;
        return view::follow(&run, look, Interrupt::Leaves, &mut signals, global, ui).await;
    }
    let mut signals = Signals::catch().doing("catch signals")?;
    let service = Service::connect(global, ui).await?;
    run.withdraw_stop()?;
    take_up(&run, &service, global).await?;
    if args.detach {
        logout::warn(ui).await;
        ui.line(run.id().as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    view::follow(&run, look, Interrupt::Stops, &mut signals, global, ui).await
}
