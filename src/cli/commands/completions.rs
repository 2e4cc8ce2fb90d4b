//! `stockade completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;

/// Print completions for a shell
///
/// For bash: `stockade completions bash > ~/.local/share/bash-completion/completions/stockade`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the verb. Asks no service.
pub(crate) fn run(args: &CompletionsArgs, ui: &Ui) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stockade", &mut script);
    ui.data(&String::from_utf8_lossy(&script)).doing("write")?;
    Ok(Exit::Done)
}
