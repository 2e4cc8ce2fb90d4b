//! Which part of a context a build reads: the sources of its `COPY`, `ADD` and bind mounts.

#[cfg(test)]
mod tests;

use crate::context::glob::Machine;
use crate::context::glob::Stars;
use crate::context::tree::names;

/// One path or pattern below the context's root, as Go's `filepath.Glob` reads it: wildcards never
/// cross `/`, and what lies below a match belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(Vec<u8>),
    Pattern(Machine),
}

impl Source {
    /// Reads a source as it stands in a Containerfile. A slash at the start is dropped, `.` and `..`
    /// are resolved and do not leave the root.
    ///
    /// # Errors
    ///
    /// What is wrong with the pattern, or that releases read it differently.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                "**" => return Err("`**` is read differently by different releases"),
                _ => {
                    let machine = Machine::parse(name, Stars::StayInName)?;
                    parts.push(match machine.literal() {
                        Some(name) => Part::Name(name.into_bytes()),
                        None => Part::Pattern(machine),
                    });
                }
            }
        }
        Ok(Self { parts })
    }

    /// A path without wildcards.
    pub fn path(path: &[u8]) -> Self {
        let mut parts = Vec::new();
        for name in names(path) {
            if name == b".." {
                parts.pop();
            } else {
                parts.push(Part::Name(name.to_vec()));
            }
        }
        Self { parts }
    }

    /// The whole context.
    pub fn is_everything(&self) -> bool {
        self.parts.is_empty()
    }

    /// One path, no wildcard.
    fn is_exact(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Name(_)))
    }

    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The part at a depth, if it is a plain name.
    pub(super) fn name_at(&self, depth: usize) -> Option<&[u8]> {
        match self.parts.get(depth) {
            Some(Part::Name(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn matches_at(&self, depth: usize, name: &[u8]) -> bool {
        match self.parts.get(depth) {
            Some(Part::Name(wanted)) => wanted == name,
            Some(Part::Pattern(machine)) => machine.matches(name),
            None => false,
        }
    }

    /// This source with the parts up to and including `depth` replaced by a path: where a link at
    /// that depth leads.
    pub(super) fn redirected(&self, depth: usize, path: &[u8]) -> Self {
        let mut redirected = Self::path(path);
        redirected
            .parts
            .extend(self.parts.iter().skip(depth + 1).cloned());
        redirected
    }
}

/// How much of an entry is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It and everything below it.
    Whole,
    /// Something below it.
    Partial,
    Nothing,
}

/// What the sources say of one entry.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub(super) reach: Reach,
    /// A source without wildcards ends in this very entry.
    pub(super) named: bool,
    /// For the entries below.
    pub(super) level: Level<'a>,
}

/// What the sources know in one directory of a walk.
#[derive(Debug)]
pub(super) struct Level<'a> {
    sources: &'a [Source],
    whole: bool,
    /// Sources whose parts match the path so far, up to this depth.
    live: Vec<usize>,
    depth: usize,
}

impl<'a> Level<'a> {
    /// The root, of which only the sources are wanted.
    pub(super) fn only(sources: &'a [Source]) -> Self {
        let whole = sources.iter().any(Source::is_everything);
        Self {
            sources,
            whole,
            live: (0..sources.len()).collect(),
            depth: 0,
        }
    }

    /// The root, of which everything is wanted; the sources only say what is named.
    pub(super) fn everything(sources: &'a [Source]) -> Self {
        Self {
            whole: true,
            ..Self::only(sources)
        }
    }

    pub(super) fn child(&self, name: &[u8]) -> Choice<'a> {
        let depth = self.depth + 1;
        let mut level = Self {
            sources: self.sources,
            whole: self.whole,
            live: Vec::new(),
            depth,
        };
        let mut named = false;
        for &index in &self.live {
            let Some(source) = self.sources.get(index) else {
                continue;
            };
            if source.matches_at(self.depth, name) {
                if source.parts() == depth {
                    level.whole = true;
                    named |= source.is_exact();
                } else {
                    level.live.push(index);
                }
            }
        }
        let reach = match level {
            Level { whole: true, .. } => Reach::Whole,
            Level { ref live, .. } if !live.is_empty() => Reach::Partial,
            _ => Reach::Nothing,
        };
        Choice {
            reach,
            named,
            level,
        }
    }
}
