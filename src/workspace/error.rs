//! What can go wrong with a repository of checkpoints or with the tree that it is about.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::workspace::id::ObjectId;

/// A checkpoint could not be taken, read or gone back to.
///
/// `Display` is a fragment in lower case with the path escaped; the raw path is in [`Error::path`].
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

/// Of this layer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
enum Kind {
    // Debug escapes what could steer a terminal; a name comes from the workspace.
    #[error("cannot {operation} {}", named(path))]
    File {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{what} is damaged: {why}")]
    Damaged { what: String, why: &'static str },
    #[error("object {0} is not in the repository")]
    Missing(ObjectId),
    #[error("{what} is more than {limit}")]
    Limit { what: &'static str, limit: u64 },
    #[error("{path:?} cannot be part of a checkpoint: {why}")]
    Cap { path: PathBuf, why: &'static str },
    #[error("{path:?}: {why}")]
    Unsafe { path: PathBuf, why: &'static str },
    #[error("another process writes to the repository {0:?}")]
    Busy(PathBuf),
    #[error("not the name of a series: {0:?}")]
    Series(String),
    #[error("not a pattern: {pattern:?}: {why}")]
    Pattern { pattern: String, why: &'static str },
    #[error("there is no checkpoint {number} of {series}")]
    NoCheckpoint { series: String, number: u32 },
    #[error("{0}")]
    Refused(String),
    #[error("cannot write what was read")]
    Sink(#[source] io::Error),
    #[error("it was interrupted")]
    Interrupted,
}

/// The root of a workspace has no name in it.
fn named(path: &Path) -> String {
    match path.as_os_str().is_empty() {
        true => "the directory itself".to_owned(),
        false => format!("{path:?}"),
    }
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    /// For `map_err`: the operation as it stands after "cannot".
    pub(super) fn file<E: Into<io::Error>>(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |source| {
            Self::new(Kind::File {
                operation,
                path: path.to_owned(),
                source: source.into(),
            })
        }
    }

    pub(super) fn damaged(what: impl Into<String>, why: &'static str) -> Self {
        Self::new(Kind::Damaged {
            what: what.into(),
            why,
        })
    }

    pub(super) fn missing(id: ObjectId) -> Self {
        Self::new(Kind::Missing(id))
    }

    pub(super) fn limit(what: &'static str, limit: u64) -> Self {
        Self::new(Kind::Limit { what, limit })
    }

    pub(super) fn cap(path: &Path, why: &'static str) -> Self {
        Self::new(Kind::Cap {
            path: path.to_owned(),
            why,
        })
    }

    pub(super) fn unsafe_at(path: &Path, why: &'static str) -> Self {
        Self::new(Kind::Unsafe {
            path: path.to_owned(),
            why,
        })
    }

    pub(super) fn busy(path: &Path) -> Self {
        Self::new(Kind::Busy(path.to_owned()))
    }

    pub(super) fn series(name: &str) -> Self {
        Self::new(Kind::Series(name.to_owned()))
    }

    pub(super) fn pattern(pattern: &str, why: &'static str) -> Self {
        Self::new(Kind::Pattern {
            pattern: pattern.to_owned(),
            why,
        })
    }

    pub(super) fn no_checkpoint(series: &str, number: u32) -> Self {
        Self::new(Kind::NoCheckpoint {
            series: series.to_owned(),
            number,
        })
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::new(Kind::Refused(why.into()))
    }

    pub(super) fn interrupted() -> Self {
        Self::new(Kind::Interrupted)
    }

    pub(super) fn sink(source: io::Error) -> Self {
        Self::new(Kind::Sink(source))
    }

    /// The file or directory in question, if it is about one; not escaped.
    pub fn path(&self) -> Option<&Path> {
        match &*self.0 {
            Kind::File { path, .. }
            | Kind::Cap { path, .. }
            | Kind::Unsafe { path, .. }
            | Kind::Busy(path) => Some(path),
            _ => None,
        }
    }

    /// The repository's own files are not what was written.
    pub fn is_damaged(&self) -> bool {
        matches!(*self.0, Kind::Damaged { .. } | Kind::Missing(_))
    }

    /// Another process holds the repository's lock.
    pub fn is_busy(&self) -> bool {
        matches!(*self.0, Kind::Busy(_))
    }

    /// Something is larger, deeper or more than the caller or Stockade accepts.
    pub fn is_limit(&self) -> bool {
        matches!(*self.0, Kind::Limit { .. } | Kind::Cap { .. })
    }

    /// What was asked for is not done in this repository, and nothing has happened.
    pub fn is_refused(&self) -> bool {
        matches!(*self.0, Kind::Refused(_))
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(&*self.0, Kind::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(super) fn is_denied(&self) -> bool {
        matches!(&*self.0, Kind::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// There is no checkpoint of that number.
    pub fn is_no_checkpoint(&self) -> bool {
        matches!(*self.0, Kind::NoCheckpoint { .. })
    }

    /// The caller's sink refused the bytes.
    pub fn is_sink(&self) -> bool {
        matches!(*self.0, Kind::Sink(_))
    }

    /// The file system has no space left for it, or the quota is used up.
    pub fn is_full(&self) -> bool {
        let Kind::File { source, .. } = &*self.0 else {
            return false;
        };
        matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_workspace_is_named() {
        let text = |path: &str| {
            let denied = io::Error::from(io::ErrorKind::PermissionDenied);
            Error::file("complete", Path::new(path))(denied).to_string()
        };
        assert_eq!(text(""), "cannot complete the directory itself");
        assert_eq!(text("a"), "cannot complete \"a\"");
    }
}
