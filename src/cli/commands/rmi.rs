//! `stockade rmi`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::each;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::ui::Ui;

/// Remove images
#[derive(Debug, Args)]
pub(crate) struct RmiArgs {
    /// Also containers made from them, and be content if there is no such image
    #[arg(short, long)]
    force: bool,
    /// Be content if there is no such image
    #[arg(short, long)]
    ignore: bool,
    /// Images
    #[arg(required = true, value_name = "IMAGE", value_parser = named)]
    images: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &RmiArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    each(&args.images, ui, async |name| {
        match client.remove_image(name, args.force).await {
            Ok(removed) => {
                for name in removed.untagged {
                    ui.line(&format!("Untagged: {name}")).doing("write")?;
                }
                for id in removed.deleted {
                    ui.line(&format!("Deleted: {id}")).doing("write")?;
                }
                Ok(())
            }
            Err(error) if (args.ignore || args.force) && error.is_not_found() => Ok(()),
            Err(error) if error.is_not_found() => {
                Err(CliError::from(error).hint("`stockade images` lists them"))
            }
            Err(error) if error.status() == Some(409) => Err(CliError::from(error).hint(format!(
                "remove the containers first, or `stockade rmi -f {name}`"
            ))),
            Err(error) => Err(error.into()),
        }
    })
    .await
}
