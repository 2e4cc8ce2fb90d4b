//! Which paths the person does not want in the context: the rules of `.dockerignore`, as Podman
//! reads them (`containers/storage`, `pkg/fileutils`; Docker's `patternmatcher` is its ancestor).
//!
//! A pattern is anchored at the context's root. `*`, `?` and `[…]` are those of Go's
//! `filepath.Match`; `**` spans directories. Whatever lies below a match matches too. The last
//! matching pattern decides; one that begins with `!` brings back, also from below an excluded
//! directory. The two ancestors differ in `**x`: Docker's takes any path that ends in `x`, Podman's
//! (and this one) any file named `x`. The narrower reading sends more, and is never wrong.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::glob::Machine;
use crate::context::glob::Position;
use crate::context::glob::Stars;

/// Enough for any real file, and a bound for the memory of a walk.
const MAX_PATTERNS: usize = 4096;
const MAX_PATTERN_BYTES: usize = 4096;

/// The patterns of an ignore file, in order.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    effect: Effect,
    machine: Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Exclude,
    /// A pattern that began with `!`.
    Include,
}

impl Ignore {
    /// Reads an ignore file: one pattern in a line, `#` at the very start of a line for comments.
    ///
    /// # Errors
    ///
    /// A malformed pattern, with its line; more than 4096 patterns or one of more than 4096 bytes.
    pub fn parse(file: &[u8]) -> Result<Self, Error> {
        let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        let mut ignore = Self::default();
        for (index, line) in file.split(|&byte| byte == b'\n').enumerate() {
            let line_error = |why| {
                Error::without_path(Kind::Pattern {
                    line: index + 1,
                    why,
                })
            };
            if line.starts_with(b"#") {
                continue;
            }
            let line = std::str::from_utf8(line).map_err(|_| line_error("not UTF-8"))?;
            ignore
                .push(line)
                .map_err(|fault| fault.in_line(index + 1))?;
        }
        Ok(ignore)
    }

    /// Takes patterns that do not come from a file; none is a comment.
    ///
    /// # Errors
    ///
    /// As [`Ignore::parse`], without a line.
    pub fn from_patterns<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut ignore = Self::default();
        for pattern in patterns {
            ignore.push(pattern).map_err(|fault| fault.in_line(0))?;
        }
        Ok(ignore)
    }

    fn push(&mut self, line: &str) -> Result<(), Fault> {
        let pattern = line.trim();
        let (effect, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (Effect::Include, rest.trim()),
            None => (Effect::Exclude, pattern),
        };
        if effect == Effect::Include && pattern.is_empty() {
            return Err(Fault::Pattern("`!` without a pattern"));
        }
        let pattern = clean(pattern);
        if pattern.is_empty() {
            // Blank, `.` or `/`: the context itself is never excluded.
            return Ok(());
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(Fault::Pattern("longer than 4096 bytes"));
        }
        if self.patterns.len() == MAX_PATTERNS {
            return Err(Fault::TooMany);
        }
        let machine = Machine::parse(&pattern, Stars::SpanDirectories).map_err(Fault::Pattern)?;
        let spelled = machine.to_pattern();
        if clean(&spelled) == spelled {
            self.patterns.push(Pattern { effect, machine });
        }
        // Otherwise escapes hide a `..` or an empty name, which no path has; the service would
        // clean it to something else.
        Ok(())
    }

    /// No pattern at all.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The patterns for the `excludes` parameter of a build: the same rules in a spelling that all
    /// releases of Podman read alike.
    pub fn patterns(&self) -> Vec<String> {
        self.patterns
            .iter()
            .map(|pattern| {
                let text = pattern.machine.to_pattern();
                match pattern.effect {
                    Effect::Exclude => text,
                    Effect::Include => format!("!{text}"),
                }
            })
            .collect()
    }

    /// Whether a path (relative to the root, with single slashes) is excluded. A walk asks
    /// [`Level::child`] instead, which does not begin at the root each time.
    pub fn excludes(&self, path: &[u8]) -> bool {
        let mut names = path
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
            .peekable();
        let mut level = Level::root(self);
        while let Some(name) = names.next() {
            let verdict = level.child(name);
            if names.peek().is_none() {
                return verdict == Verdict::Excluded;
            }
            level = level.enter(name);
        }
        false
    }
}

/// What the patterns say of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Included,
    Excluded,
}

/// What the patterns know in one directory of a walk.
#[derive(Debug)]
pub(super) struct Level<'a> {
    ignore: &'a Ignore,
    /// One for each pattern.
    standing: Vec<Standing>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// The directory or one above it matched, so everything below does.
    Matched,
    /// Something below may match, or nothing will if the position is dead.
    Open(Position),
}

impl<'a> Level<'a> {
    pub(super) fn root(ignore: &'a Ignore) -> Self {
        let standing = ignore
            .patterns
            .iter()
            .map(|pattern| Standing::Open(pattern.machine.start()))
            .collect();
        Self { ignore, standing }
    }

    fn pairs(&self) -> impl DoubleEndedIterator<Item = (&Pattern, &Standing)> {
        self.ignore.patterns.iter().zip(&self.standing)
    }

    /// Whether an entry of this directory is excluded.
    pub(super) fn child(&self, name: &[u8]) -> Verdict {
        // The last match decides, so look from the end.
        let last = self
            .pairs()
            .rev()
            .find(|(pattern, standing)| match standing {
                Standing::Matched => true,
                Standing::Open(position) => pattern
                    .machine
                    .accepts(&pattern.machine.read(position, name)),
            });
        match last {
            Some((pattern, _)) if pattern.effect == Effect::Exclude => Verdict::Excluded,
            _ => Verdict::Included,
        }
    }

    /// The level of a directory in this directory.
    pub(super) fn enter(&self, name: &[u8]) -> Self {
        let standing = self.pairs().map(|(pattern, standing)| match standing {
            Standing::Matched => Standing::Matched,
            Standing::Open(position) => {
                let position = pattern.machine.read(position, name);
                if pattern.machine.accepts(&position) {
                    Standing::Matched
                } else {
                    Standing::Open(pattern.machine.read(&position, b"/"))
                }
            }
        });
        Self {
            ignore: self.ignore,
            standing: standing.collect(),
        }
    }

    /// Whether something below this directory can be included although the directory is not: a
    /// pattern with `!`, after the last one that excludes the directory, that can still match.
    pub(super) fn may_include(&self) -> bool {
        for (pattern, standing) in self.pairs().rev() {
            match (pattern.effect, standing) {
                (Effect::Exclude, Standing::Matched) => return false,
                (Effect::Include, Standing::Matched) => return true,
                (Effect::Include, Standing::Open(position)) if !position.is_dead() => return true,
                _ => {}
            }
        }
        true
    }
}

enum Fault {
    Pattern(&'static str),
    TooMany,
}

impl Fault {
    fn in_line(self, line: usize) -> Error {
        Error::without_path(match self {
            Self::Pattern(why) => Kind::Pattern { line, why },
            Self::TooMany => Kind::TooManyPatterns(MAX_PATTERNS),
        })
    }
}

/// `path.Clean`, without a slash at either end; empty for the root itself.
fn clean(pattern: &str) -> Cow<'_, str> {
    let tidy = |name: &str| !name.is_empty() && name != "." && name != "..";
    let trimmed = pattern.trim_matches('/');
    if trimmed.split('/').all(tidy) {
        return Cow::Borrowed(trimmed);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in trimmed.split('/') {
        match name {
            "" | "." => {}
            // Above the root there is nothing to exclude, so `..` is kept where Go keeps it.
            ".." if !pattern.starts_with('/') && names.last().is_none_or(|last| *last == "..") => {
                names.push(name);
            }
            ".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    Cow::Owned(names.join("/"))
}
