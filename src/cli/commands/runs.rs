//! `stockade runs`

mod prune;

use clap::{Args, Subcommand};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::args::Global;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::sanitize::sanitize_line;
use crate::cli::table::{GAP, Table, shorten};
use crate::cli::terminal::window_size;
use crate::cli::ui::Ui;
use crate::ralph::journal::Reader;
use crate::ralph::{self, Event, Run, Verdict};

const HEADING: [&str; 5] = ["RUN", "NAME", "ITERATIONS", "STATE", "WORKSPACE"];
/// How long a state may be where there is no terminal.
const MOST: usize = 160;
/// So much of a state is shown in any case.
const LEAST: usize = 24;

/// List runs
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Show all of how each has ended, however long
    #[arg(long)]
    no_trunc: bool,
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
            _ => {
                let most = if args.no_trunc {
                    (usize::MAX, usize::MAX)
                } else {
                    columns(ui)
                };
                table(rows, most)
            }
        }
    };
    ui.data(&text).doing("write")?;
    Ok(Exit::Done)
}

/// How wide the table may be, and a state in it.
fn columns(ui: &Ui) -> (usize, usize) {
    let size = match ui.stdout_is_terminal() {
        true => window_size(),
        false => None,
    };
    size.map_or((usize::MAX, MOST), |(_, columns)| {
        (columns.into(), usize::MAX)
    })
}

/// A state is an agent's words, where it says what blocks it: it is cut, so that the rest can be seen.
fn table(rows: Vec<Row>, (columns, most): (usize, usize)) -> String {
    let rows: Vec<[String; 5]> = rows.into_iter().map(Row::cells).collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| sanitize_line(cell).width()).max();
        widest
            .unwrap_or_default()
            .max(HEADING.get(at).map_or(0, |name| name.len()))
    };
    let others: usize = [0, 1, 2, 4].map(|at| width(at) + GAP).iter().sum();
    let left = columns.saturating_sub(others).clamp(LEAST, most);
    let mut table = Table::new(&HEADING);
    for [id, name, iterations, state, workspace] in rows {
        let state = shorten(&sanitize_line(&state), left);
        table.row([id, name, iterations, state, workspace]);
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
    NeedsKey,
    NeverBegan,
    #[default]
    Unreadable,
}

impl Row {
    fn cells(self) -> [String; 5] {
        let iterations = self.iterations.zip(self.max_iterations);
        let iterations = iterations.map(|(done, most)| format!("{done}/{most}"));
        [
            self.id,
            self.name.unwrap_or_default(),
            iterations.unwrap_or_default(),
            self.status,
            self.workspace.unwrap_or_default(),
        ]
    }

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
        let (mut verdict, mut needs_key) = (None, false);
        for entry in entries {
            match entry.event {
                Event::Ended { number, .. } => iterations = number,
                Event::Verdict { verdict: found } => verdict = Some(found),
                Event::NeedsKey { .. } => needs_key = true,
                Event::Resumed { .. } => needs_key = false,
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
            None if needs_key => (
                State::NeedsKey,
                "needs key: `stockade report`, `stockade resume`".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_state_is_cut_and_hides_no_other_column() {
        let row = |status: &str| Row {
            id: "20261124-101500-abcdef".to_owned(),
            status: status.to_owned(),
            workspace: Some("/home/a/work".to_owned()),
            ..Row::default()
        };
        let long = format!("blocked: \u{1b}{}", "日本 ".repeat(400));
        let rows = || vec![row("working"), row(&long)];
        let text = table(rows(), (100, usize::MAX));
        for line in text.lines() {
            assert!(line.width() <= 100, "{line}");
        }
        assert!(text.contains("blocked: \\u{1b}日本"), "{text}");
        assert_eq!(text.matches("  /home/a/work").count(), 2, "{text}");
        assert!(table(rows(), (10, usize::MAX)).contains("blocked: "));
        let cut = table(rows(), (usize::MAX, 30));
        assert!(cut.lines().all(|line| line.width() < 120), "{cut}");
        let whole = table(rows(), (usize::MAX, usize::MAX));
        assert_eq!(whole.matches("日本").count(), 400);
    }
}
