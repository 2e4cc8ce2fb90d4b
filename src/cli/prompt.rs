//! Questions to the person.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::error::{CliError, CliResult, Context as _};
use super::ui::Ui;

/// Asks a question that is answered with yes or no; no is the default. Where nobody can be asked, the
/// flag that says so `instead` is named.
pub(crate) fn confirm(ui: &Ui, question: &str, instead: &str) -> CliResult<bool> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage("there is nobody to ask").hint(format!("add `{instead}`")));
    }
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
