//! Commits in real repositories, and what real `git` says of them. It is run here alone, on trees that the
//! tests made.

mod beside;
mod conversion;
mod flags;
mod names;
mod objects;
mod settings;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{GitConfig, Personal, Writer};
use crate::workspace::tests::scene::Scene;
use crate::workspace::{Checkpoint, Committed, Result, Words};

fn try_git(scene: &Scene, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .current_dir(scene.path(""))
        .args([
            "-c",
            "user.name=Base",
            "-c",
            "user.email=b@x",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text + &said)
}

#[track_caller]
fn git(scene: &Scene, arguments: &[&str]) -> String {
    let (done, said) = try_git(scene, arguments);
    assert!(done, "git {arguments:?}: {said}");
    said
}

/// A repository with one commit, some of it ignored.
fn scene(flags: &[&str]) -> Scene {
    let scene = Scene::new();
    git(&scene, &[&["init", "-q", "-b", "main"], flags].concat());
    scene.write(".gitignore", "*.log\nbuild/\n!keep.log\n");
    scene.write("a.b", "one\n");
    scene.write("a/file", "two\n");
    scene.write("a/gone", "three\n");
    scene.write("a0", "four\n");
    scene.write("dir/forced.log", "five\n");
    scene.write("run", "#!/bin/sh\n");
    scene.chmod("run", 0o755);
    symlink("a/file", scene.path("link")).unwrap();
    git(&scene, &["add", "-A"]);
    git(&scene, &["add", "-f", "dir/forced.log"]);
    git(&scene, &["commit", "-qm", "first"]);
    // What is as old as the index has to be looked at.
    scene.let_time_pass();
    git(&scene, &["status"]);
    scene
}

fn person() -> Personal {
    Personal {
        config: GitConfig::parse(b"[user]\nname = \" The <Person>,\"\nemail = p@x\n").unwrap(),
        excludes: b"*.swp\n".to_vec(),
        ..Personal::default()
    }
}

const SECONDS: i64 = 1_700_000_000;

fn try_commit(
    scene: &Scene,
    base: &Checkpoint,
    at: &Checkpoint,
    paths: &[&str],
) -> Result<Committed> {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let prepared =
        scene
            .repository
            .prepare_commit(base, (at, Writer::AgentToo), &paths, &person())?;
    let words = Words {
        message: "\nThe work  \n\nMore.\n\n",
        personal: &person(),
        seconds: SECONDS,
    };
    scene.repository.commit(&scene.root(), &prepared, &words)
}

/// Fails if `git` finds anything wrong, or anything that is not committed but what is named.
#[track_caller]
fn assert_clean(scene: &Scene, left: &str) {
    assert_eq!(
        git(scene, &["fsck", "--full", "--strict", "--no-dangling"]),
        ""
    );
    assert_eq!(git(scene, &["status", "--porcelain"]), left);
    assert_eq!(git(scene, &["diff", "--cached", "--stat"]), "");
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, why: &str) {
    let error = result.unwrap_err();
    assert!(
        error.is_refused() && error.to_string().contains(why),
        "{error}"
    );
}

fn work(scene: &Scene) {
    scene.write("a/file", "changed\n");
    fs::remove_file(scene.path("a/gone")).unwrap();
    scene.write("a/deep/down/new", "new\n");
    scene.write("secret.log", "ignored\n");
    scene.write("keep.log", "not ignored\n");
    scene.write("build/output", "ignored\n");
    scene.write("x.swp", "ignored by the person\n");
    scene.chmod("a.b", 0o755);
    fs::remove_file(scene.path("link")).unwrap();
    symlink("a0", scene.path("link")).unwrap();
    fs::remove_file(scene.path("run")).unwrap();
    scene.write("run/is-a-directory", "");
    scene.write("dir/forced.log", "tracked all the same\n");
}

#[test]
fn the_work_is_a_commit_that_git_agrees_with() {
    for flags in [
        &[][..],
        &["--object-format=sha256"],
        &["--ref-format=files"],
    ] {
        let mut scene = scene(flags);
        let first = git(&scene, &["rev-parse", "HEAD"]);
        let base = scene.take();
        work(&scene);
        let at = scene.take();
        let done = try_commit(&scene, &base, &at, &[]).unwrap();
        assert_eq!(done.branch.as_deref(), Some("main"));
        assert_clean(&scene, "?? x.swp\n");
        let shown = git(
            &scene,
            &["show", "--stat", "--format=%H %P%n%an|%ae|%at|%cn%n%B"],
        );
        let head = format!(
            "{} {first}The Person|p@x|{SECONDS}|The Person\nThe work\n\nMore.\n",
            done.id
        );
        assert!(shown.starts_with(&head), "{shown}");
        let files = git(&scene, &["ls-tree", "-r", "--name-only", "HEAD"]);
        let expected = [
            ".gitignore",
            "a.b",
            "a/deep/down/new",
            "a/file",
            "a0",
            "dir/forced.log",
            "keep.log",
            "link",
            "run/is-a-directory",
        ];
        assert_eq!(files.lines().collect::<Vec<_>>(), expected);
        assert!(git(&scene, &["ls-tree", "HEAD", "a.b"]).starts_with("100755 "));
        assert_eq!(git(&scene, &["show", "HEAD:link"]), "a0");
        for name in ["HEAD", "main"] {
            let log = git(&scene, &["reflog", "-1", "--format=%H %gs", name]);
            assert_eq!(log, format!("{} commit: The work\n", done.id));
        }
        git(&scene, &["gc", "-q", "--prune=now"]);
        // And once more, on refs and objects that are packed by now; an index of another version.
        git(&scene, &["update-index", "--index-version", "4"]);
        let base = scene.take();
        scene.write("a/file", "again\n");
        let at = scene.take();
        try_commit(&scene, &base, &at, &[]).unwrap();
        assert_clean(&scene, "?? x.swp\n");
        assert_eq!(
            git(&scene, &["show", "--format=", "--name-only"]),
            "a/file\n"
        );
    }
}

#[test]
fn the_first_commit_of_a_branch_and_one_without_a_branch() {
    let mut scene = Scene::new();
    git(&scene, &["init", "-q", "-b", "topic/one"]);
    let base = scene.take();
    scene.write("file", "x");
    let at = scene.take();
    let done = try_commit(&scene, &base, &at, &[]).unwrap();
    assert_eq!(done.branch.as_deref(), Some("topic/one"));
    assert_clean(&scene, "");
    assert_eq!(git(&scene, &["log", "--format=%P|%s"]), "|The work\n");
    git(&scene, &["checkout", "-q", "--detach"]);
    let base = scene.take();
    scene.write("file", "y");
    let at = scene.take();
    let again = try_commit(&scene, &base, &at, &[]).unwrap();
    assert_eq!(again.branch, None);
    assert_clean(&scene, "");
    assert_eq!(
        git(&scene, &["rev-parse", "HEAD", "topic/one"]),
        format!("{}\n{}\n", again.id, done.id)
    );
}

#[test]
fn only_what_is_named_is_committed() {
    let mut scene = scene(&[]);
    scene.write("mine.txt", "not added by the person either");
    let base = scene.take();
    work(&scene);
    let at = scene.take();
    try_commit(&scene, &base, &at, &["a", "keep.log"]).unwrap();
    let shown = git(&scene, &["show", "--format=", "--name-status"]);
    assert_eq!(
        shown,
        "A\ta/deep/down/new\nM\ta/file\nD\ta/gone\nA\tkeep.log\n"
    );
    let left = " M a.b\n M dir/forced.log\n M link\n D run\n?? mine.txt\n?? x.swp\n";
    assert_clean(&scene, left);
    refused(
        try_commit(&scene, &base, &at, &["run/is-a-directory"]),
        "has changed meanwhile",
    );
}

#[test]
fn a_file_cannot_be_a_directory_too() {
    let mut scene = scene(&[]);
    let base = scene.take();
    work(&scene);
    let at = scene.take();
    refused(
        try_commit(&scene, &base, &at, &["run/is-a-directory"]),
        "a file and a directory",
    );
    assert!(!scene.path(".git/index.lock").exists());
}

#[test]
fn what_the_agent_may_have_done_to_the_repository_is_refused() {
    type Harm = (&'static str, fn(&Scene));
    let harms: &[Harm] = &[
        ("config", |s| {
            s.write(".git/config", "[core]\nfsmonitor = evil\n");
        }),
        ("hooks", |s| s.write(".git/hooks/post-commit", "evil\n")),
        ("HEAD", |s| s.write(".git/HEAD", "ref: refs/heads/other\n")),
        ("refs/heads/main", |s| {
            s.write(".git/refs/heads/main", "0".repeat(40));
        }),
        ("index", |s| drop(git(s, &["rm", "-q", "--cached", "a0"]))),
        ("exclude", |s| s.write(".git/info/exclude", "*\n")),
        ("alternates", |s| {
            s.write(".git/objects/info/alternates", "/tmp\n");
        }),
        ("objects/info", |s| {
            s.write("away/alternates", "/tmp\n");
            fs::remove_dir(s.path(".git/objects/info")).unwrap();
            symlink("../../away", s.path(".git/objects/info")).unwrap();
        }),
        ("modules", |s| s.write(".git/modules/x/config", "evil\n")),
        // It would count more than the object that is written.
        ("objects/pack", |s| {
            s.write(".git/objects/pack/pack-x.idx", "evil");
        }),
        ("objects/pack", |s| {
            fs::create_dir(s.path("away")).unwrap();
            fs::remove_dir(s.path(".git/objects/pack")).unwrap();
            symlink("../../away", s.path(".git/objects/pack")).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let mut scene = scene(&[]);
        let base = scene.take();
        scene.write("a0", "changed");
        harm(&scene);
        let at = scene.take();
        let error = try_commit(&scene, &base, &at, &[]).unwrap_err().to_string();
        assert!(
            error.contains(what) && error.contains("the agent could write it"),
            "{what}: {error}"
        );
    }
    // Objects that it planted do not stand in for those that are written.
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write("a0", "changed\n");
    let id = git(&scene, &["hash-object", "a0"]);
    scene.write(
        &format!(".git/objects/{}/{}", &id[..2], id[2..].trim()),
        "planted",
    );
    let at = scene.take();
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_clean(&scene, "");
}

#[test]
fn what_is_not_understood_is_refused() {
    type Odd = (&'static str, fn(&Scene));
    let odds: &[Odd] = &[
        ("a merge", |s| s.write(".git/MERGE_HEAD", "x")),
        ("a rebase", |s| s.write(".git/rebase-merge/done", "x")),
        ("another file: \"include.path\"", |s| {
            drop(git(s, &["config", "include.path", "../more"]));
        }),
        ("another file: \"includeif.gitdir:/x.path\"", |s| {
            drop(git(s, &["config", "includeIf.gitdir:/x.path", "x"]));
        }),
        ("another file: \"core.excludesfile\"", |s| {
            drop(git(s, &["config", "core.excludesFile", "/x"]));
        }),
        ("not that of the workspace alone", |s| {
            drop(git(s, &["config", "extensions.worktreeConfig", "true"]));
            s.write(".git/config.worktree", "[core]\nworktree = /x\n");
        }),
        ("`core.symlinks` is set to \"off\"", |s| {
            drop(git(s, &["config", "core.symlinks", "off"]));
        }),
        ("`core.ignorecase` is set", |s| {
            drop(git(s, &["config", "core.ignoreCase", "true"]));
        }),
        ("git reads \"a/.gitattributes\" from the index", |s| {
            s.write("a/.gitattributes", "* text\n");
            git(s, &["add", "a/.gitattributes"]);
            fs::remove_file(s.path("a/.gitattributes")).unwrap();
        }),
        ("git reads \".gitattributes\" from the index", |s| {
            s.write(".gitattributes", "* text\n");
            git(s, &["add", ".gitattributes"]);
            fs::rename(s.path(".gitattributes"), s.path("moved")).unwrap();
            symlink("moved", s.path(".gitattributes")).unwrap();
        }),
        ("git reads \".gitignore\" from the index", |s| {
            git(s, &["update-index", "--skip-worktree", ".gitignore"]);
            fs::remove_file(s.path(".gitignore")).unwrap();
        }),
        ("extension", |s| {
            drop(git(s, &["config", "extensions.future", "1"]));
        }),
        ("cannot be read", |s| s.write(".git/config", "[core")),
        ("split", |s| {
            drop(git(s, &["update-index", "--split-index"]));
        }),
        ("names no branch", |s| {
            s.write(".git/HEAD", "ref: refs/tags/x\n");
        }),
        ("names no branch", |s| {
            s.write(".git/HEAD", "ref: refs/heads/../../x\n");
        }),
        ("is a file", |s| {
            fs::rename(s.path(".git"), s.path("../elsewhere")).unwrap();
            s.write(".git", "gitdir: ../elsewhere\n");
        }),
        ("no git repository", |s| {
            fs::remove_dir_all(s.path(".git")).unwrap();
        }),
        ("another way", |s| s.write(".git/reftable/tables.list", "x")),
    ];
    for (what, odd) in odds {
        let mut scene = scene(&[]);
        odd(&scene);
        let base = scene.take();
        scene.write("a0", "changed");
        let at = scene.take();
        refused(try_commit(&scene, &base, &at, &[]), what);
    }
    let mut scene = scene(&[]);
    let base = scene.take();
    refused(try_commit(&scene, &base, &base, &[]), "nothing to commit");
    scene.write("ignored.log", "x");
    let at = scene.take();
    refused(try_commit(&scene, &base, &at, &[]), "nothing to commit");
}

#[test]
fn somebody_else_at_the_same_time_is_noticed() {
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write("a0", "changed");
    let at = scene.take();
    let moved = |scene: &Scene, change: &dyn Fn(&Scene), why: &str| {
        change(scene);
        refused(try_commit(scene, &base, &at, &[]), why);
        assert!(!scene.path(".git/index.lock").exists());
        assert!(!scene.path(".git/refs/heads/main.lock").exists());
    };
    scene.write(".git/index.lock", "");
    refused(try_commit(&scene, &base, &at, &[]), "index.lock");
    fs::remove_file(scene.path(".git/index.lock")).unwrap();
    let before = git(&scene, &["rev-parse", "HEAD"]);
    moved(
        &scene,
        &|s| s.write(".git/refs/heads/main", "1".repeat(40)),
        "the branch",
    );
    scene.write(".git/refs/heads/main", &before);
    moved(
        &scene,
        &|s| s.write(".git/HEAD", "ref: refs/heads/other\n"),
        "`HEAD`",
    );
    scene.write(".git/HEAD", "ref: refs/heads/main\n");
    moved(&scene, &|s| drop(git(s, &["add", "a0"])), "the index");
    assert_eq!(git(&scene, &["rev-parse", "HEAD"]), before);
}

#[test]
fn links_in_the_way_are_not_followed() {
    for name in ["objects", "refs", "logs"] {
        let mut scene = scene(&[]);
        let base = scene.take();
        scene.write("a0", "changed");
        let at = scene.take();
        let outside = scene.path("../outside");
        fs::rename(scene.path(&format!(".git/{name}")), &outside).unwrap();
        symlink(&outside, scene.path(&format!(".git/{name}"))).unwrap();
        let count = |path: &Path| Command::new("find").arg(path).output().unwrap().stdout;
        let before = count(&outside);
        assert!(try_commit(&scene, &base, &at, &[]).is_err(), "{name}");
        assert_eq!(count(&outside), before, "{name}");
    }
}

#[test]
fn without_a_name_nothing_is_signed() {
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write("a0", "changed");
    let at = scene.take();
    let prepared = scene
        .repository
        .prepare_commit(&base, (&at, Writer::AgentToo), &[], &Personal::default())
        .unwrap();
    let nobody = Personal::default();
    let somebody = |text: &[u8]| Personal {
        config: GitConfig::parse(text).unwrap(),
        ..Personal::default()
    };
    let words = |message, personal| Words {
        message,
        personal,
        seconds: 0,
    };
    let commit = |words| scene.repository.commit(&scene.root(), &prepared, &words);
    refused(commit(words("x", &nobody)), "user.name");
    refused(prepared.signed(&words("x", &nobody)), "user.name");
    let half = somebody(b"[author]\nname = x\nemail = y\n");
    refused(commit(words("x", &half)), "user.name");
    let whole = somebody(b"[user]\nname = x\nemail = y\n");
    refused(prepared.signed(&words(" \n", &whole)), "message is empty");
    refused(commit(words(" \n", &whole)), "message is empty");
}
