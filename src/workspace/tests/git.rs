//! What real `git` makes of the repository. It reads ours; it is never run on the workspace.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use super::scene::Scene;

fn git(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(directory)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {stderr}");
    output.stdout
}

/// Everything in order, nothing that no checkpoint needs.
pub(super) fn assert_sound(scene: &Scene) {
    let report = git(
        &scene.git_dir(),
        &["fsck", "--full", "--strict", "--unreachable"],
    );
    assert_eq!(String::from_utf8_lossy(&report), "");
}

/// As [`assert_sound`], but there may be objects that no checkpoint needs.
pub(super) fn assert_readable(scene: &Scene) {
    git(
        &scene.git_dir(),
        &["fsck", "--full", "--strict", "--no-dangling"],
    );
}

#[test]
fn git_reads_what_stockade_wrote() {
    let mut scene = Scene::new();
    scene.write("a.b", "one\n");
    scene.write("a/file", "two\n");
    scene.write("a0", "three\n");
    scene.chmod("a0", 0o700);
    scene.write(".git/hooks/post-commit", "#!/bin/sh\n");
    scene.write(".gitmodules", "[submodule \"../x\"]\npath = -x\nurl = -y\n");
    fs::create_dir(scene.path("empty")).unwrap();
    std::os::unix::fs::symlink("a/file", scene.path("link")).unwrap();
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"odd\n\xff\x1b[31m%"));
    fs::write(scene.path("").join(odd), "odd").unwrap();
    let large: Vec<u8> = (0..9_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    scene.write("large", &large);
    scene.write("large-again", &large);
    let first = scene.take();
    assert_sound(&scene);
    scene.write("a/file", "changed\n");
    let second = scene.take();
    assert_sound(&scene);
    let dir = scene.git_dir();
    let name = "refs/checkpoints/run-1/1";
    let log = git(&dir, &["log", "--format=%H %an %s", name]);
    let expected = format!(
        "{} stockade checkpoint 1: test\n{} stockade checkpoint 0: test\n",
        second.id(),
        first.id()
    );
    assert_eq!(String::from_utf8_lossy(&log), expected);
    let names = git(
        &dir,
        &[
            "ls-tree",
            "-r",
            "-t",
            "-z",
            "--name-only",
            &format!("{name}:workspace"),
        ],
    );
    let mut names: Vec<&[u8]> = names.split(|&byte| byte == 0).collect();
    names.sort_unstable();
    let expected: Vec<&[u8]> = vec![
        b"",
        b".git",
        b".git/hooks",
        b".git/hooks/post-commit",
        b".gitmodules",
        b"a",
        b"a.b",
        b"a/file",
        b"a0",
        b"empty",
        b"large",
        b"large-again",
        b"link",
        b"odd\n\xff\x1b[31m%",
    ];
    assert_eq!(names, expected);
    let content = git(
        &dir,
        &["cat-file", "blob", &format!("{name}:workspace/a/file")],
    );
    assert_eq!(content, b"changed\n");
    assert_eq!(
        git(
            &dir,
            &["cat-file", "blob", &format!("{name}:workspace/large")]
        ),
        large
    );
    let target = git(
        &dir,
        &["cat-file", "blob", &format!("{name}:workspace/link")],
    );
    assert_eq!(target, b"a/file");
    let changed = git(
        &dir,
        &[
            "diff",
            "--name-only",
            &format!("{name}~:workspace"),
            &format!("{name}:workspace"),
        ],
    );
    assert_eq!(changed, b"a/file\n");
}
