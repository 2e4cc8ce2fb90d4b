use std::fs;

use crate::workspace::tests::hostile::nest;
use crate::workspace::tests::scene::{Scene, view};
use crate::workspace::*;

/// A beginning, and what two did with it: the second one's work is taken over into the first one's tree.
fn merged(
    begin: &[&str],
    there: impl Fn(&Scene),
    work: impl Fn(&Scene),
    paths: &[&str],
) -> (Vec<String>, Vec<String>) {
    let mut scene = Scene::new();
    for path in begin {
        scene.write(path, path);
    }
    let base = scene.take();
    work(&scene);
    let worked = scene.take();
    let _ = scene.roll_back(&base);
    there(&scene);
    let before = scene.take();
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let repository = &scene.repository;
    let merged = repository.merge(&base, &before, &worked, &paths).unwrap();
    let done = repository.apply(&scene.root(), &before, &merged).unwrap();
    assert!(done.failed.is_empty(), "{:?}", done.failed);
    let shown = |path: &PathBuf| path.display().to_string();
    let after = scene.take();
    let conflicts = merged.conflicts.iter().map(shown).collect();
    (scene.changes(&before, &after), conflicts)
}

fn no_conflict() -> Vec<String> {
    Vec::new()
}

#[test]
fn what_only_one_has_changed_is_as_that_one_has_it() {
    let (changes, conflicts) = merged(
        &["a", "b", "d/x", "d/y", "gone/z", ".git/config"],
        |person| {
            person.write("b", "theirs");
            person.write("d/mine", "mine");
            person.write("gone/kept", "kept");
            person.write("both", "same");
        },
        |run| {
            run.write("a", "run");
            run.write("d/new/deep", "new");
            fs::remove_file(run.path("d/x")).unwrap();
            fs::remove_dir_all(run.path("gone")).unwrap();
            run.write(".git/config", "run");
            run.write("both", "same");
            run.chmod("d/y", 0o755);
        },
        &[],
    );
    let expected = [
        "Modified a",
        "Added d/new",
        "Added d/new/deep",
        "Removed d/x",
        "Mode d/y",
        "Removed gone/z",
    ];
    assert_eq!(changes, expected);
    assert_eq!(conflicts, no_conflict());
}

#[test]
fn what_both_have_changed_is_told_and_the_works() {
    let (changes, conflicts) = merged(
        &["a", "b", "dir/x", "file"],
        |person| {
            person.write("a", "mine");
            fs::remove_file(person.path("b")).unwrap();
            fs::remove_dir_all(person.path("dir")).unwrap();
            person.write("dir", "now a file");
            person.write("new", "mine");
        },
        |run| {
            run.write("a", "run");
            run.write("b", "run");
            run.write("dir/x", "run");
            run.write("new", "run");
            run.write("file", "run");
        },
        &[],
    );
    assert_eq!(conflicts, ["a", "b", "dir/x", "dir", "new"]);
    let expected = [
        "Modified a",
        "Added b",
        "Type dir",
        "Added dir/x",
        "Modified file",
        "Modified new",
    ];
    assert_eq!(changes, expected);
}

#[test]
fn only_what_is_asked_for_is_taken() {
    let work = |run: &Scene| {
        run.write("a/one", "run");
        run.write("b/two", "run");
        run.write("c", "run");
    };
    let (changes, conflicts) = merged(
        &["a/one", "b/two"],
        |person| person.write("b/two", "mine"),
        work,
        &["a", "c"],
    );
    assert_eq!(changes, ["Modified a/one", "Added c"]);
    assert_eq!(conflicts, no_conflict());
}

#[test]
fn a_checkpoint_is_written_out_as_it_is() {
    let mut scene = Scene::new();
    scene.write("a/b", "1");
    fs::hard_link(scene.path("a/b"), scene.path("c")).unwrap();
    std::os::unix::fs::symlink("/etc", scene.path("a/link")).unwrap();
    scene.chmod("a/b", 0o400);
    scene.chmod("a", 0o555);
    let taken = scene.take();
    let copy = scene.dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let root = Root::open(&copy).unwrap();
    let done = scene.repository.write_out(&root, &taken).unwrap();
    assert!(done.failed.is_empty(), "{:?}", done.failed);
    assert_eq!(view(&copy), scene.view());
    for at in [scene.path("a"), copy.join("a")] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// An agent decides how deep a tree is: too deep a one is refused, and nothing else happens.
#[test]
fn directories_inside_each_other_have_an_end() {
    for (levels, is_taken) in [(250, true), (3000, false)] {
        let mut scene = Scene::new();
        let base = scene.take();
        nest(&scene, levels);
        let worked = scene.take();
        let merged = scene.repository.merge(&base, &base, &worked, &[]);
        match merged {
            Ok(merged) => assert!(is_taken && merged.taken.len() == levels + 1),
            Err(error) => assert!(!is_taken, "{levels}: {error}"),
        }
    }
}

#[test]
fn what_is_there_already_is_told_apart() {
    let mut scene = Scene::new();
    for path in ["a", "gone/z", "run"] {
        scene.write(path, path);
    }
    let base = scene.take();
    scene.write("a", "new");
    scene.write("d/new", "new");
    fs::remove_dir_all(scene.path("gone")).unwrap();
    let there = scene.take();
    scene.write("run", "changed");
    let work = scene.take();
    let merged = scene.repository.merge(&base, &there, &work, &[]).unwrap();
    let paths = |text: &[&str]| text.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(merged.taken, paths(&["run"]));
    assert_eq!(merged.same, paths(&["a", "d/new", "gone", "gone/z"]));
    assert_eq!(merged.conflicts, paths(&[]));
    let only = paths(&["d"]);
    let merged = scene.repository.merge(&base, &there, &work, &only).unwrap();
    assert_eq!((merged.taken, merged.same), (paths(&[]), paths(&["d/new"])));
}

#[test]
fn what_is_taken_over_is_on_disk() {
    let mut scene = Scene::new();
    scene.write("a", "one");
    let base = scene.take();
    scene.write("a", "two");
    let work = scene.take();
    scene.roll_back(&base);
    let there = scene.take();
    let root = scene.root();
    let merged = scene.repository.merge(&base, &there, &work, &[]).unwrap();
    let synced = || SYNCED.with_borrow(|synced| synced.contains(&root.id()));
    assert!(!synced());
    let done = scene.repository.apply(&root, &there, &merged).unwrap();
    assert!(done.failed.is_empty() && synced());
    assert_eq!(fs::read_to_string(scene.path("a")).unwrap(), "two");
}
