//! Errors as the person sees them: what failed, why, what to do, and the exit code.

use std::error::Error as StdError;
use std::fmt::Display;
use std::path::Path;

use super::exit::Exit;
use super::outcome::OUTPUT_GONE;
use super::ui::OutputError;
use crate::libpod;

/// The result of a command.
pub(crate) type CliResult<T = Exit> = Result<T, CliError>;

/// A failure at the edge: the only kind that carries advice.
#[derive(Debug)]
pub(crate) struct CliError {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What failed.
    pub(crate) message: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do about it.
    pub(crate) hints: Vec<String>,
    /// It may be only for now, since it is the service's trouble.
    pub(crate) outage: Option<Outage>,
}

/// Trouble of the service's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// It is not there.
    Away,
    /// It could not do what it was asked for, and does not say that this was wrong.
    Failing,
}

impl CliError {
    /// A failure with a message of ours.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            outage: None,
        }
    }

    /// A command line that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A failure of a lower layer, its causes kept.
    pub(crate) fn from_source(exit: Exit, source: &(dyn StdError + 'static)) -> Self {
        let mut error = Self::new(exit, source.to_string());
        error.add_causes(source);
        error
    }

    /// A failure of a lower layer under a heading of ours.
    pub(crate) fn context(
        exit: Exit,
        message: impl Into<String>,
        source: &(dyn StdError + 'static),
    ) -> Self {
        let mut error = Self::new(exit, message);
        error.causes.push(source.to_string());
        error.add_causes(source);
        error
    }

    fn add_causes(&mut self, source: &(dyn StdError + 'static)) {
        let mut next = source.source();
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
    }

    /// Whether there is nobody to tell, or nothing to be told.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// The same failure under a heading of ours.
    pub(crate) fn under(mut self, heading: impl Into<String>) -> Self {
        let message = std::mem::replace(&mut self.message, heading.into());
        self.causes.insert(0, message);
        self
    }

    /// Adds advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure with another exit code, where its own could be the container's.
    pub(crate) fn or_exit(mut self, exit: Exit) -> Self {
        if matches!(self.exit, Exit::Failed | Exit::Usage | Exit::Unreachable) {
            self.exit = exit;
        }
        self
    }
}

impl From<libpod::Error> for CliError {
    fn from(error: libpod::Error) -> Self {
        if let Some(socket) = error.unreachable_socket() {
            return unreachable(&error, socket);
        }
        if error.is_too_old() {
            return Self::from_source(Exit::Unreachable, &error)
                .hint("Debian 12 and Ubuntu 24.04 have a release that is new enough");
        }
        if error.is_unusable_endpoint() {
            return Self::from_source(Exit::Usage, &error);
        }
        if let Some(api) = error.api() {
            let message = api.to_string();
            let cause = api.cause.clone();
            let mut cli = Self::new(Exit::Failed, message.clone());
            cli.outage = (api.status >= 500).then_some(Outage::Failing);
            // Podman's wrapped text ends in its cause most of the time.
            if !cause.is_empty() && !message.contains(&cause) {
                cli.causes.push(cause.clone());
            }
            return match cause.as_str() {
                "image not known" => {
                    cli.hint("build it with `stockade build -t NAME .`, or fetch it with `stockade pull NAME`")
                }
                "that name is already in use" => {
                    cli.hint("choose another `--name`, or remove the other one with `stockade rm NAME`")
                }
                _ if message.contains("short-name") => {
                    cli.hint("write the whole name, as in `docker.io/library/python:3.11-slim`")
                }
                _ => cli,
            };
        }
        let disconnect = error.is_disconnect();
        let cli = Self::from_source(Exit::Failed, &error);
        if disconnect {
            let cli = Self {
                outage: Some(Outage::Away),
                ..cli
            };
            cli.hint("the Podman service went away; if it was stopped, start it and try again")
        } else {
            cli
        }
    }
}

/// How to have a service listen, by what was found on its socket.
fn unreachable(error: &libpod::Error, socket: &Path) -> CliError {
    let cli = CliError {
        outage: Some(Outage::Away),
        ..CliError::from_source(Exit::Unreachable, error)
    };
    let user = if rustix::process::geteuid().is_root() {
        ""
    } else {
        "--user "
    };
    if error.nobody_listens() {
        cli.hint(format!(
            "start it with `systemctl {user}enable --now podman.socket`"
        ))
        .hint(format!(
            "or, without systemd, with `podman system service --time=0 unix://{}`",
            socket.display()
        ))
        .hint("no Podman yet? `apt install podman` (Debian, Ubuntu), `dnf install podman` (Fedora)")
    } else if error.is_denied() {
        cli.hint("only the user who owns the service may use its socket")
    } else if error.is_silent() {
        cli.hint(format!(
            "start it anew with `systemctl {user}restart podman.service`"
        ))
    } else {
        cli
    }
}

/// Gives any failure of a lower layer a heading.
pub(crate) trait Context<T> {
    /// Says what was being done.
    fn doing(self, what: impl Display) -> CliResult<T>;
}

impl<T, E: StdError + 'static> Context<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> CliResult<T> {
        self.map_err(|error| {
            let any: &(dyn StdError + 'static) = &error;
            if let Some(OutputError::Gone) = any.downcast_ref() {
                return CliError::new(OUTPUT_GONE, "");
            }
            CliError::context(Exit::Failed, format!("cannot {what}"), &error)
        })
    }
}
