//! `stockade image …`: podman's noun form.

use clap::{Args, Subcommand};

use super::{build, images, inspect, pull, rmi};
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::filters;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::prompt;
use crate::cli::ui::Ui;
use crate::cli::units;

/// Work with images
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Build(Box<build::BuildArgs>),
    Exists(ExistsArgs),
    Inspect(inspect::InspectArgs),
    #[command(visible_alias = "list")]
    Ls(images::ImagesArgs),
    Prune(PruneArgs),
    Pull(pull::PullArgs),
    Rm(rmi::RmiArgs),
    Tag(TagArgs),
}

/// Exit with 0 if an image is there, else with 1
#[derive(Debug, Args)]
struct ExistsArgs {
    /// Image
    #[arg(value_parser = named)]
    image: String,
}

/// Give an image another name
#[derive(Debug, Args)]
struct TagArgs {
    /// Image
    #[arg(value_parser = named)]
    image: String,
    /// New names
    #[arg(required = true, value_name = "NAME", value_parser = named)]
    names: Vec<String>,
}

/// Remove images that no name leads to
#[derive(Debug, Args)]
struct PruneArgs {
    /// Also those that no container uses
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that match, as in until=24h (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &ImageArgs, global: &Global, ui: &Ui) -> CliResult {
    match &args.verb {
        Verb::Build(args) => build::run(args, global, ui).await,
        Verb::Exists(args) => exists(args, global, ui).await,
        Verb::Inspect(args) => inspect::image(args, global, ui).await,
        Verb::Ls(args) => images::run(args, global, ui).await,
        Verb::Prune(args) => prune(args, global, ui).await,
        Verb::Pull(args) => pull::run(args, global, ui).await,
        Verb::Rm(args) => rmi::run(args, global, ui).await,
        Verb::Tag(args) => tag(args, global, ui).await,
    }
}

async fn exists(args: &ExistsArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    Ok(if client.image_exists(&args.image).await? {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn tag(args: &TagArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    for name in &args.names {
        let (repository, tag) = name
            .rsplit_once(':')
            .filter(|(_, tag)| !tag.contains('/'))
            .unwrap_or((name, "latest"));
        client.tag_image(&args.image, repository, tag).await?;
    }
    Ok(Exit::Done)
}

async fn prune(args: &PruneArgs, global: &Global, ui: &Ui) -> CliResult {
    let which = if args.all {
        "all images without a container"
    } else {
        "all dangling images"
    };
    if !args.force
        && !prompt::confirm(ui, &format!("This removes {which}. Go on?"), "--force").await?
    {
        return Ok(Exit::Failed);
    }
    let client = connect::client(global, ui).await?;
    let pruned = client
        .prune_images(args.all, &filters(&args.filter)?)
        .await?;
    let mut freed = 0;
    let mut exit = Exit::Done;
    for image in pruned {
        match image.err {
            None => {
                freed += image.size;
                ui.line(&image.id).doing("write")?;
            }
            Some(error) => {
                exit = Exit::Failed;
                ui.warning(&error);
            }
        }
    }
    if freed > 0 {
        ui.status(&format!("{} set free", units::decimal_size(freed)));
    }
    Ok(exit)
}
