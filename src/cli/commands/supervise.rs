//! `stockade supervise`: what has a run in hand. Not for people: `ralph` and `resume` start it.

use std::time::Duration;

use clap::Args;
use tokio::sync::watch;

use crate::cli::args::Global;
use crate::cli::connect::Service;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::launch;
use crate::cli::night;
use crate::cli::ui::Ui;
use crate::libpod;
use crate::ralph::{self, Entry, Event, Fault, Follow, Gate, Night, Run, Stop, Verdict};
use crate::sandbox::Sandbox;

/// How long a service that has gone is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Have a run in hand
#[derive(Debug, Args)]
pub(crate) struct SuperviseArgs {
    /// Run
    run: String,
}

/// Runs the verb.
pub(crate) async fn run(args: &SuperviseArgs, global: &Global, ui: &Ui) -> CliResult {
    // Out of reach of the terminal that we were started from; a service manager has done so already.
    let _ = rustix::process::setsid();
    let run = night::find(Some(&args.run))?;
    let _held = run.hold()?;
    let (mut night, entries) = Night::open(&run)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let begun = entries
        .iter()
        .any(|entry| matches!(entry.event, Event::Begun { .. }));
    night.note(if begun {
        Event::Resumed { version }
    } else {
        Event::Begun { version }
    })?;
    let supervised = supervise(&run, &mut night, &entries, global, ui).await;
    match supervised {
        Ok(verdict) => Ok(night::exit(&verdict)),
        Err(error) => {
            let reason = std::iter::once(&error.message).chain(&error.causes);
            let reason = reason.cloned().collect::<Vec<_>>().join(": ");
            night.note(Event::Verdict {
                verdict: Verdict::Failed { reason },
            })?;
            Err(error)
        }
    }
}

/// The person's word, from the run's directory.
fn stop_of(run: &Run) -> CliResult<watch::Receiver<Stop>> {
    let (sender, receiver) = watch::channel(run.asked_to_stop());
    let mut follow = Follow::new(run)?;
    let run = run.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = follow.changed() => {}
                () = sender.closed() => return,
            }
            let asked = run.asked_to_stop();
            sender.send_if_modified(|now| std::mem::replace(now, asked) != asked);
        }
    });
    Ok(receiver)
}

/// Works until there is a verdict, whatever becomes of the service meanwhile.
async fn supervise(
    run: &Run,
    night: &mut Night,
    entries: &[Entry],
    global: &Global,
    ui: &Ui,
) -> CliResult<Verdict> {
    let stop = stop_of(run)?;
    let container = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Created { container } => Some(container.clone()),
        _ => None,
    });
    let Some(container) = container else {
        return Err(CliError::new(Exit::Failed, "the run has no container"));
    };
    let mut lost = None;
    loop {
        let service = match Service::connect(global, ui).await {
            Ok(service) => service,
            Err(error) => {
                wait_for_service(&mut lost, error).await?;
                continue;
            }
        };
        let sandbox = match service.client.inspect_container(&container).await {
            Ok(container) => Sandbox::adopt(&service.client, &container),
            Err(error) if is_away(&error) => {
                wait_for_service(&mut lost, error.into()).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        lost = None;
        match night.work(&sandbox, &Admission { ui }, stop.clone()).await {
            Ok(verdict) => {
                // Everything worth keeping is kept by now.
                if let Err(error) = sandbox.remove().await {
                    ui.warning(&format!("the container stays: {error}"));
                }
                return Ok(verdict);
            }
            Err(Fault::Refused(error)) => {
                let _ = sandbox.remove().await;
                return Err(error);
            }
            Err(Fault::Failed(ralph::Error::Podman(error))) if is_away(&error) => {
                let text = "Podman's service went away; waiting for it".to_owned();
                night.note(Event::Warning { text })?;
                wait_for_service(&mut lost, error.into()).await?;
            }
            Err(Fault::Failed(error)) => return Err(error.into()),
        }
    }
}

/// Whether it is the service that is not there, and may come back.
fn is_away(error: &libpod::Error) -> bool {
    error.is_disconnect() || error.unreachable_socket().is_some()
}

/// Waits a little, unless that was done often enough.
async fn wait_for_service(
    lost: &mut Option<tokio::time::Instant>,
    error: CliError,
) -> CliResult<()> {
    let since = *lost.get_or_insert_with(tokio::time::Instant::now);
    if since.elapsed() > PATIENCE {
        return Err(error);
    }
    tokio::time::sleep(LOOK).await;
    Ok(())
}

/// What is looked at before each iteration.
struct Admission<'a> {
    ui: &'a Ui,
}

impl Gate for Admission<'_> {
    type Error = CliError;

    async fn admit(&self, sandbox: &Sandbox) -> Result<(), CliError> {
        launch::verify_again(sandbox, self.ui).await
    }
}
