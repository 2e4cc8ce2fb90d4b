//! Patterns for paths, byte by byte. Time is pattern times path, whatever they are.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `*` and `?` inside a name, `**` for any number of directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// Matches from the top on; otherwise the last name alone counts.
    rooted: bool,
    directories: bool,
    names: Vec<Vec<u8>>,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (body, directories) = match text.strip_suffix('/') {
            Some(body) => (body, true),
            None => (text, false),
        };
        if text.contains(['\n', '\r', '\0']) {
            return Err("a control character");
        }
        if text.contains(['[', ']', '\\', '!']) {
            return Err("only `*`, `?` and `**` are special, and `[]\\!` do not occur");
        }
        let rooted = body.contains('/');
        let body = body.strip_prefix('/').unwrap_or(body);
        let names: Vec<Vec<u8>> = body
            .split('/')
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let bad = |name: &Vec<u8>| matches!(&name[..], b"" | b"." | b"..");
        if names.iter().any(bad) {
            return Err("an empty name, `.` or `..`");
        }
        Ok(Self {
            text: text.to_owned(),
            rooted,
            directories,
            names,
        })
    }

    /// One for a single path. What a pattern cannot say stands in it as `?`.
    pub fn literal(path: &Path) -> String {
        let mut text = String::from("/");
        for chunk in path.as_os_str().as_bytes().utf8_chunks() {
            let special = |c: char| "*?[]\\!\n\r".contains(c);
            text.extend(
                chunk
                    .valid()
                    .chars()
                    .map(|c| if special(c) { '?' } else { c }),
            );
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        text
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a path relative to the root fits.
    pub fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        if self.directories && !is_directory {
            return false;
        }
        if !self.rooted {
            let name = path.rsplit(|&byte| byte == b'/').next();
            return self
                .names
                .first()
                .is_some_and(|pattern| name_matches(pattern, name.unwrap_or_default()));
        }
        let names: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
        wildcard(
            &self.names,
            &names,
            |pattern| pattern.as_slice() == b"**",
            |pattern, name| name_matches(pattern, name),
        )
    }
}

fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    wildcard(
        pattern,
        name,
        |unit| *unit == b'*',
        |unit, byte| *unit == b'?' || unit == byte,
    )
}

/// Matches items against units, of which some stand for any number of items. Only the last such unit
/// is ever tried anew.
pub(in crate::workspace) fn wildcard<U, I>(
    units: &[U],
    items: &[I],
    is_star: impl Fn(&U) -> bool,
    fits: impl Fn(&U, &I) -> bool,
) -> bool {
    let (mut unit, mut item) = (0, 0);
    let mut star = None;
    while let Some(current) = items.get(item) {
        match units.get(unit) {
            Some(wanted) if is_star(wanted) => {
                star = Some((unit, item));
                unit += 1;
            }
            Some(wanted) if fits(wanted, current) => {
                unit += 1;
                item += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                unit = at + 1;
                item = taken + 1;
            }
        }
    }
    units.get(unit..).unwrap_or_default().iter().all(is_star)
}
