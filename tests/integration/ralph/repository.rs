//! `ralph --git`: what an agent has of the person's repository, and what it leaves at the workspace's top.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::night::{ended, ralph, record, wait_until};
use crate::support::command::{Output, PATH, TestCommand};
use crate::support::dir::TestDir;

/// A git for the sandbox, which has none: this machine's, with its own loader and libraries.
fn git_inside(dir: &TestDir) -> String {
    let to = dir.path().join("git");
    fs::create_dir(&to).unwrap();
    let which = "set -e; git=$(command -v git); cp \"$git\" \"$0/git\"\n\
        for library in $(ldd \"$git\" | grep -o '/[^ ]*'); do cp -L \"$library\" \"$0\"; done\n\
        mv \"$0\"/ld-linux* \"$0/loader\"; chmod 755 \"$0\"/*";
    let copied = Command::new("/bin/bash")
        .args(["-c", which])
        .arg(&to)
        .env_clear()
        .env("PATH", PATH)
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    format!("{}:/git:ro", to.display())
}

const WITH_GIT: &str = "git() { /git/loader --library-path /git /git/git -c maintenance.auto=false -c gc.auto=0 \"$@\"; }\n";

/// As [`ralph`], for so many lives, with a `git` inside.
pub(crate) fn with_git(dir: &TestDir, agent: &str, lives: u32, flags: &[&str]) -> TestCommand {
    let (mount, lives) = (git_inside(dir), lives.to_string());
    let first = [
        "-v",
        &mount,
        "--no-progress",
        "0",
        "--max-iterations",
        &lives,
    ];
    ralph(
        dir,
        &format!("{WITH_GIT}{agent}"),
        &[&first, flags].concat(),
    )
}

/// The person's own git, in a tree that no agent has written in, or that a test's agent has.
#[track_caller]
pub(crate) fn git(at: &Path, line: &str) -> String {
    let output = Command::new("git")
        .args(line.split(' '))
        .current_dir(at)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn repository(at: &Path) {
    git(at, "init -q -b main");
    git(at, "config user.name Ann");
    git(at, "config user.email ann@example.org");
    fs::write(at.join("file"), "1\n").unwrap();
    git(at, "add file");
    git(at, "commit -qm first");
}

/// Everything in a tree: names, modes, times, contents.
pub(crate) fn listing(at: &Path) -> String {
    let find = "find . -printf '%P %y %m %i %T@ %l ' -exec sh -c '[ -f \"$0\" ] && md5sum <\"$0\" || echo' {} \\; | sort";
    let listed = Command::new("/bin/sh")
        .args(["-c", find])
        .current_dir(at)
        .output();
    String::from_utf8_lossy(&listed.unwrap().stdout).into_owned()
}

#[track_caller]
pub(crate) fn used_up(dir: &TestDir, command: TestCommand, lives: u32) -> Output {
    ended(dir, command.run(), 11, lives)
}

/// All that an agent could plant for the person's git to run, and to get at what is not its own.
const PLANTS: &str = "\
    (echo evil >>/run/stockade-objects/info/alternates) 2>/dev/null && echo written\n\
    cp -a .git /tmp/git; (rm -rf /run/stockade-objects/* .git) 2>/dev/null; cp -a /tmp/git/. .git; mv .git moved 2>/dev/null && echo moved\n\
    git config core.fsmonitor 'touch /workspace/evil'; git config filter.x.clean evil; git config core.hooksPath /workspace\n\
    mkdir -p .git/hooks; echo evil >.git/hooks/post-checkout; chmod +x .git/hooks/post-checkout\n\
    echo ../../other/.git >.git/commondir\n";

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_commits_to_a_copy_of_its_own() {
    let dir = TestDir::new();
    repository(&dir.work());
    dir.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    dir.mode(".git/hooks/pre-commit", 0o755);
    dir.write(".gitignore", "count\nagent.sh\n.gitignore\n");
    git(&dir.work(), "config alias.evil !evil");
    git(
        &dir.work(),
        "remote add origin https://user:secret@example.org/x",
    );
    let before = listing(&dir.work().join(".git"));
    let agent = "set -e; git status --short; echo $n >>file; git commit -qam \"life $n\"; git log --format='%an %s'\n\
        ls .git; git config --list --local | sort";
    let output = used_up(&dir, with_git(&dir, agent, 2, &[]), 2);
    assert_eq!(listing(&dir.work().join(".git")), before, "{output}");
    let said = output.stdout();
    assert!(
        said.contains("Ann life 2\nAnn life 1\nAnn first\n"),
        "{output}"
    );
    for absent in ["hooks", "secret", "alias"] {
        assert!(!said.contains(absent), "{absent} in {output}");
    }
    let shadow = record(&dir).join("git");
    let show = dir.stockade(&["show"]).run().success();
    let _ = show.has(&shadow.display().to_string());
    let objects = dir.work().join(".git/objects");
    let log = Command::new("git")
        .arg("--git-dir")
        .arg(&shadow)
        .args(["log", "--format=%s"])
        .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert_eq!(log, "life 2\nlife 1\nfirst\n");
    assert_eq!(git(&dir.work(), "log --format=%s"), "first\n");
    assert_eq!(git(&dir.work(), "status --short"), " M file\n");
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn whatever_it_plants_there_is_not_the_persons() {
    let dir = TestDir::new();
    repository(&dir.work());
    let before = listing(&dir.work().join(".git"));
    let agent = format!("{PLANTS}echo '<promise>COMPLETE</promise>'");
    let check =
        "ls .git/hooks/post-checkout; grep -q Ann .git/config && ! grep -q evil .git/config";
    let command = with_git(&dir, &agent, 1, &["--check", check]);
    let output = ended(&dir, command.run(), 0, 1);
    assert_eq!(
        output.stdout().replace("life 1\n", ""),
        "<promise>COMPLETE</promise>\n"
    );
    let shadow = record(&dir).join("git");
    for planted in ["commondir", "hooks/post-checkout", "objects"] {
        assert!(shadow.join(planted).exists(), "{planted}");
    }
    let config = fs::read_to_string(shadow.join("config")).unwrap();
    assert!(config.contains("fsmonitor"), "{config}");
    assert_eq!(listing(&dir.work().join(".git")), before);
    git(&dir.work(), "status --short");
    git(&dir.work(), "fsck --strict");
    assert!(!dir.work().join("evil").exists());
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert_eq!(changed.stdout(), "count\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_further_worktree_and_a_submodule_have_copies_too() {
    for submodule in [false, true] {
        let dir = TestDir::new();
        let main = dir.path().join("main");
        fs::create_dir(&main).unwrap();
        repository(&main);
        fs::remove_dir(dir.work()).unwrap();
        if submodule {
            // Its repository is in that of the one above.
            git(dir.path(), "init -q");
            git(
                dir.path(),
                "-c protocol.file.allow=always submodule --quiet add ./main work",
            );
        } else {
            git(&main, "worktree add -q ../work");
        }
        let top = if submodule {
            dir.path().join(".git")
        } else {
            main.join(".git")
        };
        let before = (listing(&top), fs::read(dir.work().join(".git")).unwrap());
        let agent = "set -e; cat .git; echo 2 >file; git commit -qam second; git log --format=%s; git status --short | grep -v '??' || true";
        let output = used_up(&dir, with_git(&dir, agent, 1, &[]), 1);
        assert_eq!(
            output.stdout(),
            "life 1\ngitdir: /run/stockade-git\nsecond\nfirst\n",
            "{output}"
        );
        let after = (listing(&top), fs::read(dir.work().join(".git")).unwrap());
        assert_eq!(after, before, "{submodule}");
        assert_eq!(git(&dir.work(), "log --format=%s"), "first\n");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn submodules_are_copied_with_it() {
    let dir = TestDir::new();
    let module = dir.path().join("module");
    fs::create_dir(&module).unwrap();
    repository(&module);
    repository(&dir.work());
    git(
        &dir.work(),
        "-c protocol.file.allow=always submodule --quiet add ../module sub",
    );
    git(&dir.work(), "commit -qm with");
    let before = listing(&dir.work().join(".git"));
    let agent = "set -e; git -C sub log --format=%s; echo 2 >sub/file; git -C sub commit -qam deep\n\
        git add sub file; git commit -qm second; git log --format=%s";
    let output = used_up(&dir, with_git(&dir, agent, 1, &[]), 1);
    assert_eq!(
        output.stdout(),
        "life 1\nfirst\nsecond\nwith\nfirst\n",
        "{output}"
    );
    assert_eq!(listing(&dir.work().join(".git")), before);
    assert_eq!(git(&dir.work().join("sub"), "log --format=%s"), "first\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn none_is_nothing_and_ro_is_the_persons_to_read() {
    let agent = "ls -A .git; (echo x >.git/x) 2>/dev/null && echo written; git log --format=%s 2>/dev/null || echo none";
    for (access, said) in [("none", "none\n"), ("ro", "first\n")] {
        let dir = TestDir::new();
        repository(&dir.work());
        let before = listing(&dir.work().join(".git"));
        let output = used_up(&dir, with_git(&dir, agent, 1, &["--git", access]), 1);
        let (seen, log) = (output.stdout(), said);
        assert!(seen.ends_with(log) && !seen.contains("written"), "{output}");
        assert_eq!(seen.contains("HEAD\n"), access == "ro", "{output}");
        assert_eq!(listing(&dir.work().join(".git")), before);
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn rw_is_the_persons_own_and_is_said() {
    let dir = TestDir::new();
    repository(&dir.work());
    let agent = "echo 2 >file; git commit -qam second";
    let output = used_up(&dir, with_git(&dir, agent, 1, &["--git", "rw"]), 1);
    let _ = output.complains("loosened: your repository can be changed");
    assert_eq!(git(&dir.work(), "log --format=%s"), "second\nfirst\n");
    let dry = ralph(&dir, "", &["--git", "rw", "--dry-run"]).run();
    let _ = dry.code(0).has("\"repository\"");
    // Where there is none it may make one.
    let dir = TestDir::new();
    let output = used_up(&dir, with_git(&dir, "git init -q", 2, &["--git", "rw"]), 2);
    assert!(dir.work().join(".git/HEAD").exists(), "{output}");
}

pub(crate) fn names(at: &Path) -> Vec<String> {
    let entries = fs::read_dir(at).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_repository_that_has_come_is_moved_away() {
    let dir = TestDir::new();
    let agent = "case $n in\n\
        1) git init -q; mkdir -p .git/hooks; echo evil >.git/hooks/pre-commit; chmod 000 .git;;\n\
        2) echo 'gitdir: /elsewhere' >.git; echo 'check = \"true\"' >stockade.toml;;\n\
        3) ln -s /etc .git;;\n\
        4) mkfifo .git; chmod 555 .;;\n\
        esac";
    let output = used_up(&dir, with_git(&dir, agent, 4, &[]), 4);
    let output = output.complains("`.git` has come since the beginning, and was moved to");
    let quarantine = record(&dir).join("quarantine");
    assert_eq!(
        names(&quarantine),
        [".git.1", ".git.2", ".git.3", ".git.4", "stockade.toml.1"],
        "{output}"
    );
    assert_eq!(names(&dir.work()), ["agent.sh", "count"]);
    assert_eq!(
        fs::metadata(dir.work()).unwrap().permissions().mode() & 0o777,
        0o555
    );
    assert_eq!(
        fs::read_link(quarantine.join(".git.3")).unwrap(),
        PathBuf::from("/etc")
    );
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert_eq!(changed.stdout().trim(), "count", "and the mode of the top");
    let moved = quarantine.join(".git.4").display().to_string();
    for verb in ["report", "show"] {
        let _ = dir.stockade(&[verb]).run().success().has(&moved);
    }
    let _ = dir.stockade(&["watch"]).run().code(11).complains(&moved);
    // So that it can be removed.
    for (path, mode) in [(dir.work(), 0o755), (quarantine.join(".git.1"), 0o755)] {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_workspace_that_is_made_a_repository_is_none() {
    let dir = TestDir::new();
    let agent = "git init -q --bare . && git config core.bare false";
    let _ = used_up(&dir, with_git(&dir, agent, 1, &[]), 1);
    assert_eq!(names(&record(&dir).join("quarantine")), ["HEAD.1"]);
    let asked = Command::new("git")
        .args(["rev-parse", "--git-dir"])
        .current_dir(dir.work())
        .output()
        .unwrap();
    assert!(!asked.status.success(), "{asked:?}");
}

/// Nothing is kept then, but the person's git must not obey what is there.
#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_that_fails_leaves_no_repository_either() {
    let dir = TestDir::new();
    let id = with_git(&dir, "git init -q; sleep 60", 1, &["-d"]).run();
    let id = id.success().line();
    wait_until(|| dir.work().join(".git/HEAD").exists());
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let container = format!("ralph-{id}");
    let removed = dir
        .podman()
        .command(&["rm", "-f", "-t", "0", &container])
        .run();
    let _ = removed.success();
    let _ = dir.stockade(&["resume"]).run().code(1);
    assert_eq!(names(&dir.work()), ["agent.sh", "count"]);
    assert_eq!(names(&record(&dir).join("quarantine")), [".git.1"]);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn where_there_is_none_none_is_made() {
    for access in ["shadow", "none", "ro"] {
        let dir = TestDir::new();
        let output = used_up(
            &dir,
            ralph(&dir, "ls -A", &["--git", access, "--max-iterations", "1"]),
            1,
        );
        assert_eq!(names(&dir.work()), ["agent.sh", "count"], "{output}");
        assert_eq!(output.stdout(), "life 1\nagent.sh\ncount\n");
    }
}

#[test]
#[ignore = "needs podman: connects"]
fn what_an_earlier_agent_made_of_it_is_refused() {
    let dir = TestDir::new();
    let private = dir.path().join("private");
    fs::create_dir(&private).unwrap();
    repository(&private);
    dir.write(".git", format!("gitdir: {}/.git\n", private.display()));
    let refused = ralph(&dir, "", &[]).run().code(30);
    let _ = refused
        .complains("not this directory's")
        .complains("--git none");
    let refused = ralph(&dir, "", &["--git", "ro"]).run().code(30);
    let _ = refused.complains("--git shadow");
    fs::remove_file(dir.work().join(".git")).unwrap();
    std::os::unix::fs::symlink(private.join(".git"), dir.work().join(".git")).unwrap();
    for access in ["shadow", "none", "ro"] {
        let refused = ralph(&dir, "", &["--git", access]).run().code(30);
        let _ = refused
            .complains("no directory and no file")
            .complains("--git rw");
    }
    let listed = dir.stockade(&["runs", "-q"]).run().success().stdout();
    assert_eq!(listed, "");
}
