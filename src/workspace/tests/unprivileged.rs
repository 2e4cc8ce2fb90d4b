//! What only somebody without privileges sees: files and directories that are closed to their owner.
//! Where the tests run as root, these run once more as somebody else.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::super::Missing;
use super::super::Root;
use super::scene::Scene;
use super::scene::assert_same;

const NOBODY: u32 = 65534;
/// A directory that is closed, and somebody else's than whoever finds this.
const FOREIGN: &str = "STOCKADE_TEST_FOREIGN";

/// Runs a test of this file as somebody who is not root.
fn unprivileged(name: &str, test: impl FnOnce()) {
    if !rustix::process::geteuid().is_root() {
        return test();
    }
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o700)).unwrap();
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // By this way the program is found even where its path is closed to others.
    let output = Command::new("/proc/self/exe")
        .arg("--exact")
        .arg(format!("workspace::tests::unprivileged::{name}"))
        .env("TMPDIR", dir.path())
        .env(FOREIGN, foreign)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{stderr}"
    );
}

#[test]
fn what_its_owner_closed_is_opened_up_and_closed_again() {
    unprivileged(
        "what_its_owner_closed_is_opened_up_and_closed_again",
        || {
            let mut scene = Scene::new();
            scene.write("dir/sub/file", "content");
            scene.write("dir/closed", "closed");
            scene.write("file", "content");
            let before = scene.view();
            let names = ["file", "dir/closed", "dir/sub", "dir"];
            let close = |scene: &Scene| names.iter().for_each(|name| scene.chmod(name, 0));
            let open = |scene: &Scene| {
                let modes = [0o644, 0o644, 0o755, 0o755];
                names
                    .iter()
                    .zip(modes)
                    .rev()
                    .for_each(|(name, mode)| scene.chmod(name, mode));
            };
            close(&scene);
            let taken = scene.taken();
            assert!(taken.left_out.is_empty(), "{:?}", taken.left_out);
            let closed = taken.checkpoint;
            // It is as it was.
            assert!(fs::read_dir(scene.path("dir")).is_err());
            assert!(fs::read(scene.path("file")).is_err());
            open(&scene);
            let opened = scene.take();
            scene.write("dir/sub/file", "changed");
            scene.write("dir/sub/new", "new");
            scene.write("file", "changed");
            close(&scene);
            scene.roll_back(&opened);
            assert_same(&scene.view(), &before);
            scene.roll_back(&closed);
            assert!(fs::read_dir(scene.path("dir")).is_err());
            open(&scene);
            assert!(fs::read(scene.path("dir/sub/file")).is_ok());
            close(&scene);
            // For the temporary directory's sake.
            scene.roll_back(&opened);
            assert_same(&scene.view(), &before);
        },
    );
}

#[test]
fn so_is_the_top() {
    unprivileged("so_is_the_top", || {
        for mode in [0, 0o444, 0o111, 0o555, 0o300] {
            let mut scene = Scene::new();
            let top = |scene: &Scene| fs::metadata(scene.path("")).unwrap().mode() & 0o777;
            scene.write("dir/file", "content");
            scene.write("file", "content");
            scene.chmod("", 0o750);
            let first = scene.take();
            let before = scene.view();
            scene.write("dir/file", "changed");
            fs::remove_file(scene.path("file")).unwrap();
            scene.write("new", "new");
            scene.write(".git", "gitdir: elsewhere");
            scene.chmod("", mode);
            let quarantine = scene.dir.path().join("quarantine");
            let moved = scene.root().set_aside(c".git", &[&quarantine], "x");
            assert!(moved.is_ok_and(|to| to.exists()), "{mode:o}");
            let taken = scene.taken();
            assert!(taken.left_out.is_empty(), "{:?}", taken.left_out);
            assert_eq!((taken.files, top(&scene)), (2, mode), "{mode:o}");
            // A part of it, and the top stays closed.
            let (repository, now) = (&scene.repository, &taken.with_tree());
            let paths = [PathBuf::from("new")];
            let done = repository.rollback(&scene.root(), now, &first, &paths, &[], Missing::Lost);
            assert_eq!((done.unwrap().removed, top(&scene)), (1, mode), "{mode:o}");
            // All of it, and back.
            scene.roll_back(&first);
            assert_same(&scene.view(), &before);
            scene.roll_back(&taken.checkpoint);
            assert_eq!(top(&scene), mode);
            scene.chmod("", 0o700);
            assert_eq!(fs::read(scene.path("new")).unwrap(), b"new");
            assert!(!scene.path("file").exists());
        }
    });
}

#[test]
fn what_is_somebody_elses_is_not_opened_up() {
    unprivileged("what_is_somebody_elses_is_not_opened_up", || {
        let Some(foreign) = std::env::var_os(FOREIGN) else {
            return;
        };
        let error = Root::open(Path::new(&foreign)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("Permission denied"), "{error}: {cause}");
        assert_eq!(fs::metadata(&foreign).unwrap().mode() & 0o777, 0o700);
    });
}
