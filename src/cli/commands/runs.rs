//! `stockade runs`

mod prune;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::ralph::journal::Reader;
use crate::ralph::{self, Event, Run, Verdict};

/// List runs
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Prune(prune::PruneArgs),
}

/// Runs the verb.
pub(crate) async fn run(args: &RunsArgs, global: &Global, ui: &Ui) -> CliResult {
    if let Some(Verb::Prune(args)) = &args.verb {
        return prune::run(args, global, ui).await;
    }
    let runs = night::runs()?.list()?;
    let text = if args.quiet {
        runs.iter().map(|run| format!("{}\n", run.id())).collect()
    } else {
        let rows: Vec<Row> = runs.iter().map(Row::of).collect();
        match args.format.as_str() {
            "json" => serde_json::to_string_pretty(&rows).doing("write JSON")? + "\n",
            _ => table(rows),
        }
    };
    ui.data(&text).doing("write")?;
    Ok(Exit::Done)
}

fn table(rows: Vec<Row>) -> String {
    let mut table = Table::new(&["RUN", "NAME", "ITERATIONS", "STATE", "WORKSPACE"]);
    for row in rows {
        let iterations = row
            .iterations
            .zip(row.max_iterations)
            .map(|(done, most)| format!("{done}/{most}"));
        table.row([
            row.id,
            row.name.unwrap_or_default(),
            iterations.unwrap_or_default(),
            row.status,
            row.workspace.unwrap_or_default(),
        ]);
    }
    table.render()
}

/// A run in the list. Of one that cannot be read, most is not known.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
    name: Option<String>,
    state: State,
    /// The same in words, or what cannot be read.
    status: String,
    verdict: Option<Verdict>,
    iterations: Option<u32>,
    max_iterations: Option<u32>,
    begun: Option<String>,
    agent: Option<String>,
    workspace: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Working,
    Ended,
    LeftAlone,
    NeverBegan,
    #[default]
    Unreadable,
}

impl Row {
    /// One that cannot be read hides none of the others.
    fn of(run: &Run) -> Self {
        Self::read(run).unwrap_or_else(|error| Self {
            id: run.id().to_string(),
            status: CliError::from(error).message,
            ..Self::default()
        })
    }

    fn read(run: &Run) -> ralph::Result<Self> {
        let record = run.record()?;
        let entries = match run.journal_path().exists() {
            true => Reader::open(&run.journal_path())?.1,
            // Whoever began it came no further.
            false => Vec::new(),
        };
        let mut iterations = 0;
        let mut verdict = None;
        for entry in entries {
            match entry.event {
                Event::Ended { number, .. } => iterations = number,
                Event::Verdict { verdict: found } => verdict = Some(found),
                _ => {}
            }
        }
        let (state, status) = match &verdict {
            Some(verdict) => (State::Ended, verdict.to_string()),
            None if run.is_held() => (State::Working, "working".to_owned()),
            None if night::never_began(run) => (
                State::NeverBegan,
                "never began: `stockade resume`".to_owned(),
            ),
            None => (State::LeftAlone, "left alone: `stockade resume`".to_owned()),
        };
        Ok(Self {
            id: run.id().to_string(),
            state,
            status,
            verdict,
            iterations: Some(iterations),
            max_iterations: Some(record.iterations()),
            workspace: Some(record.original().path.display().to_string()),
            name: record.name,
            begun: Some(record.begun),
            agent: Some(record.voice.agent),
        })
    }
}
