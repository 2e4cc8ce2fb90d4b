//! Env files, in podman's format (`pkg/env/env.go`): one variable a line, no quoting, `#` begins a
//! comment line. What people of other formats would expect, and do not get, is a warning.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Invalid;
use super::env::{EnvArg, Secret, VarName};
use super::host_path::{FileKind, HostPath, HostPathError};

/// Bytes in a file. Far more than any environment may have.
const MAX_FILE: u64 = 1024 * 1024;
/// Bytes in a line: the kernel takes no longer variable (`MAX_ARG_STRLEN`).
const MAX_LINE: usize = 128 * 1024;

/// A file's variables, and what looks like a mistake in it.
#[derive(Debug)]
pub struct EnvFile {
    /// What it says, in order.
    pub args: Vec<EnvArg>,
    /// What looks like a mistake.
    pub warnings: Vec<EnvFileWarning>,
    /// Where it is; `None` for a descriptor such as `/dev/stdin`.
    pub path: Option<HostPath>,
}

/// Something that looks like a mistake. Never has the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFileWarning {
    /// The file, as typed.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The variable; `None` if the whole file is meant.
    pub name: Option<VarName>,
    /// What about it.
    pub kind: Suspicion,
}

/// What looks like a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The value stands in quotes, which become part of it.
    Quotes,
    /// There are spaces before `=`, which become part of the name.
    SpaceBeforeEquals,
    /// There are spaces after `=`, which become part of the value.
    SpaceAfterEquals,
    /// The file begins with a byte order mark, which is dropped.
    ByteOrderMark,
    /// Lines end in CRLF; the carriage return is dropped.
    CarriageReturn,
    /// The value is a template's placeholder.
    Placeholder,
}

impl fmt::Display for EnvFileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.path.display(), self.line)?;
        if let Some(name) = &self.name {
            // Escaped: the file may be an attacker's.
            write!(f, "{}: ", name.as_str().escape_debug())?;
        }
        f.write_str(match self.kind {
            Suspicion::Quotes => "the quotes are part of the value",
            Suspicion::SpaceBeforeEquals => "the space before '=' is part of the name",
            Suspicion::SpaceAfterEquals => "the space after '=' is part of the value",
            Suspicion::ByteOrderMark => "the file begins with a byte order mark, which is dropped",
            Suspicion::CarriageReturn => "lines end in CRLF; the carriage return is dropped",
            Suspicion::Placeholder => "the value is a placeholder",
        })
    }
}

/// Why an env file cannot be read. Never has a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvFileError {
    /// The path will not do.
    #[error("cannot open env file {}", path.display())]
    Path {
        /// The file, as typed.
        path: PathBuf,
        /// Why.
        source: HostPathError,
    },
    /// Reading failed.
    #[error("cannot read env file {}", path.display())]
    Read {
        /// The file, as typed.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a directory, a device, …
    #[error("env file {} is not a regular file", path.display())]
    NotRegular {
        /// The file, as typed.
        path: PathBuf,
    },
    /// It is larger than 1 MiB.
    #[error("env file {} is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file, as typed.
        path: PathBuf,
    },
    /// A line is no variable.
    #[error("{}:{line}: bad line in env file", path.display())]
    Line {
        /// The file, as typed.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: Invalid,
    },
    /// A file that an agent could have written takes a variable of the caller. Which one is not
    /// repeated: nobody should give it because a file names it.
    #[error("{}:{line}: a file that an agent could have written takes a variable of yours", path.display())]
    UntrustedImport {
        /// The file, as typed.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// One that is to be hidden has a second name, under which it may be seen.
    #[error("env file {} lies in a mounted directory and has other names (hard links)", path.display())]
    OtherNames {
        /// The file, as typed.
        path: PathBuf,
    },
}

/// Where below a directory that an agent gets, or gets a copy of, an env file lies, if it does.
///
/// # Errors
/// If there is none, it is no regular file, or what is in it can be seen there in another way, by a link or a second name.
pub fn env_file_below(
    path: &Path,
    cwd: &Path,
    root: &Path,
) -> Result<Option<PathBuf>, EnvFileError> {
    if is_descriptor(path) {
        return Ok(None);
    }
    let at = || path.to_owned();
    let real = HostPath::resolve(path, cwd)
        .and_then(|real| real.check_links([root]).map(|()| real))
        .map_err(|source| EnvFileError::Path { path: at(), source })?;
    let Ok(below) = real.path().strip_prefix(root) else {
        return Ok(None);
    };
    if real.kind() != FileKind::Regular {
        return Err(EnvFileError::NotRegular { path: at() });
    }
    if real.names() > 1 {
        return Err(EnvFileError::OtherNames { path: at() });
    }
    Ok(Some(below.to_owned()))
}

/// Reads a file. Below one of `roots`, directories that an agent could write, no link is followed
/// and no variable of the caller is taken: `NAME` would be one of the agent's choice, `*` all.
///
/// # Errors
/// If it cannot be opened so, is no regular file, is too large, or has a line that is no variable.
pub fn read_env_file<'a>(
    path: &Path,
    cwd: &Path,
    roots: impl IntoIterator<Item = &'a Path> + Clone,
) -> Result<EnvFile, EnvFileError> {
    let at = || path.to_owned();
    let (file, real) = if is_descriptor(path) {
        // Our own standard input, or a shell's `<(…)`.
        let file = std::fs::File::open(path)
            .map_err(|source| EnvFileError::Read { path: at(), source })?;
        (file, None)
    } else {
        let opened = HostPath::resolve(path, cwd)
            .and_then(|real| real.check_links(roots.clone()).map(|()| real))
            .map_err(|source| EnvFileError::Path { path: at(), source })?;
        if opened.kind() != FileKind::Regular {
            return Err(EnvFileError::NotRegular { path: at() });
        }
        let file = opened
            .open()
            .map_err(|source| EnvFileError::Path { path: at(), source })?;
        (file, Some(opened))
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| EnvFileError::Read { path: at(), source })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(EnvFileError::TooLarge { path: at() });
    }
    let below = |real: &HostPath| roots.into_iter().any(|root| real.path().starts_with(root));
    let trust = if real.as_ref().is_some_and(below) {
        Trust::Agents
    } else {
        Trust::Persons
    };
    let (args, warnings) = parse(path, &bytes, trust)?;
    Ok(EnvFile {
        args,
        warnings,
        path: real,
    })
}

fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"]
            .iter()
            .any(|fd| path.parent() == Some(Path::new(fd)))
}

type Parsed = (Vec<EnvArg>, Vec<EnvFileWarning>);

/// Whose a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Persons,
    Agents,
}

fn parse(path: &Path, bytes: &[u8], trust: Trust) -> Result<Parsed, EnvFileError> {
    let (mut args, mut warnings) = (Vec::new(), Vec::new());
    let mut warn = |line, name: Option<&VarName>, kind| {
        warnings.push(EnvFileWarning {
            path: path.to_owned(),
            line,
            name: name.cloned(),
            kind,
        });
    };
    let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf");
    if unmarked.is_some() {
        warn(1, None, Suspicion::ByteOrderMark);
    }
    let mut returns = false;
    for (index, raw) in unmarked
        .unwrap_or(bytes)
        .split(|byte| *byte == b'\n')
        .enumerate()
    {
        let number = index + 1;
        let bad = |source| EnvFileError::Line {
            path: path.to_owned(),
            line: number,
            source,
        };
        let concealed = |why: &str| bad(Invalid::concealed("variable", why));
        if raw.len() > MAX_LINE {
            return Err(concealed("it is longer than 128 KiB"));
        }
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        if line.len() < raw.len() && !returns {
            returns = true;
            warn(number, None, Suspicion::CarriageReturn);
        }
        let line = str::from_utf8(line).map_err(|_| concealed("it is not UTF-8"))?;
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let arg = EnvArg::parse(line).map_err(bad)?;
        match &arg {
            EnvArg::Set(name, value) => {
                for kind in suspicions(name, value) {
                    warn(number, Some(name), kind);
                }
            }
            EnvArg::Import(_) | EnvArg::ImportPrefix(_) if trust == Trust::Persons => {}
            EnvArg::Import(_) | EnvArg::ImportPrefix(_) => {
                return Err(EnvFileError::UntrustedImport {
                    path: path.to_owned(),
                    line: number,
                });
            }
        }
        args.push(arg);
    }
    Ok((args, warnings))
}

fn suspicions(name: &VarName, value: &Secret) -> impl Iterator<Item = Suspicion> {
    let value = value.expose();
    let bare = value.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| bare.strip_prefix(quote)?.strip_suffix(quote));
    [
        (
            name.as_str().ends_with([' ', '\t']),
            Suspicion::SpaceBeforeEquals,
        ),
        (value.starts_with([' ', '\t']), Suspicion::SpaceAfterEquals),
        (unquoted.is_some(), Suspicion::Quotes),
        (
            is_placeholder(unquoted.unwrap_or(bare)),
            Suspicion::Placeholder,
        ),
    ]
    .into_iter()
    .filter_map(|(so, kind)| so.then_some(kind))
}

/// What templates have where a value belongs.
fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase().replace('_', "-");
    let body = value
        .strip_prefix("sk-ant-")
        .or_else(|| value.strip_prefix("sk-"));
    let body = body.unwrap_or(&value);
    let only = |c: char| body.len() >= 3 && body.chars().all(|other| other == c);
    only('x')
        || only('.')
        || body == "…"
        || value.starts_with("your-") && (value.ends_with("-here") || value.ends_with("-key"))
        || value.starts_with("<your") && value.ends_with('>')
        || [
            "changeme",
            "change-me",
            "replaceme",
            "replace-me",
            "placeholder",
            "todo",
        ]
        .contains(&value.as_str())
}

#[cfg(test)]
#[path = "env_file/tests.rs"]
mod tests;
