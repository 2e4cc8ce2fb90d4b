//! Instructions from the text of a Containerfile: parser directives, comments, continued lines.

use crate::context::containerfile::needs::Reason;

/// One instruction, its continued lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// In capitals.
    pub(super) name: String,
    /// What follows the name, trimmed.
    pub(super) rest: String,
}

/// The instructions of a file, and the character that escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instructions {
    pub(super) list: Vec<Instruction>,
    pub(super) escape: char,
    /// Why the list ends before the file does.
    pub(super) cut: Option<Reason>,
}

pub(super) fn read(bytes: &[u8]) -> Instructions {
    let mut instructions = Instructions {
        list: Vec::new(),
        escape: '\\',
        cut: None,
    };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    instructions.cut = match std::str::from_utf8(bytes) {
        Ok(text) => read_text(text, &mut instructions).err(),
        Err(_) => Some(Reason::new(0, "not UTF-8")),
    };
    instructions
}

fn read_text(text: &str, into: &mut Instructions) -> Result<(), Reason> {
    let mut lines = text
        .split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    let mut head = true;
    while let Some((number, line)) = lines.next() {
        let line = line.trim_end_matches('\r').trim_start();
        if head {
            match directive(line) {
                Some((key, value)) if key.eq_ignore_ascii_case("escape") => {
                    into.escape = match value {
                        "\\" => '\\',
                        "`" => '`',
                        _ => return Err(Reason::new(number, "unknown escape character")),
                    };
                    continue;
                }
                Some(_) => continue,
                None => head = false,
            }
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut whole = String::new();
        let mut continued = push_line(&mut whole, line, into.escape, number)?;
        while continued {
            let Some((number, line)) = lines.next() else {
                break;
            };
            let line = line.trim_end_matches('\r');
            let text = line.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            continued = push_line(&mut whole, line, into.escape, number)?;
        }
        let whole = whole.trim();
        let (name, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
        let name = name.to_ascii_uppercase();
        if whole.contains("<<") && matches!(name.as_str(), "RUN" | "COPY" | "ADD" | "ONBUILD") {
            // What follows may be a document, which old releases read as instructions.
            return Err(Reason::new(number, "here-document"));
        }
        into.list.push(Instruction {
            line: number,
            name,
            rest: rest.trim().to_owned(),
        });
    }
    Ok(())
}

/// `# key=value` at the head of the file.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix('#')?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let named = key.starts_with(|unit: char| unit.is_ascii_alphabetic())
        && key.chars().all(|unit| unit.is_ascii_alphanumeric());
    (named && !value.is_empty()).then_some((key, value))
}

/// Appends a line; whether the next one continues it.
fn push_line(whole: &mut String, line: &str, escape: char, number: usize) -> Result<bool, Reason> {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        // Continued by old releases, not by new ones.
        Some(head) if head.ends_with(escape) => Err(Reason::new(
            number,
            "line that ends in two escape characters",
        )),
        Some(head) => {
            whole.push_str(head);
            Ok(true)
        }
        None => {
            whole.push_str(line);
            Ok(false)
        }
    }
}
