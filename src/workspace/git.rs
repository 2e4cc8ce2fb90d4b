//! The repository of a workspace: found, and copied for an agent, by hand. No `git` is run on it, since
//! an agent may have written it in an earlier run: each part is a plain file or directory, is opened
//! without following a link, and is bounded.

mod config;
mod copy;
mod modules;
mod outer;
mod place;
#[cfg(test)]
mod tests;

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;

pub use modules::Below;
pub use modules::Module;
pub use modules::ModuleGit;
pub use modules::Modules;
pub use modules::Way;
pub use modules::modules;

/// An open directory, and the way to it without a link.
#[derive(Debug)]
struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// The repository of a workspace.
#[derive(Debug)]
pub struct Repository {
    /// Where `HEAD` and the index are: `.git`, or what the file `.git` names.
    own: Directory,
    /// Where the rest is, for a further worktree.
    common: Option<Directory>,
    is_file: bool,
    owner: (u32, u32),
    /// Those of its submodules, with their names.
    modules: Vec<(PathBuf, Self)>,
}

impl Repository {
    /// The one of a workspace; `None` if it has no `.git`.
    ///
    /// # Errors
    ///
    /// What is there is not as git makes it: a link, a file that leads to what does not lead back
    /// here, a directory without objects of its own.
    pub fn find(root: &Root) -> Result<Option<Self>> {
        place::find(root)
    }

    /// Whether `.git` is a file, which names the place: a further worktree, or a submodule.
    pub fn is_file(&self) -> bool {
        self.is_file
    }

    /// The directory of its objects, and that of each submodule. No agent's copy has them.
    pub fn objects(&self) -> Vec<PathBuf> {
        let modules = self.modules.iter().map(|(_, module)| module);
        std::iter::once(self)
            .chain(modules)
            .map(|repository| repository.shared().path.join("objects"))
            .collect()
    }

    /// Copies it, its objects excepted: these are found at the places named, as many as there are
    /// directories of them. Hooks, and whatever of the configuration makes git run a program or reach
    /// out, are left behind.
    ///
    /// # Errors
    ///
    /// A part is not as git makes it, or larger than what is copied; or the copy cannot be written.
    pub fn copy(&self, to: &Path, objects: &[String]) -> Result<()> {
        copy::copy(self, to, objects)
    }

    fn shared(&self) -> &Directory {
        self.common.as_ref().unwrap_or(&self.own)
    }
}

/// What a name at the top of a workspace stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// Device and inode.
    pub id: (u64, u64),
    /// What it is.
    pub kind: TopKind,
}

/// What kind of thing that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopKind {
    /// A directory.
    Directory,
    /// A plain file.
    File,
    /// A link, a pipe, a socket, a device.
    Other,
}

impl Root {
    /// What a name in it stands for, if there is such a name; no link is followed.
    ///
    /// # Errors
    ///
    /// It cannot be looked up.
    pub fn top(&self, name: &CStr) -> Result<Option<Top>> {
        match disk::find(&self.fd, name) {
            Ok(found) => Ok(Some(Top {
                id: found.id,
                kind: match found.kind {
                    Type::Directory => TopKind::Directory,
                    Type::File => TopKind::File,
                    Type::Link | Type::Special => TopKind::Other,
                },
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => {
                let path = self.path.join(name.to_string_lossy().as_ref());
                Err(Error::file("look at", &path)(errno))
            }
        }
    }
}
