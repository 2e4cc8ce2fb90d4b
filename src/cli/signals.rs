//! Signals as one stream.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// A signal that was caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// SIGINT: Ctrl-C, where the terminal is not raw.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal went away.
    HangUp,
    /// SIGQUIT.
    Quit,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGWINCH: the terminal has another size.
    Resized,
    /// SIGCONT: we were stopped and run again.
    Continued,
}

impl Caught {
    /// The name that Podman takes; `None` for those that are our own business.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Interrupt => Some("SIGINT"),
            Self::Terminate => Some("SIGTERM"),
            Self::HangUp => Some("SIGHUP"),
            Self::Quit => Some("SIGQUIT"),
            Self::User1 => Some("SIGUSR1"),
            Self::User2 => Some("SIGUSR2"),
            Self::Resized | Self::Continued => None,
        }
    }

    /// The signal's number, for an exit code of 128 + n.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
            Self::HangUp => 1,
            Self::Quit => 3,
            Self::User1 => 10,
            Self::User2 => 12,
            Self::Resized => 28,
            Self::Continued => 18,
        }
    }

    /// Whether it asks us to end.
    pub(crate) fn ends(self) -> bool {
        matches!(
            self,
            Self::Interrupt | Self::Terminate | Self::HangUp | Self::Quit
        )
    }
}

/// All signals that matter to us, from the moment this was made.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    user1: Signal,
    user2: Signal,
    resized: Signal,
    continued: Signal,
}

impl Signals {
    /// Begins to catch. From then on Ctrl-C no longer ends the program by itself.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            resized: signal(SignalKind::window_change())?,
            continued: signal(SignalKind::from_raw(18))?,
        })
    }

    /// The next signal. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::Interrupt,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.hang_up.recv() => Caught::HangUp,
            _ = self.quit.recv() => Caught::Quit,
            _ = self.user1.recv() => Caught::User1,
            _ = self.user2.recv() => Caught::User2,
            _ = self.resized.recv() => Caught::Resized,
            _ = self.continued.recv() => Caught::Continued,
        }
    }

    /// The next signal that asks us to end.
    pub(crate) async fn next_end(&mut self) -> Caught {
        loop {
            let caught = self.next().await;
            if caught.ends() {
                return caught;
            }
        }
    }
}

/// Does something that blocks until it ends or `stop` is set, which a signal does that asks us to end: the first one of
/// those meanwhile.
pub(crate) fn heeded<T>(stop: &AtomicBool, work: impl FnOnce() -> T) -> (T, Option<Caught>) {
    std::thread::scope(|scope| {
        let (ended, end) = oneshot::channel::<()>();
        let listener = scope.spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut signals = Signals::catch().ok()?;
                tokio::select! {
                    biased;
                    caught = signals.next_end() => {
                        stop.store(true, Ordering::Relaxed);
                        Some(caught)
                    }
                    _ = end => None,
                }
            })
        });
        let done = work();
        drop(ended);
        (done, listener.join().ok().flatten())
    })
}
