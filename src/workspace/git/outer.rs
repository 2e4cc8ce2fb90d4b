//! The repositories that a workspace lies in: their `git status` consults submodules below it, too. Nothing above a
//! workspace can its agent have made. No git is run to find them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Directory;
use super::modules::gitlinks;
use super::place::{line, plain, read, resolve};
use crate::workspace::disk::{self, Root};
use crate::workspace::error::{Error, Result};

/// The longest file `.git`.
const MAX_FILE: u64 = 8 << 10;

/// Where these repositories expect submodules below a workspace, relative to it; and why that cannot be told of some.
/// Also those beyond the first are asked: whose index knows what does not depend on who is looking.
pub(super) fn below(root: &Root) -> (Vec<PathBuf>, Vec<Error>) {
    let mut trusted = vec![0, rustix::process::geteuid().as_raw()];
    // Whoever works there, if that is another one.
    trusted.extend(disk::found(&root.fd).map(|found| found.owner.0));
    below_of(root, &trusted)
}

fn below_of(root: &Root, trusted: &[u32]) -> (Vec<PathBuf>, Vec<Error>) {
    let (mut all, mut unknown) = (Vec::new(), Vec::new());
    for above in root.path.ancestors().skip(1) {
        match one(root, above, trusted) {
            Ok(found) => all.extend(found),
            // It is none of the run's, and no agent had a hand in it.
            Err(error) => unknown.push(error),
        }
    }
    (all, unknown)
}

fn one(root: &Root, above: &Path, trusted: &[u32]) -> Result<Vec<PathBuf>> {
    let Some(own) = at(above, trusted)? else {
        return Ok(Vec::new());
    };
    let begin = worktree(&own)?.unwrap_or_else(|| above.to_owned());
    let mut all = Vec::new();
    for name in gitlinks(&own)? {
        let whole = begin.join(OsStr::from_bytes(&name));
        // What is beside the workspace is out of its agent's reach, and its top is looked at anyway.
        if let Ok(path) = whole.strip_prefix(&root.path)
            && !path.as_os_str().is_empty()
        {
            all.push(path.to_owned());
        }
    }
    Ok(all)
}

/// The repository of a directory that no agent can write in: a link there is the person's. What is somebody else's git
/// does not obey.
fn at(above: &Path, trusted: &[u32]) -> Result<Option<Directory>> {
    let git = above.join(".git");
    let is_trusted = |path: &Path| {
        let found = std::fs::symlink_metadata(path);
        found.is_ok_and(|found| trusted.contains(&found.uid()))
    };
    // What we may not look at the person's git may not either.
    let Ok(real) = git.canonicalize() else {
        return Ok(None);
    };
    if !is_trusted(&git) || !is_trusted(&real) {
        return Ok(None);
    }
    let place = match std::fs::symlink_metadata(&real) {
        Ok(found) if found.is_dir() => real,
        Ok(found) if found.is_file() => match named(&real)? {
            Some(named) => resolve(above, line(&named)),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let Ok(place) = place.canonicalize() else {
        return Ok(None);
    };
    if !is_trusted(&place) {
        return Ok(None);
    }
    match Directory::open(place) {
        Err(error) if error.is_denied() => Ok(None),
        other => other.map(Some),
    }
}

/// What a file `.git` names.
fn named(file: &Path) -> Result<Option<Vec<u8>>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = file.parent().unwrap_or(file);
    let dir = rustix::fs::open(above, flags, Mode::empty());
    let dir = dir.map_err(Error::file("open", above))?;
    let name = file.file_name().unwrap_or_default().as_bytes();
    let name = std::ffi::CString::new(name).map_err(|_| Error::file("open", file)(Errno::INVAL))?;
    let Some(fd) = plain(&dir, &name, file, MAX_FILE)? else {
        return Ok(None);
    };
    let text = read(&fd, file, MAX_FILE)?;
    Ok(text.strip_prefix(b"gitdir: ").map(<[u8]>::to_vec))
}

/// Where its paths begin, if it says so.
fn worktree(own: &Directory) -> Result<Option<PathBuf>> {
    if own.read(c"commondir", MAX_FILE)?.is_some() {
        return Ok(None);
    }
    let config = own.config()?;
    let named = config
        .get("core", "worktree")
        .filter(|named| !named.is_empty());
    let named = named.map(|named| resolve(&own.path, Path::new(named)));
    Ok(named.map(|named| named.canonicalize().unwrap_or(named)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use crate::workspace::disk::Root;
    use crate::workspace::git::modules;
    use crate::workspace::git::tests::Scene;

    /// A repository with gitlinks, and a directory in it to work in.
    fn scene() -> Scene {
        let scene = Scene::new();
        fs::create_dir(scene.at("project/here")).unwrap();
        scene.git("project", "init -q -b main");
        scene.git("project", "commit -q --allow-empty -m first");
        let id = scene.git("project", "rev-parse HEAD");
        for path in ["here/a", "here/b/c", "beside", "hereby/a"] {
            let line = format!("update-index --add --cacheinfo 160000,{},{path}", id.trim());
            scene.git("project", &line);
        }
        scene
    }

    #[track_caller]
    fn assert_found(scene: &Scene, at: &str, expected: &[&str]) {
        let found = modules(&Root::open(&scene.at(at)).unwrap()).unwrap();
        let found = found.found.iter().map(|one| one.path.to_str().unwrap());
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn submodules_of_a_repository_above_are_known_below() {
        let scene = scene();
        assert_found(&scene, "project/here", &["a", "b/c"]);
        fs::create_dir_all(scene.at("project/here/b/c")).unwrap();
        assert_found(&scene, "project/here/b", &["c"]);
        // Also if the workspace is a repository by itself.
        scene.git("project/here", "init -q -b main");
        assert_found(&scene, "project/here", &["a", "b/c"]);
        assert_found(&scene, "", &[]);
    }

    #[test]
    fn wherever_its_parts_are() {
        let scene = scene();
        fs::rename(scene.at("project/.git"), scene.at("kept")).unwrap();
        assert_found(&scene, "project/here", &[]);
        symlink("../kept", scene.at("project/.git")).unwrap();
        assert_found(&scene, "project/here", &["a", "b/c"]);
        fs::remove_file(scene.at("project/.git")).unwrap();
        fs::write(scene.at("project/.git"), "gitdir: ../kept\n").unwrap();
        assert_found(&scene, "project/here", &["a", "b/c"]);
        fs::create_dir(scene.at(".git")).unwrap();
        fs::remove_file(scene.at("project/.git")).unwrap();
        fs::copy(scene.at("kept/index"), scene.at(".git/index")).unwrap();
        assert_found(&scene, "project/here", &[]);
        fs::write(scene.at(".git/config"), "[core]\nworktree = ../project\n").unwrap();
        assert_found(&scene, "project/here", &["a", "b/c"]);
        fs::write(scene.at(".git/index"), "DIRC").unwrap();
        // One that is damaged is said, and what is known otherwise stays known.
        scene.git("project", "init -q -b main");
        fs::copy(scene.at("kept/index"), scene.at("project/.git/index")).unwrap();
        assert_found(&scene, "project/here", &["a", "b/c"]);
        let found = modules(&Root::open(&scene.at("project/here")).unwrap()).unwrap();
        let unknown: Vec<String> = found.unknown.iter().map(ToString::to_string).collect();
        let index = scene.at(".git/index").display().to_string();
        assert!(
            matches!(unknown.as_slice(), [one] if one.contains(&index)),
            "{unknown:?}"
        );
    }

    #[test]
    fn somebody_elses_is_not_asked() {
        let scene = scene();
        let root = Root::open(&scene.at("project/here")).unwrap();
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(super::below_of(&root, &[us]).0.len(), 2);
        fs::write(scene.at("project/.git/index"), "DIRC").unwrap();
        let (found, unknown) = super::below_of(&root, &[us + 1]);
        assert!(found.is_empty() && unknown.is_empty(), "{unknown:?}");
    }
}
