//! An agent's final message, out of all that it prints: only there does a claim count.
//!
//! It is looked for as the output comes, whatever its length, and what is kept is bounded. An agent
//! can print whatever its program prints: what is found is its word, no more. A section that is not
//! closed is none.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::promise::Extent;
use super::readable::Show;

/// How much of the end of a message is kept, in bytes.
const MAX: usize = 64 << 10;
/// The longest line that is read as JSON, in bytes.
pub(super) const LINE: usize = 4 << 20;

/// How an agent's final message is told from the rest of its output.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Message {
    /// All of it is the message.
    Whole {},
    /// Lines that begin so are the program's own; the others are the message.
    Without {
        /// Beginnings of lines.
        lines: Vec<String>,
    },
    /// What comes before the last line that begins so, back to one before that; what follows it is the
    /// program's own.
    Before {
        /// Beginnings of lines.
        lines: Vec<String>,
    },
    /// It stands between two groups of lines; the last such section counts.
    Section {
        /// Beginnings of the lines before it, blank ones left out.
        begin: Vec<String>,
        /// Beginnings of the lines after it, blank ones left out.
        end: Vec<String>,
        /// Other groups that end it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        or: Vec<Vec<String>>,
    },
    /// Each line is a JSON object; the last that fits has it.
    Json {
        /// Which, and where in it.
        text: Vec<Field>,
        /// How much of it is on such a line.
        #[serde(default)]
        comes: Comes,
        /// Where it says why it failed: all of these that a line has.
        #[serde(default)]
        failure: Vec<Field>,
        /// What of it a person sees who looks on.
        #[serde(default)]
        show: Vec<Show>,
    },
}

/// How a text comes that is told in lines of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comes {
    /// All of it on one line.
    #[default]
    Whole,
    /// In pieces, each on a line: those with no other line between them belong together.
    InPieces,
}

/// A field of some objects.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What other fields must be: paths with dots, and strings or numbers as text.
    pub when: BTreeMap<String, String>,
    /// Its path, with dots; in an array a number.
    pub field: String,
}

impl Default for Message {
    fn default() -> Self {
        Self::Whole {}
    }
}

impl Message {
    /// How far it is told from what else the agent prints.
    pub(super) fn extent(&self) -> Extent {
        match self {
            Self::Section { .. } | Self::Json { .. } => Extent::Message,
            // What its programs print may be among it.
            Self::Whole {} | Self::Without { .. } | Self::Before { .. } => Extent::Output,
        }
    }

    /// What makes no sense in it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let vain = |lines: &[String]| lines.is_empty() || lines.iter().any(|l| l.trim().is_empty());
        match self {
            Self::Whole {} => None,
            Self::Without { lines } if vain(lines) => Some("`lines` has nothing to leave out"),
            Self::Before { lines } if vain(lines) => Some("`lines` has nothing to end with"),
            Self::Section { begin, end, or }
                if vain(begin) || vain(end) || or.iter().any(|end| vain(end)) =>
            {
                Some("a section needs lines that begin and end it")
            }
            Self::Json { text, .. } if text.is_empty() => Some("`text` names no field"),
            Self::Json { show, .. } if show.iter().any(|one| one.fields.is_empty()) => {
                Some("`show` names no field")
            }
            _ => None,
        }
    }
}

/// Hears an agent's standard output, and keeps its message.
#[derive(Debug)]
pub(super) struct Listener {
    how: Message,
    line: Vec<u8>,
    /// The line is longer than what is kept of it.
    is_long: bool,
    section: Section,
    /// The line before had a piece of the message.
    goes_on: bool,
    message: Tail,
    failure: Tail,
}

impl Listener {
    pub(super) fn new(how: Message) -> Self {
        Self {
            how,
            line: Vec::new(),
            is_long: false,
            section: Section::default(),
            goes_on: false,
            message: Tail::default(),
            failure: Tail::default(),
        }
    }

    /// Forgets what was heard.
    pub(super) fn begin(&mut self) {
        *self = Self::new(std::mem::take(&mut self.how));
    }

    /// More output.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if self.how == Message::default() {
            return self.message.push(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.line.len());
            self.is_long |= part.len() > room;
            self.line
                .extend_from_slice(part.get(..room).unwrap_or(part));
            if part.ends_with(b"\n") {
                self.end_of_line();
            }
        }
    }

    /// The output has ended.
    pub(super) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_of_line();
        }
    }

    /// The message, as far as it was heard; empty if there is none.
    pub(super) fn message(&self) -> String {
        self.message.text()
    }

    /// What the program says of its failure, where it says so apart.
    pub(super) fn failure(&self) -> String {
        self.failure.text()
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        // The rest of a line is no line: it could read as a claim.
        let is_long = std::mem::take(&mut self.is_long);
        match &self.how {
            Message::Whole {} => {}
            Message::Without { lines } => {
                if !lines.iter().any(|own| line.starts_with(own.as_bytes())) {
                    self.message.push_line(&line, is_long);
                }
            }
            Message::Before { lines } => {
                let body = &mut self.section.body;
                if lines.iter().any(|own| line.starts_with(own.as_bytes())) {
                    self.message = std::mem::take(body);
                } else {
                    body.push_line(&line, is_long);
                }
            }
            Message::Section { begin, end, or } => {
                let ends: Vec<_> = std::iter::once(end).chain(or).collect();
                self.section
                    .line(&line, is_long, begin, &ends, &mut self.message);
            }
            Message::Json {
                text,
                comes,
                failure,
                ..
            } => {
                let object = match is_long {
                    true => Value::Null,
                    false => serde_json::from_slice(&line).unwrap_or_default(),
                };
                let found = text.iter().find_map(|field| field.of(&object));
                let goes_on = *comes == Comes::InPieces && found.is_some();
                let continues = std::mem::replace(&mut self.goes_on, goes_on);
                if matches!(object, Value::Null) && !is_long && !line.starts_with(b"{") {
                    // It fails before it tells anything in JSON; an empty line tells nothing.
                    self.failure.push(&line);
                }
                if let Some(found) = found {
                    if !continues {
                        self.message = Tail::default();
                    }
                    self.message.push(found.as_bytes());
                    // It went on after that.
                    self.failure = Tail::default();
                }
                let told: Vec<_> = failure
                    .iter()
                    .filter_map(|field| field.of(&object))
                    .collect();
                if !told.is_empty() {
                    self.failure = Tail::of(&told.join("\n"));
                }
            }
        }
    }
}

impl Field {
    fn of(&self, object: &Value) -> Option<String> {
        match self.when.iter().all(|(path, is)| holds(object, path, is)) {
            true => at(object, &self.field).and_then(as_text),
            false => None,
        }
    }
}

/// Whether what is at a path reads so.
pub(super) fn holds(object: &Value, path: &str, wanted: &str) -> bool {
    at(object, path).is_some_and(|value| as_text(value).is_some_and(|is| is == wanted))
}

pub(super) fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, name| match value {
        Value::Array(values) => values.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Where in a section the output is.
#[derive(Debug, Default)]
struct Section {
    /// Inside of one.
    is_open: bool,
    /// Its text so far.
    body: Tail,
    /// The last lines that are not blank, each with how long the body was before it.
    recent: VecDeque<(Vec<u8>, u64)>,
}

impl Section {
    fn line(
        &mut self,
        line: &[u8],
        is_long: bool,
        begin: &[String],
        ends: &[&Vec<String>],
        message: &mut Tail,
    ) {
        let length = self.body.length;
        if self.is_open {
            self.body.push_line(line, is_long);
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        let start = line.get(..line.len().min(1024)).unwrap_or_default();
        self.recent.push_back((start.to_vec(), length));
        let longest = ends.iter().map(|end| end.len()).max();
        while self.recent.len() > begin.len().max(longest.unwrap_or(0)) {
            self.recent.pop_front();
        }
        if self.is_open
            && let Some(at) = ends.iter().find_map(|end| self.matched(end))
        {
            self.body.cut(at);
            *message = std::mem::take(&mut self.body);
            self.is_open = false;
            self.recent.clear();
        } else if self.matched(begin).is_some() {
            // What was open before was never closed.
            *message = Tail::default();
            self.body = Tail::default();
            self.is_open = true;
            self.recent.clear();
        }
    }

    /// How long the body was before the last lines, if they begin so.
    fn matched(&self, group: &[String]) -> Option<u64> {
        let from = self.recent.len().checked_sub(group.len())?;
        let lines = self.recent.iter().skip(from);
        let mut pairs = lines.clone().zip(group);
        pairs
            .all(|((line, _), wanted)| line.starts_with(wanted.as_bytes()))
            .then(|| lines.map(|(_, before)| *before).next())?
    }
}

/// The end of a text.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// The most that is kept, in bytes.
    most: usize,
    /// It begins in the middle of a line, for all we know.
    is_torn: bool,
    /// Of all that was ever pushed, in bytes.
    length: u64,
}

impl Default for Tail {
    fn default() -> Self {
        Self::new(MAX)
    }
}

impl Tail {
    pub(super) fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            is_torn: false,
            length: 0,
        }
    }

    fn of(text: &str) -> Self {
        let mut tail = Self::default();
        tail.push(text.as_bytes());
        tail
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        let over = self.bytes.len().saturating_sub(self.most);
        self.is_torn |= over > 0;
        self.bytes.drain(..over);
    }

    fn push_line(&mut self, line: &[u8], is_long: bool) {
        if is_long {
            self.push("…".as_bytes());
        }
        self.push(line);
        if is_long && !line.ends_with(b"\n") {
            self.push(b"\n");
        }
    }

    /// Forgets what came after so many bytes.
    fn cut(&mut self, length: u64) {
        let over = usize::try_from(self.length.saturating_sub(length)).unwrap_or(usize::MAX);
        self.bytes.truncate(self.bytes.len().saturating_sub(over));
        self.length = self.length.min(length);
    }

    /// From the beginning of a line.
    pub(super) fn text(&self) -> String {
        let mut bytes = self.bytes.as_slice();
        if self.is_torn {
            // The rest of a line is no line: it could read as a claim.
            let end = bytes.iter().position(|byte| *byte == b'\n');
            bytes = end.and_then(|end| bytes.get(end..)).unwrap_or_default();
        }
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod tests;
