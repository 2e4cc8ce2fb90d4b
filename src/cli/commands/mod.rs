//! One verb, one file.

pub(crate) mod accept;
pub(crate) mod attach;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod container;
pub(crate) mod cp;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod images;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod pause;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod ralph;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod shell;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod supervise;
pub(crate) mod tell;
pub(crate) mod trust;
pub(crate) mod unpause;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;

use super::args::{Cli, Command};
use super::error::CliResult;
use super::ui::Ui;

/// Runs the verb that was typed.
pub(crate) async fn run(cli: Cli, ui: &Ui) -> CliResult {
    let global = &cli.global;
    match &cli.command {
        Command::Accept(args) => accept::run(args, global, ui).await,
        Command::Attach(args) => attach::run(args, global, ui).await,
        Command::Build(args) => build::run(args, global, ui).await,
        Command::Check(args) => check::run(args, global, ui).await,
        Command::Completions(args) => completions::run(args, ui),
        Command::Container(args) => container::run(args, global, ui).await,
        Command::Cp(args) => cp::run(args, global, ui).await,
        Command::Diff(args) => diff::run(args, ui).await,
        Command::Events(args) => events::run(args, global, ui).await,
        Command::Exec(args) => exec::run(args, global, ui).await,
        Command::History(args) => history::run(args, ui),
        Command::Image(args) => image::run(args, global, ui).await,
        Command::Images(args) => images::run(args, global, ui).await,
        Command::Info(args) => info::run(args, global, ui).await,
        Command::Inspect(args) => inspect::run(args, global, ui).await,
        Command::Kill(args) => kill::run(args, global, ui).await,
        Command::Logs(args) => logs::run(args, global, ui).await,
        Command::Man(args) => man::run(args, ui),
        Command::Pause(args) => pause::run(args, global, ui).await,
        Command::Ps(args) => ps::run(args, global, ui).await,
        Command::Pull(args) => pull::run(args, global, ui).await,
        Command::Ralph(args) => ralph::run(args, global, ui).await,
        Command::Report(args) => report::run(args, ui),
        Command::Resume(args) => resume::run(args, global, ui).await,
        Command::Rm(args) => rm::run(args, global, ui).await,
        Command::Rmi(args) => rmi::run(args, global, ui).await,
        Command::Rollback(args) => rollback::run(args, global, ui).await,
        Command::Run(args) => run::run(args, global, ui).await,
        Command::Runs(args) => runs::run(args, global, ui).await,
        Command::Shell(args) => shell::run(args, global, ui).await,
        Command::Show(args) => show::run(args, ui),
        Command::Start(args) => start::run(args, global, ui).await,
        Command::Stats(args) => stats::run(args, global, ui).await,
        Command::Stop(args) => stop::run(args, global, ui).await,
        Command::Supervise(args) => supervise::run(args, global, ui).await,
        Command::Tell(args) => tell::run(args, ui),
        Command::Trust(args) => trust::run(args, ui).await,
        Command::Unpause(args) => unpause::run(args, global, ui).await,
        Command::Version(args) => version::run(args, global, ui).await,
        Command::Wait(args) => wait::run(args, global, ui).await,
        Command::Watch(args) => watch::run(args, global, ui).await,
    }
}
