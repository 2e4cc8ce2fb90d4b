//! `stockade pull`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::image;
use crate::cli::ui::Ui;
use crate::libpod::{PullOptions, PullPolicy};

/// Fetch an image from a registry
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Platform of the image, as in linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Image, with its registry
    #[arg(value_parser = named)]
    image: String,
}

/// Runs the verb. Ctrl-C simply ends it.
pub(crate) async fn run(args: &PullArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let options = PullOptions {
        reference: args.image.clone(),
        policy: PullPolicy::Always,
        platform: args.platform.clone(),
    };
    let id = image::pull(&client, &options, ui).await?;
    ui.line(id.as_str()).doing("write")?;
    Ok(Exit::Done)
}
