//! What is to be done, as the command line has it.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::ui::Ui;
use crate::ralph::{Budget, Check, Finding, Promise, Prompt, Reading, Task};
use crate::sandbox::host_path::{FileKind, HostPath};
use crate::sandbox::size::ByteSize;
use crate::workspace::Pattern;

/// The longest prompt, in bytes.
const MAX_PROMPT: u64 = 1 << 20;

/// Flags that say what is to be done
#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    /// What it is called, if there are several
    #[arg(skip)]
    pub(super) phase: Option<String>,
    /// What is to be done
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "prompt_file",
        help_heading = "Task"
    )]
    pub(super) prompt: Option<String>,
    /// File that says what is to be done
    #[arg(long, value_name = "FILE", help_heading = "Task")]
    pub(super) prompt_file: Option<PathBuf>,
    /// What the agent says, tagged, when it has completed
    #[arg(long, value_name = "TEXT", value_parser = Promise::parse, help_heading = "Task")]
    pub(super) completion_promise: Option<Promise>,
    /// Take the promise anywhere in the agent's last words
    #[arg(long, help_heading = "Task")]
    pub(super) loose_promise: bool,
    /// What verifies a claim: a shell command, in a clean container without a network
    #[arg(
        long,
        value_name = "COMMAND",
        value_parser = parse_check,
        conflicts_with = "no_check",
        help_heading = "Task"
    )]
    pub(super) check: Option<String>,
    /// Directory of yours, outside of the workspace, that a check finds at /check, read-only
    #[arg(long, value_name = "DIR", requires = "check", help_heading = "Task")]
    pub(super) check_dir: Option<PathBuf>,
    /// Time for one check
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = night::parse_time, help_heading = "Task")]
    pub(super) check_timeout: Duration,
    /// Paths that are yours: a check has them as they were (can be repeated)
    #[arg(long, value_name = "GLOB", value_parser = parse_glob, help_heading = "Task")]
    pub(super) protect: Vec<String>,
    /// A claim is enough: there is no check
    #[arg(long, help_heading = "Task")]
    pub(super) no_check: bool,
    /// Iterations at most
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "50",
        value_parser = parse_iterations,
        help_heading = "Task"
    )]
    pub(super) max_iterations: NonZeroU32,
    /// Time for the whole run, as in 8h
    #[arg(long, value_name = "TIME", value_parser = night::parse_time, help_heading = "Task")]
    pub(super) time: Option<Duration>,
    /// Time for one iteration, as in 30m
    #[arg(long, value_name = "TIME", value_parser = night::parse_time, help_heading = "Task")]
    pub(super) iteration_timeout: Option<Duration>,
    /// Time for an API that is overloaded, limits the rate or cannot be reached, in a row
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = night::parse_time, help_heading = "Task")]
    pub(super) api_patience: Duration,
    /// Room that has to stay on the disks of the workspace, of the run's record and of Podman's storage; 0 for any
    #[arg(long, value_name = "SIZE", default_value = "1g", value_parser = ByteSize::parse, help_heading = "Task")]
    pub(super) min_free: ByteSize,
    /// The workspace may grow by so much on its disk; 0 for any
    #[arg(long, value_name = "SIZE", default_value = "10g", value_parser = ByteSize::parse, help_heading = "Task")]
    pub(super) max_growth: ByteSize,
    /// End after so many iterations in a row that change nothing, or end with the same message; 0 for never
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "5",
        help_heading = "Task"
    )]
    pub(super) no_progress: u32,
}

/// The person's prompt. A file in the workspace may be an agent's by now: no link to it is followed.
pub(super) fn prompt(args: &TaskArgs, cwd: &Path, workspace: &Path) -> CliResult<String> {
    let path = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => return Ok(text.clone()),
        (None, Some(path)) => path,
        (None, None) => {
            return Err(CliError::usage("what is to be done?")
                .hint("`--prompt TEXT` or `--prompt-file FILE`"));
        }
    };
    let reading = || format!("read the prompt `{}`", path.display());
    let heading = || format!("cannot {}", reading());
    let read = || {
        let found = HostPath::resolve(path, cwd)?;
        found.check_links([workspace])?;
        // A pipe would read as one that says nothing.
        match found.kind() {
            FileKind::Regular => found.open().map(Some),
            _ => Ok(None),
        }
    };
    let found = read().map_err(|e| CliError::context(Exit::Failed, heading(), &e))?;
    let file: File = found.ok_or_else(|| {
        let mut error = CliError::new(Exit::Failed, heading());
        error.causes.push("it is no regular file".to_owned());
        error
    })?;
    let mut text = String::new();
    file.take(MAX_PROMPT + 1)
        .read_to_string(&mut text)
        .doing(reading())?;
    if text.len() as u64 > MAX_PROMPT {
        return Err(CliError::new(Exit::Failed, heading())
            .hint("it is longer than a mebibyte: an agent would not read it to its end"));
    }
    Ok(text)
}

/// Says what is odd about the prompt.
pub(super) fn lint(args: &TaskArgs, prompt: &Prompt, ui: &Ui) -> CliResult<()> {
    for finding in prompt.lint(args.completion_promise.as_ref()) {
        match finding {
            Finding::Empty => return Err(CliError::usage("the prompt is empty")),
            Finding::NoPromise => ui.status(
                "the prompt does not say how to claim completion: an instruction is added to it",
            ),
            Finding::OrdinaryPromise => {
                ui.warning("the promise is an ordinary word; in capitals it would not be");
            }
            Finding::NoCriteria => {
                ui.warning("the prompt does not seem to say when the work is done");
            }
        }
    }
    if !args.protect.is_empty() && args.check.is_none() {
        ui.warning(
            "`--protect` protects nothing without `--check`: only a check has paths as they were",
        );
    }
    if args.completion_promise.is_none() {
        ui.warning("without `--completion-promise` only limits end the run");
    }
    Ok(())
}

fn parse_iterations(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| format!("it is a number from 1 to {}", u32::MAX))
}

/// A command that says nothing would pass.
fn parse_check(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("an empty command verifies nothing; `--no-check` says so".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A pattern for paths.
pub(super) fn parse_glob(text: &str) -> Result<String, String> {
    Pattern::parse(text).map_err(str::to_owned)?;
    Ok(text.to_owned())
}

impl TaskArgs {
    /// The task that was asked for.
    pub(super) fn task(&self, check_directory: Option<PathBuf>) -> Task {
        Task {
            phase: self.phase.clone(),
            promise: self.completion_promise.clone(),
            reading: if self.loose_promise {
                Reading::Loose
            } else {
                Reading::Strict
            },
            check: match &self.check {
                Some(command) => Check::Command(command.clone()),
                None if self.no_check => Check::Waived,
                None => Check::Missing,
            },
            check_directory,
            protect: self.protect.clone(),
            budget: Budget {
                iterations: self.max_iterations,
                time: self.time,
                iteration_time: self.iteration_timeout,
                no_progress: NonZeroU32::new(self.no_progress),
                check_time: self.check_timeout,
                api_patience: self.api_patience,
                least_free: self.min_free.bytes(),
                most_growth: self.max_growth.bytes(),
            },
        }
    }
}
