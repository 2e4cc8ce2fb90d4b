//! Questions to the person.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::signals::Signals;
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
pub(crate) async fn confirm(ui: &Ui, question: &str, flag: &str) -> CliResult<bool> {
    somebody(flag)?;
    // Where signals were caught before, they end nothing by themselves any more.
    let mut signals = Signals::catch().doing("catch signals")?;
    ui.ask(&format!("{question} [y/N] "));
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        read = read => read.map_err(io::Error::from).and_then(|line| line).doing("read the answer")?,
        caught = signals.next_end() => {
            ui.ask("\n");
            return Err(CliError::new(Exit::Signal(caught.number()), "interrupted"));
        }
    };
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
