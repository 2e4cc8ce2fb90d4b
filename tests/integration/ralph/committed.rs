//! A run's work as a commit in the person's own repository.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use super::accepted::{CLAIM, accept, git, refused, worked};
use super::night::{ended, ralph};
use crate::support::capture::wait_until;
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

/// The person's settings for git, a file below their home.
fn settings(dir: &TestDir, file: &str, text: &str) {
    let path = dir.path().join("home").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_work_becomes_a_commit_of_the_persons() {
    let dir = worked("echo two >file; echo new >added; echo x >secret.log");
    let _ = refused(&dir, &["--yes", "--commit", "-m", "x"], 1, "user.name");
    let settings =
        "[user]\n\tname = The Person\n\temail = person@x\n[include]\n\tpath = /nowhere\n";
    fs::write(dir.path().join("home/.gitconfig"), settings).unwrap();
    let output = accept(&dir, &["--yes", "--commit", "-m", "The work", "-m", "More"]).run();
    let output = output.success().complains("main: ");
    assert_eq!(git(&dir, "status --porcelain"), "", "{output}");
    assert_eq!(git(&dir, "fsck --strict --no-dangling"), "");
    let log = git(&dir, "log --format='%an %ae|%B|' --stat");
    assert!(
        log.starts_with("The Person person@x|The work\n\nMore\n|"),
        "{log}"
    );
    for (name, is_in) in [
        ("added", true),
        ("file ", true),
        ("secret.log", false),
        ("agent.sh", false),
    ] {
        assert_eq!(log.contains(&format!(" {name}")), is_in, "{name}: {log}");
    }
    assert_eq!(git(&dir, "rev-list --count HEAD"), "2\n");
    let shown = dir.stockade(&["show"]).run().success().stdout();
    assert!(shown.contains("accepted, as commit"), "{shown}");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_a_commit_holds_besides_is_told() {
    let dir = TestDir::new();
    dir.write(".gitignore", "*.log\n/count\n/agent.sh\n");
    dir.write("file", "one\n");
    dir.write("other", "one\n");
    let _ = git(&dir, "init -q -b main");
    let _ = git(&dir, "add -A");
    let _ = git(&dir, "commit -qm first");
    dir.write("notes.txt", "mine\n");
    dir.write("other", "one\nmine\n");
    dir.write("untracked", "mine\n");
    let _ = git(&dir, "add notes.txt");
    let agent = format!("echo two >file; echo x >made.log{CLAIM}");
    let output = ralph(&dir, &agent, &["--no-check"]).run();
    let _ = ended(&dir, output, 0, 1);
    let settings = "[user]\n\tname = The Person\n\temail = person@x\n";
    fs::write(dir.path().join("home/.gitconfig"), settings).unwrap();
    let mut terminal = Pty::spawn(accept(&dir, &["--commit", "-m", "x"]), 24, 100);
    terminal.expect("not in the commit: made.log");
    terminal.expect("also in the commit, as you had not committed it: notes.txt");
    terminal.expect("also in the commit, as you had not committed it: other");
    terminal.expect("Commit this? [y/N]");
    terminal.type_keys(b"y\r");
    assert_eq!(terminal.wait(), Some(0));
    let names = git(&dir, "show --format= --name-only");
    assert_eq!(names, "file\nnotes.txt\nother\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn its_author_is_whom_git_would_name() {
    let dir = worked("echo two >file");
    let place = dir.work().canonicalize().unwrap();
    let above = place.parent().unwrap().display();
    let own = format!(
        "[user]\n\tname = Me\n\temail = home@x\n[includeIf \"gitdir:{above}/\"]\n\tpath = job\n\
         [includeIf \"gitdir:/elsewhere/\"]\n\tpath = other\n"
    );
    // What it names lies beside the link, as git has it.
    settings(&dir, "dotfiles/gitconfig", &own);
    let home = dir.path().join("home");
    symlink("dotfiles/gitconfig", home.join(".gitconfig")).unwrap();
    settings(
        &dir,
        "job",
        "[user]\n\temail = job@x\n[commit]\n\tgpgSign = true\n",
    );
    settings(&dir, "other", "[user]\n\temail = other@x\n");
    let again = "[includeIf \"hasconfig:remote.*.url:https://x/**\"]\n\tpath = other\n";
    settings(&dir, ".gitconfig", &format!("{own}{again}"));
    let commit = ["--yes", "--commit", "-m", "x"];
    let told = refused(&dir, &commit, 1, "which only git can tell");
    assert!(told.stderr().contains("home/.gitconfig"), "{told}");
    settings(&dir, ".gitconfig", "[user\n\tname = Me\n");
    let _ = refused(&dir, &commit, 1, "home/.gitconfig is not understood");
    settings(&dir, ".gitconfig", "[include]\n\tpath = ~nobody/x\n");
    let _ = refused(&dir, &commit, 1, "what only git can find: ~nobody/x");
    settings(&dir, ".gitconfig", "[core]\n\texcludesFile = mine\n");
    let _ = refused(
        &dir,
        &commit,
        1,
        "`core.excludesfile` is no whole path: mine",
    );
    // By the way that the person went.
    let link = dir.path().join("link");
    symlink(dir.work(), &link).unwrap();
    let own = own.replace("gitdir:/elsewhere/", &format!("gitdir:{}/", link.display()));
    settings(&dir, ".gitconfig", &own);
    settings(&dir, "other", "[author]\n\temail = link@x\n");
    let from_link = || accept(&dir, &commit).env("PWD", link.to_str().unwrap());
    let dated = from_link().env("GIT_AUTHOR_DATE", "yesterday").run();
    let _ = dated.code(1).complains("`GIT_AUTHOR_DATE` is set");
    let output = from_link().env("GIT_COMMITTER_NAME", "Night").run();
    let _ = output.success().complains("the commit is not signed");
    let log = git(&dir, "log -1 --format='%an %ae|%cn %ce'");
    assert_eq!(log, "Me link@x|Night job@x\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_git_would_change_is_not_in_it() {
    let dir = worked("printf 'one\\r\\n' >dos.txt; echo two >file");
    settings(&dir, ".gitconfig", "[user]\n\tname = Me\n\temail = me@x\n");
    settings(&dir, ".config/git/attributes", "*.txt text=auto\n");
    let commit = ["--yes", "--commit", "-m", "x"];
    let _ = refused(&dir, &commit, 1, "\"dos.txt\" when it is added (CR LF");
    let id = dir.stockade(&["runs", "-q"]).run().success().stdout();
    let output = accept(&dir, &[&commit[..], &[id.trim(), "file"]].concat()).run();
    let _ = output.success();
    assert_eq!(git(&dir, "show --format= --name-only"), "file\n");
    assert_eq!(git(&dir, "status --porcelain"), "?? dos.txt\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn one_that_is_interrupted_leaves_no_lock() {
    let dir = worked("head -c 134217728 /dev/zero >large");
    settings(&dir, ".gitconfig", "[user]\n\tname = Me\n\temail = me@x\n");
    let lock = dir.work().join(".git/index.lock");
    let commit = ["--yes", "--commit", "-m", "x"];
    let running = accept(&dir, &commit).spawn();
    wait_until(|| lock.exists());
    running.signal(Signal::INT);
    let _ = running
        .finish()
        .code(130)
        .complains("nothing was committed");
    assert!(!lock.exists());
    assert_eq!(git(&dir, "rev-list --count HEAD"), "1\n");
    let _ = accept(&dir, &commit).run().success();
    assert_eq!(git(&dir, "status --porcelain"), "");
    assert_eq!(git(&dir, "fsck --strict --no-dangling"), "");
}
