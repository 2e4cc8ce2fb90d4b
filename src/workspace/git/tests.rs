//! Repositories as real git makes them, and as an agent would like them to be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::*;

pub(super) struct Scene {
    _directory: tempfile::TempDir,
    base: PathBuf,
}

impl Scene {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("project")).unwrap();
        Self {
            _directory: directory,
            base,
        }
    }

    /// With one commit, some refs and a change that is staged.
    fn with_git() -> Self {
        let scene = Self::new();
        scene.git("project", "init -q -b main");
        fs::write(scene.at("project/file"), "1\n").unwrap();
        scene.git("project", "add .");
        scene.git("project", "commit -qm first");
        scene.git("project", "tag -a -m t v1");
        scene.git("project", "pack-refs --all");
        scene.git("project", "branch deep/er");
        fs::write(scene.at("project/file"), "2\n").unwrap();
        scene.git("project", "add file");
        scene
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    #[track_caller]
    pub(super) fn git(&self, at: &str, line: &str) -> String {
        git(&self.at(at), line)
    }

    fn find(&self, at: &str) -> Result<Option<Repository>> {
        Repository::find(&Root::open(&self.at(at)).unwrap())
    }

    /// The agent's copy, with objects where git can find them.
    #[track_caller]
    fn copy(&self, at: &str) -> PathBuf {
        let found = self.find(at).unwrap().expect("a repository");
        let to = self.at("copy");
        let objects = found.objects().into_iter();
        let objects: Vec<_> = objects.map(|path| path.display().to_string()).collect();
        found.copy(&to, &objects).unwrap();
        to
    }

    #[track_caller]
    fn refused(&self, at: &str, why: &str) {
        let refused = self.find(at).and_then(|found| {
            let _ = fs::remove_dir_all(self.at("copy"));
            found
                .expect("a repository")
                .copy(&self.at("copy"), &["/objects".to_owned()])
        });
        let error = refused.expect_err("it is not taken").to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[track_caller]
fn git(at: &Path, line: &str) -> String {
    let output = Command::new("git")
        .args(line.split(' '))
        .current_dir(at)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@b")])
        .envs([("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@b")])
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {line}: {said}{complained}");
    said
}

/// A workspace with its `.git` replaced by the copy says the same to git.
#[track_caller]
fn assert_same(scene: &Scene, at: &str, copy: &Path) {
    for line in [
        "for-each-ref",
        "rev-parse HEAD",
        "symbolic-ref HEAD",
        "status --porcelain",
        "log --oneline --all",
        "ls-files -s",
    ] {
        let there = format!("--git-dir={} --work-tree=. {line}", copy.display());
        let (own, copied) = (scene.git(at, line), scene.git(at, &there));
        assert_eq!(own, copied, "{line}");
        assert!(line.contains("status") || !own.is_empty(), "{line}");
    }
    scene.git(at, &format!("--git-dir={} fsck --strict", copy.display()));
}

#[test]
fn a_copy_is_a_repository_that_can_be_committed_to() {
    let scene = Scene::with_git();
    scene.git("project", "config core.fsmonitor touch-evil");
    fs::write(
        scene.at("project/.git/hooks/pre-commit"),
        "#!/bin/sh\nexit 1\n",
    )
    .unwrap();
    fs::write(scene.at("project/.git/info/exclude"), "*.o\n").unwrap();
    let before = listing(&scene.at("project/.git"));
    let copy = scene.copy("project");
    assert_eq!(listing(&scene.at("project/.git")), before);
    scene.git("project", "config --unset core.fsmonitor");
    assert_same(&scene, "project", &copy);
    assert!(!copy.join("hooks").exists());
    assert_eq!(
        fs::read_to_string(copy.join("info/exclude")).unwrap(),
        "*.o\n"
    );

    fs::rename(scene.at("project/.git"), scene.at("kept")).unwrap();
    let alternates = copy.join("objects/info/alternates");
    fs::write(
        alternates,
        format!("{}\n", scene.at("kept/objects").display()),
    )
    .unwrap();
    let kept = listing(&scene.at("kept"));
    let there = format!("--git-dir={} --work-tree=.", copy.display());
    scene.git("project", &format!("{there} commit -qam second"));
    let log = scene.git("project", &format!("{there} log --format=%s"));
    assert_eq!(log, "second\nfirst\n");
    assert_eq!(listing(&scene.at("kept")), kept);
}

#[test]
fn formats_of_every_kind_are_copied() {
    for flags in [
        "init -q --object-format=sha256",
        // A git that does not know of these makes an ordinary one.
        "-c init.defaultRefFormat=reftable init -q",
    ] {
        let scene = Scene::new();
        scene.git("project", &format!("{flags} -b main"));
        fs::write(scene.at("project/file"), "1\n").unwrap();
        scene.git("project", "add .");
        scene.git("project", "commit -qm first");
        scene.git("project", "update-index --split-index");
        let copy = scene.copy("project");
        assert_same(&scene, "project", &copy);
    }
}

#[test]
fn a_repository_without_a_commit_is_one() {
    let scene = Scene::new();
    assert!(scene.find("project").unwrap().is_none());
    scene.git("project", "init -q -b main");
    let copy = scene.copy("project");
    assert_eq!(
        fs::read_to_string(copy.join("HEAD")).unwrap(),
        "ref: refs/heads/main\n"
    );
}

#[test]
fn a_further_worktree_has_its_own_branch_and_index() {
    let scene = Scene::with_git();
    for relative in ["", "-c worktree.useRelativePaths=true "] {
        let name = if relative.is_empty() { "one" } else { "two" };
        scene.git("project", &format!("{relative}worktree add -q ../{name}"));
        fs::write(scene.at(name).join("new"), "").unwrap();
        scene.git(name, "add new");
        let copy = scene.copy(name);
        assert_same(&scene, name, &copy);
        assert_eq!(
            fs::read_to_string(copy.join("HEAD")).unwrap(),
            format!("ref: refs/heads/{name}\n")
        );
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn a_submodule_has_its_own_repository() {
    let scene = Scene::with_git();
    fs::create_dir(scene.at("super")).unwrap();
    scene.git("super", "init -q -b main");
    scene.git(
        "super",
        "-c protocol.file.allow=always submodule --quiet add ../project sub",
    );
    scene.git("super", "commit -qm with");
    let copy = scene.copy("super/sub");
    assert_same(&scene, "super/sub", &copy);
    fs::remove_dir_all(copy).unwrap();
    // From above, both are there; by a name with a slash, too.
    scene.git(
        "super",
        "-c protocol.file.allow=always submodule --quiet add ../project deep/er",
    );
    scene.git("super", "commit -qm both");
    let copy = scene.copy("super");
    assert!(copy.join("modules/deep/er/HEAD").exists());
    fs::rename(scene.at("super/.git"), scene.at("kept")).unwrap();
    fs::rename(&copy, scene.at("super/.git")).unwrap();
    for place in ["", "modules/sub/", "modules/deep/er/"] {
        let objects = scene.at("kept").join(place).join("objects");
        let path = format!("super/.git/{place}objects/info/alternates");
        fs::write(scene.at(&path), format!("{}\n", objects.display())).unwrap();
    }
    for at in ["super", "super/sub", "super/deep/er"] {
        assert_eq!(scene.git(at, "status --porcelain"), "");
        fs::write(scene.at(at).join("new"), "").unwrap();
        scene.git(at, "add -A");
        scene.git(at, "commit -qm new");
    }
    assert!(scene.git("super", "status --porcelain").contains(" M sub"));
}

#[test]
fn submodules_without_end_are_refused() {
    let scene = Scene::with_git();
    for one in 0..20 {
        for other in 0..20 {
            fs::create_dir_all(scene.at(&format!("project/.git/modules/{one}/{other}"))).unwrap();
        }
    }
    scene.refused("project", "more submodules");
    fs::remove_dir_all(scene.at("project/.git/modules")).unwrap();
    fs::create_dir_all(scene.at(&format!("project/.git/modules/{}", "x/".repeat(200)))).unwrap();
    assert!(scene.find("project").unwrap().is_some());
    let module = scene.at("project/.git/modules/sub");
    fs::create_dir(&module).unwrap();
    fs::write(module.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::create_dir(module.join("refs")).unwrap();
    symlink(scene.at("elsewhere"), module.join("objects")).unwrap();
    scene.refused("project", "no directory");
    fs::write(module.join("commondir"), "/\n").unwrap();
    scene.refused("project", "another repository");
}

fn fifo(path: &Path) {
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, path, fifo, mode, 0).unwrap();
}

/// Puts something else in the place of a part.
fn instead(path: &Path, make: impl Fn(&Path)) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        let _ = fs::remove_file(path);
    }
    make(path);
}

#[test]
fn a_part_that_is_no_plain_one_is_refused() {
    for part in [
        "HEAD",
        "config",
        "index",
        "packed-refs",
        "shallow",
        "info/exclude",
        "objects",
        "refs",
        "info",
    ] {
        let path = format!("project/.git/{part}");
        let scene = Scene::with_git();
        instead(&scene.at(&path), |path| {
            symlink(scene.at("elsewhere"), path).unwrap();
        });
        scene.refused("project", part);
        instead(&scene.at(&path), fifo);
        scene.refused("project", part);
        instead(&scene.at(&path), |path| {
            let file = fs::File::create(path).unwrap();
            file.set_len(2 << 30).unwrap();
        });
        scene.refused("project", part);
    }
    let scene = Scene::with_git();
    fs::rename(scene.at("project/.git"), scene.at("kept")).unwrap();
    symlink(scene.at("kept"), scene.at("project/.git")).unwrap();
    scene.refused("project", "no directory and no file");
    instead(&scene.at("project/.git"), fifo);
    scene.refused("project", "no directory and no file");
    instead(&scene.at("project/.git"), |path| {
        fs::create_dir(path).unwrap();
    });
    scene.refused("project", "not a whole repository");
}

#[test]
fn odd_refs_are_left_behind() {
    let scene = Scene::with_git();
    let refs = scene.at("project/.git/refs/heads");
    symlink("/etc/passwd", refs.join("link")).unwrap();
    fifo(&refs.join("pipe"));
    fs::write(refs.join("main.lock"), "").unwrap();
    fs::write(refs.join("a..b"), "x").unwrap();
    fs::create_dir_all(refs.join("x/".repeat(80))).unwrap();
    fs::write(refs.join("deep/end"), "").unwrap();
    let copy = scene.copy("project").join("refs/heads");
    for name in ["link", "pipe", "main.lock"] {
        assert!(fs::symlink_metadata(copy.join(name)).is_err(), "{name}");
    }
    assert!(copy.join("x/".repeat(60)).exists() && !copy.join("x/".repeat(70)).exists());
    assert_eq!(
        fs::read_to_string(copy.join("a..b")).unwrap(),
        "x",
        "a name is a name"
    );
    fs::write(refs.join("long"), vec![b'x'; 10_000]).unwrap();
    scene.refused("project", "larger than any");
}

#[test]
fn a_head_that_is_none_is_refused() {
    let scene = Scene::with_git();
    for head in ["", "x", "ref: ../../x", &"z".repeat(40), &"0".repeat(41)] {
        fs::write(scene.at("project/.git/HEAD"), head).unwrap();
        scene.refused("project", "not a whole repository");
    }
}

#[test]
fn objects_of_others_are_not_reached() {
    let scene = Scene::with_git();
    scene.git("", "clone -q --shared project borrower");
    scene.refused("borrower", "borrows objects");
    // In a circle, or planted.
    let alternates = scene.at("project/.git/objects/info/alternates");
    fs::write(
        &alternates,
        format!("{}\n", scene.at("project/.git/objects").display()),
    )
    .unwrap();
    scene.refused("project", "borrows objects");
    fs::write(&alternates, "# nothing\n\n").unwrap();
    assert!(scene.find("project").unwrap().is_some());
    fs::write(scene.at("project/.git/commondir"), "../../private/.git\n").unwrap();
    scene.refused("project", "another repository for its objects");
}

#[test]
fn a_file_that_leads_to_anothers_repository_is_refused() {
    let scene = Scene::with_git();
    fs::create_dir(scene.at("agents")).unwrap();
    let file = scene.at("agents/.git");
    let private = scene.at("project/.git").display().to_string();
    for (text, why) in [
        (format!("gitdir: {private}\n"), "not this directory's"),
        (
            "gitdir: ../project/.git\n".to_owned(),
            "not this directory's",
        ),
        ("gitdir: ../nowhere\n".to_owned(), "nowhere"),
        ("gitdir: \n".to_owned(), "not this directory's"),
        (private.clone(), "does not name a repository"),
        (String::new(), "does not name a repository"),
        (format!("gitdir: {}", "x".repeat(9000)), "larger than any"),
    ] {
        fs::write(&file, text).unwrap();
        scene.refused("agents", why);
    }
    // The worktree of another directory.
    scene.git("project", "worktree add -q ../theirs");
    fs::copy(scene.at("theirs/.git"), &file).unwrap();
    scene.refused("agents", "not this directory");
    // By way of a link.
    symlink(scene.at("project/.git"), scene.at("agents/link")).unwrap();
    fs::write(&file, "gitdir: link\n").unwrap();
    scene.refused("agents", "link");
}

#[test]
fn a_worktree_of_ones_own_making_leads_nowhere_else() {
    let scene = Scene::with_git();
    let private = scene.at("project/.git").display().to_string();
    let own = scene.at("agents/made/worktrees/x");
    fs::create_dir_all(&own).unwrap();
    fs::write(scene.at("agents/.git"), "gitdir: made/worktrees/x\n").unwrap();
    fs::write(
        own.join("gitdir"),
        format!("{}\n", scene.at("agents/.git").display()),
    )
    .unwrap();
    fs::write(own.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    for lie in [private.as_str(), "../../../../project/.git", "/", "..", ""] {
        fs::write(own.join("commondir"), format!("{lie}\n")).unwrap();
        scene.refused("agents", "not this directory");
    }
    // What it has of its own is its own.
    fs::write(own.join("commondir"), "../..\n").unwrap();
    symlink(
        scene.at("project/.git/objects"),
        scene.at("agents/made/objects"),
    )
    .unwrap();
    symlink(scene.at("project/.git/refs"), scene.at("agents/made/refs")).unwrap();
    scene.refused("agents", "no directory");
    // As a submodule.
    fs::remove_file(own.join("commondir")).unwrap();
    fs::write(own.join("config"), "[core]\nworktree = ../../..\n").unwrap();
    symlink(scene.at("project/.git/refs"), own.join("refs")).unwrap();
    scene.refused("agents", "no directory");
}

/// Names, kinds and contents of a tree.
fn listing(at: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![at.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            let content = fs::read(&path).unwrap_or_default();
            all.push((path, content));
        }
    }
    all.sort();
    all
}
