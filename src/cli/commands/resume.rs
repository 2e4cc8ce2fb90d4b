//! `stockade resume`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::cli::{connect, night, supervisor};
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Run};
use crate::sandbox::Sandbox;

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

/// Removes the container of a run that has ended, if whoever had it in hand came no further.
async fn clear_up(run: &Run, global: &Global, ui: &Ui) -> CliResult<()> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let made = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Created { container } => Some(container),
        _ => None,
    });
    let Some(container) = made else { return Ok(()) };
    let client = connect::client(global, ui).await?;
    match client.inspect_container(container).await {
        Ok(left) => {
            let _ = Sandbox::adopt(&client, &left).remove().await?;
            Ok(())
        }
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Runs the verb.
pub(crate) async fn run(args: &ResumeArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let run = night::find(args.run.as_deref())?;
    // Nobody else can have it; the supervisor takes it at once.
    drop(run.hold()?);
    if night::verdict(&run)?.is_some() {
        // It stays as it ended: there is nothing to take up.
        clear_up(&run, global, ui).await?;
        return view::follow(&run, Interrupt::Leaves, &mut signals, global, ui).await;
    }
    let service = Service::connect(global, ui).await?;
    night::refuse_overlap(&run.record()?.workspace.path, Some(&run))?;
    run.withdraw_stop()?;
    supervisor::start(&run, &service.endpoint, global).await?;
    if args.detach {
        ui.line(run.id().as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    view::follow(&run, Interrupt::Stops, &mut signals, global, ui).await
}
