//! `stockade kill`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::ui::Ui;

/// Send a signal to containers
#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// Signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &KillArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    each(&args.containers, ui, async |name| {
        let container = containers.find(&client, name).await?;
        client.kill_container(&container.id, &args.signal).await?;
        ui.line(name).doing("write")
    })
    .await
}
