//! The error of every parser here: what it was, what was given, and why it will not do.

use std::fmt;

/// A word that is not what it should be. `Display` repeats the word, unless it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    what: &'static str,
    given: Option<String>,
    why: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, given: &str, why: impl Into<String>) -> Self {
        Self {
            what,
            given: Some(given.to_owned()),
            why: why.into(),
        }
    }

    /// For words that may hold a secret: they are not repeated.
    pub(crate) fn concealed(what: &'static str, why: impl Into<String>) -> Self {
        Self {
            what,
            given: None,
            why: why.into(),
        }
    }

    /// What the word should have been, such as `memory limit`.
    #[must_use]
    pub fn what(&self) -> &str {
        self.what
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            // Debug formatting quotes and escapes: the word may come from a file.
            Some(given) => write!(f, "invalid {} {given:?}: {}", self.what, self.why),
            None => write!(f, "invalid {}: {}", self.what, self.why),
        }
    }
}

impl std::error::Error for Invalid {}
