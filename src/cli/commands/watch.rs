//! `stockade watch`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::night;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};

/// Look at a run as it goes
///
/// Ctrl-C ends the looking, not the run. The exit code is the run's.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Run: its id, the end of it, or its name [default: the last one]
    #[arg(value_parser = named)]
    run: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &WatchArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let run = night::find(args.run.as_deref())?;
    view::follow(&run, Interrupt::Leaves, &mut signals, global, ui).await
}
