//! `stockade build`

mod note;
mod options;
mod source;
mod steps;

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use self::note::Note;
use self::options::{LimitArgs, add_secrets, options};
use self::source::{Bases, Extent, Sent, Source, bases, prune, unreadable};
use self::steps::{Seen, Steps};
use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::image;
use crate::cli::outcome;
use crate::cli::progress::Progress;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::Signals;
use crate::cli::terminal::{Gone, Output, Policy};
use crate::cli::ui::Ui;
use crate::cli::upload::{SendError, upload};
use crate::context::{Containerfile, Plan, Summary};
use crate::libpod::stream::{Channel, Chunk};
use crate::libpod::{self, BuildNetwork, BuildOptions, BuildStream, Client, ImageId};

/// Build an image from a Containerfile and a directory
///
/// Only what the Containerfile needs of the directory is sent, where that is certain.
#[derive(Debug, Clone, Args)]
pub(crate) struct BuildArgs {
    /// Containerfile, in the context or not; `-` for standard input [default: Containerfile, else
    /// Dockerfile, in the context]
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Name of the image (can be repeated)
    #[arg(short, long, value_name = "NAME")]
    tag: Vec<String>,
    /// Value for an ARG instruction; without `=`, from the environment (can be repeated)
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// File with a NAME=VALUE for ARG instructions in each line (can be repeated)
    #[arg(long, value_name = "PATH")]
    build_arg_file: Vec<PathBuf>,
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
    /// A layer for each step, kept for later builds
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    layers: bool,
    /// One layer for all steps, on top of the base image's
    #[arg(long, conflicts_with = "squash_all")]
    squash: bool,
    /// One layer for everything, the base image included
    #[arg(long)]
    squash_all: bool,
    /// Format of the image
    #[arg(long, value_name = "FORMAT", default_value = "oci", value_parser = ["oci", "docker"])]
    format: String,
    /// Ignore file in place of .containerignore or .dockerignore
    #[arg(long, value_name = "PATH")]
    ignorefile: Option<PathBuf>,
    /// File or variable that RUN can mount and that stays out of the image (can be repeated)
    #[arg(long, value_name = "id=ID,src=PATH")]
    secret: Vec<String>,
    /// Line for /etc/hosts while building (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Name server while building (can be repeated)
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Write the image's id to a file
    #[arg(long, value_name = "PATH")]
    iidfile: Option<PathBuf>,
    /// Print only the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Directory with the files that the Containerfile copies; `-` for an archive or a lone
    /// Containerfile on standard input [default: the Containerfile's directory, else .]
    #[arg(value_name = "CONTEXT")]
    context: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) async fn run(args: &BuildArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let under_way = Cell::new(false);
    tokio::select! {
        done = inner(args, global, &under_way, ui) => done,
        caught = signals.next_end() => {
            if under_way.get() {
                ui.warning("interrupted; a step that is under way may still be finished by the Podman service");
            }
            Ok(Exit::Signal(caught.number()))
        }
    }
}

async fn inner(args: &BuildArgs, global: &Global, under_way: &Cell<bool>, ui: &Ui) -> CliResult {
    let named = args.clone();
    // Files may be pipes that say nothing for long.
    let opened = tokio::task::spawn_blocking(move || open(&named));
    let Opened {
        mut source,
        containerfile,
        options,
    } = opened.await.doing("read the context")??;
    let client = connect::client(global, ui).await?;
    if let Some(warning) = args.limits.check(&client).await? {
        ui.warning(&warning);
    }
    if options.network == BuildNetwork::Host {
        ui.warning("`--network host`: RUN reaches what the Podman service reaches, services on the host's loopback included");
    }
    let runs = containerfile.as_ref().is_none_or(Containerfile::may_run);
    if options.network == BuildNetwork::Private
        && runs
        && let Some(warning) = image::reaches_loopback(&client)
    {
        ui.warning(&format!(
            "{warning}: `--network none` where no step needs a network"
        ));
    }
    let (extent, known) = match (&mut source, &containerfile) {
        (Source::Files(plan), Some(containerfile)) => {
            let known = bases(containerfile, &options, &client).await?;
            (prune(plan, containerfile, &options, &known), known)
        }
        _ => (Extent::Whole, Bases::new()),
    };
    let output = Output::start(Some(Policy::Text)).doing("write")?;
    let build = Build {
        client: &client,
        options: &options,
        output: &output,
        quiet: args.quiet,
        ui,
    };
    under_way.set(true);
    let built = match build.run_in_full(source, extent).await {
        Ok(built) => built,
        Err(error) => {
            // What the build said comes before what is said of its end.
            let _ = output.finish().await;
            return Err(error);
        }
    };
    let Built::Image(image, sent) = built else {
        return Ok(outcome::OUTPUT_GONE);
    };
    if let (Some(containerfile), Some(sent)) = (&containerfile, sent) {
        let note = Note {
            args,
            containerfile,
            options: &options,
            client: &client,
            image: &image,
        };
        // The image is there whatever becomes of the note.
        if let Err(error) = note.take(sent, extent, known).await {
            ui.warning(&format!(
                "`ralph` will not find this image without `--image`: {}",
                error.message
            ));
        }
    }
    if let Some(path) = &args.iidfile {
        write_id(path, &image).doing(format!("write `{}`", path.display()))?;
    }
    if build.print(format!("{image}\n")).await.is_err() {
        return Ok(outcome::OUTPUT_GONE);
    }
    output.finish().await.doing("write")?;
    Ok(Exit::Done)
}

/// What is built from what, and how.
struct Opened {
    source: Source,
    /// Where it is known.
    containerfile: Option<Containerfile>,
    options: BuildOptions,
}

/// Reads whatever the person named. Blocks.
fn open(args: &BuildArgs) -> CliResult<Opened> {
    let mut options = options(args)?;
    let (mut source, containerfile) = Source::open(args)?;
    describe(args, &mut source, &mut options)?;
    Ok(Opened {
        source,
        containerfile,
        options,
    })
}

/// Says in the options how the context is to be read.
fn describe(args: &BuildArgs, source: &mut Source, options: &mut BuildOptions) -> CliResult<()> {
    match source {
        Source::Files(plan) => {
            options.secrets = add_secrets(&args.secret, plan)?;
            options.containerfile = Some(plan.dockerfile().to_owned());
            options.excludes = Some(plan.excludes());
        }
        Source::Archive(_) => {
            for (given, flag) in [
                (!args.secret.is_empty(), "--secret"),
                (args.ignorefile.is_some(), "--ignorefile"),
            ] {
                if given {
                    return Err(CliError::usage(format!(
                        "`{flag}` needs a directory as the context, not an archive"
                    )));
                }
            }
            // The service takes its own default where there is none, and the ignore file in it.
            options.containerfile = match &args.file {
                Some(path) => Some(in_archive(path)?),
                None => None,
            };
        }
    }
    Ok(())
}

/// The Containerfile's path in an archive: later releases take an absolute one from the host.
fn in_archive(path: &Path) -> CliResult<String> {
    let text = path.to_str().map(|text| text.trim_start_matches('/'));
    match text {
        Some(text) if !text.is_empty() && !text.starts_with(['[', '"', ' ']) => Ok(text.to_owned()),
        _ => Err(CliError::usage(format!(
            "`--file {}` cannot name a file in an archive",
            sanitize_line(&path.display().to_string())
        ))),
    }
}

/// A build, and where it is told of.
struct Build<'a> {
    client: &'a Client,
    options: &'a BuildOptions,
    output: &'a Output,
    quiet: bool,
    ui: &'a Ui,
}

/// How a build ended.
enum Built {
    /// With what was sent, unless the service had enough of it.
    Image(ImageId, Option<Sent>),
    /// The build copies what nobody could know of.
    TooLittle(Box<Plan>),
    /// Nobody reads what it says.
    OutputGone,
}

/// How the service's answer ended.
enum Answer {
    Image(ImageId),
    Triggers,
    OutputGone,
}

impl Build<'_> {
    /// Builds, and again with the whole context where a part of it was too little.
    async fn run_in_full(&self, source: Source, extent: Extent) -> CliResult<Built> {
        let built = self.run(source, extent).await?;
        let Built::TooLittle(mut plan) = built else {
            return Ok(built);
        };
        self.ui.status(
            "a base image brings ONBUILD instructions: building again with the whole context",
        );
        plan.select_everything();
        let mut built = self.run(Source::Files(plan), Extent::Whole).await;
        if let Ok(Built::Image(_, Some(sent))) = &mut built {
            sent.is_forced = true;
        }
        built
    }

    async fn run(&self, source: Source, extent: Extent) -> CliResult<Built> {
        let progress = Progress::new(self.ui, "sending the build context");
        let (body, upload) = upload(progress.meter(), move |sink| source.write(sink));
        let steps = (extent == Extent::Part).then(Steps::default);
        let answer = progress.during(self.follow(body, steps, &progress)).await;
        let sent = match upload.finish().await {
            // A context that could not be read is why the request was broken off.
            Err(SendError::Files(error)) => return Err(unreadable(&error)),
            Err(error @ SendError::Archive(_)) => {
                return Err(CliError::from_source(Exit::Failed, &error));
            }
            Err(SendError::Refused) => None,
            Ok(sent) => Some(sent),
        };
        match (answer?, sent) {
            (Answer::OutputGone, _) => Ok(Built::OutputGone),
            (
                Answer::Triggers,
                Some(Sent {
                    plan: Some(plan), ..
                }),
            ) => Ok(Built::TooLittle(plan)),
            (Answer::Triggers, _) => Err(CliError::new(
                Exit::Failed,
                "a base image brings ONBUILD instructions that need more of the context",
            )),
            (Answer::Image(image), sent) => {
                if let Some(sent) = &sent {
                    warn_of_skipped(&sent.summary, self.ui);
                }
                Ok(Built::Image(image, sent))
            }
        }
    }

    /// Sends the request and tells what the service says, to its end or as far as it is wanted.
    async fn follow(
        &self,
        body: libpod::TarBody,
        mut steps: Option<Steps>,
        progress: &Progress<'_>,
    ) -> CliResult<Answer> {
        let stream = self.client.build_image(self.options, body).await;
        let mut stream = stream.map_err(|error| self.not_begun(error))?;
        let mut text = None;
        loop {
            let next = match stream.next().await {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    progress.clear();
                    // No id then: it is what the failing step said last.
                    if let Some(text) = text.filter(|_| !self.quiet) {
                        let _ = self.print(text).await;
                    }
                    return Err(error.into());
                }
            };
            progress.clear();
            if let Some(steps) = &mut steps
                && steps.see(&next) == Seen::Triggers
            {
                return Ok(Answer::Triggers);
            }
            // The last text is the id, which is printed when it is confirmed. What cannot be one is printed at once: the next may
            // be long in coming.
            let held = text.take();
            let said = match BuildStream::is_id(&next) {
                true => {
                    text = Some(next);
                    [held, None]
                }
                false => [held, Some(next)],
            };
            for text in said.into_iter().flatten().filter(|_| !self.quiet) {
                if self.print(text).await.is_err() {
                    return Ok(Answer::OutputGone);
                }
            }
        }
        Ok(Answer::Image(stream.image(self.client).await?))
    }

    /// What is said of a build that the service refuses before it begins.
    fn not_begun(&self, error: libpod::Error) -> CliError {
        let Some(answer) = error.api() else {
            return error.into();
        };
        let unnamed = self.options.containerfile.is_none() && answer.message.contains("dockerfile");
        let cli = CliError::from(error).under("Podman does not begin the build");
        if unnamed {
            cli.hint("an archive without a Containerfile or Dockerfile in it needs `-f PATH`, relative to it")
        } else {
            cli
        }
    }

    async fn print(&self, text: String) -> Result<(), Gone> {
        let chunk = Chunk {
            channel: Channel::Stdout,
            bytes: text.into(),
        };
        self.output.write(chunk).await
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

/// Writes the image's id as podman does, whole or not at all.
fn write_id(path: &Path, image: &ImageId) -> io::Result<()> {
    let text = format!("sha256:{image}");
    // A pipe or a terminal is written to, not replaced.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return std::fs::write(path, text);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&part)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("iid");
        std::fs::write(&path, "something longer than an id ".repeat(10)).unwrap();
        let image = ImageId::new("ab".repeat(32));
        write_id(&path, &image).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write_id(&dir.path().join("none/iid"), &image).is_err());
        write_id(Path::new("/dev/null"), &image).unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }

    #[test]
    fn a_containerfile_in_an_archive_is_relative() {
        assert_eq!(in_archive(Path::new("a/b")).unwrap(), "a/b");
        assert_eq!(in_archive(Path::new("/a/b")).unwrap(), "a/b");
        assert!(in_archive(Path::new("/")).is_err());
        assert!(in_archive(Path::new("[\"a\"]")).is_err());
    }
}
