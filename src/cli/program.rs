//! Programs that are run outside of any sandbox: the person's own, editors and pagers, and this one once more.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// This very program, also once another lies in its place.
pub(crate) fn ourselves() -> Command {
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command
}

/// A program by PATH, but never one that an agent could have put there: none in these workspaces.
pub(crate) fn find(program: &str, workspaces: &[&Path]) -> Option<PathBuf> {
    let is_ours = |path: &PathBuf| {
        let real = path.canonicalize().ok();
        let is_agents = |path: &Path| {
            workspaces
                .iter()
                .any(|workspace| path.starts_with(workspace))
        };
        !is_agents(path) && real.is_some_and(|real| real.is_file() && !is_agents(&real))
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_absolute() && is_ours(path));
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_one_of_a_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let planted = dir.path().join("vi");
        std::fs::write(&planted, "#!/bin/sh").unwrap();
        let planted = planted.to_str().unwrap();
        assert_eq!(find(planted, &[Path::new("/x"), dir.path()]), None);
        assert_eq!(
            find(planted, &[Path::new("/elsewhere")]),
            Some(planted.into())
        );
        assert_eq!(find("./vi", &[dir.path()]), None);
        assert!(find("sh", &[dir.path()]).is_some());
    }
}
