//! Names that are git's own, here or on other systems.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{git, scene, try_commit, try_git};
use crate::workspace::commit::{Personal, Writer};

#[test]
fn repositories_and_names_of_gits_own_stay_out() {
    let mut scene = scene(&[]);
    fs::create_dir(scene.path("sub")).unwrap();
    git(&scene, &["init", "-q", "sub"]);
    git(
        &scene,
        &["-C", "sub", "commit", "-q", "--allow-empty", "-m", "x"],
    );
    git(&scene, &["submodule", "--quiet", "add", "./sub", "sub"]);
    git(&scene, &["commit", "-qm", "sub"]);
    scene.let_time_pass();
    let base = scene.take();
    scene.write("nested/.git/HEAD", "ref: refs/heads/main\n");
    scene.write("nested/file", "x");
    scene.write("sub/file", "x");
    for name in [
        ".GIT/config",
        "git~1/x",
        ".git./x",
        "d/.g\u{200c}it/x",
        ".git\\config",
        "x\\.git/x",
        "plain",
    ] {
        scene.write(name, "x");
    }
    for name in [
        ".gitmodules",
        ".gitmodules .",
        "gitmod~4",
        "GI7EB~12",
        ".gitmodules:x",
    ] {
        symlink("x", scene.path(&format!("d/{name}"))).unwrap();
    }
    // What is left out git does not take either.
    for name in ["d/.gitmodules .", "d/gitmod~4", ".git\\config", "x\\.git/x"] {
        let (taken, said) = try_git(&scene, &["add", name]);
        assert!(!taken && said.contains("invalid path"), "{name}: {said}");
    }
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"odd\n\xff"));
    fs::write(scene.path("").join(odd), "odd").unwrap();
    let at = scene.take();
    let prepared = scene
        .repository
        .prepare_commit(&base, (&at, Writer::AgentToo), &[], &Personal::default())
        .unwrap();
    let mut left: Vec<String> = prepared
        .left_out()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    left.sort();
    let expected = [
        ".GIT/config",
        ".git./x",
        ".git\\config",
        "d/.gitmodules",
        "d/.gitmodules .",
        "d/.gitmodules:x",
        "d/.g\u{200c}it/x",
        "d/GI7EB~12",
        "d/gitmod~4",
        "git~1/x",
        "nested",
        "x\\.git/x",
    ];
    assert_eq!(left, expected);
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_eq!(
        git(&scene, &["fsck", "--full", "--strict", "--no-dangling"]),
        ""
    );
    let shown = git(&scene, &["show", "--format=", "--name-only"]);
    assert_eq!(shown, "\"odd\\n\\377\"\nplain\n");
    assert!(git(&scene, &["ls-tree", "HEAD", "sub"]).starts_with("160000 commit"));
}
