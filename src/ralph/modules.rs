//! The submodules of a workspace, which git consults from above: where each is, what its `.git` was when the run
//! began, and how it is kept so. What git would not consult by itself, other repositories inside, is not moved.

use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::error::Result;
use super::files::write_whole;
use crate::workspace::git::{self, Below, ModuleGit, TopKind, Way};
use crate::workspace::{self, Result as Looked, Root};

const GIT: &CStr = c".git";

/// A submodule when the run began.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Module {
    /// Where it is in the workspace.
    pub path: PathBuf,
    /// What its `.git` was; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Obeyed>,
}

/// What the `.git` of a submodule was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Obeyed {
    /// A file.
    File {
        /// What it held.
        text: String,
        /// Its mode.
        mode: u32,
    },
    /// A directory, in which the agent could not write.
    Directory {
        /// The device that it is on.
        device: u64,
        /// Its inode there.
        inode: u64,
    },
}

/// What is done to one thing: it is moved away.
pub(super) type SetAside<'a> = dyn FnMut(&Root, &CStr, String) -> bool + 'a;

/// What is about to be put back, on disk: who is killed then is followed by another one.
#[derive(Debug, Clone)]
pub(super) struct Intent(pub(super) PathBuf);

impl Intent {
    fn begin(&self, module: &Path) {
        // On a full disk there is more to lose.
        let _ = write_whole(&self.0, module.as_os_str().as_bytes(), 0o600);
    }

    fn is(&self, module: &Path) -> bool {
        std::fs::read(&self.0).is_ok_and(|text| text == module.as_os_str().as_bytes())
    }

    fn is_done(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// All of them; and of which repositories above the workspace they are not known.
pub(super) fn of(root: &Root) -> Result<(Vec<Module>, Vec<workspace::Error>)> {
    let git::Modules { found, unknown } = git::modules(root)?;
    let one = |module: git::Module| Module {
        path: module.path,
        git: match module.git {
            ModuleGit::Nothing => None,
            ModuleGit::File { text, mode } => Some(Obeyed::File { text, mode }),
            ModuleGit::Directory {
                id: (device, inode),
            } => Some(Obeyed::Directory { device, inode }),
        },
    };
    Ok((found.into_iter().map(one).collect(), unknown))
}

impl Module {
    /// Whether its repository, a directory, is not where it was: then it is not closed to the agent in another life.
    pub(super) fn is_lost(&self, root: &Root) -> bool {
        let Some(Obeyed::Directory { device, inode }) = &self.git else {
            return false;
        };
        let is_there = |below: &Below| {
            let now = below.root.top(GIT).ok().flatten();
            now.is_some_and(|now| now.kind == TopKind::Directory && now.id == (*device, *inode))
        };
        !matches!(root.way(&self.path), Ok(Way::Whole(below)) if is_there(&below))
    }

    /// Sees to it that nothing else is obeyed there than what was. Says what could not be put back.
    pub(super) fn keep(
        &self,
        root: &Root,
        aside: &mut SetAside<'_>,
        intent: &Intent,
    ) -> Looked<Option<String>> {
        match root.way(&self.path)? {
            Way::Gone => Ok(None),
            // No submodule was behind a link in the beginning, and some commands of git follow one.
            Way::Link(above, name) => {
                let path = above.root.path().join(name.to_string_lossy().as_ref());
                let path = path.strip_prefix(root.path()).unwrap_or(&path);
                aside(&above.root, &name, path.to_string_lossy().into_owned());
                Ok(None)
            }
            Way::Whole(below) => self.keep_in(&below, aside, intent),
        }
    }

    fn keep_in(
        &self,
        below: &Below,
        aside: &mut SetAside<'_>,
        intent: &Intent,
    ) -> Looked<Option<String>> {
        let here = &below.root;
        let now = here.top(GIT)?;
        let stays = match (now, &self.git) {
            // Whoever moved it away was killed then.
            (None, Some(Obeyed::File { text, mode })) if intent.is(&self.path) => {
                here.put_git_file(text, *mode)?;
                intent.is_done();
                true
            }
            // Nothing is obeyed; what has gone, the difference to the beginning shows.
            (None, _) => true,
            (Some(_), None) => false,
            (Some(now), Some(Obeyed::File { text, .. })) => {
                now.kind == TopKind::File && here.git_file().ok().flatten().as_ref() == Some(text)
            }
            (Some(now), Some(Obeyed::Directory { device, inode })) => {
                now.kind == TopKind::Directory && now.id == (*device, *inode)
            }
        };
        let path = self.path.join(".git").to_string_lossy().into_owned();
        if stays {
            return Ok(None);
        }
        if let Some(Obeyed::File { .. }) = &self.git {
            intent.begin(&self.path);
        }
        if !aside(here, GIT, path.clone()) {
            return Ok(None);
        }
        match &self.git {
            None => Ok(None),
            Some(Obeyed::File { text, mode }) => {
                here.put_git_file(text, *mode)?;
                intent.is_done();
                Ok(None)
            }
            Some(Obeyed::Directory { .. }) => Ok(Some(format!(
                "`{path}` of the beginning is not there any more: the agent has moved it, or what it was in"
            ))),
        }
    }
}
