//! Questions to the person.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::error::{CliError, CliResult, Context as _};
use super::ui::Ui;

/// Asks a question that is answered with yes or no; no is the default.
pub(crate) fn confirm(ui: &Ui, question: &str) -> CliResult<bool> {
    confirm_or(ui, question, "--force")
}

/// That there is somebody to ask, if the question is not answered by a flag.
pub(crate) fn somebody(flag: &str) -> CliResult<()> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::usage("there is nobody to ask").hint(format!("add `{flag}`")))
}

/// The same where another flag answers it.
pub(crate) fn confirm_or(ui: &Ui, question: &str, flag: &str) -> CliResult<bool> {
    somebody(flag)?;
    ui.ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .doing("read the answer")?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
