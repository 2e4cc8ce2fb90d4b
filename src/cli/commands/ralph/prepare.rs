//! Everything before the agent's first instruction.

use std::io::IsTerminal as _;
use std::path::Path;

use super::agent::Chosen;
use super::copied::{Copied, Place};
use super::workspace::{check_directory, env_files, workspace};
use super::{Begun, Prepared, RalphArgs};
use super::{agent, git, preflight, task};
use crate::cli::args::Global;
use crate::cli::built::Here;
use crate::cli::connect::{self, Service};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::launch::{self, Launch, Unenforced};
use crate::cli::sandbox_args::invalid;
use crate::cli::terminal::DetachKeys;
use crate::cli::turn::Turn;
use crate::cli::ui::Ui;
use crate::cli::{containers, foreground, host, image, night};
use crate::libpod::Image;
use crate::ralph::{
    self, Event, GitAccess, Keep, Night, PROMPT_DIRECTORY, PROMPT_FILE, Pace, Prompt, Record, Run,
    RunId, Sleep, Task, Workspace,
};
use crate::sandbox::asked::Asked;
use crate::sandbox::env::EnvArg;
use crate::sandbox::forbidden::{Forbidden, ForbiddenPaths};
use crate::sandbox::log::LogDriver;
use crate::sandbox::mounts::{Access, OwnMount};
use crate::sandbox::name::{ContainerName, GuestPath};
use crate::sandbox::network::NetworkMode;
use crate::sandbox::size::ByteSize;
use crate::sandbox::{Home, Request, Sandbox};

/// Everything that can go wrong before the agent's first instruction does so here, on the person's
/// terminal. `None` after a dry run.
pub(super) async fn prepare(
    args: &RalphArgs,
    begun: &Begun,
    global: &Global,
    ui: &Ui,
) -> CliResult<Option<Prepared>> {
    let sandbox = &args.sandbox;
    for (given, flag) in [
        (sandbox.tty, "--tty"),
        (sandbox.rm, "--rm"),
        (sandbox.raw_terminal, "--raw-terminal"),
        (!sandbox.sig_proxy, "--sig-proxy"),
        (
            sandbox.detach_keys != DetachKeys::default(),
            "--detach-keys",
        ),
    ] {
        if given {
            return Err(CliError::usage(format!(
                "`{flag}` is not for `ralph`: the agent works by itself, and its container goes in the end"
            ))
            .hint("to leave it at work, close the terminal, or begin with `-d`; `stockade watch` looks at it again"));
        }
    }
    if args.sandbox.interactive {
        if args.sandbox.detach {
            return Err(CliError::usage(
                "`--interactive` needs you: not with `--detach`",
            ));
        }
        if !std::io::stdin().is_terminal() {
            return Err(CliError::usage(
                "there is nobody to ask: `--interactive` needs a terminal",
            ));
        }
    }
    let cwd = host::working_directory()?;
    let here = match &args.image {
        Some(_) => None,
        None => Here::find(&cwd, ui).await?,
    };
    let wanted = args.image.as_deref().or(here.as_ref().map(Here::id));
    // An agent that Stockade knows may have one built for it, also the one that is meant where none is named.
    if wanted.is_none() && args.agent.is_none() && !args.command.is_empty() {
        return Err(agent::no_image());
    }
    let mut request = args.sandbox.request(wanted.unwrap_or_default(), &[])?;
    let workspace = workspace(&mut request, &cwd, args.read_only_workspace)?;
    let forbidden = host::forbidden(&connect::place(global)?)?;
    launch::refuse_forbidden(&workspace.path, &forbidden)?;
    if workspace.read_only && args.git == GitAccess::Rw {
        return Err(CliError::usage(
            "`--git rw` is not for a workspace that can only be read: `--git ro` is what is left of it",
        ));
    }
    night::refuse_overlap(&workspace.path, None)?;
    let secret = env_files(&request, &cwd, &workspace.path)?;
    args.kept.announce(&workspace, &secret, ui)?;
    if !args.dry_run {
        night::clear_copies(false, ui).await?;
    }
    let id = RunId::new(jiff::Timestamp::now(), host::random()?);
    let mut service = None;
    let copied = match args.workspace {
        Place::Copy if !args.dry_run => {
            // Of what is mounted, verification sees that it is not the store. What is copied nobody mounts.
            let connected = Service::connect(global, ui).await?;
            let store = connected.client.info().await?.store.graph_root;
            let store = ForbiddenPaths::none().with(Forbidden::PodmanStorage, Path::new(&store));
            launch::refuse_forbidden(&workspace.path, &store)?;
            service = Some(connected);
            begun.copying.set(true);
            let copied =
                Copied::make(&workspace, args.kept.keep(&secret), &id, &begun.stop).await?;
            begun.copying.set(false);
            copied.give(&mut request, &workspace);
            Some(copied)
        }
        _ => None,
    };
    let place = copied.as_ref().map(|copied| &copied.workspace);
    let place = place.unwrap_or(&workspace);
    let repository = git::look(args.git, place, &workspace, ui)?;
    let asked = match args.phases.as_slice() {
        [] => std::slice::from_ref(&args.task),
        phases => phases,
    };
    let mut tasks = Vec::new();
    let mut prompts = Vec::new();
    for asked in asked {
        let prompt = task::prompt(asked, &cwd, &workspace.path)?;
        task::lint(asked, &Prompt::new(&prompt), ui)?;
        prompts.push(prompt);
        let directory = check_directory(
            asked.check_dir.as_deref(),
            &cwd,
            &workspace.path,
            &request.mounts,
        )?;
        if let Some(directory) = &directory
            && !env_files(&request, &cwd, directory)?.is_empty()
        {
            let text = "`--check-dir` holds the env file, and what is checked could read it";
            return Err(CliError::usage(text).hint("move the env file elsewhere"));
        }
        tasks.push(asked.task(directory));
    }
    let (agent, more) = (args.agent.as_deref(), &args.command);
    let agent = Chosen::find(agent, more, &tasks, &cwd, &workspace.path, ui)?;
    let agents_own = match wanted {
        Some(_) => None,
        None => Some(agent.image()?),
    };
    if let Some(image) = &agents_own {
        request.image = image.name();
    }
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
    preflight::survives_logout(args).await?;
    preflight::told(args, (&workspace.path, &cwd), &request.mounts)?;
    preflight::survives_reboot(args)?;
    preflight::room(&tasks, &workspace.path)?;
    let service = match service {
        Some(connected) => connected,
        None => Service::connect(global, ui).await?,
    };
    preflight::subordinate_ids(&service.endpoint)?;
    containers::refuse_overlap(&place.path, &service.client).await?;
    let (client, pull) = (&service.client, args.sandbox.pull);
    let image = match (&here, &agents_own) {
        (Some(here), _) => here.image(client).await?,
        (None, Some(image)) if args.dry_run && !client.image_exists(&image.name()).await? => {
            let text = "the image for this agent is not there yet, and a dry run builds none";
            return Err(CliError::new(Exit::Preflight, text).hint("name another: `--image IMAGE`"));
        }
        (None, Some(image)) => image.obtain(client, pull, ui).await?,
        (None, None) => image::obtain(client, &request.image, pull, ui).await?,
    };
    preflight::room_of_podman(&tasks, &image, client).await?;
    // Before a name is made for the container: that is none of the person's.
    let record = record(
        args,
        &request,
        (
            place.clone(),
            copied.is_some().then_some(workspace),
            args.kept.keep(&secret),
        ),
        &repository,
        &image,
        &agent,
        tasks,
    )?;
    agent.ask(&mut request, &image)?;
    if request.name.is_none() {
        let name = format!("ralph-{id}");
        request.name = Some(ContainerName::parse(&name).map_err(|e| invalid(&e))?);
    }
    let runs = night::runs()?;
    let turn = runs.turn()?;
    preflight::memory(args, &request.limits.resolve(host::memory()?))?;
    night::refuse_overlap(&record.workspace.path, None)?;
    begun.run.set(true);
    let run = runs.begin(&id, &record, &prompts)?;
    let held = run.hold()?;
    drop(turn);
    let making = Making {
        args,
        agent: &agent,
        repository: &repository,
        run: &run,
        image: &image,
        service: &service,
    };
    match making.sandbox(request, global, ui).await {
        Ok(Some(sandbox)) => {
            if let Some(copied) = copied {
                copied.keep();
            }
            Ok(Some(Prepared {
                run,
                sandbox,
                service,
                held,
            }))
        }
        // Nothing of the agent has run: there is nothing to keep.
        Ok(None) => run.discard().map(|()| None).map_err(CliError::from),
        Err(error) => {
            let _ = run.discard();
            Err(error)
        }
    }
}

/// What a run's container is made from, beside the request.
struct Making<'a> {
    args: &'a RalphArgs,
    agent: &'a Chosen,
    repository: &'a git::Repository,
    run: &'a Run,
    image: &'a Image,
    service: &'a Service,
}

impl Making<'_> {
    /// Makes it and looks at it, prepared; `None` after a dry run.
    async fn sandbox(
        self,
        mut request: Request,
        global: &Global,
        ui: &Ui,
    ) -> CliResult<Option<Sandbox>> {
        let Self {
            args,
            agent,
            repository,
            run,
            image,
            service,
        } = self;
        let target = GuestPath::parse(PROMPT_DIRECTORY).map_err(|e| invalid(&e))?;
        request.own_mounts.push(OwnMount {
            source: run.prompt_directory(),
            target,
            access: Access::Read,
        });
        request.home = Some(Home::of_run(run.id().as_str()));
        repository.give(&mut request, run)?;
        let variable = format!("STOCKADE_PROMPT_FILE={PROMPT_FILE}");
        request
            .env
            .insert(0, EnvArg::parse(&variable).map_err(|e| invalid(&e))?);
        let unenforced = Unenforced::new(args.sandbox.allow_unenforced_limits);
        night::refuse_mounts(&request.mounts, Some(run))?;
        // What was copied is the agent's, too, once one has worked there.
        let untrusted = [run.record()?.original().path.clone()];
        let asked = request.clone();
        let launch = Launch::new(request, image, service, unenforced, &untrusted)?;
        launch.announce(ui);
        let env = &launch.plan.container.env;
        preflight::keys(env)?;
        let missing = agent.lacks_key(&asked, image, env.names());
        preflight::key_present(args, &asked.network, &agent.name, missing, ui)?;
        if args.dry_run {
            ui.line(&launch.description()?).doing("write")?;
            return Ok(None);
        }
        run.describe(&launch.description()?)?;
        preflight::at_boot(args, &launch.plan.container.mounts, global, ui)?;
        let (mut night, _) = Night::open(run)?;
        night.note(Event::Creating {
            name: launch.name().to_owned(),
        })?;
        launch.make_home(&service.client).await?;
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
}

fn record(
    args: &RalphArgs,
    request: &Request,
    (workspace, original, keep): (Workspace, Option<Workspace>, Keep),
    repository: &git::Repository,
    image: &Image,
    agent: &Chosen,
    tasks: Vec<Task>,
) -> CliResult<Record> {
    let memory = request.limits.resolve(host::memory()?).memory;
    let mut tasks = tasks.into_iter();
    let task = tasks.next();
    let task = task.ok_or_else(|| CliError::usage("there is no task"))?;
    Ok(Record {
        version: Record::VERSION,
        begun: jiff::Timestamp::now().to_string(),
        boot: ralph::this_boot(),
        name: request.name.as_ref().map(|name| name.as_str().to_owned()),
        workspace,
        original,
        repository: Some(repository.record().clone()),
        keep,
        image: ralph::Image {
            name: request.image.clone(),
            id: image.id.to_string(),
        },
        command: agent.command.clone(),
        voice: agent.voice(),
        output: args.kept.output(),
        network: request.network.to_string(),
        pace: match args.sandbox.interactive {
            true => Pace::Steps,
            false => Pace::Through,
        },
        asked: Asked::new(&request.limits, args.sandbox.allow_unenforced_limits, false),
        memory: memory.bound.at().map(ByteSize::bytes),
        notify: args.notify.clone(),
        sleep: match args.allow_sleep {
            true => Sleep::Allowed,
            false => Sleep::Inhibited,
        },
        task,
        time: args.task.time.filter(|_| !args.phases.is_empty()),
        then: tasks.collect(),
    })
}
