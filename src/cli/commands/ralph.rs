//! `stockade ralph`

mod git;
mod prepare;
mod task;
mod workspace;

use std::cell::Cell;

use clap::Args;

use self::prepare::prepare;
use self::task::TaskArgs;
use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sandbox_args::SandboxArgs;
use crate::cli::signals::Signals;
use crate::cli::supervisor;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::ralph::{GitAccess, Held, Run};
use crate::sandbox::Sandbox;

/// Let an agent work on the current directory, again and again, until the work is done
///
/// The agent's command gets the prompt on standard input, and finds it in /run/stockade/prompt.md.
/// It claims completion by ending its output with <promise>PROMISE</promise> alone on a line.
#[derive(Debug, Args)]
#[command(override_usage = "stockade ralph [OPTIONS] --image IMAGE -- AGENT [ARG...]")]
pub(crate) struct RalphArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Image to work in
    #[arg(long, value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// What the agent has of your git repository: a copy of its own (shadow), nothing, yours to read, or yours
    #[arg(long, value_name = "ACCESS", value_parser = git::parser(), default_value = "shadow")]
    git: GitAccess,
    /// Show what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// The agent's command
    #[arg(last = true, required = true, value_names = ["AGENT", "ARG"])]
    command: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &RalphArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let begun = Cell::new(false);
    let prepared = prepare(args, &begun, global, ui);
    tokio::pin!(prepared);
    let prepared = tokio::select! {
        prepared = &mut prepared => prepared,
        caught = signals.next_end() => {
            // What is half made goes once it is whole.
            if begun.get() && let Ok(Some(prepared)) = prepared.await {
                let _ = prepared.sandbox.remove().await;
                let _ = prepared.run.discard();
            }
            return Ok(Exit::Signal(caught.number()));
        }
    };
    let Some(prepared) = prepared.map_err(not_begun)? else {
        return Ok(Exit::Done);
    };
    let Prepared {
        run, service, held, ..
    } = prepared;
    drop(held);
    supervisor::start(&run, &service.endpoint, global).await?;
    if args.sandbox.detach {
        let id = run.id();
        ui.status(&format!(
            "working in the background; to see it: `stockade watch {id}`"
        ));
        ui.line(id.as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    view::follow(&run, Interrupt::Stops, &mut signals, ui).await
}

/// A run that could not begin, whatever the reason; but for a command line that makes no sense.
fn not_begun(mut error: CliError) -> CliError {
    if error.exit != Exit::Usage {
        error.exit = Exit::Preflight;
    }
    error
}

/// A run whose container is made, looked at and not started.
struct Prepared {
    run: Run,
    sandbox: Sandbox,
    service: Service,
    /// Until the supervisor has it in hand, we have.
    held: Held,
}
