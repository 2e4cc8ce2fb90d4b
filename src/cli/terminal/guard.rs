//! Raw mode that always ends.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    self, InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios,
};

use super::output::write_all;

/// How long a terminal may take to answer; one far away over ssh needs a while.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long it may take that has much to answer before.
const LONG: Duration = Duration::from_secs(3);

/// A terminal in raw mode; dropping it gives the terminal back as it was.
#[derive(Debug)]
pub(crate) struct RawTerminal {
    cooked: Termios,
}

impl RawTerminal {
    /// Puts the terminal on standard input into raw mode, but for Ctrl-C, which is a signal until
    /// [`RawTerminal::resume`]: nobody reads what is typed yet.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub(crate) fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let cooked = termios::tcgetattr(stdin.as_fd())?;
        let guard = Self { cooked };
        let mut raw = guard.cooked.clone();
        raw.make_raw();
        raw.local_modes.insert(LocalModes::ISIG);
        raw.special_codes[SpecialCodeIndex::VSUSP] = 0;
        termios::tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw)?;
        Ok(guard)
    }

    /// Raw mode for all keys; again, after somebody else changed it (a shell, while we were stopped).
    pub(crate) fn resume(&self) -> io::Result<()> {
        let mut raw = self.cooked.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw)?;
        Ok(())
    }
}

impl RawTerminal {
    /// Waits for what the terminal still has to say and drops it: a late answer to something the
    /// container asked must not be typed into the person's shell.
    ///
    /// A terminal answers in order, so its answer to a question of ours is the last.
    pub(crate) fn settle(&self) -> io::Result<()> {
        const QUESTION: &[u8] = b"\x1b[5n";
        const ANSWER: &[u8] = b"\x1b[0n";
        let stdin = io::stdin();
        write_all(io::stdout().as_fd(), QUESTION)?;
        let last = Instant::now() + LONG;
        let mut deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec {
                tv_sec: 0,
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut set = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
            if poll(&mut set, Some(&left))? == 0 {
                return Ok(());
            }
            let count = rustix::io::read(stdin.as_fd(), &mut buffer)?;
            heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if count == 0 || heard.windows(ANSWER.len()).any(|part| part == ANSWER) {
                return Ok(());
            }
            deadline = last.min(Instant::now() + PATIENCE);
            let old = heard.len().saturating_sub(ANSWER.len());
            heard.drain(..old);
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let stdin = io::stdin();
        let _ = termios::tcflush(stdin.as_fd(), QueueSelector::IFlush);
        let _ = termios::tcsetattr(stdin.as_fd(), OptionalActions::Flush, &self.cooked);
    }
}

/// A terminal whose keys come as they are typed, and are not shown; those that send signals still do. Dropping it gives
/// the terminal back as it was.
#[derive(Debug)]
pub(crate) struct KeyByKey {
    cooked: Termios,
}

impl KeyByKey {
    /// Takes the terminal on standard input; `None` while it is another's: a shell's, that has sent us to the background.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub(crate) fn enter() -> io::Result<Option<Self>> {
        if !is_ours() {
            return Ok(None);
        }
        let stdin = io::stdin();
        let cooked = termios::tcgetattr(stdin.as_fd())?;
        let mut keys = cooked.clone();
        keys.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        // Ctrl-Q would be the terminal's own.
        keys.input_modes.remove(InputModes::IXON);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(stdin.as_fd(), OptionalActions::Now, &keys)?;
        Ok(Some(Self { cooked }))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        if is_ours() {
            let stdin = io::stdin();
            let _ = termios::tcsetattr(stdin.as_fd(), OptionalActions::Flush, &self.cooked);
        }
    }
}

/// Whether we are in the foreground of the terminal on standard input. Whoever is not would be stopped for changing it.
fn is_ours() -> bool {
    termios::tcgetpgrp(io::stdin().as_fd()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Rows and columns of the terminal on standard output, else on standard input.
pub(crate) fn window_size() -> Option<(u16, u16)> {
    let of = |fd: &dyn AsFd| {
        let size = termios::tcgetwinsize(fd.as_fd()).ok()?;
        (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
    };
    of(&io::stdout()).or_else(|| of(&io::stdin()))
}
