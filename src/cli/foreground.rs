//! A container on our terminal, from create to its exit code.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use bytes::Bytes;

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::launch;
use super::signals::{Caught, Signals};
use super::terminal::{
    Asked, DetachKeys, End, Input, Output, Policy, RawTerminal, Remote, Session, window_size,
};
use super::ui::Ui;
use crate::libpod;
use crate::libpod::stream::Attached;
use crate::sandbox::{OomWatch, Outcome, Sandbox, Watch};

/// How long the service may take to know that a process has ended whose stream it failed on.
const GRACE: Duration = Duration::from_secs(5);

impl Remote for Sandbox {
    async fn resize(&self, rows: u16, columns: u16) -> libpod::Result<()> {
        Self::resize(self, rows, columns).await
    }

    async fn signal(&self, name: &'static str) -> libpod::Result<()> {
        Self::signal(self, name).await
    }
}

/// What of our terminal the container gets.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    /// Standard input is passed on.
    pub(crate) stdin: bool,
    /// The container has a terminal.
    pub(crate) tty: bool,
    /// Keys that detach.
    pub(crate) detach_keys: DetachKeys,
    /// Signals go to the container.
    pub(crate) proxy_signals: bool,
    /// Nothing is kept from our terminal.
    pub(crate) raw_terminal: bool,
}

impl Streams {
    /// What of its output may reach our terminal; `None` lets everything through.
    fn policy(&self, terminal: Option<&RawTerminal>) -> Option<Policy> {
        match (self.raw_terminal, self.tty) {
            (true, _) => None,
            (false, true) if terminal.is_some() => Some(Policy::Interactive),
            (false, true) => Some(Policy::Display),
            (false, false) => Some(Policy::Text),
        }
    }

    /// Our terminal in raw mode, if the container has one and we have one.
    pub(crate) fn raw_terminal(&self, ui: &Ui) -> CliResult<Option<RawTerminal>> {
        if !(self.tty && self.stdin) {
            return Ok(None);
        }
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return RawTerminal::enter()
                .map(Some)
                .doing("put the terminal into raw mode");
        }
        ui.warning(
            "the input device is not a TTY: `--tty` and `--interactive` may not work as expected",
        );
        Ok(None)
    }
}

/// What became of a container that was in the foreground.
#[derive(Debug)]
pub(crate) enum Finished {
    /// It ended; with the last it wrote.
    Ended(Outcome, Bytes),
    /// We left it running.
    Detached,
    /// We were asked to end before it had begun.
    NotBegun(Caught),
    /// We were asked to end, and it did not mind.
    Signal(Caught),
    /// Nobody reads its output any more.
    OutputGone,
    /// The service went away, or makes no sense; the container may run on.
    Lost(libpod::Error),
}

/// Runs a container that was made and not yet started, on our terminal. `verify` is called when it
/// is prepared, before its first instruction.
pub(crate) async fn run(
    sandbox: &Sandbox,
    streams: &Streams,
    signals: &mut Signals,
    ui: &Ui,
    verify: impl AsyncFnOnce(&Sandbox) -> CliResult<OomWatch>,
) -> CliResult<Finished> {
    let preparation = async {
        let attached = sandbox.attach(streams.stdin).await.map_err(not_started)?;
        // Long before the start: the service answers before its monitor has changed the size.
        let size = window_size().filter(|_| streams.tty);
        if let Some((rows, columns)) = size {
            sandbox.resize(rows, columns).await?;
        }
        let memory = verify(sandbox).await?;
        Ok::<_, CliError>((attached, size, memory))
    };
    let (attached, size, memory) = tokio::select! {
        prepared = preparation => prepared?,
        caught = signals.next_end() => return Ok(Finished::NotBegun(caught)),
    };
    let terminal = streams.raw_terminal(ui)?;
    let watch = sandbox.watch();
    let start = async {
        let now = window_size().filter(|_| streams.tty);
        if let Some((rows, columns)) = now.filter(|_| now != size) {
            sandbox.resize(rows, columns).await?;
        }
        sandbox.start().await.map_err(not_started)
    };
    tokio::select! {
        started = start => started?,
        caught = signals.next_end() => return Ok(Finished::NotBegun(caught)),
    }
    let mut finished = converse(sandbox, attached, watch, streams, terminal, signals, ui).await?;
    if let Finished::Ended(outcome, _) = &mut finished {
        outcome.oom_killed |= memory.end();
    }
    Ok(finished)
}

/// Joins a container that runs already.
pub(crate) async fn join(
    sandbox: &Sandbox,
    streams: &Streams,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult<Finished> {
    let watch = sandbox.watch();
    let attached = tokio::select! {
        attached = sandbox.attach(streams.stdin) => attached?,
        caught = signals.next_end() => return Ok(Finished::NotBegun(caught)),
    };
    let terminal = streams.raw_terminal(ui)?;
    if streams.tty
        && let Some((rows, columns)) = window_size()
    {
        // It may have ended at this very moment; the stream will say so.
        let _ = sandbox.resize(rows, columns).await;
    }
    converse(sandbox, attached, watch, streams, terminal, signals, ui).await
}

async fn converse(
    sandbox: &Sandbox,
    attached: Attached,
    watch: Watch,
    streams: &Streams,
    terminal: Option<RawTerminal>,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult<Finished> {
    let (last_words, failure) =
        match talk(attached, sandbox, streams, terminal, signals, ui).await? {
            End::Detached => return Ok(Finished::Detached),
            End::Signal(caught) => return Ok(Finished::Signal(caught)),
            End::OutputGone => return Ok(Finished::OutputGone),
            End::Broken(error) if !error.is_disconnect() => return Ok(Finished::Lost(error)),
            // Whether the container ended is for the service to say.
            End::Broken(_) => (Bytes::new(), None),
            End::Stream(output) => (
                Bytes::copy_from_slice(output.last_words()),
                output.in_band_error(),
            ),
        };
    // A failure in the stream may be no more than how the end of the process looked to the service,
    // which needs a moment to know it as one.
    let lost = async {
        match failure {
            Some(error) => {
                tokio::time::sleep(GRACE).await;
                match sandbox.status().await {
                    Ok(status) if status.is_live() => error,
                    // How it ended will be told, or why not.
                    _ => pending().await,
                }
            }
            None => pending().await,
        }
    };
    tokio::select! {
        outcome = sandbox.outcome(watch) => Ok(match outcome {
            Ok(outcome) => Finished::Ended(outcome, last_words),
            Err(error) => Finished::Lost(error),
        }),
        caught = signals.next_end() => Ok(Finished::Signal(caught)),
        error = lost => Ok(Finished::Lost(error)),
    }
}

/// Moves bytes both ways until one side has had enough, and gives the terminal back.
pub(crate) async fn talk(
    attached: Attached,
    remote: &impl Remote,
    streams: &Streams,
    terminal: Option<RawTerminal>,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult<End> {
    let output = Output::start(streams.policy(terminal.as_ref())).doing("start writing output")?;
    let input = if streams.stdin {
        Some(Input::start().doing("read standard input")?)
    } else {
        None
    };
    let session = Session {
        output: &output,
        input,
        detach_keys: terminal.is_some().then(|| streams.detach_keys.clone()),
        terminal: terminal.as_ref(),
        proxy_signals: streams.proxy_signals,
    };
    if let Some(terminal) = &terminal {
        terminal.resume().doing("put the terminal into raw mode")?;
    }
    let end = session.run(attached, remote, signals).await;
    let flushed = tokio::select! {
        flushed = output.finish() => flushed,
        // A reader that stalls does not keep us.
        _ = signals.next_end() => Ok(Asked::Perhaps),
    };
    // The terminal first: everything after this may be said on it.
    if let Some(terminal) = terminal
        && !matches!(flushed, Ok(Asked::Never))
    {
        // A terminal that is gone has nothing to say.
        let _ = terminal.settle();
        drop(terminal);
    }
    // A reader that went away is no failure; a full disk is one.
    if let Err(error) = &flushed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        ui.error(&CliError::context(
            Exit::Failed,
            "cannot write the output",
            error,
        ));
    }
    Ok(match (end, flushed) {
        (End::Stream(_), Err(_)) => End::OutputGone,
        (end, _) => end,
    })
}

/// A container that could not be started: which exit code that is, as `podman run` has it.
pub(crate) fn not_started(error: libpod::Error) -> CliError {
    let text = error
        .api()
        .map(|api| format!("{} {}", api.cause, api.message).to_lowercase());
    let exit = match &text {
        None => Exit::NotRun,
        Some(text) => {
            // A missing cgroup file also reads as "not found".
            let ours = ["memory.max", "pids.max", "cpu.max", "cgroup"];
            let absent = ["not found", "no such file", "executable path is empty"];
            if ours.iter().any(|word| text.contains(word)) {
                Exit::NotRun
            } else if absent.iter().any(|word| text.contains(word)) {
                Exit::NotFound
            } else {
                Exit::NotInvoked
            }
        }
    };
    let controller = text.as_deref().and_then(missing_controller);
    let cli = CliError::from(error).or_exit(exit);
    match controller {
        Some(controller) => cli.hint(launch::delegation(controller)).hint(
            "or leave out the limit: this runtime starts nothing with one that it cannot set",
        ),
        None => cli,
    }
}

/// The controller that crun misses: it refuses where others leave the limit out.
fn missing_controller(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("controller `")?;
    let (name, rest) = rest.split_once('`')?;
    rest.starts_with(" is not available").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_that_is_missed_is_named() {
        let text = "crun: controller `cpu` is not available under /sys/fs/cgroup/x";
        assert_eq!(missing_controller(text), Some("cpu"));
        assert_eq!(missing_controller("controller `x` is there"), None);
    }
}
