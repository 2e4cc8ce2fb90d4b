//! How well-known agents are started and understood, as data: what is in `agents/`, and the person's own.

use std::collections::BTreeMap;

use super::message::Message;
use super::promise::Promise;
use super::trouble::{self, Errors, Refusal};
use super::{PROMISE_FILE, PROMPT_FILE};

/// Stands for the path of the prompt's file in an argument.
const FILE: &str = "{prompt-file}";
/// Stands for the promise in an argument.
const PROMISE: &str = "{promise}";
/// Stands for the command in a script.
const ALL: &str = "\"$@\"";
/// The preset for a command that the person gives whole.
const COMMAND: &str = "command";

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("agents/", $name, ".toml")))),*]
    };
}

/// Those that come with Stockade, the guide's first.
const PRESETS: [(&str, &str); 9] = presets![
    "patchpal", "ralph.py", "claude", "codex", "opencode", "gemini", "aider", "goose", "command",
];

/// What an agent is to promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promised<'a> {
    /// Nothing, in some phase at least.
    No,
    /// The same in each phase.
    Always(&'a Promise),
    /// Something in each phase.
    ByPhase,
}

impl<'a> Promised<'a> {
    /// In these phases.
    pub fn of(phases: impl IntoIterator<Item = Option<&'a Promise>>) -> Self {
        let mut phases = phases.into_iter();
        let Some(Some(first)) = phases.next() else {
            return Self::No;
        };
        phases.fold(Self::Always(first), |before, promise| match promise {
            Some(promise) if before == Self::Always(promise) => before,
            Some(_) if before != Self::No => Self::ByPhase,
            _ => Self::No,
        })
    }
}

/// An agent: what an image has to have, how it is started, and what it means by what it prints.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Agent {
    /// What it is, in a few words.
    pub about: String,
    /// Its command, headless.
    pub command: Vec<String>,
    /// How the prompt reaches it.
    #[serde(default)]
    pub prompt: Delivery,
    /// What a shell does to run the command, `"$@"`, where that is more than to run it.
    #[serde(default)]
    pub script: Option<String>,
    /// What stands before the prompt, where that is an argument.
    #[serde(default)]
    pub prompt_flag: Option<String>,
    /// Variables of fixed values, never secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Names of variables that may carry a key.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Hosts of its APIs.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The image that it is installed on, where no other one is named.
    #[serde(default)]
    pub base: Option<String>,
    /// Lines of a Containerfile that install it.
    #[serde(default)]
    pub install: Vec<String>,
    /// How its final message is found.
    #[serde(default)]
    pub message: Message,
    /// How its errors look.
    #[serde(default)]
    pub errors: Errors,
}

/// How a prompt reaches an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// On its standard input.
    #[default]
    Stdin,
    /// As the path of a file, which is in its command.
    File,
    /// As its last argument; the kernel takes 128 KiB there.
    Argument,
}

/// What a run has to know of its agent as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Voice {
    /// The preset.
    pub agent: String,
    /// How its final message is found.
    #[serde(default)]
    pub message: Message,
    /// How its errors look.
    #[serde(default)]
    pub errors: Errors,
}

/// What an agent has said in an iteration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Its final message.
    pub(super) message: &'a str,
    /// Why it failed, where its program says so apart.
    pub(super) failure: &'a str,
    /// The end of its standard output.
    pub(super) out: &'a str,
    /// The end of its standard error.
    pub(super) err: &'a str,
    pub(super) exit_code: i32,
}

impl Voice {
    /// What may have kept the agent from its model.
    pub(super) fn refusal(&self, said: Said<'_>) -> Option<Refusal> {
        let rest = match self.message {
            // What is on standard output is everything that it met.
            Message::Json { .. } if self.errors.announced.is_empty() => vec![said.err],
            Message::Json { .. } => vec![said.message, said.err],
            Message::Section { .. } => vec![said.message, said.out, said.err],
            Message::Whole {} | Message::Without { .. } | Message::Before { .. } => {
                vec![said.out, said.err]
            }
        };
        self.errors.find(trouble::Said {
            failure: said.failure,
            rest: &rest,
            exit_code: said.exit_code,
        })
    }

    /// Whether what it says of its model's API cannot be what it has met at its work.
    pub(super) fn tells_apart(&self) -> bool {
        matches!(self.message, Message::Json { .. }) || !self.errors.announced.is_empty()
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            agent: COMMAND.to_owned(),
            message: Message::default(),
            errors: Errors {
                failed_only: true,
                ..Errors::default()
            },
        }
    }
}

impl Agent {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let agent: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        let has_file = agent.command.iter().any(|word| word.contains(FILE));
        let fault = match agent.prompt {
            Delivery::File if !has_file => {
                Some("`command` does not say where the {prompt-file} goes")
            }
            Delivery::Stdin | Delivery::Argument if has_file => {
                Some("`command` has a {prompt-file}, and `prompt` is not \"file\"")
            }
            Delivery::Stdin | Delivery::File if agent.prompt_flag.is_some() => {
                Some("`prompt-flag` is for `prompt = \"argument\"`")
            }
            _ if agent
                .script
                .as_ref()
                .is_some_and(|script| !script.contains(ALL)) =>
            {
                Some("`script` never comes to the command, `\"$@\"`")
            }
            _ => agent.message.fault(),
        };
        match fault {
            Some(fault) => Err(fault.to_owned()),
            None => Ok(agent),
        }
    }

    /// One that comes with Stockade; `None` if there is none of that name.
    pub fn preset(name: &str) -> Option<Self> {
        let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name)?;
        Self::parse(text).ok()
    }

    /// The names of those that come with Stockade.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Whether a word can be the name of one of the person's own: it is a file's as well.
    pub fn is_name(word: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !word.is_empty()
            && word.len() <= 64
            && !word.starts_with(['.', '-'])
            && word.chars().all(plain)
    }

    /// Whether it has to be told what to promise.
    pub fn needs_promise(&self) -> bool {
        self.command.iter().any(|word| word.contains(PROMISE))
    }

    /// Its command with more arguments, for a run.
    pub fn command_for(&self, promised: Promised<'_>, more: &[String]) -> Vec<String> {
        let fill = |word: &String| match (word.as_str(), promised) {
            (PROMISE, Promised::Always(promise)) => promise.text().to_owned(),
            (word, _) => word.replace(FILE, PROMPT_FILE),
        };
        self.command
            .iter()
            .map(fill)
            .chain(more.iter().cloned())
            .collect()
    }

    /// The Containerfile of an image that has it; `None` if it does not say on what it is installed.
    pub fn containerfile(&self) -> Option<String> {
        let base = self.base.as_ref()?;
        let install = self.install.iter().map(|line| format!("{line}\n"));
        Some(format!("FROM {base}\n{}", install.collect::<String>()))
    }

    /// What a shell does with the command to give it the prompt, after the flag if there is one: a file
    /// that is there anew in each iteration. Over the attached connection the service would lose the
    /// last words of a command that does not read all of it. A promise that is not always the same is in a file, too.
    pub fn shell(&self, promised: Promised<'_>) -> String {
        let run = self.script.as_deref().unwrap_or("exec \"$@\"");
        let (before, input) = match (self.prompt, &self.prompt_flag) {
            (Delivery::Stdin, _) => (String::new(), PROMPT_FILE),
            (Delivery::File, _) => (String::new(), "/dev/null"),
            (Delivery::Argument, None) => (
                format!("set -- \"$@\" \"$(cat {PROMPT_FILE})\"; "),
                "/dev/null",
            ),
            (Delivery::Argument, Some(_)) => (
                format!("flag=$1; shift; set -- \"$@\" \"$flag\" \"$(cat {PROMPT_FILE})\"; "),
                "/dev/null",
            ),
        };
        let promise = match promised {
            Promised::ByPhase if self.needs_promise() => format!(
                "promise=$(cat {PROMISE_FILE}); for word do shift; [ \"$word\" != '{PROMISE}' ] || word=$promise; \
                 set -- \"$@\" \"$word\"; done; "
            ),
            _ => String::new(),
        };
        format!("{promise}{before}{{ {run}\n}} <{input}")
    }

    /// What a run keeps of it.
    pub fn voice(&self, name: &str) -> Voice {
        Voice {
            agent: name.to_owned(),
            message: self.message.clone(),
            errors: self.errors.clone(),
        }
    }
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
