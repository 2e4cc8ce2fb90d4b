//! `stockade stop`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::ui::Ui;

/// Ask containers to end, and kill them if they do not
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Seconds before a container is killed [default: the container's own, 10]
    #[arg(short, long, value_name = "SECONDS")]
    time: Option<u32>,
    /// Be content if there is no such container
    #[arg(short, long)]
    ignore: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the verb.
pub async fn run(args: &StopArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    each(&args.containers, ui, async |name| {
        if args.ignore && !client.container_exists(name).await? {
            return Ok(());
        }
        let container = containers.find(&client, name).await?;
        client.stop_container(&container.id, args.time).await?;
        ui.line(name).doing("write")
    })
    .await
}
