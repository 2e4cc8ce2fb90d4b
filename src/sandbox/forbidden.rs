//! Host directories that no sandbox gets, whatever the flags say.

use std::fmt;
use std::path::{Path, PathBuf};

use super::host_path::{FileIdentity, HostPath};

/// Why a path is out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The whole file system.
    Root,
    /// The home directory itself; what lies in it is allowed.
    Home,
    /// SSH keys.
    SshKeys,
    /// OpenPGP keys.
    GnupgKeys,
    /// Podman's socket: whoever has it is not in a sandbox.
    PodmanSocket,
    /// The user's runtime directory: the sockets of the session's services, which run anything.
    Runtime,
    /// Podman's images, containers, volumes and secrets.
    PodmanStorage,
    /// Stockade's own directories: runs, checkpoints, keys.
    OwnState,
}

impl Forbidden {
    /// Whether what lies below is out of bounds too.
    fn covers_below(self) -> bool {
        match self {
            Self::Root | Self::Home | Self::PodmanSocket | Self::Runtime => false,
            Self::SshKeys | Self::GnupgKeys | Self::PodmanStorage | Self::OwnState => true,
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the root directory",
            Self::Home => "the home directory itself",
            Self::SshKeys => "the directory of SSH keys",
            Self::GnupgKeys => "the directory of OpenPGP keys",
            Self::PodmanSocket => "podman's socket",
            Self::Runtime => "the runtime directory of your session",
            Self::PodmanStorage => "podman's storage",
            Self::OwnState => "stockade's own state",
        })
    }
}

/// The paths that are out of bounds on this host.
#[derive(Clone, Debug)]
pub struct ForbiddenPaths {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    reason: Forbidden,
    path: PathBuf,
    identity: Option<FileIdentity>,
}

/// A path that is, holds or lies in a forbidden one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {relation} {reason}", path.display())]
pub struct ForbiddenPath {
    path: PathBuf,
    relation: &'static str,
    reason: Forbidden,
}

impl ForbiddenPath {
    /// What it comes too near to.
    #[must_use]
    pub fn reason(&self) -> Forbidden {
        self.reason
    }
}

impl ForbiddenPaths {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// The root directory, the home directory, and the keys in it.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self::none()
            .with(Forbidden::Root, Path::new("/"))
            .with(Forbidden::Home, home)
            .with(Forbidden::SshKeys, &home.join(".ssh"))
            .with(Forbidden::GnupgKeys, &home.join(".gnupg"))
    }

    /// Adds a path, which need not exist (yet). A link in it is resolved: both ends are covered.
    #[must_use]
    pub fn with(mut self, reason: Forbidden, path: &Path) -> Self {
        let entry = |path: &Path, identity| Entry {
            reason,
            path: path.to_owned(),
            identity,
        };
        match HostPath::resolve(path, Path::new("/")) {
            Ok(real) => {
                self.entries.push(entry(real.path(), Some(real.identity())));
                if real.path() != path {
                    self.entries.push(entry(path, None));
                }
            }
            // The part that exists may be reached through links.
            Err(_) => {
                self.entries.push(entry(path, None));
                let existing = path.ancestors().skip(1).find_map(|up| {
                    let real = HostPath::resolve(up, Path::new("/")).ok()?;
                    Some(real.path().join(path.strip_prefix(up).ok()?))
                });
                self.entries.extend(existing.map(|path| entry(&path, None)));
            }
        }
        self
    }

    /// Refuses a path that is, holds or (where that matters) lies in a forbidden one.
    ///
    /// # Errors
    /// [`ForbiddenPath`].
    pub fn check(&self, path: &HostPath) -> Result<(), ForbiddenPath> {
        let refused = |relation, reason| {
            Err(ForbiddenPath {
                path: path.path().to_owned(),
                relation,
                reason,
            })
        };
        for entry in &self.entries {
            if entry.path == path.path() || entry.identity == Some(path.identity()) {
                return refused("is", entry.reason);
            }
        }
        for entry in &self.entries {
            if entry.path.starts_with(path.path()) {
                return refused("holds", entry.reason);
            }
            if entry.reason.covers_below() && path.path().starts_with(&entry.path) {
                return refused("lies in", entry.reason);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn is_holds_lies_in() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let home = base.join("users/ann");
        for path in [
            "users/ann/.ssh/keys",
            "users/ann/project",
            "run/podman",
            "users/ann/.gnupg",
        ] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        fs::write(base.join("run/podman/podman.sock"), "").unwrap();
        symlink("users/ann/.ssh", base.join("alias")).unwrap();
        fs::create_dir_all(base.join("session/wayland")).unwrap();
        let paths = ForbiddenPaths::new(&home)
            .with(
                Forbidden::PodmanSocket,
                &base.join("run/podman/podman.sock"),
            )
            .with(Forbidden::Runtime, &base.join("session"))
            .with(Forbidden::OwnState, &home.join(".local/state/stockade"));
        let check = |path: &str| {
            let path = HostPath::resolve(Path::new(path), &base).unwrap();
            paths.check(&path).map_err(|refused| refused.reason())
        };
        assert_eq!(check("users/ann/project"), Ok(()));
        assert_eq!(check("/"), Err(Forbidden::Root));
        assert_eq!(check("users/ann"), Err(Forbidden::Home));
        assert_eq!(check("users"), Err(Forbidden::Home));
        assert_eq!(check("session"), Err(Forbidden::Runtime));
        assert_eq!(check("session/wayland"), Ok(()));
        assert_eq!(check("alias"), Err(Forbidden::SshKeys));
        assert_eq!(check("users/ann/.ssh/keys"), Err(Forbidden::SshKeys));
        assert_eq!(check("users/ann/.gnupg"), Err(Forbidden::GnupgKeys));
        assert_eq!(
            check("run/podman/podman.sock"),
            Err(Forbidden::PodmanSocket)
        );
        assert_eq!(check("run/podman"), Err(Forbidden::PodmanSocket));
        assert_eq!(check("run"), Err(Forbidden::PodmanSocket));
        fs::create_dir_all(home.join(".local/state/stockade/runs")).unwrap();
        assert_eq!(
            check("users/ann/.local/state/stockade/runs"),
            Err(Forbidden::OwnState)
        );
        assert_eq!(check("users/ann/.local"), Err(Forbidden::OwnState));
    }

    #[test]
    fn a_path_that_came_to_be_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("real")).unwrap();
        symlink("real", base.join("link")).unwrap();
        let paths = ForbiddenPaths::new(&base.join("home"))
            .with(Forbidden::OwnState, &base.join("link/state"));
        fs::create_dir_all(base.join("real/state/runs")).unwrap();
        let path = HostPath::resolve(&base.join("real/state/runs"), &base).unwrap();
        assert_eq!(
            paths.check(&path).unwrap_err().reason(),
            Forbidden::OwnState
        );
        assert!(
            paths
                .check(&path)
                .unwrap_err()
                .to_string()
                .contains("lies in")
        );
    }
}
