//! What an agent writes in lines of JSON, as a person reads it who looks on: its words, and of all else
//! a short line. It is a view, no more: what is kept and what counts is the output itself.
//!
//! What comes out is the agent's, and as hostile as what went in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::message::{Comes, LINE, Message, as_text, at, holds};

/// How long a short line is at most, in characters.
const SHORT: usize = 160;
/// How much of a field is in it, but for the last, in characters.
const FIELD: usize = 100;
/// How much is kept of a line that is too long to be read, in bytes.
const BEGINNING: usize = 4 * SHORT;
/// Of so many parts of a line each is shown.
const PARTS: usize = 64;
/// What a short line begins with.
const MARK: &str = "· ";
/// What a short line ends with, where there was more.
const CUT: char = '…';
/// Stands for each place of an array, in a path.
const EACH: char = '*';

/// What is shown of some objects.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// What fields must be, as in [`Field`](super::Field); a `*` is each place of an array.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// How it is shown.
    #[serde(default, rename = "as")]
    pub how: As,
    /// Paths, as in `when`; those that are not there are left out.
    pub fields: Vec<String>,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum As {
    /// On a short line, the first field before a colon.
    #[default]
    Line,
    /// All of it: what the agent says.
    Text,
}

/// What a person sees, the agent's own as ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A text begins.
    Text(String),
    /// It goes on.
    More(String),
    /// A line by itself, without its end.
    Line(String),
}

/// Makes output readable as it comes.
#[derive(Debug)]
pub struct Readable {
    show: Vec<Show>,
    comes: Comes,
    line: Vec<u8>,
    /// The line is longer than what can be read of it.
    is_long: bool,
    /// By which rule the last text came, if it can go on.
    goes_on: Option<usize>,
}

impl Readable {
    /// `None` where the output is readable as it is.
    pub fn of(message: &Message) -> Option<Self> {
        let Message::Json {
            text,
            comes,
            failure,
            show,
        } = message
        else {
            return None;
        };
        let mut show = show.clone();
        if show.is_empty() {
            let texts = text.iter().map(|field| (As::Text, field));
            let failures = failure.iter().map(|field| (As::Line, field));
            let rule = |(how, field): (As, &super::Field)| Show {
                when: field.when.clone(),
                how,
                fields: vec![field.field.clone()],
            };
            show = texts.chain(failures).map(rule).collect();
        }
        Some(Self {
            show,
            comes: *comes,
            line: Vec::new(),
            is_long: false,
            goes_on: None,
        })
    }

    /// More output.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if part.len() > LINE.saturating_sub(self.line.len()) {
                self.is_long = true;
            }
            if self.is_long {
                let room = BEGINNING.saturating_sub(self.line.len());
                let beginning = part.get(..room).unwrap_or(part);
                self.line.extend_from_slice(beginning);
                self.line.truncate(BEGINNING);
                self.line.shrink_to(BEGINNING);
            } else {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                self.end_of_line(&mut seen);
            }
        }
        seen
    }

    /// The output ends here, or goes on elsewhere.
    pub fn finish(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        if !self.line.is_empty() {
            self.end_of_line(&mut seen);
        }
        self.goes_on = None;
        seen
    }

    fn end_of_line(&mut self, seen: &mut Vec<Seen>) {
        let line = std::mem::take(&mut self.line);
        let is_long = std::mem::take(&mut self.is_long);
        let object = match is_long {
            true => Value::Null,
            false => serde_json::from_slice(&line).unwrap_or_default(),
        };
        let before = seen.len();
        if object.is_object() {
            self.parts(&object, seen);
        }
        if seen.len() > before {
            return;
        }
        self.goes_on = None;
        let beginning = line.get(..BEGINNING).unwrap_or(&line);
        let text = String::from_utf8_lossy(beginning);
        let mark = if object.is_object() { MARK } else { "" };
        let mut text = cut(&format!("{mark}{}", text.trim_end()), SHORT);
        if is_long && !text.ends_with(CUT) {
            text.push(CUT);
        }
        seen.push(Seen::Line(text));
    }

    /// What the rules show of an object: of each part what the first that fits says.
    fn parts(&mut self, object: &Value, seen: &mut Vec<Seen>) {
        let arrays = self.show.iter().flat_map(Show::arrays);
        let lengths = arrays.filter_map(|path| Some(at(object, path)?.as_array()?.len()));
        let parts = lengths.max().unwrap_or(1).max(1);
        for part in 0..parts.min(PARTS) {
            let rules = self.show.iter().enumerate();
            let found = rules
                .filter(|(_, rule)| part == 0 || rule.arrays().next().is_some())
                .find_map(|(number, rule)| Some((number, rule.how, rule.of(object, part)?)));
            let Some((number, how, text)) = found else {
                continue;
            };
            if how == As::Line {
                self.goes_on = None;
                seen.push(Seen::Line(cut(&format!("{MARK}{text}"), SHORT)));
            } else if self.comes == Comes::Whole {
                let end = if text.trim().is_empty() { "" } else { "\n" };
                seen.push(Seen::Text(text.trim_end().to_owned() + end));
            } else if self.goes_on.replace(number) == Some(number) {
                seen.push(Seen::More(text));
            } else {
                seen.push(Seen::Text(text));
            }
        }
        if parts > PARTS {
            self.goes_on = None;
            seen.push(Seen::Line(format!("{MARK}… and {} more", parts - PARTS)));
        }
    }
}

impl Show {
    /// The arrays that it goes through.
    fn arrays(&self) -> impl Iterator<Item = &str> {
        let paths = self.when.keys().chain(&self.fields);
        paths.filter_map(|path| Some(path.split_once(EACH)?.0.trim_end_matches('.')))
    }

    /// What it shows of a part of an object.
    fn of(&self, object: &Value, part: usize) -> Option<String> {
        let fits = |(path, wanted): (&String, &String)| holds(object, &at_part(path, part), wanted);
        if !self.when.iter().all(fits) {
            return None;
        }
        let fields = self.fields.iter();
        let values = fields.filter_map(|path| at(object, &at_part(path, part)));
        match self.how {
            As::Text => {
                let texts: Vec<String> = values.filter_map(as_text).collect();
                (!texts.is_empty()).then(|| texts.join("\n"))
            }
            As::Line => {
                let mut fields: Vec<String> = values.map(words).filter(|w| !w.is_empty()).collect();
                let last = fields.pop()?;
                let mut line = String::new();
                for (number, field) in fields.iter().enumerate() {
                    line += &cut(field, FIELD);
                    line += if number == 0 { ": " } else { " " };
                }
                Some(line + &last)
            }
        }
    }
}

fn at_part(path: &str, part: usize) -> Cow<'_, str> {
    match path.contains(EACH) {
        true => Cow::Owned(path.replace(EACH, &part.to_string())),
        false => Cow::Borrowed(path),
    }
}

/// What a value says, on one line; of much the beginning.
fn words(value: &Value) -> String {
    let mut words = String::new();
    gather(value, &mut words);
    words
}

fn gather(value: &Value, words: &mut String) {
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| gather(value, words)),
        Value::Object(fields) => fields
            .iter()
            // It says nothing of what is in it.
            .filter(|(name, _)| *name != "type")
            .for_each(|(_, value)| gather(value, words)),
        Value::String(text) => add(text, words),
        Value::Bool(_) | Value::Number(_) => add(&value.to_string(), words),
    }
}

fn add(text: &str, words: &mut String) {
    for word in text.split_whitespace() {
        // More is cut away anyway.
        if words.len() > BEGINNING {
            return;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().take(SHORT + 1));
    }
}

/// So many characters at most.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(most - 1).collect();
            format!("{}{CUT}", kept.trim_end())
        }
    }
}

#[cfg(test)]
mod tests;
