//! What an agent writes, as it is shown: as it is, or made readable where it writes lines of JSON.

use bytes::Bytes;
use clap::Args;

use super::sanitize::{plain, plain_line};
use crate::ralph::{Message, Readable, Seen};

/// How an agent's output is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// As a person reads it.
    Readable,
    /// Every byte as it came.
    AsItIs,
}

/// For verbs that look at a run.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LookArgs {
    /// Show lines of JSON that the agent writes as they are
    #[arg(long)]
    raw: bool,
}

impl LookArgs {
    pub(crate) fn look(self) -> Look {
        match self.raw {
            true => Look::AsItIs,
            false => Look::Readable,
        }
    }
}

/// Output on its way to a viewer.
#[derive(Debug)]
pub(crate) struct Page {
    /// `None` where it is shown as it is.
    readable: Option<Readable>,
    /// A text stands there without the end of its line.
    is_open: bool,
}

impl Page {
    pub(crate) fn new(look: Look, message: &Message) -> Self {
        Self {
            readable: match look {
                Look::Readable => Readable::of(message),
                Look::AsItIs => None,
            },
            is_open: false,
        }
    }

    /// What is shown of more output.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>) -> Bytes {
        let Some(readable) = &mut self.readable else {
            return bytes.into();
        };
        let seen = readable.feed(&bytes);
        self.written(seen)
    }

    /// What is shown at the end of an iteration: what had no end yet.
    pub(crate) fn finish(&mut self) -> Bytes {
        let Some(readable) = &mut self.readable else {
            return Bytes::new();
        };
        let seen = readable.finish();
        let shown = self.written(seen);
        [shown, self.pause()].concat().into()
    }

    /// What is shown before other words: the end of a line.
    pub(crate) fn pause(&mut self) -> Bytes {
        match std::mem::take(&mut self.is_open) {
            true => Bytes::from_static(b"\n"),
            false => Bytes::new(),
        }
    }

    fn written(&mut self, seen: Vec<Seen>) -> Bytes {
        let mut shown = String::new();
        for one in seen {
            if !matches!(one, Seen::More(_)) && std::mem::take(&mut self.is_open) {
                shown.push('\n');
            }
            let text = match one {
                Seen::Text(text) | Seen::More(text) => plain(&text),
                Seen::Line(line) => plain_line(&line) + "\n",
            };
            if let Some(last) = text.chars().last() {
                self.is_open = last != '\n';
            }
            shown.push_str(&text);
        }
        shown.into()
    }
}

#[cfg(test)]
mod tests;
