//! Names and paths that go to the service: container names, labels, image references, guest paths.

use std::fmt;

use super::Invalid;

/// A container's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*` (podman `define.NameRegex`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(String);

impl ContainerName {
    /// Reads a name.
    ///
    /// # Errors
    /// If a character is not allowed, or it is longer than 255 bytes.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        check_name("container name", text)?;
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn check_name(what: &'static str, text: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.is_empty() {
        return Err(Invalid::new(what, text, "it is empty"));
    }
    if text.len() > 255 {
        return Err(Invalid::new(what, text, "it is longer than 255 bytes"));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Invalid::new(
            what,
            text,
            "it must begin with a letter or a digit",
        ));
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(bad) => Err(Invalid::new(
            what,
            text,
            format!("{bad:?} is not allowed in it"),
        )),
        None => Ok(()),
    }
}

/// A label: `key=value`, or `key` alone with an empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What stands before the first `=`.
    pub key: String,
    /// What stands after it.
    pub value: String,
}

/// Labels that begin so are ours, and cannot be given by hand.
pub const OWN_LABELS: &str = "io.stockade.";

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// If the key is empty, or one of Stockade's own.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            return Err(Invalid::new("label", text, "the key is empty"));
        }
        if key.starts_with(OWN_LABELS) {
            return Err(Invalid::new("label", text, "the key is reserved"));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// An absolute path inside the container, without `.`, `..` and doubled slashes, and not `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    /// Reads a path, and cleans it as podman does.
    ///
    /// # Errors
    /// If it is not absolute, is `/`, or has a NUL byte.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let path = Self::parse_directory(text)?;
        match path.0.as_str() {
            "/" => Err(Invalid::new(
                "path in the container",
                text,
                "it is the root",
            )),
            _ => Ok(path),
        }
    }

    /// Reads a path that may also be `/`, such as a working directory.
    ///
    /// # Errors
    /// If it is not absolute, or has a NUL byte.
    pub fn parse_directory(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Err(Invalid::new("path in the container", text, why));
        if !text.starts_with('/') {
            return invalid("it is not absolute");
        }
        if text.contains('\0') {
            return invalid("it has a NUL byte");
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Ok(Self(format!("/{}", parts.join("/"))))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this path or lies below it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.0 == "/"
            || other
                .0
                .strip_prefix(&self.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A path below this one.
    pub(crate) fn join(&self, below: &str) -> Self {
        if below.is_empty() {
            self.clone()
        } else {
            Self(format!("{}/{below}", self.0))
        }
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_names() {
        for name in ["a", "ralph-overnight", "A.b_c-1", "0"] {
            assert_eq!(ContainerName::parse(name).unwrap().as_str(), name);
        }
        for name in [
            "",
            "-a",
            ".a",
            "a/b",
            "a b",
            "ä",
            "a\n",
            "a\u{1b}[0m",
            &"a".repeat(256),
        ] {
            assert!(ContainerName::parse(name).is_err(), "{name:?}");
        }
        let error = ContainerName::parse("a\u{1b}b").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }

    #[test]
    fn labels() {
        let label = Label::parse("a=b=c").unwrap();
        assert_eq!((label.key.as_str(), label.value.as_str()), ("a", "b=c"));
        assert_eq!(Label::parse("a").unwrap().value, "");
        assert!(Label::parse("=b").is_err());
        assert!(Label::parse("io.stockade.nonce=x").is_err());
    }

    #[test]
    fn guest_paths() {
        let clean = |text| GuestPath::parse(text).unwrap().0;
        assert_eq!(clean("/a//b/./c/../d/"), "/a/b/d");
        assert_eq!(clean("/../a"), "/a");
        for text in ["", "a", "/", "/..", "/a\0b"] {
            assert!(GuestPath::parse(text).is_err(), "{text:?}");
        }
        let path = |text| GuestPath::parse(text).unwrap();
        assert!(path("/a").holds(&path("/a/b")));
        assert!(path("/a").holds(&path("/a")));
        assert!(!path("/a").holds(&path("/ab")));
    }
}
