//! The keys that leave a run which is looked at, and let it go on.

use std::future::pending;
use std::io::{self, IsTerminal as _};

use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::detach::{DetachKeys, DetachMatcher, Matched};
use super::guard::KeyByKey;
use super::input::Input;

/// Somebody at the terminal, who may leave.
#[derive(Debug)]
pub(crate) struct Leave {
    /// As long as the terminal is ours.
    keys: Option<Keys>,
    matcher: DetachMatcher,
    suspended: Signal,
    continued: Signal,
}

/// Keys as they are typed. The terminal is given back after the reading has ended.
#[derive(Debug)]
struct Keys {
    input: Input,
    _terminal: KeyByKey,
}

impl Keys {
    /// `None` where they are another's.
    fn take() -> Option<Self> {
        let terminal = KeyByKey::enter().ok()??;
        Some(Self {
            input: Input::start().ok()?,
            _terminal: terminal,
        })
    }

    async fn next(this: &mut Option<Self>) -> Option<bytes::Bytes> {
        match this {
            Some(keys) => keys.input.next().await,
            None => pending().await,
        }
    }
}

impl Leave {
    /// Begins to listen; `None` if nobody sits there.
    ///
    /// # Errors
    /// Signals cannot be caught.
    pub(crate) fn new() -> io::Result<Option<Self>> {
        // A pager behind us reads keys, too.
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        Ok(Some(Self {
            keys: Keys::take(),
            matcher: DetachMatcher::new(DetachKeys::default()),
            suspended: signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
            continued: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
        }))
    }

    /// Waits until they are typed.
    pub(crate) async fn typed(this: &mut Option<Self>) {
        let Some(leave) = this else {
            return pending().await;
        };
        loop {
            tokio::select! {
                typed = Keys::next(&mut leave.keys) => match typed.map(|typed| leave.matcher.feed(&typed)) {
                    Some(Matched::Detach(_)) => return,
                    Some(Matched::Forward(_)) => {}
                    // The terminal was closed.
                    None => leave.keys = None,
                },
                // Ctrl-Z: whoever has the terminal next finds it as it was.
                _ = leave.suspended.recv() => {
                    leave.keys = None;
                    let _ = kill_process(getpid(), Number::STOP);
                }
                _ = leave.continued.recv() => leave.keys = leave.keys.take().or_else(Keys::take),
            }
        }
    }
}
