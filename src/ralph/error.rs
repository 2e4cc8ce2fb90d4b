//! What can go wrong with a run, besides the work itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::{libpod, workspace};

/// The result of a step of a run.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the run's record.
    #[error("cannot {operation} `{}`", path.display())]
    File {
        /// Such as `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record that is not what we wrote.
    #[error("`{}` is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and how.
        what: String,
    },
    /// Somebody else has the run in hand.
    #[error("the run {run} is in the hands of another process")]
    Busy {
        /// Which.
        run: String,
    },
    /// There is no such run, or more than one.
    #[error("{0}")]
    NoSuchRun(String),
    /// The workspace is not the directory that it was.
    #[error("`{}` is another directory than the one that the run began with", path.display())]
    Replaced {
        /// Where.
        path: PathBuf,
    },
    /// What the person's git or the next run would obey can neither be moved away nor put back.
    #[error("`{}` is not what it was when the run began, and could not be moved away", path.display())]
    Stays {
        /// Where.
        path: PathBuf,
    },
    /// A checkpoint made room for others.
    #[error("checkpoint {number} was dropped to make room; kept are {kept}")]
    Dropped {
        /// Which.
        number: u32,
        /// Those that are left.
        kept: String,
    },
    /// The checkpoints.
    #[error(transparent)]
    Workspace(#[from] workspace::Error),
    /// The service.
    #[error(transparent)]
    Podman(#[from] libpod::Error),
}

impl Error {
    /// Whether it is that a disk of ours is full: once it is not, the run can go on.
    pub fn is_full(&self) -> bool {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
                return full.contains(&error.kind());
            }
            next = error.source();
        }
        false
    }

    /// Whether it is that somebody else writes to the checkpoints.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Workspace(error) if error.is_busy())
    }

    /// Whether it is that somebody else owns a file, or what it is in.
    pub fn is_denied(&self) -> bool {
        let denied = io::ErrorKind::PermissionDenied;
        matches!(self, Self::File { source, .. } if source.kind() == denied)
    }

    /// Whether it is that a file is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(super) fn file(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::File {
            operation,
            path,
            source,
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        let (path, what) = (path.to_owned(), what.into());
        Self::Damaged { path, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let error = |errno: rustix::io::Errno| Error::file("write", Path::new("x"), errno.into());
        assert!(error(rustix::io::Errno::NOSPC).is_full());
        assert!(error(rustix::io::Errno::DQUOT).is_full());
        assert!(!error(rustix::io::Errno::IO).is_full());
        assert!(!Error::NoSuchRun(String::new()).is_full());
    }
}
