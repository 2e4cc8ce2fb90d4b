//! What keeps an agent from its model, from what its program says of it.
//!
//! Only asked where nothing was claimed, and believed where nothing was done, or once it comes again: an agent may
//! work on rate limits. Words are all there is to go by, so what follows from them is waiting, or an end that says them.

use std::fmt;

/// How much of the words is kept, in bytes.
const TEXT: usize = 300;

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// No money, or no plan.
    Quota,
    /// No key, or a wrong one.
    Auth,
    /// There is no such model, or not for this key.
    Model,
    /// Too much was asked for, for now.
    RateLimit,
    /// Nobody answers.
    Unreachable,
    /// The API itself has trouble.
    Overloaded,
}

/// Trouble, and the words that told of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refusal {
    /// What kind.
    pub trouble: Trouble,
    /// In the agent's words: not to be trusted.
    pub text: String,
}

/// How an agent's errors look, where they do not look like everybody's: parts of lines, whatever the
/// case, `*` for anything in between.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Errors {
    /// What comes before them: without one of these, nothing is an error.
    pub announced: Vec<String>,
    /// Lines with one of these only comment on the error before them.
    pub comments: Vec<String>,
    /// Nothing is an error where the agent ended with 0.
    pub failed_only: bool,
    /// [`Trouble::Quota`].
    pub quota: Vec<String>,
    /// [`Trouble::Auth`].
    pub auth: Vec<String>,
    /// [`Trouble::Model`].
    pub model: Vec<String>,
    /// [`Trouble::RateLimit`].
    pub rate_limit: Vec<String>,
    /// [`Trouble::Unreachable`].
    pub unreachable: Vec<String>,
    /// [`Trouble::Overloaded`].
    pub overloaded: Vec<String>,
}

/// What an agent has said that may tell of trouble.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said<'a> {
    /// Why it failed, where its program says so apart.
    pub(super) failure: &'a str,
    /// Its final message and the end of its output, where they can have errors in them.
    pub(super) rest: &'a [&'a str],
    pub(super) exit_code: i32,
}

impl Trouble {
    /// Whether it does not pass by itself.
    pub(super) fn stays(self) -> bool {
        matches!(self, Self::Quota | Self::Auth | Self::Model)
    }
}

impl Refusal {
    /// Whether both say the same, but for words with numbers in them: amounts, times, names of requests.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let [mut these, mut those] = [self, other].map(|refusal| {
            let words = refusal.text.split_whitespace();
            Vec::from_iter(words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())))
        });
        // Where a text was cut, its last word may be half of one.
        let is_cut = |refusal: &Self| refusal.text.len() + 4 > TEXT;
        if is_cut(self) && is_cut(other) {
            let most = these.len().min(those.len()).saturating_sub(1);
            these.truncate(most);
            those.truncate(most);
        }
        // Such as one line of JSON, which is one word with a number in it.
        let bare = |refusal: &Self| refusal.text.replace(|c: char| c.is_ascii_digit(), "");
        let is_alike = match these.is_empty() && those.is_empty() {
            true => bare(self) == bare(other),
            false => these == those,
        };
        self.trouble == other.trouble && is_alike
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quota => "no quota",
            Self::Auth => "the key is refused",
            Self::Model => "no such model",
            Self::RateLimit => "rate-limited",
            Self::Unreachable => "unreachable",
            Self::Overloaded => "overloaded",
        })
    }
}

impl Errors {
    /// How everybody's errors look.
    fn common() -> Self {
        toml::from_str(include_str!("agents/errors/common.toml")).unwrap_or_default()
    }

    /// What an agent's words tell, if anything.
    pub(super) fn find(&self, said: Said<'_>) -> Option<Refusal> {
        if self.failed_only && said.exit_code == 0 {
            return None;
        }
        let common = Self::common();
        let rest = said.rest.iter().filter_map(|text| self.announced_in(text));
        let mut texts = std::iter::once(said.failure).chain(rest);
        texts.find_map(|text| {
            // The last that it says is what it ended with.
            text.lines().rev().find_map(|line| {
                let lower = line.to_ascii_lowercase();
                if self.comments.iter().any(|comment| is_in(&lower, comment)) {
                    return None;
                }
                let trouble = self.classify(&lower).or_else(|| common.classify(&lower))?;
                let text = excerpt(line);
                Some(Refusal { trouble, text })
            })
        })
    }

    /// What comes from an announcement on.
    fn announced_in<'a>(&self, text: &'a str) -> Option<&'a str> {
        if self.announced.is_empty() {
            return Some(text);
        }
        let starts = self.announced.iter().filter_map(|word| text.find(word));
        text.get(starts.min()?..)
    }

    fn classify(&self, line: &str) -> Option<Trouble> {
        let classes = [
            (Trouble::Quota, &self.quota),
            (Trouble::Auth, &self.auth),
            (Trouble::Model, &self.model),
            (Trouble::RateLimit, &self.rate_limit),
            (Trouble::Unreachable, &self.unreachable),
            (Trouble::Overloaded, &self.overloaded),
        ];
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| is_in(line, pattern));
        let found = classes.into_iter().find(|(_, patterns)| fits(patterns));
        found.map(|(trouble, _)| trouble)
    }
}

/// Whether the parts of a pattern are in a line of lower case, one after the other.
fn is_in(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    pattern.split('*').all(|part| {
        let part = part.to_ascii_lowercase();
        let found = rest.find(&part).and_then(|at| rest.get(at + part.len()..));
        rest = found.unwrap_or_default();
        found.is_some()
    })
}

/// A line, short and without anything that is not text.
pub(super) fn excerpt(line: &str) -> String {
    let mut text: String = line.trim().chars().filter(|c| !c.is_control()).collect();
    while text.len() > TEXT {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests;
