//! The only place that prints: data to standard output, words for people to standard error.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use super::error::CliError;
use super::sanitize::{sanitize, without_colors};
use super::terminal::{Filter, OURS, Policy};

/// Standard output and error, and how much may be said there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    color: bool,
    /// Whether standard error is a terminal: live lines only there.
    live: bool,
    /// Standard output leads to a pager, and through it to a terminal.
    paged: Option<Pages>,
    /// The person wants no colours.
    no_color: bool,
}

/// What a pager does with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// It shows them.
    Colors,
    /// Nobody knows.
    Text,
}

/// What a line of ours is painted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// What is new.
    Added,
    /// What is gone.
    Removed,
    /// Where that is.
    Place,
    /// What it is in.
    Heading,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Added => "32",
            Self::Removed => "31",
            Self::Place => "36",
            Self::Heading => "1",
        }
    }
}

impl Ui {
    /// Looks at the streams and at `NO_COLOR`.
    pub(crate) fn new(no_color: bool) -> Self {
        let live = io::stderr().is_terminal();
        Self {
            color: live && !no_color,
            live,
            paged: None,
            no_color,
        }
    }

    /// The same while a pager has the terminal: what is said goes through it.
    pub(crate) fn paged(&self, pages: Pages) -> Self {
        Self {
            paged: Some(pages),
            live: false,
            ..*self
        }
    }

    /// Whether progress can be shown as a line that changes.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether data goes to a terminal, where it must be harmless.
    pub(crate) fn stdout_is_terminal(&self) -> bool {
        self.paged.is_some() || io::stdout().is_terminal()
    }

    /// Data: another program may read it. On a terminal it is made harmless.
    ///
    /// # Errors
    /// It cannot be written; a reader that went away is told apart, since that is no failure.
    pub(crate) fn data(&self, text: &str) -> Result<(), OutputError> {
        if self.stdout_is_terminal() {
            self.raw(&Filter::new(Policy::Text).feed(text.as_bytes()))
        } else {
            self.raw(text.as_bytes())
        }
    }

    /// Standard output for a stream of bytes that is no text, as an archive; never a terminal.
    pub(crate) fn byte_stream(&self) -> io::Result<File> {
        Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
    }

    /// Bytes for standard output as they are.
    fn raw(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())?;
        Ok(())
    }

    /// A line of data.
    pub(crate) fn line(&self, text: &str) -> Result<(), OutputError> {
        self.data(&format!("{text}\n"))
    }

    /// Whether a line of data may have colours.
    fn paints(&self) -> bool {
        let is_dumb = || std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let shows = match self.paged {
            Some(pages) => pages == Pages::Colors,
            None => io::stdout().is_terminal() && !is_dumb(),
        };
        shows && !self.no_color
    }

    /// A line of data; where it is looked at, in a colour. What steers a terminal in it does not come through.
    pub(crate) fn painted(&self, paint: Paint, text: &str) -> Result<(), OutputError> {
        match self.paints() {
            true => {
                let (code, text) = (paint.code(), sanitize(text));
                self.raw(format!("\x1b[{code}m{text}\x1b[m\n").as_bytes())
            }
            false => self.line(text),
        }
    }

    /// Clears the terminal on standard output.
    pub(crate) fn clear(&self) -> Result<(), OutputError> {
        self.raw(b"\x1b[H\x1b[2J")
    }

    /// What is wrong with the command line, in colours.
    pub(crate) fn usage(&self, text: &str) {
        let mut clean = Filter::new(Policy::Text).feed(text.as_bytes());
        if !self.color {
            clean = without_colors(&clean);
        }
        let _ = io::stderr().lock().write_all(&clean);
    }

    /// A question, without a newline.
    pub(crate) fn ask(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "{}", sanitize(text));
        let _ = err.flush();
    }

    fn word(&self, label: &str, code: &str, text: &str) {
        let text = sanitize(text);
        if self.paged.is_some() {
            let _ = self.raw(format!("{label}{text}\n").as_bytes());
            return;
        }
        let line = match self.color {
            true => format!("\x1b[{code}m{label}\x1b[0m{text}\n"),
            false => format!("{label}{text}\n"),
        };
        // In one piece: several of us may share a log. Nothing can be done about a standard error that is gone.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// What is going on.
    pub(crate) fn status(&self, text: &str) {
        self.word("", "0", text);
    }

    /// What is going on, between somebody else's words. On a terminal these have no line below them.
    pub(crate) fn own(&self, text: &str) {
        self.word(OURS, "4", text);
    }

    /// Something the person should know, and that stops nothing.
    pub(crate) fn warning(&self, text: &str) {
        self.word("warning: ", "1;33", text);
    }

    /// A failure, its causes and advice.
    pub(crate) fn error(&self, error: &CliError) {
        if error.is_silent() {
            return;
        }
        self.word("error: ", "1;31", &error.message);
        for cause in &error.causes {
            self.word("  caused by: ", "2", cause);
        }
        for hint in &error.hints {
            self.word("hint: ", "1;36", hint);
        }
    }

    /// Replaces the live line; on no terminal nothing happens.
    pub(crate) fn live(&self, text: &str) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{}", sanitize(text));
            let _ = err.flush();
        }
    }

    /// Takes the live line away.
    pub(crate) fn live_done(&self) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
        }
    }
}

/// Why data could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Whoever read it has had enough.
    #[error("nobody reads the output any more")]
    Gone,
    /// Anything else, a full disk for one.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Gone
        } else {
            Self::Io(error)
        }
    }
}
