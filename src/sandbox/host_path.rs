//! Host paths: symbolic links are followed once, here, and never again. What an agent could have
//! planted below its workspace is told apart by where each followed link lies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

/// As the kernel.
const MAX_LINKS: usize = 40;

/// A file's device and inode: the same as long as it is the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// What kind of file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A Unix socket: a door to some host service.
    Socket,
    /// A block or character device.
    Device,
    /// A pipe or something else.
    Other,
}

/// An existing host path without any symbolic link in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    path: PathBuf,
    identity: FileIdentity,
    kind: FileKind,
    owner: Owner,
    names: u64,
    links: Vec<PathBuf>,
}

/// Who owns a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Why a host path will not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostPathError {
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The path, as far as it was resolved.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It leads through a link that an agent could have made.
    #[error("{} is a symbolic link below {}", link.display(), root.display())]
    UntrustedLink {
        /// The link.
        link: PathBuf,
        /// The directory that an agent could write.
        root: PathBuf,
    },
}

impl HostPathError {
    fn open(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Open {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

impl HostPath {
    /// Resolves a path, relative ones against `cwd`, following links and noting where they lie.
    ///
    /// # Errors
    /// If it does not exist, cannot be searched, or changes meanwhile.
    pub fn resolve(path: &Path, cwd: &Path) -> Result<Self, HostPathError> {
        let mut rest: VecDeque<OsString> = parts(&cwd.join(path));
        let mut real = PathBuf::from("/");
        let mut links = Vec::new();
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&part);
            let kind = next
                .symlink_metadata()
                .map_err(|error| HostPathError::open(&next, error))?;
            if !kind.is_symlink() {
                real = next;
                continue;
            }
            if links.len() == MAX_LINKS {
                return Err(HostPathError::open(&next, rustix::io::Errno::LOOP));
            }
            let target = next
                .read_link()
                .map_err(|error| HostPathError::open(&next, error))?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
            links.push(next);
        }
        // From here on by descriptors: what has become a link since is an error.
        let file = open_unfollowed(&real, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&file).map_err(|error| HostPathError::open(&real, error))?;
        Ok(Self {
            path: real,
            identity: identity(&stat),
            kind: kind(&stat),
            owner: Owner {
                uid: stat.st_uid,
                gid: stat.st_gid,
            },
            names: stat.st_nlink,
            links,
        })
    }

    /// The path, absolute and without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// The kind of file.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Who owns it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// How many names (hard links) it has.
    #[must_use]
    pub fn names(&self) -> u64 {
        self.names
    }

    /// Whether this name, the last of a path as typed, was a link.
    #[must_use]
    pub fn was_link(&self, typed: &Path) -> bool {
        let name = typed.file_name();
        name.is_some() && self.links.iter().any(|link| link.file_name() == name)
    }

    /// Refuses a path that leads through a link below one of these directories.
    ///
    /// # Errors
    /// [`HostPathError::UntrustedLink`].
    pub fn check_links<'a>(
        &self,
        roots: impl IntoIterator<Item = &'a Path>,
    ) -> Result<(), HostPathError> {
        for root in roots {
            if let Some(link) = self.links.iter().find(|link| link.starts_with(root)) {
                let (link, root) = (link.clone(), root.to_owned());
                return Err(HostPathError::UntrustedLink { link, root });
            }
        }
        Ok(())
    }

    /// Opens the file for reading, without following any link.
    ///
    /// # Errors
    /// If it cannot be opened, or is another file than the one that was resolved.
    pub fn open(&self) -> Result<std::fs::File, HostPathError> {
        // A pipe put in its place must not hang us.
        let file = open_unfollowed(&self.path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let stat =
            rustix::fs::fstat(&file).map_err(|error| HostPathError::open(&self.path, error))?;
        if identity(&stat) == self.identity {
            Ok(file.into())
        } else {
            Err(HostPathError::open(&self.path, rustix::io::Errno::STALE))
        }
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn open_unfollowed(path: &Path, flags: OFlags) -> Result<OwnedFd, HostPathError> {
    let failed = |error| HostPathError::open(path, error);
    let shared = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let step = OFlags::PATH | OFlags::DIRECTORY | shared;
    let mut names = parts(path);
    let last = names.pop_back();
    let mut at = rustix::fs::open("/", step, Mode::empty()).map_err(failed)?;
    for name in names {
        at = rustix::fs::openat(&at, &name, step, Mode::empty()).map_err(failed)?;
    }
    let last = last.unwrap_or_else(|| ".".into());
    rustix::fs::openat(&at, &last, flags | shared, Mode::empty()).map_err(failed)
}

fn identity(stat: &rustix::fs::Stat) -> FileIdentity {
    FileIdentity {
        device: stat.st_dev,
        inode: stat.st_ino,
    }
}

fn kind(stat: &rustix::fs::Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => FileKind::Directory,
        FileType::RegularFile => FileKind::Regular,
        FileType::Socket => FileKind::Socket,
        FileType::BlockDevice | FileType::CharacterDevice => FileKind::Device,
        _ => FileKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn base() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn links_are_followed_once_and_noted() {
        let (_dir, base) = base();
        fs::create_dir_all(base.join("ws/sub")).unwrap();
        fs::create_dir(base.join("keys")).unwrap();
        symlink("../keys", base.join("ws/innocent")).unwrap();
        symlink("ws", base.join("outer")).unwrap();

        let plain = HostPath::resolve(Path::new("./ws/./sub/../sub"), &base).unwrap();
        assert_eq!(plain.path(), base.join("ws/sub"));
        plain.check_links([base.as_path()]).unwrap();

        let outer = HostPath::resolve(Path::new("outer/sub"), &base).unwrap();
        assert_eq!(outer.path(), base.join("ws/sub"));
        outer.check_links([base.join("ws").as_path()]).unwrap();

        let planted = HostPath::resolve(Path::new("outer/innocent"), &base).unwrap();
        assert_eq!(planted.path(), base.join("keys"));
        let error = planted
            .check_links([base.join("ws").as_path()])
            .unwrap_err();
        assert!(
            matches!(error, HostPathError::UntrustedLink { .. }),
            "{error}"
        );
    }

    #[test]
    fn loops_and_missing_files_are_errors() {
        let (_dir, base) = base();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert!(HostPath::resolve(Path::new("a"), &base).is_err());
        assert!(HostPath::resolve(Path::new("none"), &base).is_err());
        fs::write(base.join("file"), "").unwrap();
        assert!(HostPath::resolve(Path::new("file/x"), &base).is_err());
        assert_eq!(
            HostPath::resolve(Path::new("/.."), &base).unwrap().path(),
            Path::new("/")
        );
    }

    #[test]
    fn another_file_in_its_place_is_not_opened() {
        let (_dir, base) = base();
        fs::write(base.join("env"), "A=1").unwrap();
        fs::write(base.join("other"), "A=2").unwrap();
        let path = HostPath::resolve(Path::new("env"), &base).unwrap();
        path.open().unwrap();
        fs::rename(base.join("other"), base.join("env")).unwrap();
        assert!(path.open().is_err());
        fs::remove_file(base.join("env")).unwrap();
        symlink("/etc/passwd", base.join("env")).unwrap();
        assert!(path.open().is_err());
    }
}
