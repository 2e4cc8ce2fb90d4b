//! `stockade pause`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::ui::Ui;

/// Freeze all processes of containers
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &PauseArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    each(&args.containers, ui, async |name| {
        let container = containers.find(&client, name).await?;
        client.pause_container(&container.id).await?;
        ui.line(name).doing("write")
    })
    .await
}
