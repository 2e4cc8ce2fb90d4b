//! `stockade stop`

use std::time::Duration;

use clap::Args;
use tokio::sync::OnceCell;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect::Service;
use crate::cli::containers::{Containers, ScopeArgs, each, fitting_run};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::{night, supervisor};
use crate::ralph::{Run, Stop};

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
    #[arg(required = true, value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &StopArgs, global: &Global, ui: &Ui) -> CliResult {
    let containers = Containers::new(args.scope)?;
    let service = OnceCell::new();
    let connect = async || {
        service
            .get_or_try_init(|| Service::connect(global, ui))
            .await
    };
    each(&args.containers, ui, async |name| {
        let mut run = night::named(name)?;
        if run.is_none() {
            run = fitting_run(name, global, ui).await;
        }
        if let Some(run) = run.clone().filter(night::never_began) {
            night::forget(run, global, ui).await?;
            return ui.line(name).doing("write");
        }
        let ended = |run: &Run| !run.is_held() && !night::is_left_alone(run);
        if let Some(run) = run.clone().filter(ended)
            && fitting_run(name, global, ui).await.is_some()
        {
            if args.ignore {
                return Ok(());
            }
            let text = format!("the run {} has ended", run.id());
            return Err(CliError::new(Exit::Failed, text)
                .hint(format!("how: `stockade report {}`", run.id())));
        }
        if let Some(run) = run.filter(|run| !ended(run)) {
            if !run.is_held() {
                // What its agent has done meanwhile is kept as in any other run.
                let service = connect().await?;
                run.ask_to_stop(Stop::Gently)?;
                supervisor::start(&run, service, global).await?;
            }
            let patience = args.time.map(|seconds| Duration::from_secs(seconds.into()));
            night::stop(&run, patience).await?;
            if night::verdict(&run)?.is_none() {
                let text = format!("the run {} has not ended: Podman is away", run.id());
                return Err(CliError::new(Exit::Unreachable, text)
                    .hint("its agent may go on; stop it once Podman is there again"));
            }
            return ui.line(name).doing("write");
        }
        let client = &connect().await?.client;
        if args.ignore && !client.container_exists(name).await? {
            return Ok(());
        }
        let container = containers.find(client, name).await?;
        client.stop_container(&container.id, args.time).await?;
        ui.line(name).doing("write")
    })
    .await
}
