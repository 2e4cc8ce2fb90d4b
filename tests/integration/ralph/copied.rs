//! `ralph --workspace copy`: the person's directory stays as it is until the work is taken over; and
//! `--read-only-workspace`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::night::{ended, ralph, record, wait_until};
use super::repository::{git, listing, names, repository, with_git};
use crate::support::capture::stretched;
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// A run that has worked on a copy and claims to be done. Nothing has been touched.
#[track_caller]
fn worked(dir: &TestDir, agent: &str, flags: &[&str]) -> Output {
    worked_after(dir, agent, flags, 0)
}

/// The same in a directory in which an agent has lived so often.
#[track_caller]
fn worked_after(dir: &TestDir, agent: &str, flags: &[&str], lives: u32) -> Output {
    let agent = format!("{agent}{CLAIM}");
    let flags = [&["--workspace", "copy", "--no-check"], flags].concat();
    let command = ralph(dir, &agent, &flags);
    let before = listing(&dir.work());
    let output = ended(dir, command.run(), 0, lives);
    assert_eq!(listing(&dir.work()), before, "{output}");
    output
}

fn copies(dir: &TestDir) -> PathBuf {
    dir.path().join("home/.local/share/stockade/copies")
}

fn id(dir: &TestDir) -> String {
    let record = record(dir);
    record.file_name().unwrap().to_str().unwrap().to_owned()
}

fn text(dir: &TestDir, path: &str) -> Option<String> {
    fs::read_to_string(dir.work().join(path)).ok()
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_work_on_a_copy_is_taken_over() {
    let dir = TestDir::new();
    repository(&dir.work());
    dir.write("gone", "x");
    dir.write("node_modules/big", "x");
    dir.write(".gitignore", "node_modules\n");
    let agent = "ls node_modules 2>/dev/null; echo 2 >file; mkdir new; echo x >new/a; rm gone; chmod +x .gitignore";
    let output = worked(&dir, agent, &[]);
    assert!(!output.stdout().contains("big"), "{output}");
    let id = id(&dir);
    let copy = copies(&dir).join(&id);
    let _ = dir.stockade(&["show"]).run().success().has(&format!(
        "{}; the agent works on a copy, {}",
        dir.work().display(),
        copy.display()
    ));
    let _ = dir
        .stockade(&["report"])
        .run()
        .success()
        .has("the work is in a copy");
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    // What was not copied was not removed.
    let expected = ".gitignore\ncount\nfile\ngone\nnew\nnew/a\n";
    assert_eq!(changed.stdout(), expected);
    // Meanwhile the person goes on.
    dir.write("mine", "mine");
    git(&dir.work(), "add mine");
    git(&dir.work(), "commit -qm mine");
    let accept = [
        "accept", "--yes", "--commit", "-m", "taken", &id, "file", "new", "gone",
    ];
    let output = dir.stockade(&accept).run().success();
    assert_eq!(text(&dir, "file").as_deref(), Some("2\n"), "{output}");
    assert_eq!(text(&dir, "new/a").as_deref(), Some("x\n"));
    assert_eq!((text(&dir, "gone"), text(&dir, "count")), (None, None));
    assert_eq!(text(&dir, "mine").as_deref(), Some("mine"));
    assert!(dir.work().join("node_modules/big").exists());
    assert_eq!(git(&dir.work(), "log --format=%s"), "taken\nmine\nfirst\n");
    assert_eq!(
        git(&dir.work(), "show --format= --name-only"),
        "file\nnew/a\n"
    );
    git(&dir.work(), "fsck --strict");
    let back = dir
        .stockade(&["rollback", &id, "--original"])
        .run()
        .success();
    assert_eq!(text(&dir, "file").as_deref(), Some("1\n"), "{back}");
    assert_eq!(text(&dir, "gone").as_deref(), Some("x"));
    assert_eq!(git(&dir.work(), "log -1 --format=%s"), "taken\n");
    assert_eq!(names(&copies(&dir)), [id.as_str()]);
    let _ = dir.stockade(&["runs", "prune"]).run().success();
    assert_eq!(names(&copies(&dir)), [""; 0]);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn only_what_accept_changed_is_gone_back_from() {
    let dir = TestDir::new();
    dir.write("file", "1\n");
    let _ = worked(&dir, "echo 2 >file", &[]);
    let id = id(&dir);
    let mut terminal = Pty::spawn(dir.stockade(&["accept"]), 24, 100);
    terminal.expect("Accept this? [y/N]");
    terminal.type_keys(b"n\r");
    assert_eq!(terminal.wait(), Some(1));
    dir.write("file", "3\n");
    let _ = dir.stockade(&["accept", "--yes"]).run().code(1);
    dir.write("file", "1\n");
    dir.write("mine", "mine");
    let back = ["rollback", &id, "--original"];
    let _ = dir.stockade(&back).run().code(1).complains("no checkpoint");
    let output = dir.stockade(&["accept", "--yes"]).run().success();
    let _ = output.complains(&format!("stockade rollback {id} --original --to 0"));
    assert_eq!(text(&dir, "file").as_deref(), Some("2\n"));
    let _ = dir.stockade(&back).run().success();
    assert_eq!(text(&dir, "file").as_deref(), Some("1\n"));
    assert_eq!(text(&dir, "mine").as_deref(), Some("mine"));
    let _ = dir.stockade(&["runs", "prune"]).run().success();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_changed_while_accept_asks_is_not_overrun() {
    let dir = TestDir::new();
    dir.write("file", "1\n");
    let _ = worked(&dir, "echo 2 >file", &[]);
    let id = id(&dir);
    let asked = || {
        let terminal = Pty::spawn(dir.stockade(&["accept"]), 24, 100);
        terminal.expect("Accept this? [y/N]");
        terminal
    };
    let mut terminal = asked();
    terminal.type_keys(b"\x03");
    assert_eq!(terminal.wait(), Some(130));
    let mut terminal = asked();
    dir.write("mine", "mine");
    terminal.type_keys(b"y\r");
    assert_eq!(terminal.wait(), Some(1));
    let screen = terminal.last_screen();
    let said = "you have changed something meanwhile";
    assert!(screen.contains(said) && screen.contains("mine"), "{screen}");
    assert_eq!(text(&dir, "file").as_deref(), Some("1\n"));
    // Nothing was changed, so there is nothing to go back from.
    let back = ["rollback", &id, "--original"];
    let _ = dir.stockade(&back).run().code(1).complains("no checkpoint");
    // What was but written again is as it was shown.
    let mut terminal = asked();
    dir.write("file", "1\n");
    terminal.type_keys(b"y\r");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.last_screen());
    assert_eq!(text(&dir, "file").as_deref(), Some("2\n"));
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_both_have_changed_is_taken_only_if_that_is_said() {
    let dir = TestDir::new();
    dir.write("file", "1");
    dir.write("other", "1");
    let _ = worked(&dir, "echo run >file; echo run >other; chmod 0 other", &[]);
    dir.write("file", "mine");
    let before = listing(&dir.work());
    let refused = dir.stockade(&["accept", "--yes"]).run().code(1);
    let _ = refused.complains("both changed").complains("file");
    assert_eq!(listing(&dir.work()), before);
    let id = id(&dir);
    let _ = dir
        .stockade(&["accept", "--yes", &id, "other"])
        .run()
        .success();
    assert_eq!(text(&dir, "file").as_deref(), Some("mine"));
    let output = dir
        .stockade(&["accept", "--yes", "--overwrite"])
        .run()
        .success();
    let output = output.complains("is overwritten: file");
    assert_eq!(text(&dir, "file").as_deref(), Some("run\n"));
    let hint = output.stderr();
    let mut hint = hint.split('`');
    let words: Vec<&str> = hint.nth(1).unwrap().split(' ').skip(1).collect();
    let _ = dir.stockade(&words).run().success();
    assert_eq!(text(&dir, "file").as_deref(), Some("mine"));
    // The copy has a way back of its own.
    let _ = dir.stockade(&["rollback", &id]).run().success();
    assert_eq!(text(&dir, "file").as_deref(), Some("mine"));
    let copied = fs::read_to_string(copies(&dir).join(&id).join("file"));
    assert_eq!(copied.unwrap(), "1");
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn a_copy_is_checked_and_its_env_file_is_hidden() {
    let dir = TestDir::new();
    dir.write(".env", "SECRET=value\n");
    let agent = "cat .env; echo \"has $SECRET\"; echo done >file";
    let flags = [
        "--workspace",
        "copy",
        "--env-file",
        ".env",
        "--check",
        "grep done file",
    ];
    let output = ralph(&dir, &format!("{agent}{CLAIM}"), &flags).run();
    let output = ended(&dir, output, 0, 0);
    assert!(output.stdout().contains("has value"), "{output}");
    assert!(!output.stdout().contains("SECRET=value"), "{output}");
    let _ = dir.stockade(&["accept", "--yes"]).run().success();
    assert_eq!(text(&dir, ".env").as_deref(), Some("SECRET=value\n"));
    assert_eq!(text(&dir, "file").as_deref(), Some("done\n"));
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_commit_that_failed_can_be_made_again() {
    let dir = TestDir::new();
    repository(&dir.work());
    dir.write("gone", "x");
    git(&dir.work(), "add gone");
    git(&dir.work(), "commit -qm gone");
    dir.write("mine", "mine");
    let _ = worked(&dir, "echo 2 >file; rm gone; mkdir new; echo x >new/a", &[]);
    dir.write(".git/index.lock", "");
    let accept = |paths: &[&str]| {
        let id = id(&dir);
        let first = ["accept", "--yes", "--commit", "-m", "taken", &id];
        dir.stockade(&[&first, paths].concat()).run()
    };
    let paths = ["file", "gone", "new"];
    let failed = accept(&paths).code(1).complains("nothing was committed");
    let failed = failed.complains("do this again");
    assert_eq!(text(&dir, "file").as_deref(), Some("2\n"), "{failed}");
    fs::remove_file(dir.work().join(".git/index.lock")).unwrap();
    let done = accept(&paths).success();
    assert_eq!(git(&dir.work(), "log -1 --format=%s"), "taken\n", "{done}");
    let named = git(&dir.work(), "show --format= --name-status");
    assert_eq!(named, "M\tfile\nD\tgone\nA\tnew/a\n");
    assert_eq!(
        git(&dir.work(), "status --short mine file new"),
        "?? mine\n"
    );
    git(&dir.work(), "fsck --strict");
    // Nothing of it is left to be committed.
    let _ = accept(&paths)
        .code(1)
        .complains("there is nothing to commit");
}

#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn what_other_users_of_the_sandbox_made_is_taken_over_too() {
    let dir = TestDir::new();
    dir.write("file", "1");
    // One of a group that its owner is not in does not keep a run from beginning.
    let agent = "echo 2 >file; chown 0:33 file";
    let output = ralph(&dir, agent, &["--as-root", "--max-iterations", "1"]).run();
    let _ = ended(&dir, output, 11, 1);
    let _ = dir.stockade(&["accept", "--yes"]).run().success();
    let _ = dir.stockade(&["runs", "prune"]).run().success();
    let group = |name: &str| fs::metadata(dir.work().join(name)).unwrap().gid();
    let (own, own_group) = (rustix::process::geteuid().as_raw(), group("agent.sh"));
    assert_ne!(group("file"), own_group);
    let agent = "mkdir closed; echo x >closed/x; echo y >open; cp /bin/busybox set; echo 3 >file\n\
        chmod 700 closed; chown -R 33:33 closed open set; chmod 6755 set";
    let _ = worked_after(&dir, agent, &["--as-root"], 1);
    let mine = dir.write("open", "mine");
    let output = dir.stockade(&["accept", "--yes"]).run().code(1);
    let _ = output
        .complains("a container makes them yours")
        .complains("both changed");
    fs::remove_file(mine).unwrap();
    let output = dir.stockade(&["accept", "--yes"]).run().success();
    for (name, content) in [("closed/x", "x\n"), ("open", "y\n"), ("file", "3\n")] {
        assert_eq!(text(&dir, name).as_deref(), Some(content), "{output}");
        assert_eq!(fs::metadata(dir.work().join(name)).unwrap().uid(), own);
    }
    let mode = fs::metadata(dir.work().join("set")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o755, "{output}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent that has other users, and its check"]
fn what_the_check_has_not_seen_is_not_taken_over() {
    let dir = TestDir::new();
    let agent =
        format!("echo 2 >file; mkdir bad; echo x >bad/x; chmod 700 bad; chown -R 33:33 bad{CLAIM}");
    let flags = [
        "--workspace",
        "copy",
        "--as-root",
        "--check",
        "! test -e bad/x || test -e bad/fine",
    ];
    let _ = ended(&dir, ralph(&dir, &agent, &flags).run(), 0, 0);
    let id = id(&dir);
    let refused = || {
        let output = dir.stockade(&["accept", "--yes"]).run().code(1);
        let output = output.complains("bad/x").complains("stockade check");
        assert_eq!(text(&dir, "file"), None, "{output}");
    };
    refused();
    // Another check is not the task's, and the task's own does not pass.
    let _ = dir.stockade(&["check", "--check", "true"]).run().success();
    refused();
    let _ = dir.stockade(&["check"]).run().code(10);
    refused();
    let _ = dir.stockade(&["accept", "--yes", &id, "."]).run().code(1);
    let _ = dir
        .stockade(&["accept", "--yes", &id, "file", "bad"])
        .run()
        .success();
    assert_eq!(text(&dir, "bad/x").as_deref(), Some("x\n"));

    // What passes with it can be taken over.
    let dir = TestDir::new();
    let agent = agent.replace("echo x >bad/x", "echo x >bad/x; touch bad/fine");
    let _ = ended(&dir, ralph(&dir, &agent, &flags).run(), 0, 0);
    let _ = dir.stockade(&["accept", "--yes"]).run().code(1);
    let _ = dir.stockade(&["check"]).run().success();
    let _ = dir.stockade(&["accept", "--yes"]).run().success();
    assert_eq!(text(&dir, "bad/x").as_deref(), Some("x\n"));
}

#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn a_copy_goes_though_others_have_closed_something_in_it() {
    let dir = TestDir::new();
    let agent = "mkdir -p closed/x; chmod 700 closed; chown -R 33:33 closed";
    let _ = worked(&dir, agent, &["--as-root"]);
    assert_eq!(names(&copies(&dir)).len(), 1);
    let output = dir.stockade(&["runs", "prune", "--force"]).run().success();
    let output = output.complains("a container makes them yours");
    assert_eq!(names(&copies(&dir)), [""; 0], "{output}");
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_further_worktree_is_copied_with_a_repository_of_its_own() {
    let dir = TestDir::new();
    let main = dir.path().join("main");
    fs::create_dir(&main).unwrap();
    repository(&main);
    let line = format!("worktree add -q -b side {}", dir.work().display());
    git(&main, &line);
    let before = listing(&main);
    let agent = "set -e; echo 2 >file; git commit -qam second; git log --format=%s side";
    let flags = ["--workspace", "copy"];
    let output = with_git(&dir, agent, 1, &flags).run();
    let output = ended(&dir, output, 11, 0);
    assert_eq!(output.stdout(), "life 1\nsecond\nfirst\n", "{output}");
    assert_eq!(listing(&main), before);
    let _ = dir.stockade(&["accept", "--yes"]).run().success();
    assert_eq!(text(&dir, "file").as_deref(), Some("2\n"));
}

#[test]
#[ignore = "needs podman: connects"]
fn copying_ends_at_once_when_it_is_interrupted() {
    let dir = TestDir::new();
    let large = fs::File::create(dir.work().join("large")).unwrap();
    large.set_len(8 << 30).unwrap();
    let mut running = ralph(&dir, "", &["--workspace", "copy"]).spawn();
    wait_until(|| copies(&dir).exists() && names(&copies(&dir)).len() == 1);
    running.signal(Signal::INT);
    // To copy it takes minutes.
    assert!(running.ends_within(stretched(Duration::from_secs(15))));
    let _ = running.finish().code(130);
    assert_eq!(names(&copies(&dir)), [""; 0]);
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_copy_whose_maker_was_killed_goes_with_what_comes_next() {
    let dir = TestDir::new();
    let large = dir.work().join("large");
    let killed = || {
        fs::File::create(&large).unwrap().set_len(8 << 30).unwrap();
        let before = names(&copies(&dir)).len();
        let running = ralph(&dir, "", &["--workspace", "copy"]).spawn();
        wait_until(|| names(&copies(&dir)).len() > before);
        running.signal(Signal::KILL);
        let _ = running.finish();
        assert_eq!(names(&copies(&dir)).len(), before + 1);
        fs::remove_file(&large).unwrap();
    };
    fs::create_dir_all(copies(&dir)).unwrap();
    fs::set_permissions(copies(&dir), PermissionsExt::from_mode(0o700)).unwrap();
    killed();
    let _ = worked(&dir, "", &[]).complains("a copy that belonged to no run: removed");
    let id = id(&dir);
    assert_eq!(names(&copies(&dir)), [id.as_str()]);
    killed();
    let looked = dir.stockade(&["runs", "prune", "--dry-run"]).run();
    let _ = looked.success().complains("a copy that belongs to no run");
    assert_eq!(names(&copies(&dir)).len(), 2);
    let pruned = dir.stockade(&["runs", "prune"]).run().success();
    let _ = pruned.complains("a copy that belonged to no run: removed");
    assert_eq!(names(&copies(&dir)), [id.as_str()]);
}

#[test]
#[ignore = "needs podman: connects"]
fn a_copy_for_a_run_that_does_not_begin_goes_again() {
    let dir = TestDir::new();
    dir.write("file", "1");
    let prompt = [
        "--prompt",
        "Work.",
        "--completion-promise",
        "DONE",
        "--network",
        "none",
    ];
    let first = [
        "ralph",
        "--workspace",
        "copy",
        "--allow-unenforced-limits",
        "--image",
    ];
    let line = [
        &first[..],
        &[dir.tiny()],
        &prompt,
        &["-e", "X_API_KEY=changeme", "--", "true"],
    ]
    .concat();
    let _ = dir.stockade(&line).run().code(30);
    assert_eq!(names(&copies(&dir)), [""; 0]);
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
    let _ = ralph(&dir, "", &["--workspace", "copy", "--dry-run"])
        .run()
        .success();
    assert_eq!(names(&copies(&dir)), [""; 0]);
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn a_workspace_that_is_only_read_stays_as_it_is() {
    let dir = TestDir::new();
    repository(&dir.work());
    let agent = "exec 2>/dev/null; touch x && echo written; rm file && echo removed; cat /proc/sys/kernel/random/uuid";
    let first = ["--read-only-workspace", "--no-progress", "2"];
    let flags = [&first[..], &["--max-iterations", "4"]].concat();
    let command = ralph(&dir, agent, &flags);
    let before = listing(&dir.work());
    let output = ended(&dir, command.run(), 11, 0);
    let said = output.stdout();
    assert!(
        !said.contains("written") && !said.contains("removed"),
        "{output}"
    );
    let _ = output.complains("iteration 4 of 4");
    assert_eq!(listing(&dir.work()), before);
    let _ = dir
        .stockade(&["show"])
        .run()
        .success()
        .has("only to be read");
    let flags = [&first[..], &["--check", "grep 1 file"]].concat();
    let output = ralph(&dir, CLAIM, &flags).run();
    let _ = ended(&dir, output, 0, 0);
    let refused = ralph(&dir, "", &["--read-only-workspace", "--git", "rw"]).run();
    let _ = refused.code(2).complains("only be read");
}
