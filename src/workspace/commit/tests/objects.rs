//! Objects that were there, and are not any more; and a commit that is cut short.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn an_object_that_has_gone_since_is_written_again() {
    let spoil: &[fn(&Scene, &Path)] = &[
        |scene, _| drop(git(scene, &["prune"])),
        |_, object| {
            fs::remove_file(object).unwrap();
            fs::write(object, "planted").unwrap();
        },
    ];
    for spoil in spoil {
        let mut scene = scene(&[]);
        scene.write("a0", "of a branch that is no more\n");
        let id = git(&scene, &["hash-object", "-w", "a0"]);
        let object = format!(".git/objects/{}/{}", &id[..2], id[2..].trim());
        let object = scene.path(&object);
        scene.write("a0", "four\n");
        let base = scene.take();
        scene.write("a0", "of a branch that is no more\n");
        spoil(&scene, &object);
        let at = scene.take();
        try_commit(&scene, &base, &at, &[]).unwrap();
        assert_clean(&scene, "");
    }
    // After the last checkpoint, too.
    let mut scene = scene(&[]);
    scene.write("a0", "of a branch that is no more\n");
    git(&scene, &["hash-object", "-w", "a0"]);
    let base = scene.take();
    scene.write("a.b", "new\n");
    let at = scene.take();
    git(&scene, &["prune"]);
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_clean(&scene, "");
}

#[test]
fn files_in_a_submodule_that_is_not_there_stay_out() {
    let mut scene = scene(&[]);
    fs::create_dir(scene.path("sub")).unwrap();
    git(&scene, &["init", "-q", "sub"]);
    let commit = ["-C", "sub", "commit", "-q", "--allow-empty", "-m", "x"];
    git(&scene, &commit);
    git(&scene, &["submodule", "--quiet", "add", "./sub", "sub"]);
    git(&scene, &["commit", "-qm", "sub"]);
    git(&scene, &["submodule", "--quiet", "deinit", "-f", "sub"]);
    fs::remove_dir_all(scene.path("sub")).unwrap();
    fs::create_dir(scene.path("sub")).unwrap();
    scene.let_time_pass();
    let base = scene.take();
    scene.write("sub/file", "x");
    scene.write("a0", "changed");
    let at = scene.take();
    let prepared = scene
        .repository
        .prepare_commit(&base, (&at, Writer::AgentToo), &[], &person())
        .unwrap();
    assert_eq!(prepared.missing(), [Path::new("sub/file")]);
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_clean(&scene, "");
    let shown = git(&scene, &["show", "--format=", "--name-only"]);
    assert_eq!(shown, "a0\n");
}

#[test]
fn one_that_is_cut_short_leaves_no_lock() {
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write("a0", "changed");
    let at = scene.take();
    let before = git(&scene, &["rev-parse", "HEAD"]);
    scene.repository.stop_by(Arc::new(AtomicBool::new(true)));
    try_commit(&scene, &base, &at, &[]).unwrap_err();
    assert!(!scene.path(".git/index.lock").exists());
    assert_eq!(git(&scene, &["rev-parse", "HEAD"]), before);
    scene.repository.stop_by(Arc::default());
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_clean(&scene, "");
}
