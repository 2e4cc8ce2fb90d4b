//! `stockade resume`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::cli::{night, supervisor};

/// Take up a run again that nobody has in hand
///
/// After a crash, a reboot or a killed supervisor. What the agent has done meanwhile counts.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Do not look at it
    #[arg(short, long)]
    detach: bool,
    /// Run: its id, the end of it, or its name [default: the last one]
    run: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &ResumeArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let run = night::find(args.run.as_deref())?;
    // Nobody else can have it; the supervisor takes it at once.
    drop(run.hold()?);
    let service = Service::connect(global, ui).await?;
    supervisor::start(&run, &service.endpoint, global).await?;
    if args.detach {
        ui.line(run.id().as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    view::follow(&run, Interrupt::Stops, &mut signals, ui).await
}
