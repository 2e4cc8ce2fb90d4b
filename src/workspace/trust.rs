//! What in a tree would run, or lead elsewhere, on the host of whoever takes it: a comparison of how
//! it was with how it is. Nothing is run, and no link followed but in the two trees themselves.

mod links;
mod names;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::workspace::changes::{Change, ChangeKind, Entry, changes};
use crate::workspace::error::Result;
use crate::workspace::id::ID;
use crate::workspace::snapshot::{self, At, EntryKind, Node, Reason, Snapshot};
use crate::workspace::store::Store;

use links::Links;
use names::Names;

/// Set-user-id, set-group-id and sticky.
const SET_ID: u32 = 0o7000;
/// Anybody may execute it.
const EXECUTE: u32 = 0o111;

/// Something to look at before the tree is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// Relative to the root, not escaped. Of a nested repository, its `.git`, or the directory that is
    /// one.
    pub path: PathBuf,
    /// What it is.
    pub what: What,
    /// How it came; `None` where checkpoints do not know.
    pub kind: Option<ChangeKind>,
}

macro_rules! whats {
    ($($(#[$doc:meta])* $name:ident: $word:literal, $says:literal;)*) => {
        /// What would run, or lead elsewhere.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum What {
            $($(#[$doc])* $name,)*
        }

        impl What {
            /// All of them, the worst first.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// A word, for programs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// A few words, for people.
            pub fn says(self) -> &'static str {
                match self {
                    $(Self::$name => $says,)*
                }
            }
        }
    };
}

whats! {
    /// A hook of the repository.
    GitHook: "git-hook", "git hook";
    /// The repository's configuration, which can name programs.
    GitConfig: "git-config", "git configuration";
    /// Other files of git that lead elsewhere or hold commands.
    GitState: "git-state", "state of git";
    /// Another repository, a submodule's included; a bare one as well.
    NestedRepository: "nested-repository", "nested git repository";
    /// `.gitmodules`.
    Submodules: "submodules", "submodules";
    /// Attributes: they choose filters and drivers.
    GitAttributes: "git-attributes", "git attributes";
    /// What installs or describes hooks.
    HookManager: "hook-manager", "hooks";
    /// Read by a shell, or by what watches its directory.
    Shell: "shell", "shell environment";
    /// Settings and tasks of editors.
    Editor: "editor", "editor settings";
    /// A container that an editor starts.
    DevContainer: "dev-container", "dev container";
    /// Run by a forge.
    Ci: "ci", "CI";
    /// Read by other agents: tools, servers, instructions.
    Agent: "agent", "agent configuration";
    /// Read by Stockade.
    Stockade: "stockade", "Stockade configuration";
    /// Run at the start of an interpreter.
    Startup: "startup", "run when an interpreter starts";
    /// Configuration of package managers and linkers.
    Packages: "packages", "package manager configuration";
    /// Run by a build tool or on installing.
    Build: "build", "build script";
    /// Run by a test runner.
    Tests: "tests", "test runner configuration";
    /// How an image is built or containers are started.
    Container: "container", "container description";
    /// A set-id or sticky bit.
    SetId: "set-id", "set-id or sticky bit";
    /// A link that leaves the tree.
    LinkOut: "link-out", "link that leaves the workspace";
    /// A file with several names.
    HardLink: "hard-link", "hard link";
    /// A name with control characters, or that is no text.
    Name: "name", "name that is no plain text";
    /// Something that can be executed.
    Executable: "executable", "executable";
    /// What checkpoints do not hold.
    Unseen: "unseen", "not in the checkpoint";
}

/// Everything of concern, by path.
pub(super) fn concerns(store: &Store, from: &Snapshot, to: &Snapshot) -> Result<Vec<Concern>> {
    let names = Names::new();
    let mut found = Vec::new();
    let mut nested = Nested::default();
    for change in changes(from, to)? {
        let Some(after) = change.after else { continue };
        if !nested.holds(&change) {
            one(&names, &change, &after, &mut found);
        }
    }
    nested.end(&mut found);
    bare(from, to, &mut found)?;
    unseen(to, &mut found);
    hard_links(from, to, &mut found);
    Links::new(store, from, to).leaving(&mut found)?;
    found.sort_by(|a, b| (&a.path, a.what).cmp(&(&b.path, b.what)));
    found.dedup_by(|a, b| (&a.path, a.what) == (&b.path, b.what));
    Ok(found)
}

/// What a single change says by itself.
fn one(names: &Names, change: &Change, after: &Entry, found: &mut Vec<Concern>) {
    let mut say = |what| {
        found.push(Concern {
            path: change.path.clone(),
            what,
            kind: Some(change.kind),
        });
    };
    let mode = change.before.map_or(0, |before| before.mode);
    let is_file = after.kind == EntryKind::File;
    // The mode of a directory runs nothing, nor does that of a link.
    let was_executed = mode & EXECUTE != 0;
    let can_be_executed = is_file && after.mode & EXECUTE != 0;
    let matters = match change.kind {
        ChangeKind::Mode => can_be_executed && !was_executed,
        _ => after.kind != EntryKind::Directory,
    };
    if matters {
        if let Some(what) = names.of(&change.path) {
            say(what);
        } else if can_be_executed {
            say(What::Executable);
        }
    }
    // New directories get it from the one above.
    let bits = match after.kind {
        EntryKind::File => SET_ID,
        EntryKind::Directory => SET_ID & !0o2000,
        _ => 0,
    };
    if after.mode & bits & !mode != 0 {
        say(What::SetId);
    }
    if change.before.is_none() && is_odd(&change.path) {
        say(What::Name);
    }
}

/// Whether the last name is anything but plain text.
fn is_odd(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    name.to_str().is_none_or(|name| name.contains(hidden))
}

/// Repositories in the tree, but for the one at the top: one concern for each.
#[derive(Default)]
struct Nested {
    found: Vec<Concern>,
}

impl Nested {
    /// Whether a change lies in one; remembers it.
    fn holds(&mut self, change: &Change) -> bool {
        let bytes = change.path.as_os_str().as_bytes();
        let mut end = 0;
        for name in bytes.split(|&byte| byte == b'/') {
            let start = end;
            end += name.len();
            if start > 0 && name.eq_ignore_ascii_case(b".git") {
                let path = snapshot::path(bytes.get(..end).unwrap_or_default());
                // Directories come before what is in them.
                if self.found.last().is_none_or(|last| last.path != path) {
                    let is_itself = end == bytes.len();
                    let kind = if is_itself {
                        change.kind
                    } else {
                        ChangeKind::Modified
                    };
                    self.found.push(Concern {
                        path,
                        what: What::NestedRepository,
                        kind: Some(kind),
                    });
                }
                return true;
            }
            end += 1;
        }
        false
    }

    fn end(self, found: &mut Vec<Concern>) {
        found.extend(self.found);
    }
}

/// Directories that git takes for a repository without being told: with `HEAD`, `objects` and `refs`, or with
/// `HEAD` and `commondir`, which says where the rest is, its configuration included.
fn bare(from: &Snapshot, to: &Snapshot, found: &mut Vec<Concern>) -> Result<()> {
    let repositories = |tree: &Snapshot| {
        let mut all: HashMap<Vec<u8>, At> = HashMap::new();
        tree.walk(|at, path| {
            let has = |name: &[u8]| tree.children(at).any(|at| tree.name(at) == name);
            let inside = path.split(|&byte| byte == b'/').any(|name| name == b".git");
            let is_whole = || has(b"commondir") || has(b"objects") && has(b"refs");
            if !inside && has(b"HEAD") && is_whole() {
                all.insert(path.to_vec(), at);
            }
        });
        all
    };
    let (before, after) = (repositories(from), repositories(to));
    if after.is_empty() {
        return Ok(());
    }
    let changes = changes(from, to)?;
    for path in after.into_keys() {
        let place = snapshot::path(&path);
        let kind = match before.contains_key(&path) {
            false => ChangeKind::Added,
            true if changes.iter().any(|change| change.path.starts_with(&place)) => {
                ChangeKind::Modified
            }
            true => continue,
        };
        found.push(Concern {
            path: if path.is_empty() { ".".into() } else { place },
            what: What::NestedRepository,
            kind: Some(kind),
        });
    }
    Ok(())
}

/// What the later tree does not hold, and whose content nobody has compared.
fn unseen(to: &Snapshot, found: &mut Vec<Concern>) {
    to.walk(|directory, above| {
        for at in to.children(directory) {
            let Some(EntryKind::LeftOut(reason)) = to.node(at).map(|node| node.kind) else {
                continue;
            };
            // Nothing runs a socket, a FIFO or a device.
            if reason != Reason::Special {
                let mut path = above.to_vec();
                snapshot::join(&mut path, to.name(at));
                found.push(Concern {
                    path: snapshot::path(&path),
                    what: What::Unseen,
                    kind: None,
                });
            }
        }
    });
}

/// Files that share their content with other names than before: who writes one writes all.
fn hard_links(from: &Snapshot, to: &Snapshot, found: &mut Vec<Concern>) {
    let groups = to.groups();
    if groups.is_empty() {
        return;
    }
    let before: HashSet<[u8; ID]> = from.groups().into_values().collect();
    to.walk(|directory, above| {
        for at in to.children(directory) {
            let group = to.node(at).map_or(0, |node: &Node| node.group);
            let Some(names) = groups.get(&group).filter(|_| group != 0) else {
                continue;
            };
            if !before.contains(names) {
                let mut path = above.to_vec();
                snapshot::join(&mut path, to.name(at));
                found.push(Concern {
                    path: snapshot::path(&path),
                    what: What::HardLink,
                    kind: Some(ChangeKind::Added),
                });
            }
        }
    });
}
