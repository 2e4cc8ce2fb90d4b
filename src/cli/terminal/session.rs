//! A container's streams on our own: input, output, size, signals and detaching, all at once.

use std::future::pending;

use super::detach::{DetachKeys, DetachMatcher, Matched};
use super::guard::{RawTerminal, window_size};
use super::input::Input;
use super::output::Output;
use crate::cli::signals::{Caught, Signals};
use crate::libpod;
use crate::libpod::stream::{AttachInput, AttachOutput, Attached};

/// So many Ctrl-C, and we no longer wait for the process to mind them.
const PATIENCE: u32 = 3;

/// What is attached to: a container or an exec session.
pub(crate) trait Remote {
    /// Tells its terminal a size.
    fn resize(&self, rows: u16, columns: u16) -> impl Future<Output = libpod::Result<()>>;

    /// Sends it a signal; an exec session has no way to take one.
    fn signal(&self, name: &'static str) -> impl Future<Output = libpod::Result<()>>;
}

/// How we are attached.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// Where output goes.
    pub(crate) output: &'a Output,
    /// Standard input, if it is passed on.
    pub(crate) input: Option<Input>,
    /// The keys that detach, if there is a terminal to type them on.
    pub(crate) detach_keys: Option<DetachKeys>,
    /// Our terminal, if it is raw.
    pub(crate) terminal: Option<&'a RawTerminal>,
    /// Whether signals go to the process.
    pub(crate) proxy_signals: bool,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The stream ended, as it does when the process has; with this half of it.
    Stream(Box<AttachOutput>),
    /// The detach keys were typed; the container runs on.
    Detached,
    /// Nobody reads our output any more; the container runs on.
    OutputGone,
    /// We were asked to end, and the process does not mind signals or cannot get any.
    Signal(Caught),
    /// The connection broke.
    Broken(libpod::Error),
}

impl Session<'_> {
    /// Moves bytes both ways until one side has had enough.
    pub(crate) async fn run(
        self,
        attached: Attached,
        remote: &impl Remote,
        signals: &mut Signals,
    ) -> End {
        let Attached { input, output } = attached;
        let terminal = self.terminal;
        tokio::select! {
            end = copy_output(output, self.output) => end,
            end = copy_input(input, self.input, self.detach_keys) => end,
            end = answer_signals(remote, signals, terminal, self.proxy_signals) => end,
        }
    }
}

async fn copy_output(mut from: AttachOutput, to: &Output) -> End {
    loop {
        match from.next().await {
            Ok(Some(chunk)) => {
                if to.write(chunk).await.is_err() {
                    return End::OutputGone;
                }
            }
            Ok(None) => return End::Stream(Box::new(from)),
            Err(error) => return End::Broken(error),
        }
    }
}

async fn copy_input(mut to: AttachInput, from: Option<Input>, keys: Option<DetachKeys>) -> End {
    if let Some(mut from) = from {
        let mut matcher = keys.map(DetachMatcher::new);
        // A process that has ended, or closed its input, makes writing fail: that is not how the
        // session ends, output may still come.
        while let Some(typed) = from.next().await {
            let written = match matcher.as_mut().map(|matcher| matcher.feed(&typed)) {
                None => to.write(&typed).await,
                Some(Matched::Forward(bytes)) => to.write(&bytes).await,
                Some(Matched::Detach(bytes)) => {
                    let _ = to.write(&bytes).await;
                    return End::Detached;
                }
            };
            if written.is_err() {
                break;
            }
        }
        if let Some(rest) = matcher.map(|mut matcher| matcher.rest()) {
            let _ = to.write(&rest).await;
        }
    }
    let _ = to.close().await;
    pending().await
}

async fn answer_signals(
    remote: &impl Remote,
    signals: &mut Signals,
    terminal: Option<&RawTerminal>,
    proxy: bool,
) -> End {
    let mut interrupts = 0;
    loop {
        let caught = signals.next().await;
        match caught {
            Caught::Resized | Caught::Continued => {
                if let Some(terminal) = terminal {
                    if caught == Caught::Continued {
                        let _ = terminal.resume();
                    }
                    if let Some((rows, columns)) = window_size() {
                        // The process may be ending: then its terminal has no size any more.
                        let _ = remote.resize(rows, columns).await;
                    }
                }
            }
            _ if !proxy => {
                if caught.ends() {
                    return End::Signal(caught);
                }
            }
            _ => {
                interrupts += u32::from(caught == Caught::Interrupt);
                if interrupts >= PATIENCE {
                    return End::Signal(caught);
                }
                if let Some(name) = caught.name() {
                    // It may have ended in between.
                    let _ = remote.signal(name).await;
                }
            }
        }
    }
}
