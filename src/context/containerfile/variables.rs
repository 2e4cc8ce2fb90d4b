//! What a variable stands for at some point of a Containerfile, as far as it is certain.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::context::containerfile::words;
use crate::context::containerfile::words::Known;

/// Arguments that the service sets itself, from the platform; a default does not count for them.
const FROM_PLATFORM: [&str; 8] = [
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

/// The variables of one stage, or of the head of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    /// `ENV` of the base image and of this stage; it wins over `ARG`, whatever the order.
    env: HashMap<String, Known<String>>,
    args: HashMap<String, Known<String>>,
    /// An instruction was not understood, so that nothing is certain any more.
    uncertain: bool,
}

impl Variables {
    /// A stage on an image with this environment (`NAME=value`).
    pub(super) fn on_image(env: &[String]) -> Self {
        let pairs = env.iter().filter_map(|pair| pair.split_once('='));
        let env = pairs
            .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
            .collect();
        Self {
            env,
            ..Self::default()
        }
    }

    /// A stage on an image that nothing is known of.
    pub(super) fn unknown() -> Self {
        Self {
            uncertain: true,
            ..Self::default()
        }
    }

    /// A stage on this stage: it inherits the environment, not the arguments.
    pub(super) fn inherited(&self) -> Self {
        Self {
            args: HashMap::new(),
            ..self.clone()
        }
    }

    /// The value, if it is certain. A variable that is set nowhere is not: it may be one that the
    /// service knows.
    fn value(&self, name: &str) -> Known<String> {
        if self.uncertain {
            return None;
        }
        match self.env.get(name) {
            Some(value) => value.clone(),
            None => self.args.get(name).cloned().flatten(),
        }
    }

    pub(super) fn expand(&self, word: &str) -> Known<String> {
        words::expand(word, &|name| self.value(name))
    }

    /// `ARG name`, `ARG name=default`, several in one line.
    pub(super) fn arg(
        &mut self,
        rest: &str,
        escape: char,
        given: &BTreeMap<String, String>,
        head: Option<&Self>,
    ) {
        let Some(words) = words::quoted(rest, escape) else {
            self.uncertain = true;
            return;
        };
        for word in words {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(default)),
                None => (word, None),
            };
            let value = match (given.get(name), default) {
                (Some(given), _) => Some(given.clone()),
                _ if FROM_PLATFORM.contains(&name) => None,
                (None, Some(default)) => self.expand(default),
                (None, None) => head.and_then(|head| head.value(name)),
            };
            self.args.insert(name.to_owned(), value);
        }
    }

    /// `ENV name=value …` or `ENV name value`.
    pub(super) fn env(&mut self, rest: &str, escape: char) {
        let Some(words) = words::quoted(rest, escape) else {
            self.uncertain = true;
            return;
        };
        let pairs = match words.first() {
            Some(first) if !first.contains('=') => {
                vec![rest.split_once(char::is_whitespace).unwrap_or((rest, ""))]
            }
            _ => words
                .iter()
                .map(|word| word.split_once('=').unwrap_or((word, "")))
                .collect(),
        };
        // All of them see the environment before this instruction.
        let values: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| (self.expand(name), self.expand(value.trim_start())))
            .collect();
        for (name, value) in values {
            match name {
                Some(name) => {
                    self.env.insert(name, value);
                }
                None => self.uncertain = true,
            }
        }
    }
}
