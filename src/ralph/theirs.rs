//! What was somebody else's before the agent's first instruction: it is not the run's to give away. Blocks.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::checkpoints::Checkpoints;
use super::error::Result;
use crate::workspace::{EntryKind, RolledBack};

/// Paths that were of other users, each with all that is below. Whose something was that checkpoint 0 does not hold
/// nobody can tell: it counts as theirs, too.
#[derive(Debug, Clone, Default)]
pub struct Theirs {
    /// The workspace itself was.
    top: bool,
    paths: BTreeSet<PathBuf>,
}

impl Theirs {
    /// As checkpoint 0 tells. In a copy all was the person's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(checkpoints: &Checkpoints) -> Result<Self> {
        let mut theirs = Self::default();
        if checkpoints.is_copy() {
            return Ok(theirs);
        }
        let own = rustix::process::geteuid().as_raw();
        let first = checkpoints.get(0)?;
        for (path, entry) in checkpoints.open()?.entries(&first)? {
            let is_own = entry.owner.0 == own && !matches!(entry.kind, EntryKind::LeftOut(_));
            if is_own || theirs.keeps(&path) {
                continue;
            }
            match path.as_os_str().is_empty() {
                true => theirs.top = true,
                false => drop(theirs.paths.insert(path)),
            }
        }
        Ok(theirs)
    }

    /// Whether the workspace itself was somebody else's.
    pub fn has_top(&self) -> bool {
        self.top
    }

    /// Whether this, or something above it but for the workspace, was somebody else's.
    pub fn keeps(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.paths.contains(above))
    }

    /// Whether something below it was.
    pub fn are_below(&self, path: &Path) -> bool {
        if path.as_os_str().is_empty() {
            return !self.paths.is_empty();
        }
        let after = (Bound::Excluded(path), Bound::Unbounded);
        let mut after = self.paths.range::<Path, _>(after);
        after.next().is_some_and(|next| next.starts_with(path))
    }

    /// Takes what is theirs, as it was, out of what could not be put back: that was never the person's to change.
    pub fn spare(&self, workspace: &Path, done: &mut RolledBack) -> Vec<PathBuf> {
        let own = rustix::process::geteuid().as_raw();
        // What is there no more was taken from them, and what is the person's by now is not theirs.
        let is_foreign = |path: &Path| match workspace.join(path).symlink_metadata() {
            Ok(found) => found.uid() != own,
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        };
        let failed = std::mem::take(&mut done.failed);
        let is_spared = |path: &Path| {
            let kept = match path == Path::new(".") {
                true => self.top,
                false => self.keeps(path),
            };
            kept && is_foreign(path)
        };
        let (spared, failed) = failed.into_iter().partition(|one| is_spared(&one.path));
        done.failed = failed;
        let spared: Vec<_> = spared;
        spared.into_iter().map(|one| one.path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_them_is_theirs_and_what_is_beside_them_is_not() {
        let theirs = Theirs {
            top: false,
            paths: ["a/b", "a-c", "d"].map(PathBuf::from).into(),
        };
        let path = |text| PathBuf::from(text);
        for (text, keeps, below) in [
            ("", false, true),
            ("a", false, true),
            ("a/b", true, false),
            ("a/b/c", true, false),
            ("a/bb", false, false),
            ("a-", false, false),
            ("a-c", true, false),
            ("d/e", true, false),
            ("e", false, false),
        ] {
            assert_eq!(theirs.keeps(&path(text)), keeps, "{text}");
            assert_eq!(theirs.are_below(&path(text)), below, "{text}");
        }
    }
}
