//! `stockade version`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;

/// Show the versions of Stockade and of the Podman service
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
}

/// Runs the verb.
pub async fn run(args: &VersionArgs, global: &Global, ui: &Ui) -> CliResult {
    let ours = env!("CARGO_PKG_VERSION");
    let client = match connect::client(global, ui).await {
        Ok(client) => client,
        Err(error) => {
            // The half that is known is said all the same, as podman does.
            if args.format == "table" {
                ui.line(&format!("Stockade:  {ours}")).doing("write")?;
            }
            return Err(error);
        }
    };
    let service = client.service_version().await?;
    let text = if args.format == "json" {
        serde_json::json!({
            "Client": { "Version": ours },
            "Server": service,
        })
        .to_string()
    } else {
        format!(
            "Stockade:  {ours}\nPodman:    {}\nAPI:       {}\nPlatform:  {}/{}\nKernel:    {}",
            service.version,
            client.version(),
            service.os,
            service.arch,
            service.kernel_version,
        )
    };
    ui.line(&text).doing("write")?;
    Ok(Exit::Done)
}
