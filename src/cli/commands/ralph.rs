//! `stockade ralph`

use std::cell::Cell;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::launch::{self, Launch, Unenforced};
use crate::cli::sandbox_args::{SandboxArgs, invalid};
use crate::cli::signals::Signals;
use crate::cli::turn::Turn;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::cli::{foreground, host, image, night, supervisor};
use crate::libpod::Image;
use crate::ralph::{
    self, Budget, Check, Event, Finding, Held, Night, PROMPT_DIRECTORY, PROMPT_FILE, Promise,
    Prompt, Reading, Record, Run, RunId, Task, Workspace,
};
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::env::EnvArg;
use crate::sandbox::host_path::{FileKind, HostPath};
use crate::sandbox::log::LogDriver;
use crate::sandbox::mounts::{Mount, MountSource, parse_volume};
use crate::sandbox::name::{ContainerName, GuestPath};
use crate::sandbox::network::NetworkMode;
use crate::sandbox::{Request, Sandbox};
use crate::workspace::Pattern;

/// Where the agent finds what it works on.
const WORKSPACE: &str = "/workspace";
/// The longest prompt, in bytes.
const MAX_PROMPT: u64 = 1 << 20;

/// Let an agent work on the current directory, again and again, until the work is done
///
/// The agent's command gets the prompt on standard input, and finds it in /run/stockade/prompt.md.
/// It claims completion by ending its output with <promise>PROMISE</promise> alone on a line.
#[derive(Debug, Args)]
#[command(override_usage = "stockade ralph [OPTIONS] --image IMAGE -- AGENT [ARG...]")]
pub(crate) struct RalphArgs {
    /// What is to be done
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "prompt_file",
        help_heading = "Task"
    )]
    prompt: Option<String>,
    /// File that says what is to be done
    #[arg(long, value_name = "FILE", help_heading = "Task")]
    prompt_file: Option<PathBuf>,
    /// What the agent says, tagged, when it has completed
    #[arg(long, value_name = "TEXT", value_parser = Promise::parse, help_heading = "Task")]
    completion_promise: Option<Promise>,
    /// Take the promise anywhere in the agent's last words
    #[arg(long, help_heading = "Task")]
    loose_promise: bool,
    /// What verifies a claim: a shell command, in a clean container without a network
    #[arg(
        long,
        value_name = "COMMAND",
        value_parser = parse_check,
        conflicts_with = "no_check",
        help_heading = "Task"
    )]
    check: Option<String>,
    /// Directory of yours, outside of the workspace, that a check finds at /check, read-only
    #[arg(long, value_name = "DIR", requires = "check", help_heading = "Task")]
    check_dir: Option<PathBuf>,
    /// Time for one check
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = night::parse_time, help_heading = "Task")]
    check_timeout: Duration,
    /// Paths that are yours: a check has them as they were (can be repeated)
    #[arg(long, value_name = "GLOB", value_parser = parse_glob, help_heading = "Task")]
    protect: Vec<String>,
    /// A claim is enough: there is no check
    #[arg(long, help_heading = "Task")]
    no_check: bool,
    /// Iterations at most
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "50",
        help_heading = "Task"
    )]
    max_iterations: NonZeroU32,
    /// Time for the whole run, as in 8h
    #[arg(long, value_name = "TIME", value_parser = night::parse_time, help_heading = "Task")]
    time: Option<Duration>,
    /// Time for one iteration, as in 30m
    #[arg(long, value_name = "TIME", value_parser = night::parse_time, help_heading = "Task")]
    iteration_timeout: Option<Duration>,
    /// End after so many iterations in a row that change nothing; 0 for never
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "5",
        help_heading = "Task"
    )]
    no_progress: u32,
    /// Image to work in
    #[arg(long, value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Show what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// The agent's command
    #[arg(last = true, required = true, value_names = ["AGENT", "ARG"])]
    command: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &RalphArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let begun = Cell::new(false);
    let prepared = prepare(args, &begun, global, ui);
    tokio::pin!(prepared);
    let prepared = tokio::select! {
        prepared = &mut prepared => prepared,
        caught = signals.next_end() => {
            // What is half made goes once it is whole.
            if begun.get() && let Ok(Some(prepared)) = prepared.await {
                let _ = prepared.sandbox.remove().await;
                let _ = prepared.run.discard();
            }
            return Ok(Exit::Signal(caught.number()));
        }
    };
    let Some(prepared) = prepared.map_err(not_begun)? else {
        return Ok(Exit::Done);
    };
    let Prepared {
        run, service, held, ..
    } = prepared;
    drop(held);
    supervisor::start(&run, &service.endpoint, global).await?;
    if args.sandbox.detach {
        let id = run.id();
        ui.status(&format!(
            "working in the background; to see it: `stockade watch {id}`"
        ));
        ui.line(id.as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    view::follow(&run, Interrupt::Stops, &mut signals, ui).await
}

/// A run that could not begin, whatever the reason; but for a command line that makes no sense.
fn not_begun(mut error: CliError) -> CliError {
    if error.exit != Exit::Usage {
        error.exit = Exit::Preflight;
    }
    error
}

/// A run whose container is made, looked at and not started.
struct Prepared {
    run: Run,
    sandbox: Sandbox,
    service: Service,
    /// Until the supervisor has it in hand, we have.
    held: Held,
}

/// Everything that can go wrong before the agent's first instruction does so here, on the person's
/// terminal. `None` after a dry run. From `begun` on there is something to take back.
async fn prepare(
    args: &RalphArgs,
    begun: &Cell<bool>,
    global: &Global,
    ui: &Ui,
) -> CliResult<Option<Prepared>> {
    for (given, flag) in [
        (args.sandbox.tty, "--tty"),
        (args.sandbox.interactive, "--interactive"),
        (args.sandbox.rm, "--rm"),
    ] {
        if given {
            return Err(CliError::usage(format!(
                "`{flag}` is not for `ralph`: the agent works by itself, and its container goes in the end"
            )));
        }
    }
    let cwd = host::working_directory()?;
    let mut request = args.sandbox.request(&args.image, &args.command)?;
    let workspace = workspace(&mut request, &cwd)?;
    night::refuse_overlap(&workspace.path, None)?;
    let prompt = prompt(args, &cwd, &workspace)?;
    lint(args, &Prompt::new(&prompt), ui)?;
    if request.network == NetworkMode::Full {
        ui.warning("the agent reaches the network, and your services that listen on it: `--network none` closes that");
    }
    // Also where the service keeps no log: a run that is taken up again reads it there.
    match request.log.driver {
        None => request.log.driver = Some(LogDriver::K8sFile),
        Some(LogDriver::None) => {
            return Err(CliError::usage(
                "`--log-driver none` is not for `ralph`: what the agent says could be lost",
            ));
        }
        Some(_) => {}
    }
    let service = Service::connect(global, ui).await?;
    let image = image::obtain(&service.client, &args.image, args.sandbox.pull, ui).await?;
    let check_directory = check_directory(args, &cwd, &workspace)?;
    // Before a name is made for the container: that is none of the person's.
    let record = record(args, &request, workspace, &image, check_directory);
    let id = RunId::new(jiff::Timestamp::now(), host::random()?);
    if request.name.is_none() {
        let name = format!("ralph-{id}");
        request.name = Some(ContainerName::parse(&name).map_err(|e| invalid(&e))?);
    }
    let runs = night::runs()?;
    let turn = runs.turn()?;
    night::refuse_overlap(&record.workspace.path, None)?;
    begun.set(true);
    let run = runs.begin(&id, &record, &prompt)?;
    let held = run.hold()?;
    drop(turn);
    let made = make(args, request, &run, &image, &service, ui).await;
    match made {
        Ok(Some(sandbox)) => Ok(Some(Prepared {
            run,
            sandbox,
            service,
            held,
        })),
        // Nothing of the agent has run: there is nothing to keep.
        Ok(None) => run.discard().map(|()| None).map_err(CliError::from),
        Err(error) => {
            let _ = run.discard();
            Err(error)
        }
    }
}

/// Makes the container and looks at it, prepared; `None` after a dry run.
async fn make(
    args: &RalphArgs,
    mut request: Request,
    run: &Run,
    image: &Image,
    service: &Service,
    ui: &Ui,
) -> CliResult<Option<Sandbox>> {
    let target = GuestPath::parse(PROMPT_DIRECTORY).map_err(|e| invalid(&e))?;
    request.own_mounts.push((run.prompt_directory(), target));
    let variable = format!("STOCKADE_PROMPT_FILE={PROMPT_FILE}");
    request
        .env
        .insert(0, EnvArg::parse(&variable).map_err(|e| invalid(&e))?);
    on_standard_input(&mut request, image)?;
    let unenforced = Unenforced::new(args.sandbox.allow_unenforced_limits);
    let launch = Launch::new(request, image, service, unenforced)?;
    launch.announce(ui);
    if args.dry_run {
        ui.line(&launch.description()?).doing("write")?;
        return Ok(None);
    }
    let (mut night, _) = Night::open(run)?;
    night.note(Event::Creating {
        name: launch.name().to_owned(),
    })?;
    let turn = Turn::wait(&service.endpoint, &launch.plan.container).await;
    let (sandbox, _) = Sandbox::create(&service.client, &launch.plan.container).await?;
    drop(turn);
    let admitted = async {
        launch.note(sandbox.id())?;
        night.note(Event::Created {
            container: sandbox.id().to_string(),
        })?;
        sandbox.prepare().await.map_err(foreground::not_started)?;
        launch::verify(&sandbox, &launch.plan, unenforced, ui).await
    };
    if let Err(error) = admitted.await {
        let _ = sandbox.remove().await;
        return Err(error);
    }
    Ok(Some(sandbox))
}

/// Gives the command the prompt on standard input, from the file that is there anew in each iteration.
/// Over the attached connection the service would lose the last words of a command that does not
/// read all of it.
fn on_standard_input(request: &mut Request, image: &Image) -> CliResult<()> {
    let entrypoint = match &request.entrypoint {
        Some(entrypoint) => entrypoint.words(),
        None => &image.config.entrypoint,
    };
    let mut command = vec![
        "-c".to_owned(),
        format!("exec \"$@\" <{PROMPT_FILE}"),
        "stockade".to_owned(),
    ];
    command.extend(entrypoint.iter().chain(&request.command).cloned());
    request.command = command;
    request.entrypoint = Some(Entrypoint::parse("/bin/sh").map_err(|e| invalid(&e))?);
    Ok(())
}

/// What the agent works on: what is mounted at `/workspace`, else the current directory.
fn workspace(request: &mut Request, cwd: &Path) -> CliResult<Workspace> {
    let is_workspace = |mount: &&Mount| mount.target.as_str() == WORKSPACE;
    let typed = match request.mounts.iter().find(is_workspace) {
        Some(Mount {
            source: MountSource::Host(path),
            ..
        }) => path.clone(),
        Some(_) => {
            return Err(CliError::usage(format!(
                "what is mounted at {WORKSPACE} has to be a directory of yours"
            )));
        }
        None => {
            // First, as the one whose owner the agent is.
            let mut mount = parse_volume(&format!(".:{WORKSPACE}:Z")).map_err(|e| invalid(&e))?;
            mount.source = MountSource::Host(cwd.to_owned());
            request.mounts.insert(0, mount);
            cwd.to_owned()
        }
    };
    if request.workdir.is_none() {
        request.workdir = Some(GuestPath::parse(WORKSPACE).map_err(|e| invalid(&e))?);
    }
    let path =
        HostPath::resolve(&typed, cwd).map_err(|e| CliError::from_source(Exit::Failed, &e))?;
    let identity = path.identity();
    Ok(Workspace {
        path: path.path().to_owned(),
        device: identity.device,
        inode: identity.inode,
        target: WORKSPACE.to_owned(),
    })
}

/// The person's prompt. A file in the workspace may be an agent's by now: no link to it is followed.
fn prompt(args: &RalphArgs, cwd: &Path, workspace: &Workspace) -> CliResult<String> {
    let path = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => return Ok(text.clone()),
        (None, Some(path)) => path,
        (None, None) => {
            return Err(CliError::usage("what is to be done?")
                .hint("`--prompt TEXT` or `--prompt-file FILE`"));
        }
    };
    let heading = || format!("cannot read the prompt `{}`", path.display());
    let read = || {
        let found = HostPath::resolve(path, cwd)?;
        found.check_links([workspace.path.as_path()])?;
        found.open()
    };
    let file: File = read().map_err(|e| CliError::context(Exit::Failed, heading(), &e))?;
    let mut text = String::new();
    file.take(MAX_PROMPT + 1)
        .read_to_string(&mut text)
        .doing(heading())?;
    if text.len() as u64 > MAX_PROMPT {
        return Err(CliError::new(Exit::Failed, heading())
            .hint("it is longer than a mebibyte: an agent would not read it to its end"));
    }
    Ok(text)
}

/// A command that says nothing would pass.
fn parse_check(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("an empty command verifies nothing; `--no-check` says so".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A pattern for paths.
fn parse_glob(text: &str) -> Result<String, String> {
    Pattern::parse(text).map_err(str::to_owned)?;
    Ok(text.to_owned())
}

/// Says what is odd about the prompt.
fn lint(args: &RalphArgs, prompt: &Prompt, ui: &Ui) -> CliResult<()> {
    for finding in prompt.lint(args.completion_promise.as_ref()) {
        match finding {
            Finding::Empty => return Err(CliError::usage("the prompt is empty")),
            Finding::NoPromise => ui.status(
                "the prompt does not say how to claim completion: an instruction is added to it",
            ),
            Finding::OrdinaryPromise => {
                ui.warning("the promise is an ordinary word; in capitals it would not be");
            }
            Finding::NoCriteria => {
                ui.warning("the prompt does not seem to say when the work is done");
            }
        }
    }
    if args.completion_promise.is_none() {
        ui.warning("without `--completion-promise` only limits end the run");
    }
    Ok(())
}

/// What a check gets beside the agent's tree: no agent may have written it.
fn check_directory(
    args: &RalphArgs,
    cwd: &Path,
    workspace: &Workspace,
) -> CliResult<Option<PathBuf>> {
    let Some(typed) = &args.check_dir else {
        return Ok(None);
    };
    let found = HostPath::resolve(typed, cwd).map_err(|e| {
        let heading = format!("cannot use `{}` for checks", typed.display());
        CliError::context(Exit::Failed, heading, &e)
    })?;
    let (path, work) = (found.path(), &workspace.path);
    if found.kind() != FileKind::Directory {
        return Err(CliError::usage(format!(
            "`{}` is no directory",
            typed.display()
        )));
    }
    if path.starts_with(work) || work.starts_with(path) {
        return Err(CliError::usage(
            "`--check-dir` must lie outside of the workspace: what is in it is the agent's",
        ));
    }
    Ok(Some(path.to_owned()))
}

fn record(
    args: &RalphArgs,
    request: &Request,
    workspace: Workspace,
    image: &Image,
    check_directory: Option<PathBuf>,
) -> Record {
    Record {
        version: Record::VERSION,
        begun: jiff::Timestamp::now().to_string(),
        name: request.name.as_ref().map(|name| name.as_str().to_owned()),
        workspace,
        image: ralph::Image {
            name: args.image.clone(),
            id: image.id.to_string(),
        },
        command: args.command.clone(),
        network: request.network.to_string(),
        task: Task {
            promise: args.completion_promise.clone(),
            reading: if args.loose_promise {
                Reading::Loose
            } else {
                Reading::Strict
            },
            check: match &args.check {
                Some(command) => Check::Command(command.clone()),
                None if args.no_check => Check::Waived,
                None => Check::Missing,
            },
            check_directory,
            protect: args.protect.clone(),
            budget: Budget {
                iterations: args.max_iterations,
                time: args.time,
                iteration_time: args.iteration_timeout,
                no_progress: NonZeroU32::new(args.no_progress),
                check_time: args.check_timeout,
            },
        },
    }
}
