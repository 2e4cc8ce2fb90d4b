//! One verb, one file.

pub mod attach;
pub mod build;
pub mod exec;
pub mod kill;
pub mod logs;
pub mod ps;
pub mod rm;
pub mod run;
pub mod stop;
pub mod version;

use super::args::{Cli, Command};
use super::error::CliResult;
use super::ui::Ui;

/// Runs the verb that was typed.
pub async fn run(cli: Cli, ui: &Ui) -> CliResult {
    let global = &cli.global;
    match &cli.command {
        Command::Attach(args) => attach::run(args, global, ui).await,
        Command::Build(args) => build::run(args, global, ui).await,
        Command::Exec(args) => exec::run(args, global, ui).await,
        Command::Kill(args) => kill::run(args, global, ui).await,
        Command::Logs(args) => logs::run(args, global, ui).await,
        Command::Ps(args) => ps::run(args, global, ui).await,
        Command::Rm(args) => rm::run(args, global, ui).await,
        Command::Run(args) => run::run(args, global, ui).await,
        Command::Stop(args) => stop::run(args, global, ui).await,
        Command::Version(args) => version::run(args, global, ui).await,
    }
}
