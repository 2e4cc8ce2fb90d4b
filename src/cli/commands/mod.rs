//! One verb, one file.

pub mod build;
pub mod run;
pub mod version;

use super::args::{Cli, Command};
use super::error::CliResult;
use super::ui::Ui;

/// Runs the verb that was typed.
pub async fn run(cli: Cli, ui: &Ui) -> CliResult {
    let global = cli.global;
    match cli.command {
        Command::Build(args) => build::run(&args, &global, ui).await,
        Command::Run(args) => run::run(&args, &global, ui).await,
        Command::Version(args) => version::run(&args, &global, ui).await,
    }
}
