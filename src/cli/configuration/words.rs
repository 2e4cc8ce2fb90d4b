//! A configuration as words of a command line: its keys are the flags' names.

use clap::{ArgAction, CommandFactory as _};
use toml::{Table, Value};

use super::FILE;
use crate::cli::args::Cli;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;

/// Flags of `ralph` that say how it is called, not what is done; or that no file should say.
const NOT_KEYS: &[&str] = &[
    "cgroup-manager",
    "connection",
    "detach",
    "detach-keys",
    "dry-run",
    "help",
    "interactive",
    "no-config",
    "not-a-sandbox",
    "privileged",
    "raw",
    "raw-terminal",
    "rm",
    "sig-proxy",
    "survive-reboot",
    "tty",
    "url",
    "yes",
];
/// What a phase says for itself.
const OF_A_PHASE: &[&str] = &[
    "check",
    "check-dir",
    "check-timeout",
    "completion-promise",
    "iteration-timeout",
    "loose-promise",
    "max-iterations",
    "name",
    "no-check",
    "no-progress",
    "prompt",
    "prompt-file",
    "protect",
    "time",
];
/// The agent's command: what stands behind `--`.
pub(super) const COMMAND: &str = "command";
/// Tables with what each phase says for itself.
pub(super) const PHASE: &str = "phase";

/// The words that say the same, without keys that `is_said` elsewhere; the agent's command comes last.
///
/// # Errors
/// A key is no flag, or a value is none that a flag can have.
pub(crate) fn words(table: &Table, is_said: &dyn Fn(&str) -> bool) -> CliResult<Vec<String>> {
    let root = Cli::command();
    let verb = root.find_subcommand("ralph");
    let flags: Vec<&clap::Arg> = verb.iter().flat_map(|verb| verb.get_arguments()).collect();
    let mut words = Vec::new();
    let mut command = Vec::new();
    for (key, value) in table {
        if key == PHASE {
            continue;
        }
        if key == COMMAND {
            let said = texts(key, value)?;
            if said.is_empty() {
                return Err(wrong(key, "it names no program"));
            }
            command = said;
            continue;
        }
        let flag = flags.iter().find(|flag| flag.get_long() == Some(key));
        let Some(flag) = flag.filter(|_| !NOT_KEYS.contains(&key.as_str())) else {
            let what = match flag {
                Some(_) => "that is for the command line alone",
                None => "there is no flag of that name",
            };
            return Err(wrong(key, what));
        };
        let takes = flag.get_action().takes_values();
        let repeats = matches!(flag.get_action(), ArgAction::Append);
        if is_said(key) {
            continue;
        }
        match value {
            Value::Boolean(false) if !takes => {}
            Value::Boolean(true) if !takes => words.push(format!("--{key}")),
            _ if !takes => return Err(wrong(key, "it is true or false")),
            Value::Array(_) if !repeats => return Err(wrong(key, "it is one value")),
            _ => words.extend(
                texts(key, value)?
                    .iter()
                    .map(|text| format!("--{key}={text}")),
            ),
        }
    }
    if !command.is_empty() && !is_said(COMMAND) {
        words.push("--".to_owned());
        words.extend(command);
    }
    Ok(words)
}

/// The tables of the phases, in their order; none if there are no phases.
///
/// # Errors
/// They are no tables, or say what no phase can.
pub(crate) fn phases(table: &Table) -> CliResult<Vec<&Table>> {
    let all = match table.get(PHASE) {
        None => return Ok(Vec::new()),
        Some(Value::Array(all)) if !all.is_empty() => all,
        Some(_) => return Err(wrong(PHASE, "write [[phase]] above what each phase says")),
    };
    let phases: Option<Vec<&Table>> = all.iter().map(Value::as_table).collect();
    let phases = phases.ok_or_else(|| wrong(PHASE, "each is a table"))?;
    for phase in &phases {
        let stranger = phase.keys().find(|key| !OF_A_PHASE.contains(&key.as_str()));
        if let Some(key) = stranger {
            return Err(wrong(key, "it is nothing that a phase says for itself"));
        }
        if !phase.contains_key("prompt") && !phase.contains_key("prompt-file") {
            return Err(wrong(PHASE, "each needs a prompt or a prompt-file"));
        }
    }
    Ok(phases)
}

/// What counts in a phase: what it says, and else what is said for all. But for the time: that said
/// for all is for the whole run.
pub(crate) fn for_phase(all: &Table, phase: &Table) -> Table {
    let mut table = all.clone();
    for key in [PHASE, "prompt", "prompt-file", "time"] {
        table.remove(key);
    }
    for (mine, others) in [("check", "no-check"), ("no-check", "check")] {
        if phase.contains_key(mine) {
            table.remove(others);
        }
    }
    if phase.contains_key("no-check") {
        table.remove("check-dir");
    }
    let own = phase.iter().filter(|(key, _)| *key != "name");
    table.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    table
}

/// One text or several.
fn texts(key: &str, value: &Value) -> CliResult<Vec<String>> {
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Option<Vec<String>> = values.iter().map(text).collect();
    let texts = texts.ok_or_else(|| wrong(key, "it is a text, a number, or a list of texts"))?;
    match texts.iter().any(|text| text.contains('\0')) {
        true => Err(wrong(key, "it contains a NUL")),
        false => Ok(texts),
    }
}

/// A value as it would be typed.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(said) => Some(said.to_string()),
        _ => None,
    }
}

fn wrong(key: &str, why: &str) -> CliError {
    let mut error = CliError::new(Exit::Failed, format!("cannot use `{key}` in `{FILE}`"));
    error.causes.push(why.to_owned());
    error
}
