//! Questions to the person.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::error::{CliError, CliResult, Context as _};
use super::ui::Ui;

/// That there is somebody to ask, if the question is not answered by a flag.
pub(crate) fn somebody(flag: &str) -> CliResult<()> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::usage("there is nobody to ask").hint(format!("add `{flag}`")))
}

/// Asks a question that is answered with yes or no; no is the default. Where nobody can be asked, the
/// flag that answers it is named.
pub(crate) fn confirm(ui: &Ui, question: &str, flag: &str) -> CliResult<bool> {
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
