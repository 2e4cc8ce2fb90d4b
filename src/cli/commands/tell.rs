//! `stockade tell`

use clap::Args;

use crate::cli::argv::named;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::ui::Ui;
use crate::ralph::Note;

/// Leave a note for the agent of a run: it joins the next prompt
#[derive(Debug, Args)]
pub(crate) struct TellArgs {
    /// Join every prompt from now on, and not only the next
    #[arg(long)]
    always: bool,
    /// Run: its id, the end of it, or its name
    #[arg(value_parser = named)]
    run: String,
    /// What the agent should know
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
}

/// Runs the verb.
pub(crate) fn run(args: &TellArgs, ui: &Ui) -> CliResult {
    let run = night::find(Some(&args.run))?;
    if night::verdict(&run)?.is_some() {
        let error = CliError::new(Exit::Failed, format!("the run {} has ended", run.id()));
        return Err(error.hint(format!("how: `stockade report {}`", run.id())));
    }
    let note = Note {
        text: args.text.join(" "),
        always: args.always,
    };
    run.tell(&note, jiff::Timestamp::now())?;
    ui.status("the agent reads it in its next iteration");
    Ok(Exit::Done)
}
