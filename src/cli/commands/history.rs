//! `stockade history`

use std::fmt::Display;

use clap::Args;
use serde::Serialize;

use crate::cli::argv::named;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::pager::{self, PagerArgs};
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::ralph::{Run, ranges};

/// List the checkpoints of a run
///
/// `CHANGED` counts what differs from the checkpoint before. Kept are the first and the last one, those that a
/// check ran on, and the newest others, those first that are of the end of an iteration: 50 of them, or as many as have
/// added 10 GiB, unless the run began with other numbers. Any `git` can read them, too: the last line says where they are.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only the numbers
    #[arg(short, long)]
    quiet: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    pager: PagerArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    number: u32,
    /// In UTC, as in RFC 3339.
    taken: String,
    changed: usize,
    reason: &'a str,
    /// What the repository has it as.
    reference: String,
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
    if args.quiet {
        let numbers = all.iter().map(|one| format!("{}\n", one.number()));
        ui.data(&numbers.collect::<String>()).doing("write")?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let mut before = None;
    for checkpoint in &all {
        let changed = match before {
            Some(before) => checkpoints.changes(&repository, before, checkpoint)?.len(),
            None => 0,
        };
        let at = jiff::Timestamp::from_second(checkpoint.seconds()).unwrap_or_default();
        rows.push(Row {
            number: checkpoint.number(),
            taken: at.to_string(),
            changed,
            reason: checkpoint.reason(),
            reference: reference(&run, checkpoint.number()),
        });
        before = Some(checkpoint);
    }
    if args.format == "json" {
        let text = serde_json::to_string_pretty(&rows).doing("write JSON")?;
        ui.line(&text).doing("write")?;
        return Ok(Exit::Done);
    }
    ui.data(&table(&rows)).doing("write")?;
    let place = checkpoints.place().display();
    ui.status(&format!("{place}: {}", reference(&run, "NUMBER")));
    Ok(Exit::Done)
}

fn reference(run: &Run, number: impl Display) -> String {
    format!("refs/checkpoints/{}/{number}", run.id())
}

/// With those that are gone.
fn table(rows: &[Row<'_>]) -> String {
    let mut table = Table::new(&["NUMBER", "TAKEN", "CHANGED", "REASON"]);
    let mut next = 0;
    for row in rows {
        let gone: Vec<u32> = (next..row.number).collect();
        if !gone.is_empty() {
            let none = String::new;
            let why = "dropped, to make room".to_owned();
            table.row([ranges(&gone), none(), none(), why]);
        }
        table.row([
            row.number.to_string(),
            row.taken.clone(),
            row.changed.to_string(),
            row.reason.to_owned(),
        ]);
        next = row.number.saturating_add(1);
    }
    table.render()
}
