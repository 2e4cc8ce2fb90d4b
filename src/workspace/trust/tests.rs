use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::What;
use crate::workspace::tests::scene::Scene;

/// The concerns between two checkpoints, as `what kind path`, after what `change` does.
#[track_caller]
fn told(scene: &mut Scene, change: impl FnOnce(&Scene)) -> Vec<String> {
    let before = scene.take();
    scene.let_time_pass();
    change(scene);
    let after = scene.take();
    let concerns = scene.repository.concerns(&before, &after).unwrap();
    let text = |kind: Option<_>| kind.map_or("?".to_owned(), |kind| format!("{kind:?}"));
    let line = |concern: &super::Concern| {
        let path = concern.path.display();
        format!("{} {} {path}", concern.what.as_str(), text(concern.kind))
    };
    concerns.iter().map(line).collect()
}

#[test]
fn what_runs_by_its_name_is_told() {
    let mut scene = Scene::new();
    scene.write("Makefile", "all:\n");
    scene.write("package.json", "{}");
    scene.write(".git/HEAD", "ref: refs/heads/main\n");
    scene.write("src/main.py", "print()\n");
    let told = told(&mut scene, |scene| {
        for (path, _) in [
            ("Makefile", ""),
            (".git/config", ""),
            (".git/hooks/pre-commit", ""),
            (".git/objects/ab/cd", ""),
            (".git/refs/heads/main", ""),
            (".git/info/attributes", ""),
            (".git/objects/info/alternates", ""),
            (".git/rebase-merge/git-rebase-todo", ""),
            ("sub/.envrc", ""),
            (".vscode/tasks.json", ""),
            ("a/b/.idea/x/y.xml", ""),
            (".github/workflows/deep/ci.yml", ""),
            (".github/FUNDING.yml", ""),
            ("x/conftest.py", ""),
            ("x/a.pth", ""),
            (".cargo/config.toml", ""),
            ("build.rs", ""),
            ("stockade.toml", ""),
            ("Dockerfile.dev", ""),
            (".patchpal/tools/x.py", ""),
            (".mcp.json", ""),
            (".pre-commit-config.yaml", ""),
            (".gitmodules", ""),
            ("y/.gitattributes", ""),
            (".npmrc", ""),
            ("x/.pdbrc", ""),
            ("x/.pylintrc", ""),
            ("x/.busted", ""),
            ("src/main.py", ""),
            ("README.md", ""),
        ] {
            scene.write(path, "changed\n");
        }
        fs::remove_file(scene.path("package.json")).unwrap();
    });
    let expected = [
        "packages Added .cargo/config.toml",
        "git-config Added .git/config",
        "git-hook Added .git/hooks/pre-commit",
        "git-attributes Added .git/info/attributes",
        "git-state Added .git/objects/info/alternates",
        "git-state Added .git/rebase-merge/git-rebase-todo",
        "ci Added .github/workflows/deep/ci.yml",
        "submodules Added .gitmodules",
        "agent Added .mcp.json",
        "packages Added .npmrc",
        "agent Added .patchpal/tools/x.py",
        "hook-manager Added .pre-commit-config.yaml",
        "editor Added .vscode/tasks.json",
        "container Added Dockerfile.dev",
        "build Modified Makefile",
        "editor Added a/b/.idea/x/y.xml",
        "build Added build.rs",
        "stockade Added stockade.toml",
        "shell Added sub/.envrc",
        "tests Added x/.busted",
        "startup Added x/.pdbrc",
        "build Added x/.pylintrc",
        "startup Added x/a.pth",
        "tests Added x/conftest.py",
        "git-attributes Added y/.gitattributes",
    ];
    assert_eq!(told, expected);
}

#[test]
fn nothing_that_stays_as_it_was_is_told() {
    let mut scene = Scene::new();
    scene.write(".envrc", "x");
    scene.write("run.sh", "x");
    scene.chmod("run.sh", 0o4755);
    scene.write("sub/.git/config", "x");
    symlink("/etc/passwd", scene.path("out")).unwrap();
    fs::hard_link(scene.path("run.sh"), scene.path("again")).unwrap();
    assert_eq!(told(&mut scene, |scene| scene.write("plain", "x")), [""; 0]);
}

#[test]
fn executables_and_set_id_bits_are_told() {
    let mut scene = Scene::new();
    for name in ["now", "still", "changed", "sticky", "less"] {
        scene.write(name, "x");
        scene.chmod(name, 0o644);
    }
    scene.chmod("changed", 0o755);
    scene.chmod("less", 0o777);
    fs::create_dir(scene.path("shared")).unwrap();
    let told = told(&mut scene, |scene| {
        scene.chmod("now", 0o645);
        scene.write("new", "x");
        scene.chmod("new", 0o6711);
        scene.write("changed", "other");
        scene.chmod("sticky", 0o1644);
        scene.chmod("less", 0o755);
        scene.chmod("shared", 0o2755);
    });
    let expected = [
        "executable Modified changed",
        "set-id Added new",
        "executable Added new",
        "executable Mode now",
        "set-id Mode sticky",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_repository_in_the_tree_is_told_once() {
    let mut scene = Scene::new();
    scene.write("old/.git/config", "x");
    scene.write("same/.git/config", "x");
    scene.write("was/HEAD", "x");
    let told = told(&mut scene, |scene| {
        scene.write("new/.git/config", "x");
        scene.write("new/.git/hooks/post-checkout", "x");
        scene.write("old/.git/hooks/post-checkout", "x");
        scene.write("sub/.git", "gitdir: ../../elsewhere\n");
        scene.write("was/objects/x", "x");
        scene.write("was/refs/x", "x");
        // git takes its configuration from a directory that is no repository by itself.
        scene.write("split/HEAD", "ref: refs/heads/main\n");
        scene.write("split/commondir", "../rest\n");
        scene.write("rest/config", "x");
        scene.write("rest/objects/x", "x");
        scene.write("rest/refs/x", "x");
        scene.write("upper/.GIT/config", "x");
    });
    let expected = [
        "nested-repository Added new/.git",
        "nested-repository Modified old/.git",
        "nested-repository Added split",
        "nested-repository Added sub/.git",
        "nested-repository Added upper/.GIT",
        "nested-repository Added was",
    ];
    assert_eq!(told, expected);
}

#[test]
fn links_that_leave_are_told_however_they_do_it() {
    let mut scene = Scene::new();
    for path in ["a/b/c/file", "d/file", "e/file", "f/file"] {
        scene.write(path, "x");
    }
    // It leaves once `e` is a link to the top.
    symlink("e/../x", scene.path("e-out")).unwrap();
    symlink("d/../file", scene.path("d-stays")).unwrap();
    symlink("../x", scene.path("always")).unwrap();
    let told = told(&mut scene, |scene| {
        let link = |target: &str, path: &str| symlink(target, scene.path(path)).unwrap();
        link("/workspace/a", "absolute");
        link("../../../..", "a/b/c/up");
        link("../../..", "a/b/c/top");
        link("nowhere/../../x", "a/dangling");
        link("nowhere/../../../x", "a/dangling-out");
        link("loop", "loop");
        link(".", "f/here");
        link("f/here/here/../../x", "f-out");
        link("a/b/c/top/..", "through");
        fs::remove_dir_all(scene.path("e")).unwrap();
        link(".", "e");
    });
    let expected = [
        "link-out Added a/b/c/up",
        "link-out Added a/dangling-out",
        "link-out Added absolute",
        "link-out Modified e-out",
        "link-out Added f-out",
        "link-out Added through",
    ];
    assert_eq!(told, expected);
}

#[test]
fn hard_links_and_odd_names_are_told() {
    let mut scene = Scene::new();
    scene.write(".git/hooks/pre-push", "x");
    scene.write("a", "x");
    fs::hard_link(scene.path("a"), scene.path("b")).unwrap();
    let told = told(&mut scene, |scene| {
        fs::hard_link(scene.path(".git/hooks/pre-push"), scene.path("notes.txt")).unwrap();
        scene.write("esc\x1b[2J", "x");
        scene.write("bidi\u{202e}txt", "x");
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
        fs::create_dir(scene.path("").join(odd)).unwrap();
    });
    let expected = [
        "hard-link Added .git/hooks/pre-push",
        "name Added bidi\u{202e}txt",
        "name Added esc\x1b[2J",
        "hard-link Added notes.txt",
        "name Added \u{fffd}",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_no_checkpoint_holds_is_told_each_time() {
    let mut scene = Scene::new();
    scene.write(".gitignore", "node_modules/\n");
    scene.write("node_modules/x", "x");
    let told = told(&mut scene, |scene| {
        scene.write("sub/node_modules/.bin/x", "x");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            scene.path("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
    });
    assert_eq!(told, ["unseen ? node_modules", "unseen ? sub/node_modules"]);
}

#[test]
fn words_are_unique() {
    let mut words: Vec<&str> = What::ALL.iter().map(|what| what.as_str()).collect();
    words.sort_unstable();
    let all = words.len();
    words.dedup();
    assert_eq!(words.len(), all);
}
