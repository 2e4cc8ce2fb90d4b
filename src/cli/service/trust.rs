//! Which files only root can have put where they are.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// As the kernel.
const MAX_LINKS: usize = 40;
/// Write permission of group and others. An access list that lets others write shows here too.
const OTHERS_WRITE: u32 = 0o022;
/// Where a distribution puts programs, and nobody an agent's workspace.
const SYSTEM: [&str; 3] = ["/usr", "/bin", "/sbin"];

/// Whom a path may belong to, and where it must not lie.
#[derive(Debug)]
pub(super) struct Trust<'a> {
    /// Stands for `/`. Only tests have another one.
    root: &'a Path,
    /// Owns every file and directory on the way.
    owner: u32,
    /// What an agent may have written, whoever owns it. `None`: there is no such directory.
    workspace: Option<&'a Path>,
    /// Where it must lie, if not anywhere.
    within: Option<&'static [&'static str]>,
}

/// Why a path is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    #[error("its PATH entry is not absolute")]
    NotAbsolute,
    #[error("{} does not belong to root", shown(.0))]
    Foreign(PathBuf),
    #[error("{} can be written by others than root", shown(.0))]
    Writable(PathBuf),
    #[error("{} lies in the working directory", shown(.0))]
    InWorkspace(PathBuf),
    #[error("{} lies outside of the system's directories", shown(.0))]
    OutsideSystem(PathBuf),
    #[error("it is no regular file")]
    NotRegular,
    #[error("it is not executable")]
    NotExecutable,
    #[error("{} cannot be examined: {why}", shown(path))]
    Unknown { path: PathBuf, why: String },
}

pub(super) fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

impl<'a> Trust<'a> {
    /// In what root owns, for a caller with this user id that works in this directory.
    pub(super) fn in_root(caller: u32, workspace: Option<&'a Path>) -> Self {
        Self {
            root: Path::new("/"),
            owner: 0,
            // Nobody's workspace, and below it lies everything.
            workspace: workspace.filter(|path| *path != Path::new("/")),
            // What root's own agent wrote belongs to root too.
            within: (caller == 0).then_some(&SYSTEM),
        }
    }

    /// As [`Trust::in_root`], in a tree where a directory stands for `/` and a user for root.
    #[cfg(test)]
    pub(super) fn in_tree(root: &'a Path, workspace: Option<&'a Path>) -> Self {
        Self {
            root,
            owner: rustix::process::geteuid().as_raw(),
            workspace,
            within: None,
        }
    }

    /// The same, within the system's directories only.
    #[cfg(test)]
    pub(super) fn within_system(self) -> Self {
        Self {
            within: Some(&SYSTEM),
            ..self
        }
    }

    /// The same, where what we made is another's.
    #[cfg(test)]
    pub(super) fn of_another(self) -> Self {
        Self {
            owner: self.owner + 1,
            ..self
        }
    }

    /// Where a path is on disk.
    pub(super) fn on_disk(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What an agent may have written.
    pub(super) fn workspace(&self) -> Option<&'a Path> {
        self.workspace
    }

    /// Follows an absolute path, links and all, and returns where it leads: every directory, every
    /// link and the end belong to root and can be written by nobody else. So it leads there until
    /// root changes it.
    pub(super) fn resolve(&self, path: &Path) -> Result<(PathBuf, Metadata), Distrust> {
        if !path.is_absolute() {
            return Err(Distrust::NotAbsolute);
        }
        let mut left: VecDeque<OsString> = parts(path).collect();
        let mut real = PathBuf::from("/");
        let mut metadata = self.look(&real)?;
        self.judge(&real, &metadata)?;
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                // No link is left in it.
                real.pop();
                metadata = self.look(&real)?;
                continue;
            }
            let here = real.join(part);
            self.place(&here)?;
            metadata = self.look(&here)?;
            self.judge(&here, &metadata)?;
            if !metadata.is_symlink() {
                real = here;
                continue;
            }
            // Whoever can change the link chooses the end.
            self.confine(&here)?;
            links += 1;
            if links > MAX_LINKS {
                return Err(unknown(&here, &"too many links"));
            }
            let target =
                std::fs::read_link(self.on_disk(&here)).map_err(|error| unknown(&here, &error))?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for part in parts(&target).rev() {
                left.push_front(part);
            }
        }
        self.confine(&real)?;
        Ok((real, metadata))
    }

    fn look(&self, path: &Path) -> Result<Metadata, Distrust> {
        std::fs::symlink_metadata(self.on_disk(path)).map_err(|error| unknown(path, &error))
    }

    fn judge(&self, path: &Path, metadata: &Metadata) -> Result<(), Distrust> {
        if metadata.uid() != self.owner {
            return Err(Distrust::Foreign(path.to_owned()));
        }
        // A link has no permissions of its own. The sticky bit is no help: it stops others from
        // taking a file away, not from putting one there.
        if !metadata.is_symlink() && metadata.mode() & OTHERS_WRITE != 0 {
            return Err(Distrust::Writable(path.to_owned()));
        }
        Ok(())
    }

    fn place(&self, path: &Path) -> Result<(), Distrust> {
        match self.workspace {
            Some(workspace) if path.starts_with(workspace) => {
                Err(Distrust::InWorkspace(path.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn confine(&self, path: &Path) -> Result<(), Distrust> {
        match self.within {
            Some(within) if !within.iter().any(|place| path.starts_with(place)) => {
                Err(Distrust::OutsideSystem(path.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn unknown(path: &Path, why: &impl ToString) -> Distrust {
    Distrust::Unknown {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// The names in a path, and its `..`.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
