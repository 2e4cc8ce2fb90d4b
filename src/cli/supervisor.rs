//! The process that has a run in hand: not the person's terminal, so that closing that ends nothing (unless
//! the system ends all of a session with it: `logout.rs`).

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};

use super::args::Global;
use super::connect::{Origin, Service};
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::program;
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Follow, Run};

/// Where a supervisor says what goes wrong with itself.
const LOG: &str = "supervisor.log";

/// Starts a supervisor for a run and waits until it has it in hand.
pub(crate) async fn start(run: &Run, service: &Service, global: &Global) -> CliResult<()> {
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(run.directory().join(LOG))
        .doing("open the supervisor's log")?;
    let before = taken_in_hand(run)?;
    let mut follow = Follow::new(run)?;
    let mut command = program::ourselves();
    command.args(["supervise", run.id().as_str()]);
    match service.origin {
        Origin::Found => command.arg("--url").arg(service.endpoint.to_string()),
        // Where it has ended, the next one is on another socket.
        Origin::Ours => command.arg("--own-service"),
    };
    if let Some(manager) = &global.cgroup_manager {
        command.arg("--cgroup-manager").arg(manager);
    }
    let child = command
        .current_dir("/")
        // An interrupt from the terminal does not reach it even before it has a session of its own.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .doing("start the supervisor")?;
    let began = async {
        while taken_in_hand(run)? == before {
            follow.changed().await;
        }
        Ok::<_, CliError>(())
    };
    tokio::select! {
        began = began => began,
        ended = ended(child) => {
            let ended = ended.doing("start the supervisor")?;
            // It may have been very quick.
            if taken_in_hand(run)? > before {
                return Ok(());
            }
            let path = run.directory().join(LOG);
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            let said = said.lines().last().unwrap_or("it said nothing").to_owned();
            let mut error = CliError::new(Exit::Failed, format!("the supervisor ended with {ended}"));
            error.causes.push(said);
            Err(error)
        }
    }
}

/// How often somebody has taken the run in hand.
fn taken_in_hand(run: &Run) -> CliResult<usize> {
    let path = run.journal_path();
    if !path.exists() {
        return Ok(0);
    }
    let (_, entries) = Reader::open(&path)?;
    let taken = |event: &Event| matches!(event, Event::Begun { .. } | Event::Resumed { .. });
    Ok(entries.iter().filter(|entry| taken(&entry.event)).count())
}

async fn ended(mut child: Child) -> std::io::Result<std::process::ExitStatus> {
    let waited = tokio::task::spawn_blocking(move || child.wait()).await;
    waited.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
