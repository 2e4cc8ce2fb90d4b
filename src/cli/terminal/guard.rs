//! Raw mode that always ends.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{self, OptionalActions, QueueSelector, Termios};

/// A terminal in raw mode; dropping it gives the terminal back as it was.
#[derive(Debug)]
pub struct RawTerminal {
    cooked: Termios,
}

impl RawTerminal {
    /// Puts the terminal on standard input into raw mode.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let cooked = termios::tcgetattr(stdin.as_fd())?;
        let guard = Self { cooked };
        guard.resume()?;
        Ok(guard)
    }

    /// Raw mode again, after somebody else changed it (a shell, while we were stopped).
    pub fn resume(&self) -> io::Result<()> {
        let mut raw = self.cooked.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw)?;
        Ok(())
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let stdin = io::stdin();
        // A late answer to something the container asked the terminal must not be typed into the
        // person's shell.
        let _ = termios::tcflush(stdin.as_fd(), QueueSelector::IFlush);
        let _ = termios::tcsetattr(stdin.as_fd(), OptionalActions::Flush, &self.cooked);
    }
}

/// Rows and columns of the terminal on standard output, else on standard input.
pub fn window_size() -> Option<(u16, u16)> {
    let of = |fd: &dyn AsFd| {
        let size = termios::tcgetwinsize(fd.as_fd()).ok()?;
        (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
    };
    of(&io::stdout()).or_else(|| of(&io::stdin()))
}
