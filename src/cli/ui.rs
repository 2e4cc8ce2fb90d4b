//! The only place that prints: data to standard output, words for people to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use super::error::CliError;
use super::sanitize::sanitize;

/// Standard output and error, and how much may be said there.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    color: bool,
    /// Whether standard error is a terminal: live lines only there.
    live: bool,
}

impl Ui {
    /// Looks at the streams and at `NO_COLOR`.
    pub fn new(no_color: bool) -> Self {
        let live = io::stderr().is_terminal();
        Self {
            color: live && !no_color,
            live,
        }
    }

    /// Whether progress can be shown as a line that changes.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether data goes to a terminal, where it must be harmless.
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Data: another program may read it. A reader that went away is an error like any other.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// A line of data.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.data(&format!("{text}\n"))
    }

    fn word(&self, label: &str, code: &str, text: &str) {
        let text = sanitize(text);
        let mut err = io::stderr().lock();
        // Nothing can be done about a standard error that is gone.
        let _ = if self.color {
            writeln!(err, "\x1b[{code}m{label}\x1b[0m{text}")
        } else {
            writeln!(err, "{label}{text}")
        };
    }

    /// What is going on.
    pub fn status(&self, text: &str) {
        self.word("", "0", text);
    }

    /// Something the person should know, and that stops nothing.
    pub fn warning(&self, text: &str) {
        self.word("warning: ", "1;33", text);
    }

    /// A failure, its causes and advice.
    pub fn error(&self, error: &CliError) {
        self.word("error: ", "1;31", &error.message);
        for cause in &error.causes {
            self.word("  caused by: ", "2", cause);
        }
        for hint in &error.hints {
            self.word("hint: ", "1;36", hint);
        }
    }

    /// Replaces the live line; on no terminal nothing happens.
    pub fn live(&self, text: &str) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{}", sanitize(text));
            let _ = err.flush();
        }
    }

    /// Takes the live line away.
    pub fn live_done(&self) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
        }
    }
}
