//! The workspace's repository, and what the agent gets of it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sandbox_args::invalid;
use crate::ralph::{self, GIT_DIRECTORY, GIT_OBJECTS, GitAccess, IdentityKind, Run, Workspace};
use crate::sandbox::mounts::{Access, MountSource, OwnMount, parse_volume};
use crate::sandbox::name::GuestPath;
use crate::sandbox::{Loosening, Request};
use crate::workspace::{self, Root, git};

/// The words of `--git`.
pub(super) fn parser() -> impl TypedValueParser<Value = GitAccess> {
    PossibleValuesParser::new(GitAccess::ALL.map(GitAccess::word)).map(|word| {
        let mut all = GitAccess::ALL.into_iter();
        all.find(|access| access.word() == word).unwrap_or_default()
    })
}

/// The repository of a workspace that is about to be worked on.
pub(super) struct Repository {
    record: ralph::Repository,
    /// To be copied.
    found: Option<git::Repository>,
    /// The workspace.
    root: PathBuf,
    /// `.git` in the sandbox.
    target: String,
}

/// Looks at what is there. An agent may have made it in an earlier run.
pub(super) fn look(access: GitAccess, workspace: &Workspace) -> CliResult<Repository> {
    let root = Root::open(&workspace.path).map_err(|error| refused(access, &error))?;
    let record = ralph::Repository::of(&root, access)?;
    let kind = record.git.map(|git| git.kind);
    let found = match (access, kind) {
        (GitAccess::Shadow, _) => {
            git::Repository::find(&root).map_err(|error| refused(access, &error))?
        }
        (GitAccess::None | GitAccess::Ro, Some(IdentityKind::Other)) => {
            let text = "`.git` is no directory and no file: it cannot be kept from the agent";
            return Err(CliError::new(Exit::Failed, text)
                .hint("look at it, and remove it; or leave it to the agent: `--git rw`"));
        }
        (GitAccess::Ro, Some(IdentityKind::File)) => {
            let text = "`.git` is a file: the repository that it names is not in the workspace, where it could be read";
            return Err(CliError::new(Exit::Failed, text)
                .hint("give the agent a copy of it: `--git shadow`"));
        }
        _ => None,
    };
    Ok(Repository {
        record,
        found,
        root: workspace.path.clone(),
        target: format!("{}/.git", workspace.target),
    })
}

fn refused(access: GitAccess, error: &workspace::Error) -> CliError {
    let heading = "the agent cannot have a copy of the repository";
    let refused = CliError::context(Exit::Failed, heading, error);
    match access {
        GitAccess::Shadow => refused.hint(
            "without one: `--git none`; or, if you trust what is in `.git`, let it have yours: `--git ro` or `--git rw`",
        ),
        _ => refused,
    }
}

impl Repository {
    /// What is kept of it.
    pub(super) fn record(&self) -> &ralph::Repository {
        &self.record
    }

    /// Makes what the agent gets, and mounts it over the person's. Where there is none, nothing is
    /// mounted: the service would make a directory there.
    pub(super) fn give(&self, request: &mut Request, run: &Run) -> CliResult<()> {
        if self.record.access == GitAccess::Rw {
            request.loosenings.push(Loosening::Repository);
            return Ok(());
        }
        let Some(kind) = self.record.git.map(|git| git.kind) else {
            return Ok(());
        };
        match (&self.found, self.record.access, kind) {
            (Some(found), ..) => self.shadow(found, request, run),
            (None, GitAccess::Ro, _) => {
                self.persons(request, &self.root.join(".git"), &self.target)
            }
            (None, _, IdentityKind::Directory) => {
                let empty = run.git_directory();
                let made = DirBuilder::new().mode(0o755).create(&empty);
                made.doing("make an empty directory")?;
                own(request, empty, &self.target, Access::Read)
            }
            (None, ..) => self.file(request, run, ""),
        }
    }

    fn shadow(&self, found: &git::Repository, request: &mut Request, run: &Run) -> CliResult<()> {
        let copy = run.git_directory();
        let sources = found.objects();
        let numbers = 1..sources.len();
        let places: Vec<String> = std::iter::once(GIT_OBJECTS.to_owned())
            .chain(numbers.map(|number| format!("{GIT_OBJECTS}-{number}")))
            .collect();
        let copied = found.copy(&copy, &places);
        copied.map_err(|error| refused(self.record.access, &error))?;
        for (source, place) in sources.iter().zip(&places) {
            self.persons(request, source, place)?;
        }
        if !found.is_file() {
            return own(request, copy, &self.target, Access::Write);
        }
        own(request, copy, GIT_DIRECTORY, Access::Write)?;
        self.file(request, run, &format!("gitdir: {GIT_DIRECTORY}\n"))
    }

    /// A file in the place of the file `.git`.
    fn file(&self, request: &mut Request, run: &Run, text: &str) -> CliResult<()> {
        let path = run.git_file();
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&path);
        let mut file = made.doing("make a file")?;
        file.write_all(text.as_bytes()).doing("write a file")?;
        own(request, path, &self.target, Access::Read)
    }

    /// Something of the person's, to be read.
    fn persons(&self, request: &mut Request, source: &Path, target: &str) -> CliResult<()> {
        // In the workspace it is labelled together with it.
        let label = if source.starts_with(&self.root) {
            ""
        } else {
            ",z"
        };
        let words = format!(".:{target}:ro{label}");
        let mut mount = parse_volume(&words).map_err(|e| invalid(&e))?;
        mount.source = MountSource::Host(source.to_owned());
        request.mounts.push(mount);
        Ok(())
    }
}

fn own(request: &mut Request, source: PathBuf, target: &str, access: Access) -> CliResult<()> {
    let target = GuestPath::parse(target).map_err(|e| invalid(&e))?;
    request.own_mounts.push(OwnMount {
        source,
        target,
        access,
    });
    Ok(())
}
