//! `stockade ralph`

mod agent;
mod configured;
mod copied;
mod git;
mod kept;
mod preflight;
mod prepare;
mod task;
mod workspace;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use self::copied::Place;
use self::kept::KeptArgs;
use self::prepare::prepare;
use self::task::TaskArgs;
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::boot::{self, Reboot, Unit};
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::logout::{Logout, logout};
use crate::cli::notify::Notify;
use crate::cli::page::LookArgs;
use crate::cli::sandbox_args::SandboxArgs;
use crate::cli::signals::Signals;
use crate::cli::supervisor;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Beginning, Interrupt};
use crate::ralph::journal::Reader;
use crate::ralph::{Event, GitAccess, Held, Record, Run};
use crate::sandbox::Sandbox;

/// Let an agent work on the current directory, again and again, until the work is done
///
/// `--agent` names one that Stockade knows how to start and to understand; what follows -- is added to
/// its command. Without it, what follows -- is the agent's command: it gets the prompt on standard
/// input, and finds it in /run/stockade/prompt.md. With neither, and with a completion promise, PatchPal works. An agent claims completion by ending its final
/// message with <promise>PROMISE</promise> alone on a line. With --interactive you are asked between
/// iterations what comes next. In the foreground Ctrl-C stops the run, twice kills it; Ctrl-P Ctrl-Q leaves it to go on alone.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.help("Name of the run and of its container")),
    mut_arg("interactive", |arg| arg.help("Ask between iterations what comes next")),
    mut_arg("detach", |arg| arg.help("Run in the background, and print the run's id once its first iteration begins")),
    mut_arg("tty", |arg| arg.hide(true)),
    mut_arg("rm", |arg| arg.hide(true)),
    mut_arg("detach_keys", |arg| arg.hide(true)),
    mut_arg("sig_proxy", |arg| arg.hide(true)),
    mut_arg("raw_terminal", |arg| arg.hide(true)),
    override_usage = "stockade ralph [OPTIONS] [--image IMAGE] [--agent NAME] [-- ARG...]\n       \
                      stockade ralph [OPTIONS] [--image IMAGE] -- COMMAND [ARG...]"
)]
pub(crate) struct RalphArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// What phases say, from a configuration: then they are the task
    #[arg(skip)]
    phases: Vec<TaskArgs>,
    /// Tell a shell command, on standard input, or an http(s) address of the end, or of what keeps it from going on, as JSON. What is
    /// a secret by itself comes from a file, and is not recorded
    #[arg(long, value_name = "COMMAND|URL|@FILE", value_parser = parse_notify)]
    notify: Option<String>,
    /// Let the machine sleep meanwhile
    #[arg(long)]
    allow_sleep: bool,
    /// Start even if the run ends with your session, or is taken up only when you log in again
    #[arg(long)]
    no_linger_check: bool,
    /// Start an agent even if nothing is seen of a key for its API
    #[arg(long)]
    no_key_check: bool,
    /// Have all runs that are left alone taken up at boot, by a unit in ~/.config/systemd/user
    #[arg(long)]
    survive_reboot: bool,
    /// Start even if all runs together may use more memory than there is
    #[arg(long)]
    allow_overcommit: bool,
    /// Do as if there were no stockade.toml
    #[arg(long)]
    no_config: bool,
    /// Agent to work: `help` lists those that Stockade knows, and yours in
    /// ~/.config/stockade/agents/NAME.toml
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Image to work in [default: what you last built from the Containerfile, Dockerfile.ralph or
    /// Dockerfile here]
    #[arg(long, value_name = "IMAGE", value_parser = named)]
    image: Option<String>,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// What the agent has of your git repository: a copy of its own (shadow), nothing, yours to read, or yours
    #[arg(long, value_name = "ACCESS", value_parser = git::parser(), default_value = "shadow")]
    git: GitAccess,
    /// Where the agent works: in your directory (here), or on a private copy of what checkpoints hold of it, which
    /// `accept` takes over (copy)
    #[arg(long, value_name = "WHERE", value_parser = copied::parser(), default_value = "here")]
    workspace: Place,
    /// Let the agent only read the workspace
    #[arg(long)]
    read_only_workspace: bool,
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    look: LookArgs,
    /// Show what would be created, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// The agent's command, or more arguments for `--agent`
    #[arg(last = true, value_names = ["COMMAND", "ARG"])]
    command: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &RalphArgs, global: &Global, ui: &Ui) -> CliResult {
    if args.agent.as_deref() == Some(agent::HELP) {
        agent::list(ui)?;
        return Ok(Exit::Done);
    }
    let configured = match args.no_config {
        true => None,
        false => configured::with_configuration(ui)?,
    };
    let args = configured.as_deref().unwrap_or(args);
    let mut signals = Signals::catch().doing("catch signals")?;
    let begun = Begun::default();
    let prepared = prepare(args, &begun, global, ui);
    tokio::pin!(prepared);
    let prepared = tokio::select! {
        prepared = &mut prepared => prepared,
        caught = signals.next_end() => {
            begun.stop.store(true, Ordering::Relaxed);
            // What is half copied goes at once, what else is half made goes once it is whole.
            if (begun.copying.get() || begun.run.get()) && let Ok(Some(prepared)) = prepared.await {
                let _ = prepared.sandbox.remove().await;
                take_back(prepared.run);
            }
            return Ok(Exit::Signal(caught.number()));
        }
    };
    let Some(prepared) = prepared.map_err(not_begun)? else {
        return Ok(Exit::Done);
    };
    let Prepared {
        run,
        service,
        held,
        sandbox,
    } = prepared;
    drop(held);
    if let Err(error) = supervisor::start(&run, &service, global).await {
        // Nobody has it in hand, and nothing of the agent has run.
        if !run.is_held() {
            let _ = sandbox.remove().await;
            take_back(run);
        }
        return Err(not_begun(error));
    }
    if args.sandbox.detach {
        let id = run.id();
        match view::beginning(&run, &mut signals, ui)
            .await
            .map_err(not_begun)?
        {
            Beginning::Iteration => {}
            Beginning::Ended(verdict, interrupts) => {
                ui.status(&format!("{id}: {verdict}"));
                ui.status(&format!("how: `stockade report {id}`"));
                return Ok(interrupts.exit(&verdict));
            }
            Beginning::Leaves(caught) => {
                ui.status(&format!("the run goes on: `stockade watch {id}`"));
                ui.line(id.as_str()).doing("write")?;
                return Ok(Exit::Signal(caught.number()));
            }
        }
        ui.status(&prospects(&run, global).await?);
        if may_hang(&run.record()?) {
            ui.status("nothing ends an agent that hangs: `--iteration-timeout` or `--time` would");
        }
        ui.status(&format!(
            "working in the background; to see it: `stockade watch {id}`"
        ));
        ui.line(id.as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    if args.survive_reboot {
        ui.status(&format!("the run survives a reboot: {}", reboot(global)));
    }
    let look = args.look.look();
    view::follow(&run, look, Interrupt::Stops, &mut signals, global, ui).await
}

fn reboot(global: &Global) -> Reboot {
    let uid = rustix::process::geteuid().as_raw();
    boot::prospect(Unit::new(global), uid)
}

/// Whether the night will be whole, in a line.
async fn prospects(run: &Run, global: &Global) -> CliResult<String> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let awake = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Awake { unless } => Some(unless.clone()),
        _ => None,
    });
    let awake = match awake {
        Some(None) => "this machine will stay awake".to_owned(),
        Some(Some(why)) => format!("this machine will not stay awake by itself ({why})"),
        None => "this machine will not stay awake by itself (--allow-sleep)".to_owned(),
    };
    let survives = match logout().await {
        Logout::Survived => "yes",
        Logout::Ends(_) => "no",
        Logout::Unknown => "unknown (systemd-logind does not answer)",
    };
    Ok(format!(
        "{awake}; the run survives logout: {survives}, a reboot: {}",
        reboot(global)
    ))
}

/// Whether an agent could be at work for ever.
fn may_hang(record: &Record) -> bool {
    let endless = |phase| {
        let budget = &record.task(phase).budget;
        budget.time.is_none() && budget.iteration_time.is_none()
    };
    record.time.is_none() && (0..record.phases()).any(endless)
}

/// A run that has not begun leaves nothing.
fn take_back(run: Run) {
    if let Ok(record) = run.record()
        && let Ok(checkpoints) = run.checkpoints(&record)
    {
        let _ = checkpoints.drop_all();
    }
    let _ = run.discard();
}

/// Whom to tell, as it is recorded.
fn parse_notify(text: &str) -> Result<String, String> {
    Notify::parse(text).map(|notify| notify.recorded(text))
}

/// A run that could not begin, whatever the reason; but for a command line that makes no sense.
fn not_begun(mut error: CliError) -> CliError {
    if error.exit != Exit::Usage {
        error.exit = Exit::Preflight;
    }
    error
}

/// How far a run has come that is being prepared: what there is to take back.
#[derive(Default)]
struct Begun {
    copying: Cell<bool>,
    /// To copying.
    stop: Arc<AtomicBool>,
    run: Cell<bool>,
}

/// A run whose container is made, looked at and not started.
struct Prepared {
    run: Run,
    sandbox: Sandbox,
    service: Service,
    /// Until the supervisor has it in hand, we have.
    held: Held,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::args::Cli;

    #[test]
    fn help_is_of_ralph_and_not_of_run() {
        let mut root = Cli::command();
        let ralph = root.find_subcommand_mut("ralph").unwrap();
        let help = ralph.render_long_help().to_string();
        for (text, is_in) in [
            ("Ask between iterations", true),
            ("print the run's id", true),
            ("Name of the run", true),
            ("Pass standard input on", false),
            ("--tty", false),
            ("--rm", false),
        ] {
            assert_eq!(help.contains(text), is_in, "{text}: {help}");
        }
        let run = root.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        assert!(help.contains("Pass standard input on") && help.contains("--tty"));
    }

    #[test]
    fn no_iteration_at_all_is_refused_in_words() {
        let typed = ["stockade", "ralph", "--max-iterations", "0", "--", "true"];
        let error = Cli::try_parse_from(typed).unwrap_err().to_string();
        assert!(error.contains("it is a number from 1 to"), "{error}");
    }
}
