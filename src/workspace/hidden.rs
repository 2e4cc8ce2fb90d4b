//! Repositories in what checkpoints leave out: nobody has compared what is there, and git obeys it as soon as
//! somebody goes there.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::workspace::disk::Root;
use crate::workspace::preview;
use crate::workspace::snapshot;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;

/// So many are named.
const NAMED: usize = 1000;

/// What was found in the time that there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Relative to the root: the `.git` of each, or the directory that is one. Of very many, the first ones.
    pub repositories: Vec<PathBuf>,
    /// What was not looked through.
    pub unseen: Vec<PathBuf>,
}

/// What makes a directory a repository, as far as it was met.
#[derive(Default)]
struct Bare {
    head: bool,
    objects: bool,
    refs: bool,
    common: bool,
}

/// Looks for so long into what a checkpoint that was just taken has left out.
pub(super) fn look(root: &Root, at: &Snapshot, time: Duration) -> Hidden {
    let begun = Instant::now();
    let mut hidden = Hidden::default();
    let mut found = BTreeSet::new();
    let mut unseen = BTreeSet::new();
    at.walk(|directory, above| {
        for child in at.children(directory) {
            let mut path = above.to_vec();
            snapshot::join(&mut path, at.name(child));
            match at.node(child).map(|node| node.kind) {
                // Nothing of the agent's is on another file system, and what is special is no directory.
                Some(EntryKind::LeftOut(Reason::Special | Reason::MountPoint)) | None => {}
                Some(EntryKind::LeftOut(_)) if is_git(at.name(child)) => {
                    found.insert(path);
                }
                Some(EntryKind::LeftOut(_)) => {
                    if !one(root, &path, begun, time, &mut found) {
                        unseen.insert(path);
                    }
                }
                Some(_) => {}
            }
        }
    });
    hidden.repositories = found
        .iter()
        .take(NAMED)
        .map(|p| snapshot::path(p))
        .collect();
    hidden.unseen = unseen.iter().map(|p| snapshot::path(p)).collect();
    hidden
}

fn is_git(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b".git")
}

/// Whether it was looked through.
fn one(
    root: &Root,
    above: &[u8],
    begun: Instant,
    time: Duration,
    found: &mut BTreeSet<Vec<u8>>,
) -> bool {
    let Some(top) = preview::open(root, above) else {
        // What is no directory holds none.
        return root
            .way(&snapshot::path(above))
            .is_ok_and(|way| !matches!(way, crate::workspace::git::Way::Whole(_)));
    };
    let mut bare: HashMap<Vec<u8>, Bare> = HashMap::new();
    preview::walk(top, begun, time, &mut |below, _| {
        let end = below.iter().rposition(|&byte| byte == b'/');
        let (directory, name) = match end {
            Some(end) => (below.get(..end), below.get(end + 1..)),
            None => (Some(&[][..]), Some(below)),
        };
        let (directory, name) = (directory.unwrap_or_default(), name.unwrap_or_default());
        let whole = |below: &[u8]| {
            let mut path = above.to_vec();
            if !below.is_empty() {
                snapshot::join(&mut path, below);
            }
            path
        };
        if is_git(name) {
            if found.len() <= NAMED {
                found.insert(whole(below));
            }
            return false;
        }
        if matches!(name, b"HEAD" | b"objects" | b"refs" | b"commondir") {
            let parts = bare.entry(directory.to_vec()).or_default();
            match name {
                b"HEAD" => parts.head = true,
                b"objects" => parts.objects = true,
                b"refs" => parts.refs = true,
                _ => parts.common = true,
            }
            let is_one = parts.head && (parts.common || parts.objects && parts.refs);
            if is_one && found.len() <= NAMED {
                found.insert(whole(directory));
            }
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::workspace::{Policy, Repository, Series};

    #[test]
    fn repositories_are_found_in_what_is_left_out() {
        let base = tempfile::tempdir().unwrap();
        let work = base.path().join("work");
        let make = |path: &str| fs::create_dir_all(work.join(path)).unwrap();
        for path in [
            "target/a/.git/hooks",
            "target/b/refs",
            "target/b/objects",
            "target/none/objects",
            "node_modules/x/.GIT",
            "src/.git",
        ] {
            make(path);
        }
        fs::write(work.join("target/b/HEAD"), "").unwrap();
        fs::write(work.join("target/none/HEAD"), "").unwrap();
        symlink("../src", work.join("target/link")).unwrap();
        fs::write(work.join(".gitignore"), "target\nnode_modules\n").unwrap();
        let mut repository = Repository::open(&base.path().join("kept")).unwrap();
        let root = Root::open(&work).unwrap();
        let series = Series::new("s").unwrap();
        let taken = repository.take(&root, &series, "", &Policy::default());
        let at = taken.unwrap().checkpoint;
        let hidden = repository
            .hidden(&root, &at, Duration::from_secs(60))
            .unwrap();
        let expected = ["node_modules/x/.GIT", "target/a/.git", "target/b"];
        assert_eq!(hidden.repositories, expected.map(PathBuf::from));
        assert!(hidden.unseen.is_empty());
        let hidden = repository.hidden(&root, &at, Duration::ZERO).unwrap();
        assert_eq!(hidden.unseen, ["node_modules", "target"].map(PathBuf::from));
    }
}
