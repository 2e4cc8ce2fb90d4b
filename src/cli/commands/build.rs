//! `stockade build`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::Signals;
use crate::cli::terminal::{Filter, Policy};
use crate::cli::ui::Ui;
use crate::cli::upload::upload;
use crate::context::{self, Directory, Plan, Summary};
use crate::libpod::{BuildNetwork, BuildOptions, Client, ImageId, PullPolicy};

/// Build an image from a Containerfile and a directory
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Containerfile, in the context or not [default: Containerfile, else Dockerfile, in the context]
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Name of the image (can be repeated)
    #[arg(short, long, value_name = "NAME")]
    tag: Vec<String>,
    /// Value for an ARG instruction; without `=`, from the environment (can be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// Label of the image (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Stage to stop at
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Platform of the image, as in linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// What RUN can reach: a network of its own, nothing, or the host's network
    ///
    /// `private` (also `full`) has a way out, but not to services on the host's loopback. `host` is
    /// a loosening: RUN then reaches whatever the Podman service reaches.
    #[arg(long, value_name = "MODE", default_value = "private",
          value_parser = ["private", "full", "default", "none", "host"])]
    network: String,
    /// When to fetch the base image
    #[arg(long, value_name = "POLICY", default_value = "missing", num_args = 0..=1,
          require_equals = true, default_missing_value = "always",
          value_parser = ["always", "missing", "never", "newer", "true", "false"])]
    pull: String,
    /// Do not use layers of earlier builds
    #[arg(long)]
    no_cache: bool,
    /// One layer instead of one for each step
    #[arg(long)]
    squash: bool,
    /// Ignore file in place of .containerignore or .dockerignore
    #[arg(long, value_name = "PATH")]
    ignorefile: Option<PathBuf>,
    /// File that RUN can mount and that stays out of the image (can be repeated)
    #[arg(long, value_name = "id=ID,src=PATH")]
    secret: Vec<String>,
    /// Line for /etc/hosts while building (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Write the image's id to a file
    #[arg(long, value_name = "PATH")]
    iidfile: Option<PathBuf>,
    /// Print only the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Directory with the files that the Containerfile copies
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: PathBuf,
}

/// Runs the verb.
pub async fn run(args: &BuildArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let mut plan = plan(args)?;
    let options = options(args, &mut plan)?;
    let client = connect::client(global, ui).await?;
    if options.network == BuildNetwork::Host {
        ui.warning("`--network host`: RUN reaches what the Podman service reaches, services on the host's loopback included");
    }
    let image = tokio::select! {
        image = build(args, &client, &options, plan, ui) => image?,
        caught = signals.next_end() => {
            ui.live_done();
            ui.warning("interrupted; a step that is under way may still be finished by the Podman service");
            return Ok(Exit::Signal(caught.number()));
        }
    };
    if let Some(path) = &args.iidfile {
        std::fs::write(path, format!("sha256:{image}"))
            .doing(format!("write `{}`", path.display()))?;
    }
    ui.line(image.as_str()).doing("write")?;
    Ok(Exit::Done)
}

async fn build(
    args: &BuildArgs,
    client: &Client,
    options: &BuildOptions,
    plan: Plan,
    ui: &Ui,
) -> CliResult<ImageId> {
    let (body, upload) = upload(move |sink| plan.write(sink));
    let mut filter = Filter::new(Policy::Text);
    let built = async {
        let mut stream = client.build_image(options, body).await?;
        let mut text = None;
        while let Some(next) = stream.next().await? {
            // The last text is the id, which is printed when it is confirmed.
            if let Some(text) = text.replace(next)
                && !args.quiet
            {
                show(ui, &mut filter, &text)?;
            }
        }
        Ok::<_, CliError>(stream.image(client).await?)
    };
    let built = built.await;
    // A context that could not be read is why the request was broken off.
    let summary = upload
        .await
        .map_err(|error| CliError::from_source(Exit::Failed, &error))?;
    match (built, summary) {
        (Ok(image), Ok(summary)) => {
            warn_of_skipped(&summary, ui);
            Ok(image)
        }
        (_, Err(error)) if !error.is_write() => Err(unreadable(&error)),
        (Ok(image), Err(_)) => Ok(image),
        (Err(error), _) => Err(error),
    }
}

fn show(ui: &Ui, filter: &mut Filter, text: &str) -> CliResult<()> {
    if ui.stdout_is_terminal() {
        let clean = filter.feed(text.as_bytes());
        ui.data(&String::from_utf8_lossy(&clean)).doing("write")
    } else {
        ui.data(text).doing("write")
    }
}

fn plan(args: &BuildArgs) -> CliResult<Plan> {
    let directory = Directory::open(&args.context).map_err(|e| unreadable(&e))?;
    let containerfile = match &args.file {
        None => directory.default_containerfile().map_err(|error| {
            CliError::from_source(Exit::Failed, &error).hint("name it with `-f PATH`")
        })?,
        Some(path) => directory.containerfile(path).map_err(|e| unreadable(&e))?,
    };
    let ignore_file = match &args.ignorefile {
        None => directory.ignore_file(&containerfile, args.file.as_deref()),
        Some(path) => directory.named_ignore_file(path),
    };
    let ignore_file = ignore_file.map_err(|e| unreadable(&e))?;
    Plan::new(directory, containerfile, ignore_file).map_err(|e| unreadable(&e))
}

fn options(args: &BuildArgs, plan: &mut Plan) -> CliResult<BuildOptions> {
    let mut secrets = Vec::new();
    for secret in &args.secret {
        let (id, path) = secret_source(secret)?;
        let content =
            std::fs::read(&path).doing(format!("read the secret `{}`", path.display()))?;
        secrets.push((id, plan.add_secret(content)));
    }
    Ok(BuildOptions {
        tags: args.tag.clone(),
        containerfile: plan.dockerfile().to_owned(),
        build_args: build_args(&args.build_arg),
        labels: args
            .label
            .iter()
            .map(|label| label.split_once('=').unwrap_or((label, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        target: args.target.clone(),
        platform: args.platform.clone(),
        network: match args.network.as_str() {
            "none" => BuildNetwork::None,
            "host" => BuildNetwork::Host,
            _ => BuildNetwork::Private,
        },
        pull: match args.pull.as_str() {
            "always" | "true" => PullPolicy::Always,
            "never" => PullPolicy::Never,
            "newer" => PullPolicy::Newer,
            _ => PullPolicy::Missing,
        },
        no_cache: args.no_cache,
        squash: args.squash,
        excludes: Some(plan.excludes()),
        secrets,
        memory: None,
        nano_cpus: None,
        extra_hosts: args.add_host.clone(),
    })
}

/// `NAME=VALUE` as it is, `NAME` from the environment, and nothing where that has none.
fn build_args(args: &[String]) -> BTreeMap<String, String> {
    args.iter()
        .filter_map(|arg| match arg.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((arg.clone(), std::env::var(arg).ok()?)),
        })
        .collect()
}

fn secret_source(text: &str) -> CliResult<(String, PathBuf)> {
    let mut id = None;
    let mut source = None;
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => source = Some(PathBuf::from(value)),
            Some(("type", "file")) => {}
            _ => {
                return Err(CliError::usage(format!(
                    "`--secret {text}`: `{part}` is not understood"
                ))
                .hint("write `--secret id=NAME,src=PATH`"));
            }
        }
    }
    match (id, source) {
        (Some(id), Some(source)) => Ok((id, source)),
        _ => Err(CliError::usage(format!(
            "`--secret {text}` needs both `id` and `src`"
        ))),
    }
}

fn warn_of_skipped(summary: &Summary, ui: &Ui) {
    if summary.skipped > 0 {
        let names: Vec<String> = summary
            .skipped_paths
            .iter()
            .map(|path| format!("`{}`", sanitize_line(&path.display().to_string())))
            .collect();
        ui.warning(&format!(
            "{} sockets, FIFOs or devices in the context were left out: {}",
            summary.skipped,
            names.join(", ")
        ));
    }
}

fn unreadable(error: &context::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "cannot send the build context", error);
    if error.is_changed() {
        cli.hint("something changes the directory while it is read; build again when it is quiet")
    } else {
        cli
    }
}
