//! `stockade history`

use clap::Args;

use crate::cli::argv::named;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::pager::{self, PagerArgs};
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::ralph::ranges;
use crate::workspace::Checkpoint;

/// List the checkpoints of a run
///
/// `CHANGED` counts what differs from the checkpoint before. Kept are the first and the last one, those that a
/// check ran on, and the newest others: 50 of them, or as many as have added 10 GiB, unless the run began with other numbers. Any `git` can read them, too: the last
/// line says where they are.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only the numbers
    #[arg(short, long)]
    quiet: bool,
    /// Run: its id, the end of it, or its name [default: the last one]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    pager: PagerArgs,
}

/// Runs the verb.
pub(crate) fn run(args: &HistoryArgs, ui: &Ui) -> CliResult {
    pager::paged(args.pager, ui, |ui| written(args, ui))
}

fn written(args: &HistoryArgs, ui: &Ui) -> CliResult {
    let run = night::find(args.run.as_deref())?;
    let checkpoints = run.checkpoints(&run.record()?)?;
    let repository = checkpoints.open()?;
    let all = repository
        .list(checkpoints.series())
        .map_err(|e| CliError::from_source(Exit::Failed, &e))?;
    let mut table = Table::new(&["NUMBER", "TAKEN", "CHANGED", "REASON"]);
    let mut before = None;
    for checkpoint in &all {
        if args.quiet {
            ui.line(&checkpoint.number().to_string()).doing("write")?;
            continue;
        }
        let changes = match before {
            Some(before) => checkpoints.changes(&repository, before, checkpoint)?.len(),
            None => 0,
        };
        let first = before.map_or(0, |before: &Checkpoint| before.number() + 1);
        let gone: Vec<u32> = (first..checkpoint.number()).collect();
        if !gone.is_empty() {
            let none = String::new;
            let why = "dropped, to make room".to_owned();
            table.row([ranges(&gone), none(), none(), why]);
        }
        let at = jiff::Timestamp::from_second(checkpoint.seconds()).unwrap_or_default();
        table.row([
            checkpoint.number().to_string(),
            at.to_string(),
            changes.to_string(),
            checkpoint.reason().to_owned(),
        ]);
        before = Some(checkpoint);
    }
    if !args.quiet {
        ui.data(&table.render()).doing("write")?;
        let place = checkpoints.place().display();
        ui.status(&format!("{place}: refs/checkpoints/{}/NUMBER", run.id()));
    }
    Ok(Exit::Done)
}
