//! What a commit holds besides what is shown, and what real `git` says of it.

use super::*;
use crate::workspace::Prepared;

fn prepared(scene: &Scene, base: &Checkpoint, at: &Checkpoint, paths: &[&str]) -> Prepared {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let prepared =
        scene
            .repository
            .prepare_commit(base, (at, Writer::AgentToo), &paths, &Personal::default());
    prepared.unwrap()
}

fn words(paths: &[PathBuf]) -> String {
    let words: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    words.join(" ")
}

#[test]
fn what_the_person_had_not_committed_is_named() {
    let mut scene = scene(&[]);
    scene.write("a.b", "one\nmine\n");
    scene.write("a/file", "mine\n");
    scene.write("staged/new", "x\n");
    scene.write("untracked", "x\n");
    scene.write("grown", "x\n");
    git(&scene, &["add", "staged"]);
    git(&scene, &["rm", "-q", "a0"]);
    fs::remove_file(scene.path("a/gone")).unwrap();
    let base = scene.take();
    scene.write("a/file", "mine\nthe run's\n");
    scene.write("dir/forced.log", "the run's\n");
    scene.write("grown", "x\nthe run's\n");
    let at = scene.take();
    let some = prepared(&scene, &base, &at, &["dir"]);
    assert_eq!(words(some.also()), "a0 staged/new");
    let all = prepared(&scene, &base, &at, &[]);
    let expected = "a.b a/file a/gone a0 grown staged/new";
    assert_eq!(words(all.also()), expected);
    assert!(all.missing().is_empty() && !all.may_hold_more());
    // And that is what is committed.
    try_commit(&scene, &base, &at, &[]).unwrap();
    let names = git(
        &scene,
        &["show", "--format=", "--name-only", "--no-renames"],
    );
    assert_eq!(
        names,
        "a.b\na/file\na/gone\na0\ndir/forced.log\ngrown\nstaged/new\n"
    );
}

#[test]
fn what_is_committed_as_it_was_is_not_named() {
    for packed in [false, true] {
        let mut scene = scene(&[]);
        if packed {
            git(&scene, &["gc", "-q"]);
        }
        let base = scene.take();
        work(&scene);
        let at = scene.take();
        let all = prepared(&scene, &base, &at, &[]);
        assert_eq!(
            (words(all.also()).as_str(), all.may_hold_more()),
            ("", false)
        );
        // What comes of nothing but Stockade's own writing.
        try_commit(&scene, &base, &at, &[]).unwrap();
        let base = scene.take();
        scene.write("a/file", "again\n");
        let at = scene.take();
        let all = prepared(&scene, &base, &at, &[]);
        assert_eq!(
            (words(all.also()).as_str(), all.may_hold_more()),
            ("", false)
        );
    }
}

#[test]
fn what_is_in_the_index_over_a_packed_branch_is_said_to_be() {
    let mut scene = scene(&[]);
    git(&scene, &["gc", "-q"]);
    scene.write("staged", "x\n");
    git(&scene, &["add", "staged"]);
    let base = scene.take();
    scene.write("a/file", "the run's\n");
    let at = scene.take();
    assert!(prepared(&scene, &base, &at, &[]).may_hold_more());
    // Its trees are kept beside the index as well, once they were made.
    git(&scene, &["write-tree"]);
    let base = scene.take();
    scene.write("a/file", "the run's, too\n");
    let at = scene.take();
    assert!(prepared(&scene, &base, &at, &[]).may_hold_more());
}

#[test]
fn the_first_commit_holds_all_that_was_added() {
    let mut scene = Scene::new();
    git(&scene, &["init", "-q", "-b", "main"]);
    scene.write("mine", "x");
    scene.write("not-mine", "x");
    git(&scene, &["add", "mine"]);
    let base = scene.take();
    scene.write("file", "x");
    let at = scene.take();
    assert_eq!(words(prepared(&scene, &base, &at, &[]).also()), "mine");
}

#[test]
fn what_was_shown_and_is_not_committed_is_named() {
    let mut scene = scene(&[]);
    scene.write("untracked", "x\n");
    let base = scene.take();
    scene.write("ignored.log", "x\n");
    scene.write("build/made", "x\n");
    scene.write("a/file", "the run's\n");
    fs::remove_file(scene.path("a/gone")).unwrap();
    fs::remove_file(scene.path("untracked")).unwrap();
    fs::remove_file(scene.path("a0")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(scene.path("a0"))
            .status()
            .unwrap()
            .success()
    );
    let at = scene.take();
    let all = prepared(&scene, &base, &at, &[]);
    assert_eq!(words(all.missing()), "a0 build/made ignored.log untracked");
    assert_eq!(words(all.also()), "");
    try_commit(&scene, &base, &at, &[]).unwrap();
    let names = git(&scene, &["show", "--format=", "--name-only"]);
    assert_eq!(names, "a/file\na/gone\n");
}

#[test]
fn what_the_person_did_meanwhile_where_no_agent_could_is_no_obstacle() {
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write("a/file", "the run's\n");
    scene.write("mine", "mine\n");
    git(&scene, &["add", "mine"]);
    git(&scene, &["commit", "-qm", "mine"]);
    git(&scene, &["config", "user.name", "U"]);
    let at = scene.take();
    let prepare = |writer| {
        scene
            .repository
            .prepare_commit(&base, (&at, writer), &[], &Personal::default())
    };
    let error = prepare(Writer::AgentToo).unwrap_err().to_string();
    assert!(error.contains("the agent could write it"), "{error}");
    let prepared = prepare(Writer::PersonAlone).unwrap();
    assert_eq!(words(prepared.also()), "");
    let personal = Personal {
        config: GitConfig::parse(b"[user]\nemail = y\n").unwrap(),
        ..Personal::default()
    };
    let words = Words {
        message: "x",
        personal: &personal,
        seconds: SECONDS,
    };
    let done = scene.repository.commit(&scene.root(), &prepared, &words);
    done.unwrap();
    let names = git(&scene, &["show", "--format=%an", "--name-only"]);
    assert_eq!(names, "U\n\na/file\n");
    assert_clean(&scene, "");
}
