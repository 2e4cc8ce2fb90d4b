//! Entries of the index that git is told not to look at.

use std::fs;
use std::path::Path;

use super::{git, scene, try_commit};
use crate::workspace::commit::{Personal, Writer};

#[test]
fn what_git_is_told_not_to_look_at_stays_as_it_is() {
    let mut scene = scene(&[]);
    for (flag, path) in [
        ("--skip-worktree", "a/file"),
        ("--skip-worktree", "a.b"),
        ("--assume-unchanged", "a/gone"),
        ("--assume-unchanged", "run"),
    ] {
        git(&scene, &["update-index", flag, path]);
    }
    // The person's own, for this machine alone.
    scene.write("a/file", "a secret\n");
    let base = scene.take();
    scene.write("a.b", "the agent's\n");
    scene.write("a0", "the agent's\n");
    fs::remove_file(scene.path("a/gone")).unwrap();
    scene.chmod("run", 0o644);
    let at = scene.take();
    let prepared = scene
        .repository
        .prepare_commit(&base, (&at, Writer::AgentToo), &[], &Personal::default())
        .unwrap();
    assert_eq!(prepared.left_out(), [Path::new("a.b"), Path::new("run")]);
    try_commit(&scene, &base, &at, &[]).unwrap();
    let shown = git(&scene, &["show", "--format=", "--name-only"]);
    assert_eq!(shown, "a0\n");
    let told = git(&scene, &["ls-files", "-v"]);
    for line in ["S a/file", "S a.b", "h a/gone", "h run", "H a0"] {
        assert!(told.lines().any(|told| told == line), "{told}");
    }
}

#[test]
fn what_is_only_to_be_added_some_time_is_in_no_commit() {
    let mut scene = scene(&[]);
    scene.write("notes", "mine\n");
    git(&scene, &["add", "-N", "notes"]);
    scene.let_time_pass();
    let base = scene.take();
    scene.write("a0", "the agent's\n");
    let at = scene.take();
    try_commit(&scene, &base, &at, &["a0"]).unwrap();
    let shown = git(&scene, &["show", "--format=", "--name-only"]);
    assert_eq!(shown, "a0\n");
    assert_eq!(git(&scene, &["status", "--short"]), " A notes\n");
}
