//! `stockade watch`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::night;
use crate::cli::page::LookArgs;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};

/// Look at a run as it goes
///
/// Of an agent that writes lines of JSON, its words are shown, and of all else a short line; `logs` has what it
/// wrote. Ctrl-C or Ctrl-P Ctrl-Q ends the looking, not the run. The exit code is the run's.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    look: LookArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: &WatchArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let run = night::find(args.run.as_deref())?;
    let look = args.look.look();
    view::follow(&run, look, Interrupt::Leaves, &mut signals, global, ui).await
}
