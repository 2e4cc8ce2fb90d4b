//! `stockade run`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::foreground::{self, Finished, Streams};
use crate::cli::image;
use crate::cli::launch::{self, Launch, Unenforced};
use crate::cli::night;
use crate::cli::outcome;
use crate::cli::sandbox_args::SandboxArgs;
use crate::cli::signals::{Caught, Signals};
use crate::cli::turn::Turn;
use crate::cli::ui::Ui;
use crate::libpod::Client;
use crate::sandbox::spec::Removal;
use crate::sandbox::{OomWatch, Sandbox};

/// How long an interrupted create or removal may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Run a command in a new sandbox
#[derive(Debug, Args)]
#[command(override_usage = "stockade run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Show what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the container's id to a file, which must not exist
    #[arg(long, value_name = "PATH")]
    cidfile: Option<PathBuf>,
    /// Run that has this workspace, and whose person asks between iterations
    #[arg(long, hide = true, value_name = "RUN")]
    within: Option<String>,
    /// Image, and the command to run in place of its own
    // One list: what follows the image is never a flag of ours (`argv.rs` sees to it).
    #[arg(required = true, num_args = 1.., trailing_var_arg = true,
          value_names = ["IMAGE", "COMMAND"])]
    image_and_command: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &RunArgs, global: &Global, ui: &Ui) -> CliResult {
    inner(args, global, ui)
        .await
        // As with podman: 125 says that it was not the container that failed.
        .map_err(|error| error.or_exit(Exit::NotRun))
}

async fn inner(args: &RunArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let (image, command) = match args.image_and_command.split_first() {
        Some((image, _)) if image.is_empty() => {
            return Err(CliError::usage("the image has no name"));
        }
        Some((image, command)) => (image.as_str(), command),
        None => return Err(CliError::usage("the image is missing")),
    };
    let request = args.sandbox.request(image, command)?;
    let own = args.within.as_deref().map(|run| night::find(Some(run)));
    night::refuse_mounts(&request.mounts, own.transpose()?.as_ref())?;
    let service = tokio::select! {
        service = Service::connect(global, ui) => service?,
        caught = signals.next_end() => return Ok(Exit::Signal(caught.number())),
    };
    let image = tokio::select! {
        image = image::obtain(&service.client, image, args.sandbox.pull, ui) => image?,
        caught = signals.next_end() => {
            ui.live_done();
            return Ok(Exit::Signal(caught.number()));
        }
    };
    let unenforced = Unenforced::new(args.sandbox.allow_unenforced_limits);
    let launch = Launch::new(request, &image, &service, unenforced, &[])?;
    launch.announce(ui);
    if args.dry_run {
        ui.line(&launch.description()?).doing("write")?;
        return Ok(Exit::Done);
    }
    let verify =
        async |sandbox: &Sandbox| launch::verify(sandbox, &launch.plan, unenforced, ui).await;
    let turn = tokio::select! {
        turn = Turn::wait(&service.endpoint, &launch.plan.container) => turn,
        caught = signals.next_end() => return Ok(Exit::Signal(caught.number())),
    };
    let cidfile = args.cidfile.as_deref().map(launch::cidfile).transpose()?;
    let created = create(&service.client, &launch, &mut signals, ui).await?;
    drop(turn);
    let (sandbox, warnings) = match created {
        Ok(created) => created,
        Err(caught) => return Ok(Exit::Signal(caught.number())),
    };
    // What it says of limits is verified, and said better, before the start.
    let of_limits = |text: &String| text.starts_with("Resource limits are not supported");
    for warning in warnings.iter().filter(|text| !of_limits(text)) {
        ui.warning(warning);
    }
    let begun = async {
        launch.note(sandbox.id())?;
        if let Some(mut file) = cidfile {
            launch::write_id(&mut file, sandbox.id())?;
        }
        if args.sandbox.detach {
            background(&sandbox, verify, &mut signals).await
        } else {
            let streams = streams(&args.sandbox);
            foreground::run(&sandbox, &streams, &mut signals, ui, verify)
                .await
                .map(Begun::Foreground)
        }
    };
    let begun = begun.await;
    conclude(begun, &sandbox, &launch, &mut signals, ui).await
}

/// Makes the container. Asked to end meanwhile, waits a little for what is under way: whether it is
/// made is for the service to say, and nothing should be left.
async fn create(
    client: &Client,
    launch: &Launch,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult<Result<(Sandbox, Vec<String>), Caught>> {
    let create = Sandbox::create(client, &launch.plan.container);
    tokio::pin!(create);
    let caught = tokio::select! {
        created = &mut create => return Ok(Ok(created?)),
        caught = signals.next_end() => caught,
    };
    let undo = async {
        match create.await {
            Ok((sandbox, _)) => sandbox.remove().await.is_ok(),
            Err(_) => true,
        }
    };
    let undone = tokio::select! {
        undone = undo => undone,
        _ = signals.next_end() => false,
        () = tokio::time::sleep(PATIENCE) => false,
    };
    if !undone {
        ui.warning(&format!(
            "the service does not answer; if it has made the container: `stockade rm -f {}`",
            launch.name()
        ));
    }
    Ok(Err(caught))
}

/// What became of a container that was to run.
enum Begun {
    Foreground(Finished),
    Background,
    Interrupted(Caught),
}

fn streams(args: &SandboxArgs) -> Streams {
    Streams {
        stdin: args.interactive,
        tty: args.tty,
        detach_keys: args.detach_keys.clone(),
        proxy_signals: args.sig_proxy,
        raw_terminal: args.raw_terminal,
    }
}

async fn background(
    sandbox: &Sandbox,
    verify: impl AsyncFnOnce(&Sandbox) -> CliResult<OomWatch>,
    signals: &mut Signals,
) -> CliResult<Begun> {
    let start = async {
        sandbox.prepare().await.map_err(foreground::not_started)?;
        verify(sandbox).await?;
        sandbox.start().await.map_err(foreground::not_started)
    };
    tokio::select! {
        started = start => started.map(|()| Begun::Background),
        caught = signals.next_end() => Ok(Begun::Interrupted(caught)),
    }
}

/// Stops the container, unless asked once more to end.
async fn stop(sandbox: &Sandbox, timeout: Option<u32>, signals: &mut Signals) -> CliResult<()> {
    tokio::select! {
        stopped = sandbox.stop(timeout) => Ok(stopped.map(drop)?),
        caught = signals.next_end() => Err(CliError::new(
            Exit::Signal(caught.number()),
            "interrupted while the container was being stopped",
        )),
    }
}

/// Evidence first, removal second; and nothing is left of what never ran.
async fn conclude(
    begun: CliResult<Begun>,
    sandbox: &Sandbox,
    launch: &Launch,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult {
    let removes = launch.plan.removal != Removal::Kept;
    let (exit, remove) = match begun {
        Ok(Begun::Background) => {
            // The name first: it must be known even if the id cannot be written.
            ui.status(&format!(
                "running in the background; its output: `stockade logs -f {}`",
                launch.name()
            ));
            ui.line(sandbox.id().as_str()).doing("write")?;
            return Ok(Exit::Done);
        }
        Ok(Begun::Foreground(Finished::Detached)) => {
            outcome::detached(launch.name(), ui);
            if removes {
                ui.status(
                    "(it is removed when you have joined it and it ends; else with `stockade rm`)",
                );
            }
            return Ok(Exit::Done);
        }
        // It may well run on: it is not ours to end.
        Ok(Begun::Foreground(Finished::Lost(error))) => {
            return Err(CliError::from(error).hint(format!(
                "the container may still run: see `stockade ps`, and `stockade attach {}`",
                launch.name()
            )));
        }
        Ok(Begun::Foreground(Finished::Ended(ended, last_words))) => {
            outcome::report(&ended, ui);
            let exit = outcome::exit(&ended, &last_words, launch.command(), ui);
            if !removes {
                tokio::select! {
                    // Whoever types the next command finds it as it stays. How it ended is known.
                    _ = sandbox.cleaned_up() => {}
                    _ = signals.next_end() => {}
                }
            }
            (Ok(exit), removes)
        }
        // It was asked often enough.
        Ok(Begun::Foreground(Finished::Signal(caught))) => {
            stop(sandbox, Some(0), signals).await?;
            (Ok(Exit::Signal(caught.number())), removes)
        }
        Ok(Begun::Foreground(Finished::OutputGone)) => {
            stop(sandbox, None, signals).await?;
            (Ok(outcome::OUTPUT_GONE), removes)
        }
        Ok(Begun::Foreground(Finished::NotBegun(caught)) | Begun::Interrupted(caught)) => {
            (Ok(Exit::Signal(caught.number())), true)
        }
        Err(error) => (Err(error), true),
    };
    if !remove {
        return exit;
    }
    let removal = sandbox.remove();
    tokio::pin!(removal);
    let removed = tokio::select! {
        removed = &mut removal => removed.map(drop),
        caught = signals.next_end() => {
            // It is under way, and nothing should be left.
            let removed = tokio::select! {
                removed = removal => removed.is_ok(),
                _ = signals.next_end() => false,
                () = tokio::time::sleep(PATIENCE) => false,
            };
            if !removed {
                ui.warning(&format!(
                    "the container may not have been removed: `stockade rm -f {}`",
                    launch.name()
                ));
            }
            return Ok(Exit::Signal(caught.number()));
        }
    };
    match (exit, removed) {
        (Err(error), _) => Err(error),
        (Ok(exit), Ok(())) => Ok(exit),
        (Ok(exit), Err(error)) => {
            // The exit code is not lost for it.
            ui.error(
                &CliError::context(exit, "the container could not be removed", &error)
                    .hint(format!("try `stockade rm -f {}`", launch.name())),
            );
            Ok(exit)
        }
    }
}
