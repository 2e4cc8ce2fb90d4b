//! A workspace, and a repository beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::super::*;

pub(in crate::workspace) struct Scene {
    pub(in crate::workspace) dir: tempfile::TempDir,
    pub(in crate::workspace) repository: Repository,
    pub(in crate::workspace) series: Series,
    pub(in crate::workspace) policy: Policy,
}

/// What can be seen of a name: kind, mode, time, content, and which names are the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace) struct Seen {
    kind: &'static str,
    mode: u32,
    mtime: (i64, i64),
    content: Vec<u8>,
    same: Vec<PathBuf>,
}

pub(in crate::workspace) type View = BTreeMap<PathBuf, Seen>;

impl Scene {
    pub(in crate::workspace) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ws")).unwrap();
        let repository = Repository::open(&dir.path().join("repo.git")).unwrap();
        Self {
            dir,
            repository,
            series: Series::new("run-1").unwrap(),
            policy: Policy::default(),
        }
    }

    pub(in crate::workspace) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("ws").join(below)
    }

    pub(in crate::workspace) fn git_dir(&self) -> PathBuf {
        self.dir.path().join("repo.git")
    }

    pub(in crate::workspace) fn root(&self) -> Root {
        Root::open(&self.path("")).unwrap()
    }

    /// Writes a file, and the directories above it.
    pub(in crate::workspace) fn write(&self, below: &str, content: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(in crate::workspace) fn chmod(&self, below: &str, mode: u32) {
        fs::set_permissions(self.path(below), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(in crate::workspace) fn taken(&mut self) -> Taken {
        let root = self.root();
        let taken = self
            .repository
            .take(&root, &self.series, "test", &self.policy)
            .unwrap();
        // The tree in memory is the one that was written.
        let store = &self.repository.store;
        assert_eq!(
            taken.with_tree().snapshot(store).unwrap(),
            taken.checkpoint.snapshot(store).unwrap()
        );
        taken
    }

    pub(in crate::workspace) fn take(&mut self) -> Checkpoint {
        self.taken().checkpoint
    }

    pub(in crate::workspace) fn view(&self) -> View {
        view(&self.path(""))
    }

    /// Takes a safety checkpoint and goes back; nothing may fail.
    pub(in crate::workspace) fn roll_back(&mut self, to: &Checkpoint) -> RolledBack {
        let now = self.taken().with_tree();
        let root = self.root();
        let result = self
            .repository
            .rollback(&root, &now, to, &[], &[], Missing::Lost)
            .unwrap();
        assert!(result.failed.is_empty(), "{:?}", result.failed);
        result
    }

    /// Until the clock has moved on, a file could have changed without a trace.
    pub(in crate::workspace) fn let_time_pass(&self) {
        let start = std::time::Instant::now();
        while start.elapsed() < std::time::Duration::from_millis(80) {
            std::thread::yield_now();
        }
    }

    /// The changes as `A path`, `M path` and so on.
    pub(in crate::workspace) fn changes(&self, from: &Checkpoint, to: &Checkpoint) -> Vec<String> {
        let changes = self.repository.changes(from, to).unwrap();
        let text = |change: &Change| format!("{:?} {}", change.kind, change.path.display());
        changes.iter().map(text).collect()
    }

    pub(in crate::workspace) fn left_out(taken: &Taken) -> Vec<(String, Reason)> {
        let left_out = taken.left_out.iter();
        left_out
            .map(|left| (left.path.to_string_lossy().into_owned(), left.reason))
            .collect()
    }
}

/// Looks at a tree by means of the standard library alone. Sockets and the like are not seen.
pub(in crate::workspace) fn view(root: &Path) -> View {
    let mut view = View::new();
    let mut inodes: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let below = path.strip_prefix(root).unwrap().to_owned();
        let kind = found.file_type();
        let (kind, content) = if kind.is_dir() {
            for entry in fs::read_dir(&path).unwrap() {
                pending.push(entry.unwrap().path());
            }
            ("directory", Vec::new())
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            ("link", target.as_os_str().as_bytes().to_vec())
        } else if kind.is_file() {
            inodes.entry(found.ino()).or_default().push(below.clone());
            ("file", fs::read(&path).unwrap())
        } else {
            continue;
        };
        view.insert(
            below,
            Seen {
                kind,
                mode: found.mode() & 0o7777,
                mtime: (found.mtime(), found.mtime_nsec()),
                content,
                same: Vec::new(),
            },
        );
    }
    for mut names in inodes.into_values() {
        names.sort();
        for name in &names {
            view.get_mut(name).unwrap().same.clone_from(&names);
        }
    }
    view
}

/// Says which names differ, and not all that is in them.
#[track_caller]
pub(in crate::workspace) fn assert_same(one: &View, other: &View) {
    let differing: Vec<_> = one
        .keys()
        .chain(other.keys())
        .filter(|path| one.get(*path) != other.get(*path))
        .map(|path| {
            let show = |view: &View| {
                view.get(path).map(|seen| {
                    let length = seen.content.len();
                    format!(
                        "{} {:o} {:?} {length} {:?}",
                        seen.kind, seen.mode, seen.mtime, seen.same
                    )
                })
            };
            format!("{path:?}: {:?} / {:?}", show(one), show(other))
        })
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}
