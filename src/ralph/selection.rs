//! What a check is made on: the agent's tree, but for what decides the outcome. That is the person's.

mod names;

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use self::names::{
    CACHES, DECIDING, INSTALLED, RUNNERS, STEERING, TESTS, hides_a_module, names_plugins,
};
use super::inside;
use super::sections::{self, Mended};
use crate::workspace::{Change, ChangeKind, Entry, EntryKind, Pattern, Repository, Selected};

/// So many names are kept of each kind.
const NAMED: usize = 50;

/// What the person wants to be theirs, read.
#[derive(Debug)]
pub(super) struct Selection {
    protected: Vec<Pattern>,
    steering: Vec<Pattern>,
    caches: Vec<Pattern>,
    tests: Vec<Pattern>,
    installed: Vec<Pattern>,
    /// Directories of which a part is the person's.
    above: Vec<Pattern>,
    /// What the check's command names, and whether it runs it.
    named: Vec<(PathBuf, bool)>,
    /// Files of which a part steers, as far as they could be read, with what takes the place of the agent's.
    mended: HashMap<PathBuf, Mended>,
    /// Where the person's own links lead.
    led_to: Vec<PathBuf>,
    /// Files of source that held tests in the beginning, or may have.
    tested: HashSet<PathBuf>,
}

/// What was found of the agent's changes since the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Findings {
    /// Protected paths, and files that steer a test runner, that were put back or left out.
    pub put_back: Vec<String>,
    /// Tests that the agent wrote or changed, and that were used as they are.
    pub agents_tests: Vec<String>,
    /// Tests that are gone.
    pub tests_gone: Vec<String>,
    /// Of `agents_tests` those that may test less than they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weakened: Vec<String>,
}

impl Selection {
    /// Reads the person's patterns, which were read before.
    pub(super) fn new(protect: &[String], check: &str) -> Self {
        let read = |texts: &mut dyn Iterator<Item = &str>| {
            texts.filter_map(|text| Pattern::parse(text).ok()).collect()
        };
        let whole = protect.iter().map(String::as_str);
        let named = named(check);
        let of_named = named.iter().flat_map(|(path, _)| path.ancestors().skip(1));
        let of_named = of_named.filter(|above| above.components().next().is_some());
        let above: Vec<_> = whole
            .chain(STEERING.iter().copied())
            .flat_map(above)
            .chain(of_named.map(|above| format!("**{}/", Pattern::literal(above))))
            .collect();
        Self {
            above: read(&mut above.iter().map(String::as_str)),
            protected: read(&mut protect.iter().map(String::as_str)),
            steering: read(&mut STEERING.iter().copied()),
            caches: read(&mut CACHES.iter().copied()),
            tests: read(&mut TESTS.iter().chain(DECIDING).copied()),
            installed: read(&mut INSTALLED.iter().copied()),
            named,
            mended: HashMap::new(),
            led_to: Vec::new(),
            tested: HashSet::new(),
        }
    }

    /// Reads the files of which a part steers.
    pub(super) fn mend(&mut self, repository: &Repository, changes: &[Change]) {
        let read = |entry: Entry| {
            let file =
                Some(entry).filter(|e| e.kind == EntryKind::File && e.size <= sections::MAX)?;
            repository.read_blob(file.id, sections::MAX).ok()
        };
        for change in changes {
            let path = change.path.as_path();
            let Some(after) = change.after.filter(|_| sections::is_known(path)) else {
                continue;
            };
            let Some(after) = read(after) else { continue };
            let mended = match change.before.map(read) {
                None => sections::mend(path, None, &after),
                Some(Some(before)) => sections::mend(path, Some(&before), &after),
                Some(None) => Mended::UNCLEAR,
            };
            self.mended.insert(path.to_owned(), mended);
        }
    }

    /// Looks for tests in what files of source were, that are changed or gone.
    pub(super) fn look_inside(&mut self, repository: &Repository, changes: &[Change]) {
        let mut left = inside::TOGETHER;
        for change in changes {
            let is_file = |entry: &Entry| entry.kind == EntryKind::File;
            let Some(before) = change.before.filter(is_file) else {
                continue;
            };
            let is_same = |after: Entry| is_file(&after) && after.id == before.id;
            if change.after.is_some_and(is_same) || !inside::is_source(&change.path) {
                continue;
            }
            // What is not read may hold some: a person is told sooner than not.
            let text = match before.size <= inside::MAX.min(left) {
                true => repository.read_blob(before.id, inside::MAX).ok(),
                false => None,
            };
            left -= text.as_ref().map_or(0, |_| before.size);
            if text.is_none_or(|text| inside::holds(&text)) {
                self.tested.insert(change.path.clone());
            }
        }
    }

    /// Follows the person's own links of which the check may ask: what they lead to decides as they do.
    pub(super) fn follow(&mut self, links: &HashMap<PathBuf, PathBuf>) {
        for path in links.keys() {
            let decides = matches!(self.select(path), Selected::Base)
                || covers(&self.tests, path, true)
                || fits(&self.above, path, true)
                || self.named.iter().any(|(word, _)| path.ends_with(word));
            if !decides {
                continue;
            }
            let mut at = path.clone();
            // As many as the kernel follows.
            for _ in 0..40 {
                let Some((link, target)) =
                    at.ancestors().find_map(|link| links.get_key_value(link))
                else {
                    break;
                };
                let rest = at.strip_prefix(link).unwrap_or(Path::new("")).to_owned();
                let Some(next) = led(link, &target.join(rest)) else {
                    break;
                };
                self.led_to.push(next.clone());
                at = next;
            }
        }
    }

    /// What becomes of a path in the check's tree.
    pub(super) fn select(&self, path: &Path) -> Selected {
        // Nor may a file, or a link, stand where a directory is the person's.
        if covers(&self.protected, path, true)
            || covers(&self.steering, path, true)
            || names_plugins(path)
            || self.is_cache(path)
        {
            return Selected::Base;
        }
        match self
            .mended
            .get(path)
            .and_then(|mended| mended.content.as_ref())
        {
            Some((content, _)) => Selected::Replace(content.clone()),
            None => Selected::Keep,
        }
    }

    /// Whether it is a tool's own, of which nobody needs to be told.
    fn is_cache(&self, path: &Path) -> bool {
        covers(&self.caches, path, true)
    }

    /// Whether it decides, since the check's command names it, as `sh check.sh` does. What is new and
    /// only read is what the work has made.
    fn is_named(&self, change: &Change) -> bool {
        let decides = |(word, runs): &(PathBuf, bool)| {
            change.path.ends_with(word) && (*runs || change.kind != ChangeKind::Added)
        };
        self.named.iter().any(decides)
    }

    /// Whether it decides, or is a test, and is used as the agent left it.
    pub(super) fn is_agents_test(&self, change: &Change) -> bool {
        let path = change.path.as_path();
        let decides = || match self.mended.get(path) {
            Some(mended) => mended.decides,
            None => sections::is_known(path),
        };
        // What it leads to may be a directory, and has any name.
        let is_link = [change.before, change.after]
            .iter()
            .flatten()
            .any(|entry| entry.kind == EntryKind::Symlink);
        !matches!(self.select(path), Selected::Base)
            && (covers(&self.tests, path, is_link)
                || covers(&self.installed, path, is_link)
                || is_link && fits(&self.above, path, true)
                || hides_a_module(path, is_link)
                || decides()
                || self.is_named(change)
                || self.tested.contains(path)
                || self.led_to.iter().any(|place| path.starts_with(place)))
    }

    /// Of what was installed its directory alone is told: it would hide all else.
    fn told_as<'a>(&self, path: &'a Path) -> &'a Path {
        let above = path.ancestors().skip(1);
        let installed = above.filter(|above| fits(&self.installed, above, true));
        installed.last().unwrap_or(path)
    }

    /// What of the agent's changes matters for a check.
    pub(super) fn findings(&self, changes: &[Change]) -> Findings {
        let mut findings = Findings::default();
        for change in changes {
            let path = change.path.as_path();
            if self.is_cache(path) {
                continue;
            }
            let mended = self.mended.get(path);
            if let Some((_, keys)) = mended.and_then(|mended| mended.content.as_ref())
                && matches!(self.select(path), Selected::Replace(_))
                && findings.put_back.len() < NAMED
            {
                let keys = keys.join(", ");
                findings
                    .put_back
                    .push(format!("{} ({keys})", path.display()));
            }
            let (list, name) = if matches!(self.select(path), Selected::Base) {
                (&mut findings.put_back, path)
            } else if !self.is_agents_test(change) {
                continue;
            } else if change.kind == ChangeKind::Removed {
                (&mut findings.tests_gone, self.told_as(path))
            } else {
                (&mut findings.agents_tests, self.told_as(path))
            };
            let name = name.display().to_string();
            if list.len() < NAMED && !list.contains(&name) {
                list.push(name);
            }
        }
        findings
    }
}

impl Findings {
    /// Whether everything that decides the outcome is the person's, as far as names tell.
    pub fn is_protected(&self) -> bool {
        self.agents_tests.is_empty() && self.tests_gone.is_empty()
    }
}

/// Where a link in the workspace leads within it, by names alone.
fn led(link: &Path, target: &Path) -> Option<PathBuf> {
    let mut at = match target.strip_prefix("/workspace") {
        Ok(_) => PathBuf::new(),
        Err(_) => link.parent()?.to_owned(),
    };
    for part in target
        .strip_prefix("/workspace")
        .unwrap_or(target)
        .components()
    {
        match part {
            Component::Normal(name) => at.push(name),
            Component::ParentDir if !at.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(at)
}

/// Words of a shell command that may be paths in the workspace.
fn named(check: &str) -> Vec<(PathBuf, bool)> {
    let between = |c: char| c.is_whitespace() || "'\"`;&|()<>=$".contains(c);
    let mut named = Vec::new();
    let mut before = "";
    for word in check.split(between).filter(|word| !word.is_empty()) {
        let below = word.strip_prefix("/workspace/").unwrap_or(word);
        let path = below.trim_start_matches("./");
        if !path.is_empty() {
            let runs = word.starts_with("./") || RUNNERS.contains(&before);
            named.push((PathBuf::from(path), runs));
        }
        before = word;
    }
    named
}

/// The directories that what fits a pattern is in, as patterns.
fn above(pattern: &str) -> impl Iterator<Item = String> {
    let body = pattern.trim_end_matches('/').trim_start_matches('/');
    let ends = body.match_indices('/').map(|(at, _)| at);
    let names = ends.filter_map(|at| body.get(..at));
    // From the top on, also where it is one name; any directory whatever says nothing.
    let names = names.filter(|names| !names.split('/').all(|name| name == "**"));
    names.map(|names| format!("/{names}/"))
}

/// Whether a path, or a directory that it is in, fits.
fn covers(patterns: &[Pattern], path: &Path, is_directory: bool) -> bool {
    let mut above = path
        .ancestors()
        .skip(1)
        .filter(|above| *above != Path::new(""));
    fits(patterns, path, is_directory) || above.any(|above| fits(patterns, above, true))
}

fn fits(patterns: &[Pattern], path: &Path, is_directory: bool) -> bool {
    let path = path.as_os_str().as_bytes();
    patterns
        .iter()
        .any(|pattern| pattern.matches(path, is_directory))
}

#[cfg(test)]
mod tests;
