//! What becomes of a run that has ended: it is looked at, accepted, committed, or forgotten.

use std::fs;

use crate::night::{ended, ralph, record};
use crate::support::command::{Output, TestCommand};
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// Runs `git` on a tree of the test's own, after the agent is gone.
#[track_caller]
fn git(dir: &TestDir, line: &str) -> String {
    let safe = "git -c user.name=Base -c user.email=base@x -c safe.directory='*'";
    let run = dir.shell(&format!("{safe} {line}")).run();
    run.success().stdout()
}

/// A repository with one commit, and a run in it that has ended.
fn worked(agent: &str) -> TestDir {
    worked_with(agent, "shadow")
}

/// The same, with so much of the repository.
fn worked_with(agent: &str, git_access: &str) -> TestDir {
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

fn accept(dir: &TestDir, flags: &[&str]) -> TestCommand {
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
fn refused(dir: &TestDir, flags: &[&str], code: i32, why: &str) -> Output {
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
