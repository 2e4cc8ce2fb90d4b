//! Paths below a run's workspace, as people name them.

use std::path::{Component, Path, PathBuf};

use super::error::{CliError, CliResult};
use super::sanitize::sanitize_line;
use crate::ralph::Record;

/// As the checkpoints have them: `first`, if it is one, and the others.
pub(crate) fn below(
    first: Option<&str>,
    paths: &[PathBuf],
    record: &Record,
) -> CliResult<Vec<PathBuf>> {
    let one = |path: &Path| {
        let roots = [&record.original().path, &record.workspace.path];
        let inside = roots.iter().find_map(|root| path.strip_prefix(root).ok());
        let mut clean = PathBuf::new();
        for part in inside.unwrap_or(path).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(name) => clean.push(name),
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
    .hint("paths are relative to the workspace; `stockade runs` lists the runs"))
}
