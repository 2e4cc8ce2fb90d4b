//! What is asked, on the command line and in `stockade.toml`: the command line counts.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, Parser as _};
use toml::Table;

use super::RalphArgs;
use crate::cli::args::{Cli, Command};
use crate::cli::configuration::{Configuration, FILE, Store, for_phase, loosens, phases, words};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::cli::{argv, host};

/// What was typed.
struct Typed {
    words: Vec<OsString>,
    matches: ArgMatches,
}

/// What is asked, if there is a configuration that counts; `None` if what was typed is all.
///
/// # Errors
/// The configuration makes no sense, or needs a trust that it does not have.
pub(super) fn with_configuration(ui: &Ui) -> CliResult<Option<Box<RalphArgs>>> {
    let Some(configuration) = Configuration::read(&host::working_directory()?)? else {
        return Ok(None);
    };
    let typed = Typed::now()?;
    let table = &configuration.table;
    refuse_untrusted(&configuration, &typed)?;
    ui.status(&format!("`{FILE}` counts where the command line is silent"));
    let mut args = typed.joined(table)?;
    let all = phases(table)?;
    if !all.is_empty() && (typed.says("prompt") || typed.says("prompt-file")) {
        return Err(
            CliError::usage(format!("the phases in `{FILE}` have prompts of their own"))
                .hint("`--no-config` ignores them"),
        );
    }
    for phase in all {
        let mut task = typed.joined(&for_phase(table, phase))?.task;
        task.phase = phase
            .get("name")
            .and_then(|name| name.as_str())
            .map(str::to_owned);
        args.phases.push(task);
    }
    Ok(Some(args))
}

fn refuse_untrusted(configuration: &Configuration, typed: &Typed) -> CliResult<()> {
    let accepted = Store::open()?.accepted(configuration)?;
    if accepted.as_ref().is_some_and(|a| a.is(configuration)) {
        return Ok(());
    }
    let has_changed = accepted.is_some();
    let known = accepted
        .map(|accepted| accepted.table())
        .unwrap_or_default();
    let mut keys = loosens(&configuration.table, &known, host::memory()?);
    keys.retain(|key| !typed.says(key));
    if keys.is_empty() {
        return Ok(());
    }
    let what = match has_changed {
        true => "has changed since you trusted it",
        false => "is not trusted",
    };
    let keys = sanitize_line(&keys.join(", "));
    Err(CliError::new(
        Exit::Preflight,
        format!("`{FILE}` {what}, and decides: {keys}"),
    )
    .hint("look at it and accept it: `stockade trust`; or ignore it: `--no-config`"))
}

impl Typed {
    /// The command line that we were called with.
    fn now() -> CliResult<Self> {
        let words = argv::separate(Cli::command(), std::env::args_os().collect());
        let matches = Cli::command().try_get_matches_from(&words);
        let matches = matches.map_err(|error| CliError::usage(error.to_string()))?;
        let matches = matches.subcommand_matches("ralph").cloned();
        let matches = matches.ok_or_else(|| CliError::usage("this is not `ralph`"))?;
        Ok(Self { words, matches })
    }

    /// Whether a flag was typed, or one that is said instead of it.
    fn says(&self, key: &str) -> bool {
        let instead: &[&str] = match key {
            "prompt" | "prompt-file" => &["prompt", "prompt-file"],
            "check" | "no-check" => &["check", "no-check"],
            "command" => &["command", "agent"],
            "check-dir" => &["check-dir", "no-check"],
            _ => &[key],
        };
        instead.iter().any(|key| {
            let id = key.replace('-', "_");
            let known = self.matches.try_contains_id(&id).is_ok();
            known && self.matches.value_source(&id) == Some(ValueSource::CommandLine)
        })
    }

    /// What is asked by a configuration and what was typed together.
    fn joined(&self, table: &Table) -> CliResult<Box<RalphArgs>> {
        let said = words(table, &|key| self.says(key))?;
        let all = words(table, &|_| false)?;
        // By itself first: what is wrong with it is not the person's typing.
        let alone = ["stockade", "ralph"].map(str::to_owned);
        let alone = alone.into_iter().chain(all);
        Cli::try_parse_from(alone).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let mut wrong = CliError::new(Exit::Failed, format!("cannot use `{FILE}`"));
            wrong
                .causes
                .push(first.trim_start_matches("error: ").to_owned());
            wrong
        })?;
        let command = said.iter().position(|word| word == "--");
        let (flags, command) = said.split_at(command.unwrap_or(said.len()));
        let mut words = self.words.clone();
        let end = words.iter().position(|word| word == "--");
        let at = end.unwrap_or(words.len());
        words.splice(at..at, flags.iter().map(OsString::from));
        words.extend(command.iter().map(OsString::from));
        let cli = Cli::try_parse_from(words);
        match cli
            .map_err(|error| CliError::usage(error.to_string()))?
            .command
        {
            Command::Ralph(args) => Ok(args),
            _ => Err(CliError::usage("this is not `ralph`")),
        }
    }
}
