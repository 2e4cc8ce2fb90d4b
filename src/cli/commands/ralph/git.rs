//! The workspace's repository, and what the agent gets of it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::ops::RangeFrom;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sandbox_args::invalid;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::ralph::{
    self, GIT_DIRECTORY, GIT_OBJECTS, GitAccess, IdentityKind, Obeyed, Run, Workspace,
};
use crate::sandbox::mounts::{Access, MountSource, OwnMount, parse_volume};
use crate::sandbox::name::GuestPath;
use crate::sandbox::{Loosening, Request};
use crate::workspace::git::Way;
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
    /// Repositories of submodules that are in the workspace themselves, with the way to each.
    inside: Vec<(PathBuf, Option<git::Repository>)>,
    /// The workspace.
    root: PathBuf,
    /// `.git` in the sandbox.
    target: String,
}

/// Looks at what is there. An agent may have made it in an earlier run. A file `.git` leads nowhere from a copy of
/// the directory that it is of.
pub(super) fn look(
    access: GitAccess,
    workspace: &Workspace,
    original: &Workspace,
    ui: &Ui,
) -> CliResult<Repository> {
    let root = Root::open(&workspace.path).map_err(|error| refused(access, &error))?;
    let (record, unknown) = ralph::Repository::of(&root, access).map_err(|error| match error {
        ralph::Error::Workspace(error) => refused(access, &error),
        other => other.into(),
    })?;
    for error in unknown {
        ui.warning(&sanitize_line(&format!(
            "in a repository that the workspace lies in: {error}: submodules that it has in the workspace are not watched"
        )));
    }
    let kind = record.git.map(|git| git.kind);
    let found = match (access, kind) {
        (GitAccess::Shadow, Some(IdentityKind::File)) => {
            let found = Root::open(&original.path).and_then(|root| git::Repository::find(&root));
            found.map_err(|error| refused(access, &error))?
        }
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
    let inside = inside(&root, &record).map_err(|error| refused(access, &error))?;
    Ok(Repository {
        record,
        found,
        inside,
        root: workspace.path.clone(),
        target: format!("{}/.git", workspace.target),
    })
}

/// Repositories of submodules as old versions of git made them.
fn inside(
    root: &Root,
    record: &ralph::Repository,
) -> workspace::Result<Vec<(PathBuf, Option<git::Repository>)>> {
    let mut inside = Vec::new();
    for module in &record.modules {
        if !matches!(module.git, Some(Obeyed::Directory { .. })) {
            continue;
        }
        let found = match (record.access, root.way(&module.path)?) {
            (GitAccess::Shadow, Way::Whole(below)) => git::Repository::find(&below.root)?,
            _ => None,
        };
        inside.push((module.path.clone(), found));
    }
    Ok(inside)
}

fn refused(access: GitAccess, error: &workspace::Error) -> CliError {
    let heading = match access {
        GitAccess::Shadow => "the agent cannot have a copy of the repository",
        _ => "the repository cannot be kept from the agent",
    };
    let refused = CliError::context(Exit::Failed, heading, error);
    match access {
        GitAccess::Shadow => refused.hint(
            "without one: `--git none`; or, if you trust what is in `.git`, let it have yours: `--git ro` or `--git rw`",
        ),
        _ => refused.hint("look at it, and mend or remove it; or leave it to the agent: `--git rw`"),
    }
}

impl Repository {
    /// What is kept of it.
    pub(super) fn record(&self) -> &ralph::Repository {
        &self.record
    }

    /// Makes what the agent gets, and mounts it over the person's. Where there is none, nothing is
    /// mounted: the service would make a directory there. Its submodules may be those of a repository above.
    pub(super) fn give(&self, request: &mut Request, run: &Run) -> CliResult<()> {
        if self.record.access == GitAccess::Rw {
            request.loosenings.push(Loosening::Repository);
            return Ok(());
        }
        let mut places = 0..;
        let kind = self.record.git.map(|git| git.kind);
        match (&self.found, self.record.access, kind) {
            (Some(found), ..) => self.shadow(found, &mut places, request, run)?,
            (None, _, None) => {}
            (None, GitAccess::Ro, _) => {
                self.persons(request, &self.root.join(".git"), &self.target)?;
            }
            (None, _, Some(IdentityKind::Directory)) => {
                empty(request, run.git_directory(), &self.target)?;
            }
            (None, ..) => self.file(request, run, "")?,
        }
        for (number, (path, found)) in self.inside.iter().enumerate() {
            let path = path.join(".git");
            let above = self.target.trim_end_matches(".git");
            let target = format!("{above}{}", path.display());
            let copy = run.inside_git_directory(number + 1);
            match (found, self.record.access) {
                (Some(found), _) => {
                    self.copied(found, &copy, &mut places, request)?;
                    own(request, copy, &target, Access::Write)?;
                }
                (None, GitAccess::Ro) => self.persons(request, &self.root.join(path), &target)?,
                (None, _) => empty(request, copy, &target)?,
            }
        }
        Ok(())
    }

    fn shadow(
        &self,
        found: &git::Repository,
        places: &mut RangeFrom<usize>,
        request: &mut Request,
        run: &Run,
    ) -> CliResult<()> {
        let copy = run.git_directory();
        self.copied(found, &copy, places, request)?;
        if !found.is_file() {
            return own(request, copy, &self.target, Access::Write);
        }
        own(request, copy, GIT_DIRECTORY, Access::Write)?;
        self.file(request, run, &format!("gitdir: {GIT_DIRECTORY}\n"))
    }

    /// Makes a copy, which finds its objects at the next places.
    fn copied(
        &self,
        found: &git::Repository,
        copy: &Path,
        places: &mut RangeFrom<usize>,
        request: &mut Request,
    ) -> CliResult<()> {
        let sources = found.objects();
        let place = |number| match number {
            0 => GIT_OBJECTS.to_owned(),
            more => format!("{GIT_OBJECTS}-{more}"),
        };
        let places: Vec<String> = places.take(sources.len()).map(place).collect();
        let copied = found.copy(copy, &places);
        copied.map_err(|error| refused(self.record.access, &error))?;
        for (source, place) in sources.iter().zip(&places) {
            self.persons(request, source, place)?;
        }
        Ok(())
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

/// A directory with nothing in it.
fn empty(request: &mut Request, path: PathBuf, target: &str) -> CliResult<()> {
    let made = DirBuilder::new().mode(0o755).create(&path);
    made.doing("make an empty directory")?;
    own(request, path, target, Access::Read)
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
