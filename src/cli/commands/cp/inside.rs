//! Paths on the container's side of a copy.

use super::end::{is_contents, is_for_directory, split};
use super::landing::{Copied, There};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::libpod::{self, ArchiveStat, Client, Container, Lookup};

/// A container and how the person called it.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) client: &'a Client,
    pub(super) container: Container,
    pub(super) name: &'a str,
}

/// What is read from a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its path with links followed.
    pub(super) path: String,
    pub(super) copied: Copied,
    /// Permission bits.
    pub(super) mode: u32,
}

impl Source {
    /// What the service found at a path.
    fn new(stat: &ArchiveStat) -> Option<Self> {
        let path = stat.link_target.as_str();
        let name = split(path).map(|(_, name)| name);
        let copied = match (stat.is_dir(), name) {
            (true, Some(name)) if !is_contents(path.as_bytes()) => Copied::Directory(name),
            (true, _) => Copied::Contents,
            (false, Some(name)) => Copied::File(name),
            (false, None) => return None,
        };
        Some(Self {
            path: path.to_owned(),
            copied,
            mode: stat.mode & 0o777,
        })
    }

    /// The directory itself, where it is copied under a name of its own; `/` has none to ask for.
    pub(super) fn with_directory(&self) -> Option<&str> {
        let path = self.path.strip_suffix("/.").unwrap_or(&self.path);
        (!path.is_empty()).then_some(path)
    }
}

impl Inside<'_> {
    async fn lookup(&self, path: &str) -> CliResult<Lookup> {
        let found = self.client.stat_in_container(&self.container.id, path);
        found.await.map_err(|error| {
            let answered = error.api().is_some();
            let mut cli = CliError::from(error);
            // The answer has no text.
            if answered {
                cli.message = format!("cannot look at `{path}` in the container `{}`", self.name);
            }
            cli
        })
    }

    fn missing(&self, path: &str) -> CliError {
        CliError::new(
            Exit::Failed,
            format!("there is no `{path}` in the container `{}`", self.name),
        )
    }

    /// What is said of a copy that the service did not make.
    pub(super) fn not_written(&self, error: libpod::Error, directory: &str) -> CliError {
        let answered = error.api().is_some();
        let cli = CliError::from(error);
        if !answered {
            return cli;
        }
        // The path may be the container's word.
        let directory = sanitize_line(directory);
        cli.under(format!(
            "cannot write into `{directory}` in the container `{}`",
            self.name
        ))
    }

    /// What is copied from a path.
    pub(super) async fn source(&self, path: &str) -> CliResult<Source> {
        let Lookup::Found(stat) = self.lookup(path).await? else {
            return Err(self.missing(path));
        };
        if stat.is_special() {
            return Err(CliError::new(
                Exit::Failed,
                format!("`{path}` in the container is a device, FIFO or socket"),
            ));
        }
        Source::new(&stat).ok_or_else(|| self.missing(path))
    }

    /// What is at a path that is written to.
    pub(super) async fn look(&self, path: &str) -> CliResult<There<String>> {
        let place = match self.lookup(path).await? {
            Lookup::Found(stat) if stat.is_dir() => {
                return Ok(There::Directory(stat.link_target));
            }
            Lookup::Found(stat) => {
                let place = split(&stat.link_target).ok_or_else(|| self.missing(path))?;
                return Ok(There::File(place.0, place.1));
            }
            _ if is_for_directory(path.as_bytes()) => return Err(self.missing(path)),
            // The file goes to where the link leads.
            Lookup::Dangling(stat) => split(&stat.link_target),
            Lookup::Missing => split(path),
        };
        let (parent, name) = place.ok_or_else(|| self.missing(path))?;
        match self.lookup(&parent).await? {
            Lookup::Found(stat) if stat.is_dir() => Ok(There::Nothing(stat.link_target, name)),
            // The path is the container's word by now.
            _ => Err(self.missing(&sanitize_line(&parent))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(json: &str) -> Option<Source> {
        Source::new(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_source_is_what_the_service_found() {
        let directory =
            source(r#"{"name":"d","mode":2147484141,"isDir":true,"linkTarget":"/a/d"}"#);
        let directory = directory.unwrap();
        assert_eq!(directory.copied, Copied::Directory("d".into()));
        assert_eq!(directory.mode, 0o755);
        let contents = source(r#"{"name":".","mode":2147484141,"linkTarget":"/a/d/."}"#).unwrap();
        assert_eq!(contents.copied, Copied::Contents);
        assert_eq!(contents.path, "/a/d/.");
        assert_eq!(contents.with_directory(), Some("/a/d"));
        let root = source(r#"{"name":".","mode":2147484141,"linkTarget":"/."}"#).unwrap();
        assert_eq!(root.with_directory(), None);
        let file = source(r#"{"name":"f","mode":420,"linkTarget":"/f"}"#).unwrap();
        assert_eq!(file.copied, Copied::File("f".into()));
        assert_eq!(source(r#"{"name":"f","mode":420,"linkTarget":"/"}"#), None);
    }
}
