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
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every verb takes
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Socket of the Podman service, as in unix:///run/user/1000/podman/podman.sock
    #[arg(long, global = true, value_name = "URI")]
    pub url: Option<String>,
    /// Name of a connection configured for podman
    #[arg(
        short = 'c',
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "url"
    )]
    pub connection: Option<String>,
    /// How cgroups are managed, for a service that Stockade starts itself
    #[arg(long, global = true, value_name = "MANAGER", value_parser = ["systemd", "cgroupfs"])]
    pub cgroup_manager: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Attach(commands::attach::AttachArgs),
    Build(commands::build::BuildArgs),
    Exec(commands::exec::ExecArgs),
    Kill(commands::kill::KillArgs),
    Logs(commands::logs::LogsArgs),
    #[command(visible_alias = "list")]
    Ps(commands::ps::PsArgs),
    Rm(commands::rm::RmArgs),
    Run(Box<commands::run::RunArgs>),
    Stop(commands::stop::StopArgs),
    Version(commands::version::VersionArgs),
}
