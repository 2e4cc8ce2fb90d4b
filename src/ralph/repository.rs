//! What the agent has of the workspace's repository, and what may not stay at the workspace's top.
//!
//! The person's `.git` is obeyed by the person's own git, and a `stockade.toml` by the next run: one that
//! has come meanwhile is an agent's, and is moved away before each checkpoint. Without a `.git` git also obeys
//! a directory that is itself a repository: of that `HEAD` is moved, without which it is none. It is only renamed, so that
//! nothing can be too large for it, or half done: into the run's own directory; where that is on another
//! file system, into a private one beside the workspace, which the agent does not see; and where that
//! cannot be either, it stays where it is, under another name. The same goes for the `.git` of each submodule that the
//! person's index has, of this repository or of one above: git there asks it what has changed in it. What it was is
//! put back. With what cannot be moved at all, since another user of the sandbox made it, the run ends.

use std::ffi::CStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::Result;
use super::event::Event;
use super::modules::{self, Intent, Module};
use super::newcomer::Newcomer;
use super::record::Record;
use super::store::Run;
use crate::workspace::git::{Top, TopKind};
use crate::workspace::{self, Root};

const GIT: &CStr = c".git";
const CONFIGURATION: &CStr = c"stockade.toml";
const HEAD: &CStr = c"HEAD";

/// What the agent has of the person's repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitAccess {
    /// A copy of its own, which shares the objects.
    #[default]
    Shadow,
    /// Nothing.
    None,
    /// It may read it.
    Ro,
    /// It may change it.
    Rw,
}

/// The repository when the run began.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Repository {
    /// What the agent has of it.
    pub access: GitAccess,
    /// What `.git` was, if it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Identity>,
    /// Whether there was a `stockade.toml`.
    pub configured: bool,
    /// Whether the workspace was a repository itself.
    #[serde(default)]
    pub bare: bool,
    /// The submodules below it, which git consults as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Module>,
}

/// What a name was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The device that it is on.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
    /// What kind of thing it is.
    pub kind: IdentityKind,
}

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// A directory.
    Directory,
    /// A plain file.
    File,
    /// Something else.
    Other,
}

impl GitAccess {
    /// All that can be asked for, in podman's words where it has some.
    pub const ALL: [Self; 4] = [Self::Shadow, Self::None, Self::Ro, Self::Rw];

    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::None => "none",
            Self::Ro => "ro",
            Self::Rw => "rw",
        }
    }
}

impl fmt::Display for GitAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl From<Top> for Identity {
    fn from(top: Top) -> Self {
        let (device, inode) = top.id;
        let kind = match top.kind {
            TopKind::Directory => IdentityKind::Directory,
            TopKind::File => IdentityKind::File,
            TopKind::Other => IdentityKind::Other,
        };
        Self {
            device,
            inode,
            kind,
        }
    }
}

impl Repository {
    /// Looks at a workspace as it is now. What cannot be told of repositories above it, whose submodules are not watched
    /// then, is beside it.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn of(root: &Root, access: GitAccess) -> Result<(Self, Vec<workspace::Error>)> {
        let (modules, unknown) = match access {
            GitAccess::Rw => Default::default(),
            _ => modules::of(root)?,
        };
        let repository = Self {
            access,
            git: root.top(GIT)?.map(Identity::from),
            configured: root.top(CONFIGURATION)?.is_some(),
            bare: is_bare(root)?,
            modules,
        };
        Ok((repository, unknown))
    }

    /// Whether `.git` is the person's: still that of before, which the agent could not change, or a newcomer of theirs.
    /// What is other in it is the person's own work.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn is_persons(&self, root: &Root, newcomer: Newcomer) -> Result<bool> {
        let now = root.top(GIT)?.map(Identity::from);
        let is_theirs = now == self.git || newcomer == Newcomer::Persons;
        Ok(self.access != GitAccess::Rw && now.is_some() && is_theirs)
    }

    /// Whether this `.git` may stay.
    fn allows(&self, now: Identity) -> bool {
        match (self.access, self.git) {
            (GitAccess::Rw, Some(git)) => git.kind == now.kind,
            // The agent was allowed to make one.
            (GitAccess::Rw, None) => now.kind == IdentityKind::Directory,
            (_, git) => git == Some(now),
        }
    }
}

/// What came of it.
pub(super) struct Cleared {
    /// What was moved, and what was not.
    pub(super) events: Vec<Event>,
    /// What would be obeyed and could not be moved or put back, relative to the workspace.
    pub(super) stays: Vec<PathBuf>,
}

/// What keeps the top of a workspace clean.
#[derive(Debug, Clone)]
pub(super) struct Quarantine {
    repository: Option<Repository>,
    places: Vec<PathBuf>,
    /// How a name begins that cannot go anywhere else.
    aside: String,
    intent: Intent,
}

impl Quarantine {
    pub(super) fn of(run: &Run, record: &Record) -> Self {
        let name = format!(".stockade-quarantine-{}", run.id());
        let beside = record.workspace.path.parent();
        let beside = beside.map(|parent| parent.join(&name));
        Self {
            repository: record.repository.clone(),
            places: std::iter::once(run.quarantine_directory())
                .chain(beside)
                .collect(),
            aside: name,
            intent: Intent(run.intent_path()),
        }
    }

    /// What of a workspace would be obeyed, relative to it, whether it is there or not.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        let modules = self.repository.iter().flat_map(|all| &all.modules);
        let below = modules.map(|module| module.path.join(".git"));
        let top = [GIT, CONFIGURATION, HEAD].map(|name| PathBuf::from(&*name.to_string_lossy()));
        top.into_iter().chain(below).collect()
    }

    /// Moves away what may not stay, and says so. Blocks.
    pub(super) fn clear(&self, root: &Root) -> Result<Cleared> {
        self.clear_of(root, &|_| true)
    }

    /// The same, of some places.
    pub(super) fn clear_of(
        &self,
        root: &Root,
        is_meant: &dyn Fn(&Path) -> bool,
    ) -> Result<Cleared> {
        let (mut events, mut stays) = (Vec::new(), Vec::new());
        let Some(repository) = &self.repository else {
            return Ok(Cleared { events, stays });
        };
        let places: Vec<_> = self.places.iter().map(PathBuf::as_path).collect();
        let mut aside = |at: &Root, name: &CStr, path: String| {
            let moved = at.set_aside(name, &places, &self.aside);
            let is_moved = moved.is_ok();
            if !is_moved {
                stays.push(PathBuf::from(&path));
            }
            events.push(match moved {
                Ok(to) => Event::Quarantined {
                    path,
                    to: to.to_string_lossy().into_owned(),
                },
                Err(error) => Event::Warning {
                    text: format!("`{path}` has come since the beginning, and stays: {error}"),
                },
            });
            is_moved
        };
        let git = root.top(GIT)?;
        let configured = root.top(CONFIGURATION)?.is_some();
        let goes = [
            (GIT, git.is_some_and(|git| !repository.allows(git.into()))),
            (CONFIGURATION, configured && !repository.configured),
        ];
        for (name, goes) in goes {
            if goes && is_meant(Path::new(&*name.to_string_lossy())) {
                aside(root, name, name.to_string_lossy().into_owned());
            }
        }
        if is_bare(root)? && !repository.bare && is_meant(Path::new(&*HEAD.to_string_lossy())) {
            aside(root, HEAD, HEAD.to_string_lossy().into_owned());
        }
        let (mut warnings, mut unseen) = (Vec::new(), Vec::new());
        let modules = repository.modules.iter();
        for module in modules.filter(|module| is_meant(&module.path.join(".git"))) {
            warnings.extend(match module.keep(root, &mut aside, &self.intent) {
                Ok(warning) => warning,
                Err(error) => {
                    let path = module.path.join(".git");
                    let shown = path.display();
                    let text = format!("`{shown}` may not be what it was: {error}");
                    unseen.push(path);
                    Some(text)
                }
            });
        }
        events.extend(warnings.into_iter().map(|text| Event::Warning { text }));
        stays.extend(unseen);
        Ok(Cleared { events, stays })
    }
}

/// Whether git would take the directory itself for a repository.
fn is_bare(root: &Root) -> Result<bool> {
    let is_there = |name| root.top(name).map(|top| top.is_some());
    Ok(!is_there(GIT)? && is_there(HEAD)? && (is_there(c"objects")? || is_there(c"commondir")?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;
    use crate::ralph::modules::Obeyed;

    struct Scene {
        base: tempfile::TempDir,
        root: Root,
    }

    impl Scene {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            fs::create_dir(base.path().join("work")).unwrap();
            let root = Root::open(&base.path().join("work")).unwrap();
            Self { base, root }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.base.path().join("work").join(name)
        }

        fn begun(&self, access: GitAccess) -> Quarantine {
            Quarantine {
                repository: Some(Repository::of(&self.root, access).unwrap().0),
                places: vec![self.base.path().join("quarantine")],
                aside: ".aside".to_owned(),
                intent: Intent(self.base.path().join("intent")),
            }
        }

        /// The names that were moved.
        fn moved(&self, quarantine: &Quarantine) -> Vec<String> {
            let Cleared { events, stays } = quarantine.clear(&self.root).unwrap();
            assert!(stays.is_empty());
            let path = |event| match event {
                Event::Quarantined { path, to } => {
                    assert!(Path::new(&to).symlink_metadata().is_ok(), "{to}");
                    assert!(self.at(&path).symlink_metadata().is_err(), "{path}");
                    path
                }
                other => panic!("{other:?}"),
            };
            events.into_iter().map(path).collect()
        }
    }

    #[test]
    fn what_was_there_stays() {
        for access in GitAccess::ALL {
            let scene = Scene::new();
            fs::create_dir(scene.at(".git")).unwrap();
            fs::write(scene.at("stockade.toml"), "").unwrap();
            let quarantine = scene.begun(access);
            fs::write(scene.at(".git/config"), "x").unwrap();
            fs::write(scene.at("stockade.toml"), "changed").unwrap();
            assert!(scene.moved(&quarantine).is_empty(), "{access}");
        }
    }

    #[test]
    fn what_has_come_is_moved() {
        for access in [GitAccess::Shadow, GitAccess::None, GitAccess::Ro] {
            let scene = Scene::new();
            let quarantine = scene.begun(access);
            assert!(scene.moved(&quarantine).is_empty());
            fs::create_dir(scene.at(".git")).unwrap();
            symlink("x", scene.at("stockade.toml")).unwrap();
            assert_eq!(scene.moved(&quarantine), [".git", "stockade.toml"]);
            fs::write(scene.at(".git"), "gitdir: x").unwrap();
            assert_eq!(scene.moved(&quarantine), [".git"], "again");
        }
    }

    #[test]
    fn what_has_taken_its_place_is_moved() {
        for access in GitAccess::ALL {
            let scene = Scene::new();
            fs::create_dir(scene.at(".git")).unwrap();
            let quarantine = scene.begun(access);
            fs::rename(scene.at(".git"), scene.at("kept")).unwrap();
            assert!(scene.moved(&quarantine).is_empty(), "nothing is there");
            fs::create_dir(scene.at(".git")).unwrap();
            let moved = scene.moved(&quarantine);
            assert_eq!(moved.is_empty(), access == GitAccess::Rw);
            let _ = fs::remove_dir(scene.at(".git"));
            symlink("kept", scene.at(".git")).unwrap();
            assert_eq!(scene.moved(&quarantine), [".git"], "{access}");
        }
    }

    /// What a kill at each moment leaves, and the next who looks makes of it.
    #[test]
    fn a_submodules_file_is_put_back_though_somebody_was_killed() {
        let scene = Scene::new();
        let file = scene.at("sub/.git");
        fs::create_dir(scene.at("sub")).unwrap();
        fs::write(&file, "gitdir: ../.git/modules/sub\n").unwrap();
        let mut quarantine = scene.begun(GitAccess::Shadow);
        let text = "gitdir: ../.git/modules/sub\n".to_owned();
        quarantine.repository.as_mut().unwrap().modules = vec![Module {
            path: "sub".into(),
            git: Some(Obeyed::File {
                text: text.clone(),
                mode: 0o644,
            }),
        }];
        let read = || fs::read_to_string(&file).ok();
        // The agent may well remove it.
        fs::remove_file(&file).unwrap();
        assert!(quarantine.clear(&scene.root).unwrap().events.is_empty());
        assert_eq!(read(), None);
        let intent = scene.base.path().join("intent");
        for left in [None, Some(""), Some("gitdir: evil\n")] {
            fs::write(&intent, "sub").unwrap();
            let _ = fs::remove_file(&file);
            if let Some(left) = left {
                fs::write(&file, left).unwrap();
            }
            let cleared = quarantine.clear(&scene.root).unwrap();
            assert_eq!(cleared.events.len(), usize::from(left.is_some()));
            assert_eq!(read().as_ref(), Some(&text), "{left:?}");
            assert!(!intent.exists());
        }
        fs::write(&intent, "other").unwrap();
        fs::remove_file(&file).unwrap();
        assert!(quarantine.clear(&scene.root).unwrap().events.is_empty());
        assert_eq!(read(), None);
    }

    #[test]
    fn a_workspace_does_not_become_a_repository_itself() {
        let scene = Scene::new();
        let quarantine = scene.begun(GitAccess::Shadow);
        fs::write(scene.at("HEAD"), "ref: refs/heads/main").unwrap();
        assert!(scene.moved(&quarantine).is_empty(), "only a name");
        for other in ["objects", "commondir"] {
            fs::write(scene.at("HEAD"), "ref: refs/heads/main").unwrap();
            fs::create_dir(scene.at(other)).unwrap();
            assert_eq!(scene.moved(&quarantine), ["HEAD"]);
            fs::remove_dir(scene.at(other)).unwrap();
        }
        // One that was one stays one; and a `.git` comes first.
        fs::write(scene.at("HEAD"), "ref: refs/heads/main").unwrap();
        fs::create_dir(scene.at("objects")).unwrap();
        assert!(scene.moved(&scene.begun(GitAccess::Shadow)).is_empty());
        fs::create_dir(scene.at(".git")).unwrap();
        assert!(scene.moved(&scene.begun(GitAccess::Shadow)).is_empty());
    }

    #[test]
    fn an_agent_that_may_change_it_may_make_one() {
        let scene = Scene::new();
        let quarantine = scene.begun(GitAccess::Rw);
        fs::create_dir(scene.at(".git")).unwrap();
        assert!(scene.moved(&quarantine).is_empty());
    }
}
