//! A pattern as a small machine that reads a path unit by unit: time is pattern times path, whatever
//! the pattern. What the characters of a pattern mean is the business of [`Machine::parse`]; which
//! paths it is asked about is the business of `ignore` and `select`.

#[cfg(test)]
mod tests;

use std::iter::Peekable;
use std::str::Chars;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Literal(char),
    /// `?`: any character but `/`.
    One,
    /// `*`: any run of characters without `/`.
    Star,
    Class(Class),
    /// `**` at the end: any run of characters.
    Rest,
    /// `**` elsewhere, first half: nothing, or on to the second half.
    Directories,
    /// `**` elsewhere, second half: any run of characters that ends in `/`.
    InDirectories,
}

/// `[a-z]`, `[^x]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, unit: char) -> bool {
        let inside = self
            .ranges
            .iter()
            .any(|&(low, high)| low <= unit && unit <= high);
        inside != self.negated
    }
}

/// Whether `**` may cross `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stars {
    /// As in an ignore file: `**` spans directories.
    SpanDirectories,
    /// As in a source of `COPY`: two stars are one.
    StayInName,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    steps: Vec<Step>,
}

/// Where a machine stands after part of a path: the steps that may come next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position {
    next: Vec<usize>,
}

impl Position {
    /// No continuation of the path can match any more.
    pub(super) fn is_dead(&self) -> bool {
        self.next.is_empty()
    }
}

impl Machine {
    /// Reads a pattern by the rules of Go's `filepath.Match`; the error says what is wrong.
    pub(super) fn parse(pattern: &str, stars: Stars) -> Result<Self, &'static str> {
        let mut steps = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(unit) = chars.next() {
            match unit {
                '*' if stars == Stars::SpanDirectories && chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_none() {
                        steps.push(Step::Rest);
                    } else {
                        steps.push(Step::Directories);
                        steps.push(Step::InDirectories);
                    }
                }
                '*' => steps.push(Step::Star),
                '?' => steps.push(Step::One),
                '[' => steps.push(Step::Class(class(&mut chars)?)),
                '\\' => steps.push(Step::Literal(chars.next().ok_or("ends in a backslash")?)),
                _ => steps.push(Step::Literal(unit)),
            }
        }
        Ok(Self { steps })
    }

    /// The text, if the pattern has no wildcard.
    pub(super) fn literal(&self) -> Option<String> {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Literal(unit) => Some(*unit),
                _ => None,
            })
            .collect()
    }

    pub(super) fn start(&self) -> Position {
        let mut set = Set::new(self.steps.len());
        self.reach(&mut set, 0);
        Position { next: set.next }
    }

    /// Whether what was read so far matches.
    pub(super) fn accepts(&self, position: &Position) -> bool {
        position.next.contains(&self.steps.len())
    }

    /// Reads a further piece of the path.
    pub(super) fn read(&self, from: &Position, text: &[u8]) -> Position {
        if from.is_dead() {
            return Position::default();
        }
        let mut set = Set::new(self.steps.len());
        let mut current = from.next.clone();
        for unit in units(text) {
            for &at in &current {
                match self.steps.get(at) {
                    Some(Step::Literal(wanted)) if *wanted == unit => self.reach(&mut set, at + 1),
                    Some(Step::One) if unit != '/' => self.reach(&mut set, at + 1),
                    Some(Step::Class(class)) if class.contains(unit) => {
                        self.reach(&mut set, at + 1);
                    }
                    Some(Step::Star) if unit != '/' => self.reach(&mut set, at),
                    Some(Step::Rest) => self.reach(&mut set, at),
                    Some(Step::InDirectories) => {
                        self.reach(&mut set, at);
                        if unit == '/' {
                            self.reach(&mut set, at + 1);
                        }
                    }
                    // `Directories` never waits for a unit: `reach` goes past it.
                    _ => {}
                }
            }
            set.exchange(&mut current);
            if current.is_empty() {
                break;
            }
        }
        Position { next: current }
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.accepts(&self.read(&self.start(), text))
    }

    /// Adds a step, and the steps that follow it without reading anything. A loop, as a hostile
    /// pattern may be a long row of stars; where a row was entered before, the rest of it is there.
    fn reach(&self, set: &mut Set, step: usize) {
        let mut at = step;
        loop {
            match self.steps.get(at) {
                Some(Step::Directories) => {
                    // Inside directories, or none at all.
                    set.insert(at + 1);
                    at += 2;
                }
                Some(Step::Star | Step::Rest) => {
                    if !set.insert(at) {
                        return;
                    }
                    at += 1;
                }
                _ => {
                    set.insert(at);
                    return;
                }
            }
        }
    }

    /// The pattern written so that every release of Podman reads it alike. Its matcher passes
    /// `+(){}|^` and `\d` on to a regular expression; escaped, or not escaped, they are themselves.
    pub(super) fn to_pattern(&self) -> String {
        let mut out = String::new();
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Literal(unit) => push_literal(&mut out, *unit),
                Step::One => out.push('?'),
                Step::Star => out.push('*'),
                Step::Rest => out.push_str("**"),
                Step::Directories => {
                    out.push_str("**");
                    // Before a `*` the slash keeps `**` and `*` apart; elsewhere it changes nothing.
                    out.push('/');
                }
                Step::InDirectories => {}
                Step::Class(class) => {
                    out.push_str(if class.negated { "[^" } else { "[" });
                    for &(low, high) in &class.ranges {
                        push_in_class(&mut out, low);
                        if low != high {
                            out.push('-');
                            push_in_class(&mut out, high);
                        }
                    }
                    out.push(']');
                }
            }
        }
        out
    }
}

/// A set of steps in the order of insertion, without duplicates.
struct Set {
    next: Vec<usize>,
    member: Vec<bool>,
}

impl Set {
    fn new(steps: usize) -> Self {
        Self {
            next: Vec::new(),
            member: vec![false; steps + 1],
        }
    }

    fn insert(&mut self, step: usize) -> bool {
        match self.member.get_mut(step) {
            Some(member) if !*member => {
                *member = true;
                self.next.push(step);
                true
            }
            _ => false,
        }
    }

    /// Hands over what was gathered and takes the other list's memory.
    fn exchange(&mut self, other: &mut Vec<usize>) {
        std::mem::swap(&mut self.next, other);
        self.next.clear();
        for &step in other.iter() {
            if let Some(member) = self.member.get_mut(step) {
                *member = false;
            }
        }
    }
}

fn push_literal(out: &mut String, unit: char) {
    let first = out.is_empty();
    if first && unit.is_whitespace() {
        // Bare, it would be trimmed.
        out.extend(['[', unit, ']']);
        return;
    }
    if r"*?[]\+(){}|^".contains(unit) || (first && unit == '!') {
        out.push('\\');
    }
    out.push(unit);
}

fn push_in_class(out: &mut String, unit: char) {
    if unit.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(unit);
}

/// The rest of a class, after its `[`.
fn class(chars: &mut Peekable<Chars<'_>>) -> Result<Class, &'static str> {
    const OPEN: &str = "`[` without `]`";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let high = match chars.next_if_eq(&'-') {
            Some(_) => class_char(chars)?,
            None => low,
        };
        if low > high {
            return Err("range from a higher to a lower character");
        }
        if chars.peek().is_none() {
            return Err(OPEN);
        }
        ranges.push((low, high));
    }
}

fn class_char(chars: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    match chars.next() {
        None => Err("`[` without `]`"),
        Some('-' | ']') => Err("`-` or `]` in a class must be escaped"),
        Some('\\') => chars.next().ok_or("ends in a backslash"),
        Some(unit) => Ok(unit),
    }
}

/// The characters of a name; a byte that is not UTF-8 counts as one U+FFFD, as in Go.
fn units(text: &[u8]) -> impl Iterator<Item = char> {
    text.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(invalid)
    })
}
