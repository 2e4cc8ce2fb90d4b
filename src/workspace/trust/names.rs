//! Names that something runs or obeys: `names.txt`.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::workspace::policy::Pattern;

use super::What;

/// What it is, and patterns.
const NAMES: &str = include_str!("names.txt");

/// The list, made ready.
pub(super) struct Names {
    files: HashMap<&'static [u8], What>,
    directories: HashMap<&'static [u8], What>,
    globs: Vec<(Pattern, What)>,
}

impl Names {
    pub(super) fn new() -> Self {
        let mut names = Self {
            files: HashMap::new(),
            directories: HashMap::new(),
            globs: Vec::new(),
        };
        for (what, text) in read(NAMES).flatten() {
            let body = text.strip_suffix('/');
            if text.contains('*') || body.unwrap_or(text).contains('/') {
                let pattern = Pattern::parse(text).ok();
                names.globs.extend(pattern.map(|pattern| (pattern, what)));
            } else if let Some(name) = body {
                names.directories.insert(name.as_bytes(), what);
            } else {
                names.files.insert(text.as_bytes(), what);
            }
        }
        names
    }

    /// What a file or link of this path is; a repository's own directory is looked at by itself.
    pub(super) fn of(&self, path: &Path) -> Option<What> {
        let path = path.as_os_str().as_bytes();
        let below = |prefix: &[u8]| path.strip_prefix(prefix);
        if path == b".git" {
            return Some(What::GitState);
        }
        if let Some(rest) = below(b".git/") {
            return of_git(rest);
        }
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if let Some(what) = self.files.get(name) {
            return Some(*what);
        }
        // A link may stand for a directory of that name.
        let mut all = path.split(|&byte| byte == b'/');
        if let Some(what) = all.find_map(|name| self.directories.get(name)) {
            return Some(*what);
        }
        let fits = |path: &[u8], is_directory| {
            let mut globs = self.globs.iter();
            let fits = globs.find(|(pattern, _)| pattern.matches(path, is_directory));
            fits.map(|(_, what)| *what)
        };
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        fits(path, false).or_else(|| {
            let mut above = ends.map(|(end, _)| path.get(..end).unwrap_or_default());
            above.find_map(|path| fits(path, true))
        })
    }
}

/// The words of the list with what they are; `None` for one of a kind that is not known.
fn read(list: &str) -> impl Iterator<Item = Option<(What, &str)>> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let mut what = None;
    lines.flat_map(move |line| {
        let mut rest = line;
        if !line.starts_with(' ')
            && let Some((word, patterns)) = line.split_once(": ")
        {
            what = What::ALL.iter().find(|what| what.as_str() == word).copied();
            rest = patterns;
        }
        let words = rest.split_whitespace();
        words.map(move |word| what.map(|what| (what, word)))
    })
}

/// Of what is in the repository's own directory, what runs or leads elsewhere. Objects, branches, logs and
/// the index do not.
fn of_git(path: &[u8]) -> Option<What> {
    let names: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    match names.as_slice() {
        [b"hooks", ..] => Some(What::GitHook),
        [b"config" | b"config.worktree"] => Some(What::GitConfig),
        [b"info", b"attributes"] => Some(What::GitAttributes),
        [b"modules", ..] => Some(What::NestedRepository),
        [b"objects", b"info", b"alternates" | b"http-alternates"]
        | [b"commondir" | b"gitdir" | b"HEAD"]
        | [b"info", b"grafts" | b"sparse-checkout"]
        | [
            b"worktrees" | b"rebase-merge" | b"rebase-apply" | b"sequencer" | b"lfs" | b"branches"
            | b"remotes" | b"annex" | b"svn" | b"rr-cache",
            ..,
        ] => Some(What::GitState),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood() {
        let mut count = 0;
        for one in read(NAMES) {
            let (_, text) = one.expect("a kind that is known");
            assert!(Pattern::parse(text).is_ok(), "{text}");
            count += 1;
        }
        assert!(count > 300, "{count}");
    }
}
