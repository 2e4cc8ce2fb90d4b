//! What was typed on either side of a copy.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::cli::error::{CliError, CliResult};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A path in a container.
    Container {
        /// Name or id.
        name: String,
        /// The path there.
        path: String,
    },
    /// A path here.
    Host(PathBuf),
    /// An archive on standard input or output.
    Stream,
}

impl End {
    /// Reads `[CONTAINER:]PATH` as podman does: what begins with a dot or a slash is a path here,
    /// whatever colons are in it.
    pub(super) fn parse(text: &OsStr) -> CliResult<Self> {
        let bytes = text.as_bytes();
        if bytes == b"-" {
            return Ok(Self::Stream);
        }
        let colon = bytes.iter().position(|byte| *byte == b':');
        let (Some(colon), false) = (colon, bytes.starts_with(b".") || bytes.starts_with(b"/"))
        else {
            return match bytes {
                b"" => Err(CliError::usage("a path is empty")),
                _ => Ok(Self::Host(text.into())),
            };
        };
        let (name, path) = bytes.split_at(colon);
        let path = path.get(1..).unwrap_or_default();
        let shown = text.to_string_lossy();
        match (str::from_utf8(name), str::from_utf8(path)) {
            (Ok(""), _) => Err(CliError::usage(format!(
                "`{shown}` names no container before the colon"
            ))
            .hint("a path here that begins with a colon is written `./:…`")),
            (_, Ok("")) => Err(CliError::usage(format!(
                "`{shown}` names no path in the container"
            ))),
            (Ok(name), Ok(path)) => Ok(Self::Container {
                name: name.to_owned(),
                path: path.to_owned(),
            }),
            _ => Err(CliError::usage(format!("`{shown}` is not UTF-8"))),
        }
    }
}

/// Whether a path ends in `/.`, or is `.`: what is in a directory, not the directory.
pub(super) fn is_contents(path: &[u8]) -> bool {
    path == b"." || path.ends_with(b"/.")
}

/// Whether a path can only be a directory's.
pub(super) fn is_for_directory(path: &[u8]) -> bool {
    path.ends_with(b"/") || is_contents(path)
}

/// Directory and name of a path in a container. `None` if it has no name: `/`, `.`, `..`.
pub(super) fn split(path: &str) -> Option<(String, OsString)> {
    let path = path.trim_end_matches('/');
    let (parent, name) = match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
        None => (".", path),
    };
    (!matches!(name, "" | "." | "..")).then(|| (parent.to_owned(), name.into()))
}

/// The same for a path here.
pub(super) fn split_host(path: &Path) -> Option<(PathBuf, OsString)> {
    let name = path.file_name()?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Some((parent.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CliResult<End> {
        End::parse(OsStr::new(text))
    }

    #[test]
    fn ends_are_read_as_podman_reads_them() {
        let container = |name: &str, path: &str| End::Container {
            name: name.to_owned(),
            path: path.to_owned(),
        };
        let host = |path: &str| End::Host(path.into());
        for (text, want) in [
            ("box:/a", container("box", "/a")),
            ("box:a:b", container("box", "a:b")),
            ("box:.", container("box", ".")),
            ("a", host("a")),
            ("./a:b", host("./a:b")),
            (".a:b", host(".a:b")),
            ("/a:b", host("/a:b")),
            ("./-", host("./-")),
            ("-", End::Stream),
        ] {
            assert_eq!(parse(text).unwrap(), want, "{text}");
        }
        for bad in ["", ":", ":/a", "box:"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(End::parse(OsStr::from_bytes(b"\xff:/a")).is_err());
        assert!(End::parse(OsStr::from_bytes(b"\xff")).is_ok());
    }

    #[test]
    fn dots_and_slashes_at_the_end() {
        for (path, contents, directory) in [
            ("a", false, false),
            ("a/", false, true),
            ("a/.", true, true),
            (".", true, true),
            ("a.", false, false),
            ("..", false, false),
        ] {
            assert_eq!(is_contents(path.as_bytes()), contents, "{path}");
            assert_eq!(is_for_directory(path.as_bytes()), directory, "{path}");
        }
    }

    #[test]
    fn paths_have_a_parent_and_a_name() {
        for (path, want) in [
            ("/a/b", Some(("/a", "b"))),
            ("/a", Some(("/", "a"))),
            ("a", Some((".", "a"))),
            ("a/b/", Some(("a", "b"))),
            ("/", None),
            (".", None),
            ("a/..", None),
            ("", None),
        ] {
            let want = want.map(|(parent, name)| (parent.to_owned(), name.into()));
            assert_eq!(split(path), want, "{path}");
        }
        let host = |path: &str| split_host(Path::new(path));
        assert_eq!(host("a"), Some((".".into(), "a".into())));
        assert_eq!(host("/a/b/"), Some(("/a".into(), "b".into())));
        assert_eq!(host(".."), None);
    }
}
