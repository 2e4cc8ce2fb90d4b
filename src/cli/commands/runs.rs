//! `stockade runs`

mod prune;

use clap::{Args, Subcommand};

use crate::cli::args::Global;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::ralph::journal::Reader;
use crate::ralph::{self, Event, Run};

/// List runs
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
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
    let mut table = Table::new(&["RUN", "NAME", "ITERATIONS", "STATE", "WORKSPACE"]);
    for run in &runs {
        if args.quiet {
            ui.line(run.id().as_str()).doing("write")?;
            continue;
        }
        // One that cannot be read hides none of the others.
        table.row(row(run).unwrap_or_else(|error| {
            let error = CliError::from(error);
            let none = String::new;
            let id = run.id().to_string();
            [id, none(), none(), error.message, none()]
        }));
    }
    if !args.quiet {
        ui.data(&table.render()).doing("write")?;
    }
    Ok(Exit::Done)
}

fn row(run: &Run) -> ralph::Result<[String; 5]> {
    let record = run.record()?;
    let state = state(run)?;
    let most = record.iterations();
    Ok([
        run.id().to_string(),
        record.name.clone().unwrap_or_default(),
        format!("{}/{}", state.iterations, most),
        state.words,
        record.original().path.display().to_string(),
    ])
}

struct State {
    iterations: u32,
    words: String,
}

fn state(run: &Run) -> ralph::Result<State> {
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
            Event::Verdict { verdict: found } => verdict = Some(found.to_string()),
            _ => {}
        }
    }
    let words = match verdict {
        Some(verdict) => verdict,
        None if run.is_held() => "working".to_owned(),
        None if night::never_began(run) => "never began: `stockade resume`".to_owned(),
        None => "left alone: `stockade resume`".to_owned(),
    };
    Ok(State { iterations, words })
}
