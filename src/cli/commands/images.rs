//! `stockade images`

use clap::Args;
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::clock;
use crate::cli::connect;
use crate::cli::containers::filters;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::cli::units;
use crate::libpod::ListedImage;

/// List images
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Also the layers of builds
    #[arg(short, long)]
    all: bool,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Only those that match, as in dangling=true (can be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<String>,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// No heading
    #[arg(short = 'n', long)]
    noheading: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    /// Only images of this name
    #[arg(value_name = "IMAGE", value_parser = named)]
    image: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    id: &'a str,
    names: &'a [String],
    created: i64,
    size: u64,
    containers: i64,
    dangling: bool,
}

/// Runs the verb.
pub(crate) async fn run(args: &ImagesArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let mut filters = filters(&args.filter)?;
    if let Some(image) = &args.image {
        filters
            .entry("reference".to_owned())
            .or_default()
            .push(image.clone());
    }
    let mut images = client.list_images(args.all, &filters).await?;
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    let text = if args.quiet {
        let mut ids: Vec<_> = images
            .iter()
            .map(|image| id(image, args.no_trunc))
            .collect();
        ids.dedup();
        ids.into_iter().map(|id| id + "\n").collect()
    } else if args.format == "json" {
        let rows: Vec<Row<'_>> = images.iter().map(row).collect();
        serde_json::to_string_pretty(&rows).doing("write JSON")? + "\n"
    } else {
        table(&images, args)
    };
    ui.data(&text).doing("write")?;
    Ok(Exit::Done)
}

fn id(image: &ListedImage, whole: bool) -> String {
    if whole {
        // As podman has it here, and only here.
        format!("sha256:{}", image.id)
    } else {
        image.id.short().to_owned()
    }
}

fn row(image: &ListedImage) -> Row<'_> {
    Row {
        id: image.id.as_str(),
        names: &image.repo_tags,
        created: image.created,
        size: image.size,
        containers: image.containers,
        dangling: image.dangling,
    }
}

fn table(images: &[ListedImage], args: &ImagesArgs) -> String {
    let heading = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
    let mut table = if args.noheading {
        Table::without_heading()
    } else {
        Table::new(&heading)
    };
    for image in images {
        let none = ["<none>:<none>".to_owned()];
        let names = if image.repo_tags.is_empty() {
            none.as_slice()
        } else {
            &image.repo_tags
        };
        for name in names {
            // The tag stands behind the last colon; a port has a slash behind it.
            let (repository, tag) = name
                .rsplit_once(':')
                .filter(|(_, tag)| !tag.contains('/'))
                .unwrap_or((name, "<none>"));
            table.row([
                repository.to_owned(),
                tag.to_owned(),
                id(image, args.no_trunc),
                clock::ago(image.created),
                units::decimal_size(image.size),
            ]);
        }
    }
    table.render()
}
