//! `stockade stop`

use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::night;
use crate::cli::ui::Ui;
use crate::ralph::Run;

/// Ask containers and runs to end, and kill them if they do not
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds before a container is killed [default: the container's own, 10]
    #[arg(short, long, value_name = "SECONDS")]
    time: Option<u32>,
    /// Be content if there is no such container
    #[arg(short, long)]
    ignore: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers, or runs
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &StopArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    each(&args.containers, ui, async |name| {
        let run = night::named(name)?.filter(Run::is_held);
        if let Some(run) = run {
            let patience = args.time.map(|seconds| Duration::from_secs(seconds.into()));
            night::stop(&run, patience).await?;
            return ui.line(name).doing("write");
        }
        if args.ignore && !client.container_exists(name).await? {
            return Ok(());
        }
        let container = containers.find(&client, name).await?;
        client.stop_container(&container.id, args.time).await?;
        ui.line(name).doing("write")
    })
    .await
}
