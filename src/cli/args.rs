//! What can be typed. No logic here.

use clap::{Args, Parser, Subcommand};

use super::commands;

/// Run autonomous coding agents in rootless Podman sandboxes
#[derive(Debug, Parser)]
#[command(
    name = "stockade",
    version,
    propagate_version = false,
    max_term_width = 100
)]
// A flag may come twice, as from an alias and a person: the last one counts, as with podman.
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every verb takes
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Socket of the Podman service, as in unix:///run/user/1000/podman/podman.sock
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) url: Option<String>,
    /// Name of a connection configured for podman
    #[arg(
        short = 'c',
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "url"
    )]
    pub(crate) connection: Option<String>,
    /// How cgroups are managed, for a service that Stockade starts itself
    #[arg(long, global = true, value_name = "MANAGER", value_parser = ["systemd", "cgroupfs"])]
    pub(crate) cgroup_manager: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Accept(commands::accept::AcceptArgs),
    Attach(commands::attach::AttachArgs),
    Build(Box<commands::build::BuildArgs>),
    Check(commands::check::CheckArgs),
    Completions(commands::completions::CompletionsArgs),
    Container(commands::container::ContainerArgs),
    Cp(commands::cp::CpArgs),
    Diff(commands::diff::DiffArgs),
    Events(commands::events::EventsArgs),
    Exec(commands::exec::ExecArgs),
    History(commands::history::HistoryArgs),
    Image(commands::image::ImageArgs),
    Images(commands::images::ImagesArgs),
    Info(commands::info::InfoArgs),
    Inspect(commands::inspect::InspectArgs),
    Kill(commands::kill::KillArgs),
    Logs(commands::logs::LogsArgs),
    Man(commands::man::ManArgs),
    Pause(commands::pause::PauseArgs),
    Ps(commands::ps::PsArgs),
    Pull(commands::pull::PullArgs),
    Ralph(Box<commands::ralph::RalphArgs>),
    Report(commands::report::ReportArgs),
    Resume(commands::resume::ResumeArgs),
    Rm(commands::rm::RmArgs),
    Rmi(commands::rmi::RmiArgs),
    Rollback(commands::rollback::RollbackArgs),
    Run(Box<commands::run::RunArgs>),
    Runs(commands::runs::RunsArgs),
    Shell(commands::shell::ShellArgs),
    Show(commands::show::ShowArgs),
    Start(commands::start::StartArgs),
    Stats(commands::stats::StatsArgs),
    Stop(commands::stop::StopArgs),
    #[command(hide = true)]
    Supervise(commands::supervise::SuperviseArgs),
    Tell(commands::tell::TellArgs),
    Trust(commands::trust::TrustArgs),
    Unpause(commands::unpause::UnpauseArgs),
    Version(commands::version::VersionArgs),
    Wait(commands::wait::WaitArgs),
    Watch(commands::watch::WatchArgs),
}

#[cfg(test)]
mod tests;
