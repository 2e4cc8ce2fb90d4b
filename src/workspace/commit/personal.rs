//! What a person has set for all of their repositories, and whom a commit is by.

use std::path::{Path, PathBuf};

use crate::workspace::error::{Error, Result};

use super::config::GitConfig;
use super::ignore;

/// What counts in all repositories of a person.
#[derive(Debug, Clone, Default)]
pub struct Personal {
    /// Settings, such as those of `~/.gitconfig`: the repository's own count more.
    pub config: GitConfig,
    /// Settings that count more than the repository's, such as what `GIT_AUTHOR_NAME` says of `author.name`.
    pub environment: GitConfig,
    /// Ignore rules: the content of `core.excludesFile`.
    pub excludes: Vec<u8>,
    /// Attributes, those that count least first: of the system, and the content of `core.attributesFile`.
    pub attributes: Vec<Vec<u8>>,
}

impl Personal {
    /// All settings, with those of a repository.
    pub(super) fn with(&self, repository: &GitConfig) -> GitConfig {
        let mut config = self.config.clone();
        config.extend(repository.clone());
        config.extend(self.environment.clone());
        config
    }
}

/// Who a commit is by, as git writes it: the `author` or the `committer`.
pub(super) fn signature(config: &GitConfig, role: &str) -> Result<String> {
    let get = |key: &str| {
        let own = config.get(&format!("{role}.{key}"));
        let name = format!("user.{key}");
        let bad = |c: char| matches!(c, '\0' | '\n' | '<' | '>');
        let value = own.or_else(|| config.get(&name)).unwrap_or_default();
        let value = value.replace(bad, "");
        let crud =
            |c: char| c <= ' ' || matches!(c, ',' | ':' | ';' | '<' | '>' | '"' | '\\' | '\'');
        let value = value.trim_matches(crud).to_owned();
        match value.is_empty() || value.len() > 1000 {
            false => Ok(value),
            true => Err(Error::refused(format!(
                "`{name}` is not set in the repository's configuration or in your own: \
                 `git config --global {name} VALUE`"
            ))),
        }
    };
    Ok(format!("{} <{}>", get("name")?, get("email")?))
}

/// A file that a configuration includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Include<'a> {
    /// Only if: `gitdir:~/job/`.
    pub condition: Option<&'a str>,
    /// As it is written there.
    pub path: &'a str,
}

impl<'a> Include<'a> {
    /// That of a setting.
    pub(super) fn of(name: &'a str, path: &'a str) -> Option<Self> {
        let condition = match name {
            "include.path" => None,
            name => Some(name.strip_prefix("includeif.")?.strip_suffix(".path")?),
        };
        Some(Self { condition, path })
    }

    /// Whether it is to be read for the repository in `git`, by a configuration in the directory `from`; `None` if
    /// that has to do with more than where the repository is.
    pub fn counts(&self, git: &Path, from: &Path, home: Option<&Path>) -> Option<bool> {
        use std::os::unix::ffi::OsStrExt as _;
        let Some(condition) = self.condition else {
            return Some(true);
        };
        let (kind, pattern) = condition.split_once(':').unwrap_or((condition, ""));
        let exact = match kind {
            "gitdir" => true,
            "gitdir/i" => false,
            "onbranch" | "hasconfig" => return None,
            // As git does with what it does not know.
            _ => return Some(false),
        };
        let above = match (pattern.strip_prefix("~/"), pattern.strip_prefix("./")) {
            (Some(rest), _) => home.map(|home| (home, rest)),
            (_, Some(rest)) => Some((from, rest)),
            _ => None,
        };
        let mut whole = match above {
            Some((above, rest)) => [escaped(above).as_slice(), rest.as_bytes()].join(&b'/'),
            None if pattern.starts_with('/') => pattern.as_bytes().to_vec(),
            None => format!("/**/{pattern}").into_bytes(),
        };
        if whole.ends_with(b"/") {
            whole.extend(b"**");
        }
        let mut path = git.as_os_str().as_bytes().to_vec();
        if !exact {
            whole.make_ascii_lowercase();
            path.make_ascii_lowercase();
        }
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        Some(ignore::rule(&whole).is_some_and(|rule| rule.fits(path, true)))
    }

    /// Where it lies, named by a configuration in the directory `from`.
    pub fn file(&self, from: &Path, home: Option<&Path>) -> PathBuf {
        match self.path.strip_prefix("~/") {
            Some(below) => home.unwrap_or(from).join(below),
            None => from.join(self.path),
        }
    }
}

/// A path, of which nothing is a wildcard.
fn escaped(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let escape = |&byte: &u8| match byte {
        b'*' | b'?' | b'[' | b'\\' => vec![b'\\', byte],
        byte => vec![byte],
    };
    path.as_os_str()
        .as_bytes()
        .iter()
        .flat_map(escape)
        .collect()
}
