//! What only somebody without privileges sees: files and directories that are closed to their owner.
//! Where the tests run as root, this one runs once more as somebody else.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::scene::Scene;
use super::scene::assert_same;

const NOBODY: u32 = 65534;
const DIRECTORY: &str = "STOCKADE_TEST_UNPRIVILEGED";

#[test]
fn what_its_owner_closed_is_opened_up_and_closed_again() {
    if !rustix::process::geteuid().is_root() {
        return closed(tempfile::tempdir().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // By this way the program is found even where its path is closed to others.
    let output = Command::new("/proc/self/exe")
        .args([
            "--exact",
            "workspace::tests::unprivileged::what_its_owner_closed_is_opened_up_and_closed_again",
        ])
        .env("TMPDIR", dir.path())
        .env(DIRECTORY, "")
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

fn closed(dir: tempfile::TempDir) {
    drop(dir);
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
}
