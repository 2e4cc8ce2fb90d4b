//! What in a workspace is somebody else's, and is to become the person's.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::ralph::Theirs;

/// Of one round's paths: the kernel takes more than this from whoever starts a program.
const MOST_BYTES: usize = 256 * 1024;
/// A longer path than this can be no argument of a system call, with what stands before it.
const LONGEST: usize = 4000;

/// What one container is to make the person's, relative to the workspace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) paths: Vec<String>,
    /// With all that is below.
    pub(super) whole: bool,
}

/// Looks again after each round: what was closed is open by then.
pub(super) struct Search<'a> {
    workspace: &'a Path,
    theirs: &'a Theirs,
    /// Repositories of the person's.
    hidden: Vec<PathBuf>,
    tried: HashSet<PathBuf>,
    /// Names that cannot be told to a container.
    pub(super) unsaid: BTreeSet<PathBuf>,
}

impl<'a> Search<'a> {
    pub(super) fn new(workspace: &'a Path, theirs: &'a Theirs, hidden: Vec<PathBuf>) -> Self {
        Self {
            workspace,
            theirs,
            hidden,
            tried: HashSet::new(),
            unsaid: BTreeSet::new(),
        }
    }

    /// What is next; what was in a round already is in no other. Blocks.
    pub(super) fn next(&mut self) -> io::Result<Option<Round>> {
        let own = rustix::process::geteuid().as_raw();
        let device = self.workspace.symlink_metadata()?.dev();
        let (mut alone, mut whole) = (BTreeSet::new(), BTreeSet::new());
        let mut stack = vec![PathBuf::new()];
        while let Some(path) = stack.pop() {
            let at = self.workspace.join(&path);
            let is_top = path.as_os_str().is_empty();
            // What goes meanwhile need not become anybody's; what is mounted below is out of reach.
            let found = at.symlink_metadata();
            let Some(found) = found.ok().filter(|found| found.dev() == device) else {
                continue;
            };
            if self.theirs.keeps(&path) || self.hidden.contains(&path) {
                continue;
            }
            let has_kept = found.is_dir() && self.theirs.are_below(&path);
            let is_theirs = is_top && self.theirs.has_top();
            if found.uid() != own && !is_theirs && !self.tried.contains(&path) {
                match has_kept {
                    true => alone.insert(path),
                    false => whole.insert(path),
                };
                continue;
            }
            if !found.is_dir() {
                continue;
            }
            match at.read_dir() {
                Ok(names) => {
                    let names = names.filter_map(Result::ok);
                    stack.extend(names.map(|name| path.join(name.file_name())));
                }
                // Of the person's own, too: what is in it cannot be seen.
                Err(_) if !has_kept && !is_theirs && !self.tried.contains(&path) => {
                    whole.insert(path);
                }
                Err(_) => {}
            }
        }
        let alone = self.round(alone, false);
        Ok(alone.or_else(|| self.round(whole, true)))
    }

    fn round(&mut self, all: BTreeSet<PathBuf>, whole: bool) -> Option<Round> {
        let mut paths = BTreeSet::new();
        let mut bytes = 0;
        for path in all {
            let Some(said) = self.said(&path, whole) else {
                self.tried.insert(path.clone());
                self.unsaid.insert(path);
                continue;
            };
            bytes += said.len() + 32;
            if bytes > MOST_BYTES && !paths.is_empty() {
                break;
            }
            self.tried.insert(path);
            paths.insert(said);
        }
        let paths: Vec<_> = paths.into_iter().collect();
        (!paths.is_empty()).then_some(Round { paths, whole })
    }

    /// The path as an argument; or one above it, if all that is below that one may become the person's.
    fn said(&self, path: &Path, whole: bool) -> Option<String> {
        let mut paths = path.ancestors();
        let said = |path: &Path| {
            let text = path.to_str().filter(|text| text.len() < LONGEST);
            text.map(str::to_owned)
        };
        if !whole {
            return said(path);
        }
        let mut below = paths.by_ref().map(|above| {
            let is_free = !self.theirs.are_below(above);
            (is_free, said(above))
        });
        below.find_map(|(is_free, said)| match (is_free, said) {
            (false, _) => Some(None),
            (true, Some(said)) => Some(Some(said)),
            (true, None) => None,
        })?
    }
}
