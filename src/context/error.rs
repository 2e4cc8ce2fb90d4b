//! What can go wrong while a directory is read or written, or an archive unpacked.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::context::tree::Type;

/// A context could not be read, understood or written, or an archive not unpacked.
///
/// After an error nothing more is written: the archive has no end, so that no reader takes it for a
/// whole one. `Display` is a fragment in lower case with the path escaped; the raw path is in
/// [`Error::path`].
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    path: Option<PathBuf>,
    source: Option<io::Error>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A system call on a file of the context failed.
    Read,
    /// A file or directory was not the same at the end as at the start.
    Changed,
    /// The sink did not take the bytes.
    Write,
    /// Nothing is at the path.
    NotFound,
    /// The path is neither a file, a directory nor a symbolic link, and a source names it.
    Special,
    /// The path is not of the kind that is needed here.
    NotRegular,
    /// Directories below directories, more than the limit.
    TooDeep(usize),
    /// A path longer than the limit (bytes).
    PathTooLong(usize),
    /// A file that is read whole is larger than the limit (bytes).
    TooLarge(u64),
    /// A directory has more names than can be sorted.
    TooManyNames,
    /// A symbolic link that leads nowhere inside the context.
    DanglingLink,
    /// An ignore file with more patterns than the limit.
    TooManyPatterns(usize),
    /// An ignore pattern that cannot be read: line (from 1), or 0 where there are no lines.
    Pattern { line: usize, why: &'static str },
    /// What came on standard input is neither an archive nor a Containerfile.
    Input(&'static str),
    /// A file appeared under the name reserved for what Stockade adds.
    Reserved,
    /// What is to be unpacked is no archive that can be read; what of it is wrong.
    Archive(&'static str),
    /// An archive that ends before its end.
    Cut,
    /// An entry of an archive that is not unpacked.
    Refused(&'static str),
    /// Something of this kind is where an entry would have to go.
    InTheWay(Type),
    /// A system call that makes something failed.
    Create,
}

impl Error {
    pub(super) fn new(kind: Kind, path: &Path) -> Self {
        Self(Box::new(Inner {
            kind,
            path: Some(path.to_owned()),
            source: None,
        }))
    }

    pub(super) fn without_path(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            path: None,
            source: None,
        }))
    }

    pub(super) fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = match source.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Read,
        };
        Self(Box::new(Inner {
            kind,
            path: Some(path.to_owned()),
            source: Some(source),
        }))
    }

    /// For a name that was there a moment ago: missing, a link or of another type now means that
    /// somebody changed the tree.
    pub(super) fn reread(path: &Path, errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::INVAL => {
                Self(Box::new(Inner {
                    kind: Kind::Changed,
                    path: Some(path.to_owned()),
                    source: Some(errno.into()),
                }))
            }
            _ => Self::read(path, errno),
        }
    }

    pub(super) fn create(path: &Path, errno: Errno) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Create,
            path: Some(path.to_owned()),
            source: Some(errno.into()),
        }))
    }

    pub(super) fn write(source: io::Error) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Write,
            path: None,
            source: Some(source),
        }))
    }

    pub(super) fn input(source: io::Error) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Read,
            path: None,
            source: Some(source),
        }))
    }

    /// The same, with the path of the file it was found in.
    pub(super) fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// The file or directory in question, below the context's root unless it lies outside; not
    /// escaped.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// A file or directory changed, vanished or was replaced while it was read.
    pub fn is_changed(&self) -> bool {
        self.0.kind == Kind::Changed
    }

    /// Nothing is at [`Error::path`].
    pub fn is_not_found(&self) -> bool {
        self.0.kind == Kind::NotFound
    }

    /// A source of `COPY` or `ADD` names a socket, FIFO or device, which no archive can carry.
    pub fn is_special_file(&self) -> bool {
        self.0.kind == Kind::Special
    }

    /// The sink refused the bytes; the source is its error.
    pub fn is_write(&self) -> bool {
        self.0.kind == Kind::Write
    }

    /// Where an entry of an archive would go there is a file instead of a directory, or a directory
    /// instead of a file.
    pub fn is_in_the_way(&self) -> bool {
        matches!(self.0.kind, Kind::InTheWay(_))
    }

    /// An entry of an archive would have led out of where it belongs.
    pub fn is_refused(&self) -> bool {
        matches!(self.0.kind, Kind::Refused(_))
    }

    /// A pattern of the ignore file is malformed; with its line, counted from 1.
    pub fn pattern_line(&self) -> Option<usize> {
        match self.0.kind {
            Kind::Pattern { line, .. } => Some(line),
            _ => None,
        }
    }

    /// Something is larger, longer, deeper or more than Stockade accepts.
    pub fn is_limit(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::TooDeep(_)
                | Kind::PathTooLong(_)
                | Kind::TooLarge(_)
                | Kind::TooManyNames
                | Kind::TooManyPatterns(_)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            Kind::Read => f.write_str("cannot read")?,
            Kind::Changed => f.write_str("changed while it was read")?,
            Kind::Write => f.write_str("cannot send")?,
            Kind::NotFound => f.write_str("no such file or directory")?,
            Kind::Special => f.write_str("a socket, FIFO or device cannot be copied")?,
            Kind::NotRegular => f.write_str("not a regular file")?,
            Kind::TooDeep(limit) => write!(f, "more than {limit} nested directories")?,
            Kind::PathTooLong(limit) => write!(f, "path longer than {limit} bytes")?,
            Kind::TooLarge(limit) => write!(f, "larger than {limit} bytes")?,
            Kind::TooManyNames => f.write_str("too many names in one directory")?,
            Kind::DanglingLink => {
                f.write_str("symbolic link that leads nowhere inside the context")?;
            }
            Kind::TooManyPatterns(limit) => write!(f, "more than {limit} ignore patterns")?,
            Kind::Pattern { line: 0, why } => write!(f, "bad ignore pattern: {why}")?,
            Kind::Pattern { line, why } => write!(f, "bad ignore pattern in line {line}: {why}")?,
            Kind::Input(why) => write!(f, "standard input is no build context: {why}")?,
            Kind::Reserved => f.write_str("name is reserved for the build")?,
            Kind::Archive(what) => write!(f, "not an archive that can be unpacked: {what}")?,
            Kind::Cut => f.write_str("the archive ends before its end")?,
            Kind::Refused(what) => write!(f, "not unpacked: {what}")?,
            Kind::InTheWay(Type::Directory) => f.write_str("there is a directory of that name")?,
            Kind::InTheWay(_) => {
                f.write_str("there is something of that name that is no directory")?;
            }
            Kind::Create => f.write_str("cannot create")?,
        }
        match &self.0.path {
            // Debug escapes what could steer a terminal; a name comes from the workspace.
            Some(path) => write!(f, ": {path:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // What the kind says already is not repeated.
        let source = self.0.source.as_ref();
        let source = source.filter(|_| self.0.kind != Kind::NotFound);
        source.map(|source| source as _)
    }
}
