//! `stockade shell`

use clap::Args;

use super::exec::{self, ExecArgs};
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::containers::ScopeArgs;
use crate::cli::error::CliResult;
use crate::cli::night;
use crate::cli::terminal::DetachKeys;
use crate::cli::ui::Ui;

/// The better shell that there is.
pub(super) const SHELL: &str = "command -v bash >/dev/null 2>&1 && exec bash; exec sh";

/// Open a shell in the sandbox of a run, or in a container
///
/// As the user that the agent is, beside it. A run's sandbox lives as long as an iteration, and so does the
/// shell.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Variable for the shell; without `=`, from our environment (can be repeated)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(super) env: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    pub(super) workdir: Option<String>,
    /// User in the container
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(super) user: Option<String>,
    /// Keys that leave the shell running; empty for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    pub(super) detach_keys: DetachKeys,
    /// Let everything through to the terminal, titles and clipboard included
    #[arg(long)]
    pub(super) raw_terminal: bool,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Run, or container [default: the last run here]
    #[arg(value_name = "RUN", value_parser = named)]
    run: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &ShellArgs, global: &Global, ui: &Ui) -> CliResult {
    let name = match &args.run {
        Some(name) => name.clone(),
        None => night::find(None)?.id().to_string(),
    };
    exec::run(&ExecArgs::shell(args, &name), global, ui).await
}
