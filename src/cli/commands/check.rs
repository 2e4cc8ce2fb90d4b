//! `stockade check`

use clap::Args;
use tokio::sync::watch;

use crate::cli::admission::Admission;
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::terminal::{Output, Policy};
use crate::cli::ui::Ui;
use crate::cli::{night, view};
use crate::ralph::{Check, Event, Fault, Night, Stop};

/// Check a checkpoint of a run once more, in a clean container
///
/// As `ralph` does it: on the tree as it was kept, without a network, what is yours as it was in the
/// beginning. The run must not be in hand. Exit code 0 if the check passed, 10 if not; 1 if it passed on a
/// checkpoint that was taken while the agent worked, not frozen: that proves nothing.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Checkpoint [default: the last one]
    #[arg(long, value_name = "NUMBER")]
    at: Option<u32>,
    /// Another command than the task's own
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &CheckArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let run = night::find(args.run.as_deref())?;
    let _held = run.hold()?;
    let (mut night, _) = Night::open(&run)?;
    let record = night.record().clone();
    let has_check = matches!(night.task().check, Check::Command(_));
    if args.check.is_none() && !has_check {
        return Err(CliError::usage("the task has no check").hint("give one: `--check COMMAND`"));
    }
    let checkpoints = run.checkpoints(&record)?;
    // Before anything is made for it.
    let at = args.at.map(|at| checkpoints.get(at)).transpose()?;
    let proves_nothing = at.is_some_and(|at| night.is_unfrozen(&at));
    let service = Service::connect(global, ui).await?;
    let admission = Admission {
        record: &record,
        service: &service,
        asked: record.asked,
        ui,
    };
    let (stop, asked) = watch::channel(Stop::No);
    let checked = night.check_again(args.at, args.check.as_deref(), &admission, asked);
    tokio::pin!(checked);
    let mut interrupted = None;
    let checked = loop {
        tokio::select! {
            checked = &mut checked => break checked,
            caught = signals.next_end() => {
                let harder = if interrupted.is_some() { Stop::Now } else { Stop::Gently };
                interrupted = Some(caught);
                let _ = stop.send(harder);
            }
        }
    };
    let event = checked.map_err(|fault| match fault {
        Fault::Refused(error) => error,
        Fault::Failed(error) => error.into(),
    })?;
    let output = Output::start(Some(Policy::Text)).doing("start writing output")?;
    view::file(&run.check_again_path(), &output, ui).await?;
    // A reader that has gone is no failure.
    let _ = output.finish().await;
    if let Some(words) = view::words(&event, &record) {
        ui.status(&words);
    }
    if let Some(caught) = interrupted {
        return Ok(Exit::Signal(caught.number()));
    }
    Ok(match event {
        Event::CheckedAgain {
            checkpoint,
            exit_code: 0,
            cut: None,
            ..
        } if proves_nothing => {
            let text = format!(
                "checkpoint {checkpoint} was taken while the agent worked, not frozen: that it passes proves nothing"
            );
            return Err(CliError::new(Exit::Failed, text)
                .hint("those after an iteration can be relied on: `stockade history`"));
        }
        Event::CheckedAgain {
            exit_code: 0,
            cut: None,
            findings,
            ..
        } => {
            if !findings.is_protected() {
                ui.warning("the agent wrote some of what decides that");
            }
            Exit::Done
        }
        _ => Exit::CheckFailed,
    })
}
