//! `stockade trust`

use std::path::PathBuf;

use clap::Args;

use crate::cli::configuration::{Configuration, FILE, Store, loosens};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sanitize::{sanitize, sanitize_line};
use crate::cli::ui::Ui;
use crate::cli::{host, prompt};
use crate::workspace::diff::Diff;

/// Lines around a change.
const CONTEXT: usize = 3;

/// Show what a directory's stockade.toml asks for, and accept it
///
/// Without trust it can only lower limits. What is accepted is this very text in this very directory;
/// an edit that does more than lower limits has to be accepted again.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Accept it without asking
    #[arg(short, long)]
    yes: bool,
    /// Show whether it is trusted, and accept nothing
    #[arg(long, conflicts_with = "yes")]
    show: bool,
    /// Trust it no more
    #[arg(long, conflicts_with_all = ["yes", "show"])]
    revoke: bool,
    /// Directory [default: this one]
    directory: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) async fn run(args: &TrustArgs, ui: &Ui) -> CliResult {
    let cwd = host::working_directory()?;
    let directory = args.directory.as_deref().unwrap_or(&cwd);
    let Some(configuration) = Configuration::read(directory)? else {
        let shown = directory.display();
        return Err(CliError::new(
            Exit::Failed,
            format!("there is no `{FILE}` in `{shown}`"),
        ));
    };
    let store = Store::open()?;
    if args.revoke {
        ui.status(match store.forget(&configuration)? {
            true => "no longer trusted",
            false => "it was not trusted",
        });
        return Ok(Exit::Done);
    }
    let accepted = store.accepted(&configuration)?;
    if accepted.as_ref().is_some_and(|a| a.is(&configuration)) {
        ui.status("it is trusted as it is");
        return Ok(Exit::Done);
    }
    let before = accepted.as_ref().map(|accepted| accepted.text.as_str());
    show(before, &configuration.text, ui)?;
    let known = accepted.map(|a| a.table()).unwrap_or_default();
    let keys = loosens(&configuration.table, &known, host::memory()?);
    match keys.as_slice() {
        [] => ui.status("it only lowers limits, and needs no trust"),
        keys => ui.status(&sanitize_line(&format!(
            "needs your trust: {}",
            keys.join(", ")
        ))),
    }
    if args.show {
        return Ok(if keys.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        });
    }
    if !args.yes && !prompt::confirm(ui, "Trust it?", "--yes").await? {
        return Ok(Exit::Failed);
    }
    store.accept(&configuration)?;
    ui.status("trusted");
    Ok(Exit::Done)
}

/// The text, or how it differs from what was trusted.
fn show(before: Option<&str>, now: &str, ui: &Ui) -> CliResult<()> {
    let text = match before {
        None => now.as_bytes().to_vec(),
        Some(before) => Diff::of(before.as_bytes(), now.as_bytes(), CONTEXT).unified(),
    };
    for line in String::from_utf8_lossy(&text).lines() {
        ui.line(&sanitize(line)).doing("write")?;
    }
    Ok(())
}
