//! git's attributes, as far as they say that a file is another one in the repository than in the workspace.

use std::collections::HashMap;

use crate::workspace::error::{Error, Result};

use super::ignore::{Rule, rule};

/// What an attribute is set to; `!` takes back what counts less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    True,
    False,
    Unset,
    Text(&'a str),
}

/// What git would do to a file when it is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    None,
    /// It takes the CR from each CR LF.
    Lines,
    /// The same, if the file is text by what is in it.
    LinesOfText,
    /// What only git can do; the attribute.
    Other(&'static str),
}

#[derive(Debug)]
struct Line {
    directory: Vec<u8>,
    pattern: Rule,
    words: Vec<String>,
}

/// The attributes of a tree: what comes last has the last word.
#[derive(Debug)]
pub(super) struct Attributes {
    lines: Vec<Line>,
    macros: HashMap<String, Vec<String>>,
    /// `core.autocrlf`.
    pub(super) auto: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        let binary = ["-diff", "-merge", "-text"].map(str::to_owned);
        Self {
            lines: Vec::new(),
            macros: [("binary".to_owned(), binary.into())].into(),
            auto: false,
        }
    }
}

impl Attributes {
    /// A file of attributes, for all that is below a directory.
    pub(super) fn add(&mut self, directory: &[u8], text: &[u8]) -> Result<()> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (pattern, rest) = match line.strip_prefix(b"\"") {
                Some(quoted) => split(quoted, |byte| byte == b'"'),
                None => split(line, |byte| byte.is_ascii_whitespace()),
            };
            if line.starts_with(b"\"") && pattern.contains(&b'\\') {
                let line = String::from_utf8_lossy(line);
                return Err(Error::refused(format!(
                    "a line of the repository's attributes is not understood: {line:?}"
                )));
            }
            let words = String::from_utf8_lossy(rest);
            let words = words.split_ascii_whitespace().map(str::to_owned).collect();
            if let Some(name) = pattern.strip_prefix(b"[attr]") {
                // Further down git takes none.
                if directory.is_empty() {
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.macros.insert(name, words);
                }
            } else if !matches!(pattern, [b'!', ..] | [.., b'/'])
                && let Some(pattern) = rule(pattern)
            {
                let directory = directory.to_vec();
                self.lines.push(Line {
                    directory,
                    pattern,
                    words,
                });
            }
        }
        Ok(())
    }

    /// What git would do to the file of a path.
    pub(super) fn conversion(&self, path: &[u8]) -> Conversion {
        let said = self.said(path);
        let get = |name| said.get(name).copied();
        let is_text = |name| matches!(get(name), Some(Value::Text(_)));
        if is_text("filter") {
            return Conversion::Other("filter");
        } else if is_text("working-tree-encoding") {
            return Conversion::Other("working-tree-encoding");
        } else if get("ident") == Some(Value::True) {
            return Conversion::Other("ident");
        }
        // What it was called before counts where it says nothing.
        let lines = ["text", "crlf"]
            .into_iter()
            .find_map(|name| match get(name)? {
                Value::True | Value::Text("input") => Some(Conversion::Lines),
                Value::False => Some(Conversion::None),
                Value::Text("auto") => Some(Conversion::LinesOfText),
                Value::Unset | Value::Text(_) => None,
            });
        let is_ended = matches!(get("eol"), Some(Value::Text("lf" | "crlf")));
        match lines {
            Some(lines) => lines,
            None if is_ended => Conversion::Lines,
            None if self.auto => Conversion::LinesOfText,
            None => Conversion::None,
        }
    }

    /// What each attribute of a path is: from the last line on, the first that says something counts.
    fn said(&self, path: &[u8]) -> HashMap<&str, Value<'_>> {
        let mut said = HashMap::new();
        for line in self.lines.iter().rev() {
            let below = match line.directory.is_empty() {
                true => Some(path),
                false => path
                    .strip_prefix(line.directory.as_slice())
                    .and_then(|rest| rest.strip_prefix(b"/")),
            };
            if !below.is_some_and(|below| line.pattern.fits(below, false)) {
                continue;
            }
            // What a macro stands for comes before what is before it; each has its place once.
            let mut words = vec![line.words.iter().rev()];
            while let Some(last) = words.last_mut() {
                let Some(word) = last.next() else {
                    words.pop();
                    continue;
                };
                let (name, value) = parse(word);
                if said.contains_key(name) {
                    continue;
                }
                said.insert(name, value);
                if value == Value::True
                    && let Some(macro_) = self.macros.get(name)
                {
                    words.push(macro_.iter().rev());
                }
            }
        }
        said
    }
}

fn parse(word: &str) -> (&str, Value<'_>) {
    match (word.strip_prefix('-'), word.strip_prefix('!')) {
        (Some(name), _) => (name, Value::False),
        (_, Some(name)) => (name, Value::Unset),
        _ => match word.split_once('=') {
            Some((name, value)) => (name, Value::Text(value)),
            None => (word, Value::True),
        },
    }
}

/// Up to a byte, and what follows it.
fn split(text: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| ends(byte));
    let (head, tail) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or_default();
    (head, tail.get(1..).unwrap_or_default())
}

/// Bytes of each kind, as git counts them to tell text from what is none.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The last byte was a CR.
    after_cr: bool,
    last: u8,
    crlf: u64,
    cr: u64,
    nul: u64,
    printable: u64,
    others: u64,
}

impl Counts {
    pub(super) fn add(&mut self, piece: &[u8]) {
        for &byte in piece {
            if self.after_cr {
                match byte {
                    b'\n' => self.crlf += 1,
                    _ => self.cr += 1,
                }
            }
            self.after_cr = byte == b'\r';
            match byte {
                b'\r' | b'\n' => {}
                0x08 | b'\t' | 0x1b | 0x0c => self.printable += 1,
                0..0x20 | 0x7f => self.others += 1,
                _ => self.printable += 1,
            }
            self.nul += u64::from(byte == 0);
            self.last = byte;
        }
    }

    /// Whether lines end with CR LF where git would not keep that.
    pub(super) fn is_changed_by(&self, conversion: Conversion) -> bool {
        // An end of file, as DOS had it.
        let others = self.others - u64::from(self.last == 0x1a && self.others > 0);
        let is_binary =
            self.nul > 0 || self.cr > 0 || self.after_cr || self.printable >> 7 < others;
        match conversion {
            Conversion::None => false,
            Conversion::Lines => self.crlf > 0,
            Conversion::LinesOfText => self.crlf > 0 && !is_binary,
            Conversion::Other(_) => true,
        }
    }
}
