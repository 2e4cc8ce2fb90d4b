//! What becomes of a run that has ended: it is looked at, accepted, committed, or forgotten.

use std::fs;
use std::path::PathBuf;

use super::night::{ended, ralph, record};
use crate::support::command::{Output, TestCommand};
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

pub(super) const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// Runs `git` on a tree of the test's own, after the agent is gone.
#[track_caller]
pub(super) fn git(dir: &TestDir, line: &str) -> String {
    let safe = "git -c user.name=Base -c user.email=base@x -c safe.directory='*'";
    let run = dir.shell(&format!("{safe} {line}")).run();
    run.success().stdout()
}

/// A repository with one commit, and a run in it that has ended.
pub(super) fn worked(agent: &str) -> TestDir {
    worked_with(agent, "shadow")
}

/// The same, with so much of the repository.
pub(super) fn worked_with(agent: &str, git_access: &str) -> TestDir {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    dir.write(".gitignore", "*.log\n/count\n/agent.sh\n");
    let _ = git(&dir, "init -q -b main");
    let _ = git(&dir, "add -A");
    let _ = git(&dir, "commit -qm first");
    let output = ralph(
        &dir,
        &format!("{agent}{CLAIM}"),
        &["--no-check", "--git", git_access],
    )
    .run();
    let _ = ended(&dir, output, 0, 1);
    dir
}

pub(super) fn accept(dir: &TestDir, flags: &[&str]) -> TestCommand {
    dir.stockade(&[&["accept"], flags].concat())
}

/// The names of all events of the only run.
fn events(dir: &TestDir) -> Vec<String> {
    let shown = dir.stockade(&["show", "--format", "json"]).run();
    let events = shown.success().json()["events"].clone();
    let all = events.as_array().unwrap().iter();
    all.map(|event| event["event"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
pub(super) fn refused(dir: &TestDir, flags: &[&str], code: i32, why: &str) -> Output {
    let output = accept(dir, flags).run().code(code).complains(why);
    assert!(!events(dir).contains(&"accepted".to_owned()));
    output
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_would_run_on_the_host_is_told_in_diff_and_report() {
    let agent = "mkdir -p .vscode deep; echo '{}' >.vscode/tasks.json; echo x >tool; chmod +x tool\n\
        ln -s /etc/passwd out; touch \"$(printf 'esc\\033[2J')\"; mkdir -p deep/.git/hooks; echo x >deep/.git/hooks/post-merge";
    let dir = worked(agent);
    let expected = [
        "nested git repository",
        "deep/.git",
        "editor settings",
        ".vscode/tasks.json",
        "executable",
        "tool",
        "link that leaves the workspace",
        "out",
        "esc\\u{1b}[2J",
    ];
    for arguments in [
        &["diff"][..],
        &["diff", "--stat"],
        &["diff", "--trust"],
        &["report"],
    ] {
        let told = dir.stockade(arguments).run().success().stdout();
        for part in expected {
            assert!(told.contains(part), "{arguments:?}: {part} in\n{told}");
        }
        assert!(!told.contains('\x1b'), "{arguments:?}");
    }
    let alone = dir.stockade(&["diff", "--trust"]).run().success().stdout();
    assert!(!alone.contains("one"), "{alone}");
    let names = dir.stockade(&["diff", "--name-only"]).run().success();
    assert!(!names.stdout().contains("executable"));
    let report = dir.stockade(&["report", "--format", "json"]).run();
    let trust = report.success().json()["trust"].clone();
    let told = trust.as_array().unwrap().iter();
    let told: Vec<&str> = told.map(|one| one["what"].as_str().unwrap()).collect();
    assert!(
        told.contains(&"link-out") && told.contains(&"nested-repository"),
        "{told:?}"
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn accepting_marks_the_run() {
    let dir = worked("echo two >file");
    let _ = refused(&dir, &[], 2, "nobody to ask");
    let output = accept(&dir, &["--yes"]).run().success();
    assert!(output.stdout().contains("+1 -1\tfile"), "{output}");
    assert_eq!(events(&dir).last().unwrap(), "accepted");
    let report = dir.stockade(&["report"]).run().success().stdout();
    assert!(report.contains("- accepted: checkpoint 2"), "{report}");
    assert_eq!(
        git(&dir, "status --porcelain"),
        " M file\n",
        "it only marks"
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_person_is_asked_and_may_say_no() {
    let dir = worked("echo two >file");
    for (answer, code, accepted) in [("n\r", 1, false), ("y\r", 0, true)] {
        let mut terminal = Pty::spawn(accept(&dir, &[]), 24, 100);
        terminal.expect("Accept this? [y/N]");
        terminal.type_keys(answer.as_bytes());
        assert_eq!(terminal.wait(), Some(code));
        assert_eq!(events(&dir).contains(&"accepted".to_owned()), accepted);
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_the_person_does_in_a_repository_of_their_own_is_no_obstacle() {
    let dir = worked("git commit -qm theirs --allow-empty; echo two >file");
    let id = record(&dir);
    let id = id.file_name().unwrap().to_str().unwrap();
    let flags = ["--yes", "--commit", "-m", "x"];
    let _ = refused(&dir, &flags, 1, "git config --global user.name");
    let _ = git(&dir, "config user.name U");
    let _ = git(&dir, "config user.email u@x");
    let _ = git(&dir, "commit -qm mine --allow-empty");
    let output = accept(&dir, &flags).run().success().stdout();
    // It is no change of the run's; what would run or redirect is told, whoever wrote it.
    let (changes, concerns) = output.split_once("look at these").unwrap();
    assert!(!changes.contains(".git/"), "{output}");
    assert!(
        concerns.contains("git configuration  .git/config"),
        "{output}"
    );
    assert_eq!(git(&dir, "log --format=%s"), "x\nmine\nfirst\n");
    let diff = dir.stockade(&["diff", "--name-only"]).run().success();
    assert!(!diff.stdout().contains(".git/"), "{diff}");
    // Once more there is only nothing to commit.
    let again = accept(&dir, &flags).run().code(1);
    let again = again.complains("there is nothing to commit").stderr();
    assert!(!again.contains(".git"), "{again}");
    // Back there a rollback would lose the commit.
    let back = dir.stockade(&["rollback", id]).run().success();
    assert!(!back.stderr().contains("`.git`"), "{back}");
    assert_eq!(git(&dir, "log --format=%s"), "x\nmine\nfirst\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_repository_that_the_agent_wrote_in_gets_no_commit() {
    let dir = worked_with(
        "echo two >file; printf '#!/bin/sh\\n' >.git/hooks/pre-commit",
        "rw",
    );
    let flags = ["--yes", "--commit", "-m", "x"];
    let _ = refused(
        &dir,
        &flags,
        1,
        "hooks/pre-commit\" has changed since the run began",
    );
    let _ = accept(&dir, &["--yes"])
        .run()
        .success()
        .has("\nlook at these before anything runs them:\nA  git hook  .git/hooks/pre-commit\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_nested_repository_is_named_or_refused() {
    let dir = worked("mkdir -p sub/deep/.git; echo x >sub/deep/.git/config; echo two >file");
    let id = record(&dir)
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let _ = refused(&dir, &["--yes"], 1, "sub/deep/.git");
    let _ = refused(&dir, &["--yes", &id, ".", "sub"], 1, "sub/deep/.git");
    let _ = refused(&dir, &["--yes", &id, "../x"], 2, "not in the workspace");
    let _ = accept(&dir, &["--yes", &id, "file"]).run().success();
    let _ = accept(&dir, &["--yes", &id, ".", "sub/deep"])
        .run()
        .success();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn repositories_in_what_checkpoints_leave_out_have_to_be_named() {
    let dir = TestDir::new();
    dir.write(".gitignore", "target\nnode_modules\n");
    let agent = "mkdir -p target/x/.git/hooks node_modules/bare/objects node_modules/bare/refs\n\
        echo ref: x >node_modules/bare/HEAD; echo two >file";
    let output = ralph(&dir, &format!("{agent}{CLAIM}"), &["--no-check"]).run();
    let _ = ended(&dir, output, 0, 1);
    let output = refused(&dir, &["--yes"], 1, "target/x/.git");
    let _ = output
        .complains("node_modules/bare")
        .complains("no checkpoint knows");
    let id = record(&dir);
    let id = id.file_name().unwrap().to_str().unwrap();
    let some = ["--yes", id, ".", "target/x"];
    let _ = refused(&dir, &some, 1, "node_modules/bare");
    let _ = accept(&dir, &["--yes", id, "file"]).run().success();
    let all = ["--yes", id, ".", "target/x", "node_modules/bare"];
    let _ = accept(&dir, &all).run().success();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_somebody_has_changed_since_is_not_accepted() {
    let dir = worked("echo two >file");
    dir.write("mine", "x");
    let output = refused(&dir, &["--yes"], 1, "mine has changed since");
    let hint = output.complains("stockade rollback").stderr();
    let hint = hint
        .split('`')
        .find(|part| part.starts_with("stockade rollback"));
    let words: Vec<&str> = hint.unwrap().split(' ').skip(1).collect();
    let _ = dir.stockade(&words).run().success();
    assert!(!dir.work().join("mine").exists());
    let _ = accept(&dir, &["--yes"]).run().success();
    let _ = dir.stockade(&["rollback"]).run().success();
    let report = dir.stockade(&["report"]).run().success().stdout();
    assert!(
        report.contains("- rolled back") && !report.contains("accepted:"),
        "{report}"
    );
    let _ = accept(&dir, &["--yes"])
        .run()
        .code(1)
        .complains("is not what the run");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn going_back_leaves_what_the_person_has_committed() {
    for (access, stays) in [("shadow", true), ("none", true), ("rw", false)] {
        let dir = worked_with("echo two >file; echo new >added", access);
        dir.write("mine", "x");
        let _ = git(&dir, "add mine file");
        let _ = git(&dir, "commit -qm second");
        let id = record(&dir);
        let id = id.file_name().unwrap().to_str().unwrap();
        let output = dir.stockade(&["rollback", id]).run().success();
        assert_eq!(
            output.stderr().contains("`.git` is left"),
            stays,
            "{access}: {output}"
        );
        let commits = if stays { "2\n" } else { "1\n" };
        assert_eq!(git(&dir, "rev-list --count HEAD"), commits, "{access}");
        assert_eq!(
            fs::read_to_string(dir.work().join("file")).unwrap(),
            "one\n"
        );
        for gone in ["added", "mine"] {
            assert!(!dir.work().join(gone).exists(), "{access}: {gone}");
        }
        if !stays {
            continue;
        }
        let _ = dir.stockade(&["rollback", id, ".git"]).run().success();
        assert_eq!(git(&dir, "rev-list --count HEAD"), "1\n", "{access}");
        assert_eq!(git(&dir, "fsck --strict --no-dangling"), "");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_repository_that_the_person_made_in_the_morning_is_theirs() {
    let dir = TestDir::new();
    let output = ralph(
        &dir,
        &format!("mkdir .git; echo x >file{CLAIM}"),
        &["--no-check"],
    )
    .run();
    let _ = ended(&dir, output, 0, 1);
    let _ = git(&dir, "init -q -b main");
    let _ = git(&dir, "commit -q --allow-empty -m first");
    let _ = accept(&dir, &["--yes"]).run().success();
    let output = dir.stockade(&["rollback"]).run().success();
    let _ = output.complains("`.git` is left");
    assert!(!dir.work().join("file").exists());
    assert_eq!(git(&dir, "rev-list --count HEAD"), "1\n");
    let id = record(&dir);
    let id = id.file_name().unwrap().to_str().unwrap();
    let _ = dir.stockade(&["rollback", id, ".git"]).run().success();
    assert!(!dir.work().join(".git").exists());
}

#[test]
#[ignore = "needs podman: runs an agent many times"]
fn a_long_run_keeps_the_first_and_the_newest_checkpoints() {
    let dir = TestDir::new();
    let flags = [
        "--no-check",
        "--max-iterations",
        "13",
        "--checkpoint-keep",
        "8",
    ];
    let output = ralph(&dir, "echo $n >file", &flags).run();
    let _ = ended(&dir, output, 11, 13).complains("checkpoints dropped, to make room: 1");
    let history = dir.stockade(&["history"]).run().success();
    assert!(history.stdout().contains("1–4"), "{history}");
    assert!(history.stdout().contains("dropped, to make room"));
    let numbers = dir.stockade(&["history", "-q"]).run().success().stdout();
    let numbers: Vec<&str> = numbers.lines().collect();
    assert_eq!((numbers.len(), numbers[0], numbers[1]), (10, "0", "5"));
    let id = record(&dir)
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    for arguments in [&["diff", &id, "0..2"][..], &["rollback", &id, "--to", "2"]] {
        let output = dir.stockade(arguments).run().code(1);
        let _ = output.complains("checkpoint 2 was dropped to make room; kept are 0, 5–13");
    }
    let repository = checkpoints(&dir);
    let fsck = format!(
        "git --git-dir '{}' fsck --strict --no-dangling",
        repository.display()
    );
    let _ = dir.shell(&fsck).run().success();
    let _ = dir
        .stockade(&["rollback", &id, "--to", "7"])
        .run()
        .success();
    assert_eq!(fs::read_to_string(dir.work().join("file")).unwrap(), "7\n");
    let _ = dir.stockade(&["rollback"]).run().success();
    assert!(!dir.work().join("file").exists());
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn runs_that_somebody_has_dealt_with_are_forgotten() {
    let dir = TestDir::new();
    let ids = || {
        let ids = dir.stockade(&["runs", "-q"]).run().success().stdout();
        ids.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // Those that begin in the same second are in no order.
    let mut undecided = String::new();
    for text in ["one", "two", "three", "four"] {
        let before = ids();
        let agent = format!("head -c 9000 /dev/urandom >file; echo {text} >text{CLAIM}");
        let _ = ralph(&dir, &agent, &["--no-check"]).run().success();
        let new = ids().into_iter().find(|id| !before.contains(id)).unwrap();
        if text == "two" {
            undecided = new;
        } else {
            let _ = accept(&dir, &["--yes", &new]).run().success();
        }
    }
    let prune = |flags: &[&str]| {
        let output = dir.stockade(&[&["runs", "prune"], flags].concat()).run();
        let output = output.success();
        let removed: Vec<String> = output.stdout().lines().map(str::to_owned).collect();
        (removed, output)
    };
    let all = ids();
    let but = |newest: usize| -> Vec<String> {
        let old = all[..all.len() - newest].iter();
        old.filter(|id| **id != undecided).cloned().collect()
    };
    assert_eq!(prune(&["--older-than", "1h"]).0, [""; 0]);
    assert_eq!(prune(&["--keep", "2", "--dry-run"]).0, but(2));
    // A run takes some dozens of KiB; the journals alone are more than 4.
    assert_eq!(prune(&["--keep-size", "100m", "--dry-run"]).0, [""; 0]);
    assert_eq!(prune(&["--keep-size", "4k", "--dry-run"]).0, but(0));
    assert_eq!(ids(), all);
    let size = || -> u64 {
        let packs = fs::read_dir(checkpoints(&dir).join("objects/pack")).unwrap();
        packs
            .map(|pack| pack.unwrap().metadata().unwrap().len())
            .sum()
    };
    let before = size();
    assert_eq!(prune(&["--keep", "1"]).0, but(1));
    let (removed, output) = prune(&[]);
    assert_eq!(removed.len(), 3 - but(1).len());
    let _ = output.complains("1 neither accepted nor rolled back");
    assert_eq!(ids(), [undecided.clone()]);
    assert!(size() + 20_000 < before, "{before} {}", size());
    let _ = dir
        .stockade(&["diff", &undecided])
        .run()
        .success()
        .has("two");
    // One that is at work, with all force there is.
    let agent = "until [ -e go ]; do sleep 0.1; done";
    let _ = ralph(&dir, &format!("{agent}{CLAIM}"), &["--no-check", "-d"])
        .run()
        .success();
    let (removed, output) = prune(&["--force"]);
    assert_eq!(removed, [undecided]);
    let _ = output.complains("1 in hand");
    dir.write("go", "");
    let _ = dir.stockade(&["wait", &ids()[0]]).run().success();
    let refs = checkpoints(&dir).join("refs/checkpoints");
    assert_eq!(fs::read_dir(refs).unwrap().count(), 1);
    dir.assert_nothing_left();
}

/// The repository of the checkpoints of the only workspace.
fn checkpoints(dir: &TestDir) -> PathBuf {
    let all = fs::read_dir(dir.path().join("state/stockade/checkpoints")).unwrap();
    let all: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
    let [one] = &all[..] else {
        panic!("{all:?}");
    };
    one.clone()
}
