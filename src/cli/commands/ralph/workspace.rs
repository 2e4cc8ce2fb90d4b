//! What the agent works on, and what is kept from it.

use std::path::{Path, PathBuf};

use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::launch::env_file_refused;
use crate::cli::sandbox_args::invalid;
use crate::ralph::Workspace;
use crate::sandbox::Request;
use crate::sandbox::env_file::env_file_below;
use crate::sandbox::host_path::{FileKind, HostPath};
use crate::sandbox::mounts::{Mount, MountSource, parse_volume};
use crate::sandbox::name::GuestPath;

/// Where the agent finds what it works on.
const WORKSPACE: &str = "/workspace";

/// What the agent works on: what is mounted at `/workspace`, else the current directory.
pub(super) fn workspace(
    request: &mut Request,
    cwd: &Path,
    read_only: bool,
) -> CliResult<Workspace> {
    let is_workspace = |mount: &&Mount| mount.target.as_str() == WORKSPACE;
    let typed = match request.mounts.iter().find(is_workspace) {
        Some(Mount {
            source: MountSource::Host(path),
            ..
        }) => path.clone(),
        Some(_) => {
            return Err(CliError::usage(format!(
                "what is mounted at {WORKSPACE} has to be a directory of yours"
            )));
        }
        None => {
            // First, as the one whose owner the agent is.
            let mut mount = parse_volume(&format!(".:{WORKSPACE}:Z")).map_err(|e| invalid(&e))?;
            mount.source = MountSource::Host(cwd.to_owned());
            request.mounts.insert(0, mount);
            cwd.to_owned()
        }
    };
    let mut mounts = request.mounts.iter_mut();
    let mount = mounts.find(|mount| mount.target.as_str() == WORKSPACE);
    let read_only = match mount {
        Some(mount) if read_only => {
            close(mount)?;
            true
        }
        Some(mount) => mount.options.has("ro"),
        None => false,
    };
    if request.workdir.is_none() {
        request.workdir = Some(GuestPath::parse(WORKSPACE).map_err(|e| invalid(&e))?);
    }
    let path =
        HostPath::resolve(&typed, cwd).map_err(|e| CliError::from_source(Exit::Failed, &e))?;
    let identity = path.identity();
    Ok(Workspace {
        path: path.path().to_owned(),
        device: identity.device,
        inode: identity.inode,
        device_then: None,
        target: WORKSPACE.to_owned(),
        read_only,
    })
}

/// It is only to be read.
fn close(mount: &mut Mount) -> CliResult<()> {
    let words = mount.options.words();
    if words.iter().any(|word| matches!(word.as_str(), "rw" | "O")) {
        return Err(CliError::usage(
            "`--read-only-workspace` is another wish than that of the mount at /workspace",
        ));
    }
    if !mount.options.has("ro") {
        let text = format!(".:{WORKSPACE}:ro,{}", words.join(","));
        mount.options = parse_volume(&text).map_err(|e| invalid(&e))?.options;
    }
    Ok(())
}

/// The env files in it, relative to it: no checkpoint, no copy and no check has them.
pub(super) fn env_files(
    request: &Request,
    cwd: &Path,
    workspace: &Path,
) -> CliResult<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in &request.env_files {
        let below = env_file_below(file, cwd, workspace);
        let below = below.map_err(|error| env_file_refused(&error))?;
        // Its directory can be renamed, and it is under a name that nobody guards.
        if below
            .as_ref()
            .is_some_and(|path| path.components().count() > 1)
        {
            let text = format!(
                "the env file `{}` lies below the workspace's top, where an agent can move it",
                file.display()
            );
            return Err(CliError::new(Exit::Preflight, text)
                .hint("move it to the workspace's top, or out of the workspace"));
        }
        found.extend(below);
    }
    Ok(found)
}

/// What a check gets beside the agent's tree: no agent may have written it.
pub(super) fn check_directory(
    typed: Option<&Path>,
    cwd: &Path,
    workspace: &Path,
    mounts: &[Mount],
) -> CliResult<Option<PathBuf>> {
    let Some(typed) = typed else {
        return Ok(None);
    };
    let found = HostPath::resolve(typed, cwd).map_err(|e| {
        let heading = format!("cannot use `{}` for checks", typed.display());
        CliError::context(Exit::Failed, heading, &e)
    })?;
    let (path, work) = (found.path(), workspace);
    if found.kind() != FileKind::Directory {
        return Err(CliError::usage(format!(
            "`{}` is no directory",
            typed.display()
        )));
    }
    if path.starts_with(work) || work.starts_with(path) {
        return Err(CliError::usage(
            "`--check-dir` must lie outside of the workspace: what is in it is the agent's",
        ));
    }
    let is_around = |root: &PathBuf| path.starts_with(root) || root.starts_with(path);
    if let Some(root) = host_paths(mounts, cwd, |mount| !mount.options.has("ro")).find(is_around) {
        return Err(CliError::usage(format!(
            "`--check-dir` must not be the agent's to write, as `{}` is",
            root.display()
        ))
        .hint("mount that read-only (`:ro`), or keep the checks elsewhere"));
    }
    Ok(Some(path.to_owned()))
}

/// What of the host is mounted by those that are meant, without links where it is there.
pub(super) fn host_paths(
    mounts: &[Mount],
    cwd: &Path,
    is_meant: impl Fn(&Mount) -> bool,
) -> impl Iterator<Item = PathBuf> {
    let paths = mounts.iter().filter_map(move |mount| match &mount.source {
        MountSource::Host(path) if is_meant(mount) => Some(cwd.join(path)),
        _ => None,
    });
    paths.map(|path| path.canonicalize().unwrap_or(path))
}
