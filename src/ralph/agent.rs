//! How well-known agents are started and understood, as data: what is in `agents/`, and the person's own.

use std::collections::BTreeMap;

use super::PROMPT_FILE;
use super::message::Message;
use super::promise::Promise;
use super::trouble::Errors;

/// Stands for the path of the prompt's file in an argument.
const FILE: &str = "{prompt-file}";
/// Stands for the promise in an argument.
const PROMISE: &str = "{promise}";
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

    /// Its command with more arguments, for a task.
    pub fn command_for(&self, promise: Option<&Promise>, more: &[String]) -> Vec<String> {
        let promise = promise.map_or("", Promise::text);
        let fill = |word: &String| match word.as_str() {
            PROMISE => promise.to_owned(),
            word => word.replace(FILE, PROMPT_FILE),
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
mod tests {
    use super::*;

    #[test]
    fn all_that_come_with_stockade_make_sense() {
        for (name, text) in PRESETS {
            let agent = Agent::parse(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(agent.command.is_empty(), name == COMMAND, "{name}");
            assert!(Agent::is_name(name), "{name}");
            let is_variable = |word: &&String| {
                !word.is_empty()
                    && word
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            };
            let variables: Vec<_> = agent.keys.iter().chain(agent.environment.keys()).collect();
            assert!(variables.iter().all(is_variable), "{name}: {variables:?}");
            let kept = agent
                .keys
                .iter()
                .any(|key| agent.environment.contains_key(key));
            assert!(!kept, "{name}: a key is no fixed value");
            for host in &agent.hosts {
                let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '-');
                assert!(
                    host.contains('.') && host.chars().all(plain),
                    "{name}: {host}"
                );
            }
            assert!(
                agent.install.iter().all(|line| line.starts_with("RUN ")),
                "{name}"
            );
        }
        assert_eq!(Agent::presets().count(), PRESETS.len());
        assert_eq!(Agent::preset("no-such"), None);
    }

    #[test]
    fn a_command_is_filled_in() {
        let promise = Promise::parse("ALL DONE").unwrap();
        let more = ["--model".to_owned(), "{promise}".to_owned()];
        let patchpal = Agent::preset("patchpal").unwrap();
        assert!(patchpal.needs_promise());
        assert_eq!(
            patchpal.command_for(Some(&promise), &more).join(" "),
            "patchpal-autopilot --prompt-file /run/stockade/prompt.md --completion-promise ALL DONE --max-iterations 1 --model {promise}"
        );
        let command = Agent::preset(COMMAND).unwrap();
        assert!(!command.needs_promise());
        assert_eq!(command.command_for(None, &more), more);
        assert_eq!(command.voice(COMMAND), Voice::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, why) in [
            ("command = []", "about"),
            (
                "about = 'x'\ncommand = ['x']\nenviroment = {}",
                "enviroment",
            ),
            (
                "about = 'x'\ncommand = ['x']\nprompt = 'file'",
                "{prompt-file}",
            ),
            (
                "about = 'x'\ncommand = ['x={prompt-file}']",
                "{prompt-file}",
            ),
            (
                "about = 'x'\ncommand = ['x']\nprompt-flag = '-p'",
                "prompt-flag",
            ),
            (
                "about = 'x'\ncommand = ['x']\nmessage = { kind = 'whole', odd = 1 }",
                "odd",
            ),
            (
                "about = 'x'\ncommand = ['x']\nmessage = { kind = 'json', text = [] }",
                "field",
            ),
            (
                "about = 'x'\ncommand = ['x']\nmessage = { kind = 'section', begin = [''], end = ['x'] }",
                "section",
            ),
        ] {
            let error = Agent::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        for name in ["", ".hidden", "../x", "a/b", "-x", "a b"] {
            assert!(!Agent::is_name(name), "{name}");
        }
    }
}
