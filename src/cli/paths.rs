//! Paths below a run's workspace, as people name them.

use std::path::{Component, Path, PathBuf};

use super::error::{CliError, CliResult};
use super::host;
use super::sanitize::sanitize_line;
use crate::ralph::Record;

/// As the checkpoints have them: `first`, if it is one, and the others. They count from where the person stands, if that is in
/// the workspace, else from its top.
pub(crate) fn below(
    first: Option<&str>,
    paths: &[PathBuf],
    record: &Record,
) -> CliResult<Vec<PathBuf>> {
    let here = host::working_directory()?;
    let roots = [&record.original().path, &record.workspace.path];
    let inside = |path: &Path| {
        let inside = roots.iter().find_map(|root| path.strip_prefix(root).ok());
        inside.map(Path::to_owned)
    };
    let stands = inside(&here).unwrap_or_default();
    let one = |path: &Path| {
        let path = inside(path).unwrap_or_else(|| stands.join(path));
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::Normal(name) => clean.push(name),
                Component::ParentDir if clean.pop() => {}
                _ => {
                    let text = format!("`{}` is not in the workspace", path.display());
                    return Err(CliError::usage(text));
                }
            }
        }
        Ok(clean)
    };
    let paths = paths.iter().map(PathBuf::as_path);
    first
        .map(Path::new)
        .into_iter()
        .chain(paths)
        .map(one)
        .collect()
}

/// Refuses what no checkpoint has and is not there, before anything is done.
pub(crate) fn refuse_unknown(unknown: &[PathBuf], workspace: &Path) -> CliResult<()> {
    // Checkpoints leave some things out.
    let is_there = |path: &&PathBuf| workspace.join(path).symlink_metadata().is_ok();
    let Some(path) = unknown.iter().find(|path| !is_there(path)) else {
        return Ok(());
    };
    let path = sanitize_line(&path.to_string_lossy());
    Err(CliError::usage(format!(
        "there is no `{path}`, in no checkpoint either, and no run is named so"
    ))
    .hint("paths count from where you stand in the workspace; `stockade runs` lists the runs"))
}
