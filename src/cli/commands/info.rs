//! `stockade info`

use clap::Args;
use serde_json::Value;

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;

/// Show what the Podman service says of its machine, as JSON
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"], default_value = "json")]
    format: String,
}

/// Runs the verb.
pub(crate) async fn run(_: &InfoArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let document: Value = client.info_json().await?;
    let text = serde_json::to_string_pretty(&document).doing("write JSON")?;
    ui.line(&text).doing("write")?;
    Ok(Exit::Done)
}
