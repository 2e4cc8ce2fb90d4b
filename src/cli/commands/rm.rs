//! `stockade rm`

use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::in_need::InNeed;
use crate::cli::ui::Ui;
use crate::libpod::{Removal, Status};
use crate::sandbox::Home;

/// Remove containers
///
/// One of a run that has not ended goes with --force alone, and ends it.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Also if it runs or a run needs it, and be content if there is none
    #[arg(short, long)]
    force: bool,
    /// With its anonymous volumes
    #[arg(short, long)]
    volumes: bool,
    /// Be content if there is no such container
    #[arg(short, long)]
    ignore: bool,
    /// Seconds before a running container is killed; with --force
    #[arg(short, long, value_name = "SECONDS")]
    time: Option<u32>,
    /// All containers that Stockade made
    #[arg(short, long, conflicts_with_all = ["containers", "unmanaged"])]
    all: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers
    #[arg(required_unless_present = "all", value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// How often the service looks whether one that was killed has ended.
const SOON: Duration = Duration::from_millis(20);

/// Runs the verb.
pub(crate) async fn run(args: &RmArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    let names = if args.all {
        let listing = containers.list(&client, true, &Default::default()).await?;
        listing
            .containers
            .iter()
            .map(|container| container.id.to_string())
            .collect()
    } else {
        args.containers.clone()
    };
    let how = Removal {
        force: args.force,
        volumes: args.volumes,
        timeout: args.time,
    };
    let in_need = match args.force {
        true => None,
        false => Some(InNeed::look()?),
    };
    each(&names, ui, async |name| {
        if (args.ignore || args.force) && !client.container_exists(name).await? {
            return Ok(());
        }
        let container = containers.find(&client, name).await?;
        if let Some(run) = in_need.as_ref().and_then(|in_need| in_need.by(&container)) {
            let run = run.id();
            let text =
                format!("the container `{name}` is that of the run {run}, which has not ended");
            return Err(CliError::new(Exit::Failed, text).hint(format!(
                "end it first, `stockade stop {run}`, or `stockade rm -f {name}`"
            )));
        }
        if container.state.status.is_live() && !args.force {
            return Err(CliError::new(
                Exit::Failed,
                format!(
                    "the container `{name}` is {}",
                    container.state.status.as_str()
                ),
            )
            .hint(format!("stop it first, or `stockade rm -f {name}`")));
        }
        // Its stop was cut short. 4.3 would only forget it, and let it run on.
        if container.state.status == Status::Stopping {
            match client.kill_container(&container.id, "KILL").await {
                Ok(()) => drop(client.wait_container(&container.id, SOON).await?),
                // It has ended meanwhile.
                Err(error) if error.api().is_some() => {}
                Err(error) => return Err(error.into()),
            }
        }
        client.remove_container(&container.id, how).await?;
        if let Some(home) = Home::of(&container) {
            home.remove(&client).await?;
        }
        ui.line(name).doing("write")
    })
    .await
}
