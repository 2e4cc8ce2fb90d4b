//! What is left out of checkpoints and how much they hold: the caller's wish, and what was made of it
//! when the first checkpoint of a series was taken.

mod pattern;
#[cfg(test)]
mod tests;

use rustix::fs::OFlags;

use crate::workspace::disk;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;

pub use pattern::Pattern;
pub(super) use pattern::wildcard;

/// Directories that a tool makes again from what is beside them.
const REGENERABLE: &[&str] = &[
    ".eggs",
    ".gradle",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".parcel-cache",
    ".pytest_cache",
    ".ruff_cache",
    ".stack-work",
    ".svelte-kit",
    ".tox",
    ".turbo",
    ".venv",
    "__pycache__",
    "bower_components",
    "dist-newstyle",
    "node_modules",
    "target",
    "venv",
    "zig-cache",
];

/// An ignore file that is longer ignores nothing.
const MAX_IGNORE: u64 = 1 << 20;

const HEAD: &str = "stockade-policy 1";

/// How a checkpoint is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Counts for the first checkpoint of a series; later ones do as it did.
    pub leave_out: LeaveOut,
    /// How much a checkpoint holds.
    pub caps: Caps,
    /// What happens to what does not fit.
    pub on_cap: OnCap,
    /// Reads every file, also one that looks unchanged: after a checkpoint that was taken while
    /// somebody wrote, as what is written through a mapping may leave no trace.
    pub reread: bool,
}

/// What is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveOut {
    /// Directories that a tool can make again, where the `.gitignore` at the top ignores them.
    pub regenerable: bool,
    /// Also what these match: `*`, `?`, `**`; without a slash at any depth; with one at the end only
    /// directories.
    pub globs: Vec<String>,
}

impl Default for LeaveOut {
    fn default() -> Self {
        Self {
            regenerable: true,
            globs: Vec::new(),
        }
    }
}

/// Bounds of one checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Names.
    pub entries: u32,
    /// Directories inside each other.
    pub depth: usize,
    /// Bytes of a path.
    pub path: usize,
    /// Bytes of a file.
    pub file: u64,
    /// Bytes of all files.
    pub total: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            entries: 4_000_000,
            depth: 4000,
            path: 64 * 1024,
            file: 8 << 30,
            total: 64 << 30,
        }
    }
}

/// What happens to what the caps leave no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCap {
    /// It is left out and listed.
    #[default]
    Record,
    /// No checkpoint is taken.
    Fail,
}

/// What is left out, decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules {
    patterns: Vec<Pattern>,
}

impl Rules {
    /// Decides by the tree as it is now.
    pub(super) fn decide(leave_out: &LeaveOut, root: &Root) -> Result<Self> {
        let mut patterns = Vec::new();
        if leave_out.regenerable {
            let ignored = read_ignore_file(root);
            let ignored = ignored.as_deref().unwrap_or_default();
            patterns.extend(regenerable(ignored));
        }
        for glob in &leave_out.globs {
            let pattern = Pattern::parse(glob);
            patterns.push(pattern.map_err(|why| Error::pattern(glob, why))?);
        }
        Ok(Self { patterns })
    }

    pub(super) fn leaves_out(&self, path: &[u8], is_directory: bool) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| pattern.matches(path, is_directory))
    }

    /// One pattern a line.
    pub(super) fn encode(&self) -> String {
        let lines = self.patterns.iter().map(Pattern::text);
        std::iter::once(HEAD)
            .chain(lines)
            .fold(String::new(), |text, line| text + line + "\n")
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let lines = text.strip_prefix(HEAD)?.strip_prefix('\n')?.lines();
        let patterns = lines.map(|line| Pattern::parse(line).ok());
        Some(Self {
            patterns: patterns.collect::<Option<_>>()?,
        })
    }
}

/// The patterns for what an ignore file ignores by its plain name. Whatever takes more to understand
/// is not left out; a name that the file speaks of with `!` is not either.
fn regenerable(ignored: &[u8]) -> Vec<Pattern> {
    let text = String::from_utf8_lossy(ignored);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut patterns = Vec::new();
    for name in REGENERABLE {
        let spoken_for = |line: &&&str| line.starts_with('!') && line.contains(name);
        if lines.iter().any(|line| spoken_for(&line)) {
            continue;
        }
        for line in &lines {
            let plain = line.strip_suffix('/').unwrap_or(line);
            let below = plain.strip_prefix("**/").unwrap_or(plain);
            let pattern = if below == *name {
                format!("{name}/")
            } else if plain.strip_prefix('/') == Some(name) {
                format!("/{name}/")
            } else {
                continue;
            };
            patterns.extend(Pattern::parse(&pattern));
        }
    }
    patterns
}

fn read_ignore_file(root: &Root) -> Option<Vec<u8>> {
    let fd = disk::open(&root.fd, c".gitignore", OFlags::RDONLY).ok()?;
    let found = disk::found(&fd).ok()?;
    if found.kind != Type::File || found.size > MAX_IGNORE {
        return None;
    }
    let mut content = vec![0; usize::try_from(found.size).ok()?];
    let got = disk::read_full(&fd, &mut content).ok()?;
    content.truncate(got);
    Some(content)
}
