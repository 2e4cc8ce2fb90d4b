//! `stockade container …`: podman's noun form.

use clap::{Args, Subcommand};

use super::{
    attach, cp, exec, inspect, kill, logs, pause, ps, rm, start, stats, stop, unpause, wait,
};
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::in_need::InNeed;
use crate::cli::prompt;
use crate::cli::ui::Ui;
use crate::libpod::{Removal, Status};
use crate::sandbox::Home;

/// Work with containers
#[derive(Debug, Args)]
pub(crate) struct ContainerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Attach(attach::AttachArgs),
    Cp(cp::CpArgs),
    Exec(exec::ExecArgs),
    Exists(ExistsArgs),
    Inspect(inspect::InspectArgs),
    Kill(kill::KillArgs),
    Logs(logs::LogsArgs),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ps::PsArgs),
    Pause(pause::PauseArgs),
    Prune(PruneArgs),
    Rm(rm::RmArgs),
    Run(Box<super::run::RunArgs>),
    Start(start::StartArgs),
    Stats(stats::StatsArgs),
    Stop(stop::StopArgs),
    Unpause(unpause::UnpauseArgs),
    Wait(wait::WaitArgs),
}

/// Exit with 0 if a container is there, else with 1
#[derive(Debug, Args)]
struct ExistsArgs {
    /// Container
    #[arg(value_parser = named)]
    container: String,
}

/// Remove containers that Stockade made and that do not run
///
/// Those of runs that have not ended stay: they are in need of them.
#[derive(Debug, Args)]
struct PruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Runs the verb.
pub(crate) async fn run(args: &ContainerArgs, global: &Global, ui: &Ui) -> CliResult {
    match &args.verb {
        Verb::Attach(args) => attach::run(args, global, ui).await,
        Verb::Cp(args) => cp::run(args, global, ui).await,
        Verb::Exec(args) => exec::run(args, global, ui).await,
        Verb::Exists(args) => exists(args, global, ui).await,
        Verb::Inspect(args) => inspect::container(args, global, ui).await,
        Verb::Kill(args) => kill::run(args, global, ui).await,
        Verb::Logs(args) => logs::run(args, global, ui).await,
        Verb::Ls(args) => ps::run(args, global, ui).await,
        Verb::Pause(args) => pause::run(args, global, ui).await,
        Verb::Prune(args) => prune(args, global, ui).await,
        Verb::Rm(args) => rm::run(args, global, ui).await,
        Verb::Run(args) => super::run::run(args, global, ui).await,
        Verb::Start(args) => start::run(args, global, ui).await,
        Verb::Stats(args) => stats::run(args, global, ui).await,
        Verb::Stop(args) => stop::run(args, global, ui).await,
        Verb::Unpause(args) => unpause::run(args, global, ui).await,
        Verb::Wait(args) => wait::run(args, global, ui).await,
    }
}

async fn exists(args: &ExistsArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    Ok(if client.container_exists(&args.container).await? {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn prune(args: &PruneArgs, global: &Global, ui: &Ui) -> CliResult {
    let question = "This removes all containers of Stockade that do not run. Go on?";
    if !args.force && !prompt::confirm(ui, question, "--force").await? {
        return Ok(Exit::Failed);
    }
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(ScopeArgs::ours())?;
    let listing = containers.list(&client, true, &Default::default()).await?;
    // One that is prepared may be about to start.
    let ended = listing.containers.into_iter().filter(|container| {
        matches!(
            container.state,
            Status::Created | Status::Exited | Status::Stopped
        )
    });
    let ids: Vec<String> = ended.map(|container| container.id.to_string()).collect();
    let in_need = InNeed::look()?;
    each(&ids, ui, async |id| {
        let container = containers.find(&client, id).await?;
        if let Some(run) = in_need.by(&container) {
            let (name, run) = (&container.name, run.id());
            ui.status(&format!(
                "kept: {name}, of the run {run}, which has not ended"
            ));
            return Ok(());
        }
        let how = Removal {
            volumes: true,
            ..Removal::default()
        };
        client.remove_container(&container.id, how).await?;
        if let Some(home) = Home::of(&container) {
            home.remove(&client).await?;
        }
        ui.line(id).doing("write")
    })
    .await
}
