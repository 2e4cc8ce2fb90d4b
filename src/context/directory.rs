//! A directory on disk that is a build context: its root, its Containerfile, its ignore file.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::ignore::Ignore;
use crate::context::tree;
use crate::context::tree::Type;

/// Files that are read whole: Containerfile and ignore file (bytes).
pub(super) const MAX_WHOLE_FILE: u64 = 1024 * 1024;

/// A context's root directory, open.
#[derive(Debug)]
pub struct Directory {
    pub(super) root: OwnedFd,
    path: PathBuf,
}

/// The instructions of a build, read once: what is parsed is what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containerfile {
    pub(super) bytes: Vec<u8>,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A real path below the root.
    Inside(PathBuf),
    /// Outside of the context or nowhere; with the file's name if there is one.
    Outside(Option<OsString>),
}

impl Containerfile {
    /// Whether a step of it may run something, by its words: a line that only looks like one counts.
    pub fn may_run(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut words = text
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        words.any(|word| {
            ["RUN", "ONBUILD"]
                .iter()
                .any(|run| word.eq_ignore_ascii_case(run))
        })
    }

    /// Instructions that are no file of the context: from standard input, say.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            place: Place::Outside(None),
        }
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its file name among what is added to a context.
    pub(super) fn added_name(&self) -> &'static str {
        if self.is_preprocessed() {
            "Containerfile.in"
        } else {
            "Containerfile"
        }
    }

    /// Whether the service runs it through a preprocessor first: a name that ends in `.in`.
    pub fn is_preprocessed(&self) -> bool {
        match &self.place {
            Place::Inside(path) => path.as_os_str().as_bytes().ends_with(b".in"),
            Place::Outside(name) => name
                .as_ref()
                .is_some_and(|n| n.as_bytes().ends_with(b".in")),
        }
    }
}

/// An ignore file that was found, and where.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFile {
    /// Its patterns.
    pub ignore: Ignore,
    /// As a path below the root, if it is a file of the context.
    pub(super) inside: Option<PathBuf>,
}

impl Directory {
    /// Opens a context. Links in `path` are followed, once; nothing below is.
    ///
    /// # Errors
    ///
    /// There is no directory, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let real = path
            .canonicalize()
            .map_err(|error| Error::read(path, error))?;
        Ok(Self {
            root: tree::open_root(&real)?,
            path: real,
        })
    }

    /// The root with all links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `Containerfile`, else the `Dockerfile`, in the root. A link is followed inside the
    /// context only.
    ///
    /// # Errors
    ///
    /// There is neither; or it is not a regular file, or larger than 1 MiB.
    pub fn default_containerfile(&self) -> Result<Containerfile, Error> {
        for name in ["Containerfile", "Dockerfile"] {
            if let Some((path, found)) = tree::resolve(&self.root, name.as_bytes())? {
                if found.kind() != Type::File {
                    return Err(Error::new(Kind::NotRegular, Path::new(name)));
                }
                return self.inside(path);
            }
        }
        Err(Error::new(Kind::NotFound, Path::new("Containerfile")))
    }

    /// The Containerfile that the person named, in the context or not.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is larger than 1 MiB.
    pub fn containerfile(&self, path: &Path) -> Result<Containerfile, Error> {
        // A pipe (`<(…)` in a shell) has no real path.
        if let Ok(real) = path.canonicalize()
            && let Ok(below) = real.strip_prefix(&self.path)
            && real.is_file()
        {
            return self.inside(below.to_owned());
        }
        let bytes = read_outside(path)?;
        Ok(Containerfile {
            bytes,
            place: Place::Outside(path.file_name().map(OsString::from)),
        })
    }

    fn inside(&self, path: PathBuf) -> Result<Containerfile, Error> {
        let bytes = tree::read_file(&self.root, &path, MAX_WHOLE_FILE)?;
        Ok(Containerfile {
            bytes,
            place: Place::Inside(path),
        })
    }

    /// Finds the ignore file by the rule of Podman 5 and later, whatever the service's release:
    /// `.containerignore` in the root, else `.dockerignore` in the root, else
    /// `<Containerfile>.containerignore`, else `<Containerfile>.dockerignore` beside the
    /// Containerfile that was named. No patterns if there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is a link out of the context, or has a malformed pattern.
    pub fn ignore_file(
        &self,
        containerfile: &Containerfile,
        named: Option<&Path>,
    ) -> Result<IgnoreFile, Error> {
        let mut candidates = vec![
            PathBuf::from(".containerignore"),
            PathBuf::from(".dockerignore"),
        ];
        for suffix in [".containerignore", ".dockerignore"] {
            if let Place::Inside(path) = &containerfile.place {
                candidates.push(with_suffix(path, suffix));
            }
        }
        for candidate in candidates {
            let bytes = candidate.as_os_str().as_bytes();
            if let Some((path, found)) = tree::resolve(&self.root, bytes)? {
                if found.kind() != Type::File {
                    return Err(Error::new(Kind::NotRegular, &candidate));
                }
                let content = tree::read_file(&self.root, &path, MAX_WHOLE_FILE)?;
                let ignore = Ignore::parse(&content).map_err(|error| error.at(&candidate))?;
                return Ok(IgnoreFile {
                    ignore,
                    inside: Some(path),
                });
            }
        }
        let Some(named) = named else {
            return Ok(IgnoreFile::default());
        };
        for suffix in [".containerignore", ".dockerignore"] {
            match self.named_ignore_file(&with_suffix(named, suffix)) {
                Err(error) if error.is_not_found() => {}
                result => return result,
            }
        }
        Ok(IgnoreFile::default())
    }

    /// The ignore file that the person named (`--ignorefile`), in place of any other.
    ///
    /// # Errors
    ///
    /// As [`Directory::ignore_file`].
    pub fn named_ignore_file(&self, path: &Path) -> Result<IgnoreFile, Error> {
        let content = read_outside(path)?;
        let real = path
            .canonicalize()
            .map_err(|error| Error::read(path, error))?;
        let inside = real.strip_prefix(&self.path).ok().map(Path::to_owned);
        let ignore = Ignore::parse(&content).map_err(|error| error.at(path))?;
        Ok(IgnoreFile { ignore, inside })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads what the person named, which may be a pipe.
fn read_outside(path: &Path) -> Result<Vec<u8>, Error> {
    let read = |error| Error::read(path, error);
    let file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(MAX_WHOLE_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > MAX_WHOLE_FILE {
        return Err(Error::new(Kind::TooLarge(MAX_WHOLE_FILE), path));
    }
    Ok(bytes)
}
