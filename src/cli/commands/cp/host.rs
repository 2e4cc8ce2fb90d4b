//! Paths on this side of a copy. Links in them are followed, except where the container could have
//! made them.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::end::{is_contents, is_for_directory, split_host};
use super::landing::{Copied, There};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::context::CopySource;
use crate::libpod::Container;
use crate::sandbox::host_path::{HostPath, HostPathError};

/// What the container can write to on this side: a link there may be a trap.
#[derive(Debug, Clone)]
pub(super) struct Shared(Vec<PathBuf>);

impl Shared {
    /// By the container's mounts.
    pub(super) fn of(container: &Container) -> Self {
        let binds = container
            .mounts
            .iter()
            .filter(|mount| mount.kind == "bind" && mount.writable);
        let real = |path: &String| {
            let path = PathBuf::from(path);
            path.canonicalize().unwrap_or(path)
        };
        Self(binds.map(|mount| real(&mount.source)).collect())
    }

    fn resolve(&self, path: &Path) -> CliResult<HostPath> {
        let found = HostPath::resolve(path, &host::working_directory()?).map_err(|e| lost(&e))?;
        found
            .check_links(self.0.iter().map(PathBuf::as_path))
            .map_err(|e| lost(&e))?;
        Ok(found)
    }

    /// Opens a directory that is written to.
    pub(super) fn open(&self, directory: &Path) -> CliResult<File> {
        self.resolve(directory)?.open().map_err(|e| lost(&e))
    }

    /// Opens what is copied.
    pub(super) fn source(&self, path: &Path) -> CliResult<(CopySource, Copied)> {
        let found = self.resolve(path)?;
        let file = found.open().map_err(|e| lost(&e))?;
        let shown = path.display();
        let source = CopySource::new(file, path).doing(format!("copy `{shown}`"))?;
        let bytes = path.as_os_str().as_bytes();
        // `..` has the name of where it leads.
        let name: Option<OsString> = match split_host(path) {
            Some((_, name)) => Some(name),
            None => found.path().file_name().map(Into::into),
        };
        let copied = match (source.is_directory(), name) {
            (true, Some(name)) if !is_contents(bytes) => Copied::Directory(name),
            (true, _) => Copied::Contents,
            (false, Some(name)) if !is_for_directory(bytes) => Copied::File(name),
            (false, _) => {
                return Err(CliError::new(
                    Exit::Failed,
                    format!("`{shown}` is not a directory"),
                ));
            }
        };
        Ok((source, copied))
    }
}

/// What is at a path that is written to.
pub(super) fn look(path: &Path) -> CliResult<There<PathBuf>> {
    let shown = path.display();
    let bytes = path.as_os_str().as_bytes();
    let no_directory = || CliError::new(Exit::Failed, format!("there is no directory `{shown}`"));
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(There::Directory(path.to_owned())),
        Ok(found) if found.is_file() => {
            let (parent, name) = split_host(path).ok_or_else(no_directory)?;
            Ok(There::File(parent, name))
        }
        Ok(_) => Err(CliError::new(
            Exit::Failed,
            format!("`{shown}` is neither a file nor a directory"),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if is_for_directory(bytes) {
                return Err(no_directory());
            }
            let (parent, name) = split_host(path).ok_or_else(no_directory)?;
            if parent.is_dir() {
                return Ok(There::Nothing(parent, name));
            }
            Err(CliError::new(
                Exit::Failed,
                format!("there is no directory `{}`", parent.display()),
            ))
        }
        Err(error) => Err(error).doing(format!("look at `{shown}`")),
    }
}

fn lost(error: &HostPathError) -> CliError {
    let cli = CliError::from_source(Exit::Failed, error);
    match error {
        HostPathError::UntrustedLink { .. } => cli.hint(
            "the container can write there and may have made the link; name the place it leads to",
        ),
        _ => cli,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_there_decides() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join("file"), "").unwrap();
        symlink("file", root.join("link")).unwrap();
        symlink("none", root.join("dangling")).unwrap();
        let at = root.to_owned();
        assert_eq!(look(root).unwrap(), There::Directory(at.clone()));
        for (name, want) in [
            ("file", There::File(at.clone(), "file".into())),
            // The link is replaced, as podman does.
            ("link", There::File(at.clone(), "link".into())),
            ("none", There::Nothing(at.clone(), "none".into())),
            ("dangling", There::Nothing(at.clone(), "dangling".into())),
        ] {
            assert_eq!(look(&root.join(name)).unwrap(), want);
        }
        for bad in ["none/", "none/.", "none/x", "file/x", "file/"] {
            let path = PathBuf::from(format!("{}/{bad}", root.display()));
            assert!(look(&path).is_err(), "{bad}");
        }
        assert!(look(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn sources_have_a_name_unless_they_end_in_a_dot() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("d/sub")).unwrap();
        fs::write(root.join("f"), "").unwrap();
        symlink("d", root.join("link")).unwrap();
        let copied = |below: &str| {
            let path = PathBuf::from(format!("{}/{below}", root.display()));
            Shared(Vec::new()).source(&path).map(|(_, copied)| copied)
        };
        let directory = |name: &str| Copied::Directory(name.into());
        assert_eq!(copied("d").unwrap(), directory("d"));
        assert_eq!(copied("d/").unwrap(), directory("d"));
        assert_eq!(copied("link").unwrap(), directory("link"));
        assert_eq!(copied("d/sub/..").unwrap(), directory("d"));
        assert_eq!(copied("d/.").unwrap(), Copied::Contents);
        assert_eq!(copied("f").unwrap(), Copied::File("f".into()));
        assert!(copied("f/").is_err());
        assert!(copied("f/.").is_err());
        assert!(copied("none").is_err());
    }

    #[test]
    fn links_that_a_container_could_have_made_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("workspace/real")).unwrap();
        fs::create_dir(root.join("keys")).unwrap();
        fs::write(root.join("keys/key"), "").unwrap();
        symlink("../keys", root.join("workspace/out")).unwrap();
        symlink("../keys/key", root.join("workspace/key")).unwrap();
        symlink("workspace", root.join("mine")).unwrap();
        let shared = Shared(vec![root.join("workspace")]);
        assert!(shared.open(&root.join("workspace/out")).is_err());
        assert!(shared.source(&root.join("workspace/key")).is_err());
        assert!(shared.source(&root.join("workspace/out/key")).is_err());
        assert!(shared.open(&root.join("mine/real")).is_ok());
        assert!(shared.open(&root.join("keys")).is_ok());
    }
}
