//! What checkpoints hold: most of the workspace, all of it, or less.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::Signal;

use super::night::{ended, ralph, record, wait_until};
use super::repository::{listing, repository};
use crate::support::command::TestCommand;
use crate::support::dir::TestDir;
use crate::support::image::build;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// A workspace with what a tool makes again, and with data.
fn furnished() -> TestDir {
    let dir = TestDir::new();
    for name in ["node_modules", "data"] {
        fs::create_dir(dir.work().join(name)).unwrap();
    }
    dir.write(".gitignore", "node_modules/\n");
    dir.write("node_modules/a.js", "first\n");
    dir.write("data/b.bin", "first\n");
    dir
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_person_says_what_checkpoints_hold() {
    let both = ["second\n", "second\n"];
    let all = ["first\n", "first\n"];
    for (flags, told, expected) in [
        (
            &[][..],
            Some("checkpoints leave out node_modules (1 file, 6B)"),
            ["second\n", "first\n"],
        ),
        (&["--checkpoint-all"], None, all),
        (
            &["--checkpoint-skip", "/data/"],
            Some("checkpoints leave out data (1 file, 6B), node_modules (1 file, 6B)"),
            both,
        ),
        (
            &["--checkpoint-all", "--checkpoint-skip", "*.bin"],
            Some("checkpoints leave out data/b.bin (1 file, 6B)"),
            ["first\n", "second\n"],
        ),
    ] {
        let dir = furnished();
        let agent = format!("echo second | tee node_modules/a.js >data/b.bin{CLAIM}");
        let flags = [&["--no-check"], flags].concat();
        let output = ralph(&dir, &agent, &flags).run();
        let output = ended(&dir, output, 0, 1);
        let says = output.stderr().contains("checkpoints leave out");
        assert_eq!(says, told.is_some(), "{flags:?}: {output}");
        assert!(
            output.stderr().contains(told.unwrap_or_default()),
            "{output}"
        );
        let kept = fs::read_to_string(record(&dir).join("run.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["keep"]["all"], flags.contains(&"--checkpoint-all"));
        let _ = dir.stockade(&["rollback"]).run().success();
        let read = |name| fs::read_to_string(dir.work().join(name)).unwrap();
        let found = [read("node_modules/a.js"), read("data/b.bin")];
        assert_eq!(found, expected, "{flags:?}");
        assert!(!dir.work().join("count").exists(), "{flags:?}");
    }
}

/// Outside they belong to subordinate ids of the person's, who can neither read nor remove them.
#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn going_back_takes_files_of_other_users_too() {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    let agent = "mkdir closed open; echo x | tee closed/x >open/x; echo two >file; echo h >hidden\n\
                 chmod 600 hidden; chmod 700 closed; chown -R 33:33 closed open hidden\n\
                 echo '<promise>COMPLETE</promise>'\n";
    let output = ralph(&dir, agent, &["--no-check", "--as-root"]).run();
    let _ = ended(&dir, output, 0, 1);
    let made = ["closed", "open", "hidden"].map(|name| dir.work().join(name));
    let own = fs::metadata(dir.work()).unwrap().uid();
    for path in &made {
        assert_ne!(fs::metadata(path).unwrap().uid(), own, "{path:?}");
    }
    let output = dir.stockade(&["rollback"]).run().success();
    let output = output.complains("a container makes them yours");
    for path in &made {
        assert!(!path.exists(), "{path:?}: {output}");
    }
    let read = || fs::read_to_string(dir.work().join("file")).unwrap();
    assert_eq!(read(), "one\n");
    // What nobody could read is kept by now.
    let _ = output.complains("is in checkpoint 3");
    let _ = dir.stockade(&["rollback", "--to", "3"]).run().success();
    let hidden = fs::read_to_string(&made[2]).unwrap();
    assert_eq!(hidden, "h\n");
    dir.assert_nothing_left();
}

/// A database of the person's, say. It was foreign before the run, and is no part of it.
#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn what_was_others_before_the_run_stays_theirs() {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    let before = "mkdir -p pgdata over/deep logs; echo d | tee pgdata/d over/deep/d >logs/l\n\
                  echo o >over/own; chmod 700 pgdata over/deep; chown -R 70:70 pgdata over/deep logs\n";
    let workspace = format!("{}:/w", dir.work().display());
    let as_root = |script| {
        let run = ["run", "--rm", "--user", "0", "-v", &workspace, "-w", "/w"];
        let run = [&run[..], &[dir.tiny(), "sh", "-c", script]].concat();
        let _ = dir.podman().command(&run).run().success();
    };
    as_root(before);
    let kept = ["pgdata", "over/deep", "logs", "logs/l"].map(|name| dir.work().join(name));
    let owner = |path: &Path| {
        let found = fs::symlink_metadata(path).ok()?;
        Some((found.uid(), found.gid()))
    };
    let own = fs::metadata(dir.work()).unwrap().uid();
    let Some((other, _)) = owner(&kept[0]) else {
        panic!("there is no database")
    };
    assert_ne!(other, own);
    // Of the directory above one of them, too.
    let agent = "mkdir closed; echo x >closed/x; echo two >file; echo h >hidden; chmod 600 hidden\n\
                 chmod 700 closed over; chown -R 33:33 closed hidden; chown 33:33 over over/own file\n";
    let flags = ["--no-check", "--as-root", "--max-iterations", "1"];
    let output = ralph(&dir, agent, &flags).run();
    let _ = ended(&dir, output, 11, 1);
    assert_ne!(owner(&dir.work().join("over")).unwrap().0, own);
    let output = dir.stockade(&["rollback"]).run().success();
    let output = output.complains("a container makes them yours");
    for path in &kept {
        assert_eq!(owner(path), Some((other, other)), "{path:?}: {output}");
    }
    for name in ["over", "over/own", "file"] {
        assert_eq!(
            owner(&dir.work().join(name)).unwrap().0,
            own,
            "{name}: {output}"
        );
    }
    for name in ["closed", "hidden"] {
        assert!(!dir.work().join(name).exists(), "{name}: {output}");
    }
    assert_eq!(
        fs::read_to_string(dir.work().join("file")).unwrap(),
        "one\n"
    );
    let output = output.complains("no checkpoint knows it: pgdata");
    // There is nothing more to do, and nothing for a container.
    let again = dir.stockade(&["rollback"]).run().success();
    let _ = again.does_not_complain("a container makes them yours");
    assert_eq!(owner(&kept[0]), Some((other, other)), "{output}");
    let listed = dir.stockade(&["report"]).run().success();
    assert!(listed.stdout().contains("rolled back"), "{listed}");
    as_root("chown -R 0:0 .");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn your_repository_is_out_of_reach_of_what_takes_files_back() {
    let dir = TestDir::new();
    repository(&dir.work());
    let plain = ["--no-check", "--as-root", "--max-iterations", "1"];
    let own = |agent, git| {
        let flags = [&plain[..], &["--git", git]].concat();
        let output = ralph(&dir, agent, &flags).run();
        output.code(11)
    };
    // It has the group of a user of the sandbox's, and is to keep it.
    let _ = own("chown 0:33 .git/description", "rw");
    let group = || {
        fs::metadata(dir.work().join(".git/description"))
            .unwrap()
            .gid()
    };
    let before = group();
    assert_ne!(before, fs::metadata(dir.work().join(".git")).unwrap().gid());
    let listed = listing(&dir.work().join(".git"));
    let _ = own(
        "mkdir closed; echo x >closed/x; chmod 700 closed; chown -R 33:33 closed",
        "none",
    );
    let output = dir.stockade(&["rollback"]).run().success();
    let output = output.complains("a container makes them yours");
    assert!(!dir.work().join("closed").exists(), "{output}");
    assert_eq!(group(), before, "{output}");
    assert_eq!(listing(&dir.work().join(".git")), listed, "{output}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: builds, and runs an agent that has other users"]
fn taking_files_back_ends_with_the_signal() {
    let dir = TestDir::new();
    dir.write("chown", "#!/bin/sh\nsleep 600\n");
    dir.mode("chown", 0o755);
    let from = format!("FROM {}\nCOPY chown /usr/sbin/chown\n", dir.tiny());
    dir.write("Containerfile", from);
    let id = build(&dir, &["-q", "."]).success().line();
    dir.image(&id);
    let agent = "mkdir closed; echo x >closed/x; chmod 700 closed; busybox chown -R 33:33 closed";
    let flags = [
        "--no-check",
        "--as-root",
        "--max-iterations",
        "1",
        "--image",
        &id,
    ];
    let output = ralph(&dir, agent, &flags).run();
    let _ = ended(&dir, output, 11, 1);
    let running = dir.stockade(&["rollback"]).spawn();
    wait_until(|| !dir.containers().is_empty());
    running.signal(Signal::INT);
    let output = running.finish().code(130);
    let _ = output.does_not_complain("stays theirs");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn going_back_ends_with_the_signal_and_can_be_done_again() {
    let dir = TestDir::new();
    // Nothing that takes no time.
    let mut state = 1_u32;
    let big: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(64 << 20)
    .collect();
    dir.write("big", &big);
    dir.write("file", "one");
    let agent = "rm big; echo two >file";
    let output = ralph(&dir, agent, &["--no-check", "--max-iterations=1"]).run();
    let _ = ended(&dir, output, 11, 1);
    let temporary = || {
        let mut names = fs::read_dir(dir.work()).unwrap().flatten();
        names.any(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(".stockade-")
        })
    };
    let running = dir.stockade(&["rollback"]).spawn();
    wait_until(temporary);
    running.signal(Signal::INT);
    let output = running
        .finish()
        .code(130)
        .complains("it goes on where it ended");
    assert!(!temporary() && !dir.work().join("big").exists(), "{output}");
    let _ = dir.stockade(&["rollback"]).run().success();
    assert_eq!(fs::read(dir.work().join("big")).unwrap(), big);
    assert_eq!(fs::read(dir.work().join("file")).unwrap(), b"one");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_workspace_that_its_agent_closes_is_kept_and_gone_back_in() {
    for mode in ["000", "444", "555"] {
        let dir = furnished();
        let before = fs::metadata(dir.work()).unwrap().mode();
        let agent = format!("echo second >data/b.bin; rm .gitignore; echo x >made; chmod {mode} .");
        let output = ralph(&dir, &agent, &["--no-check", "--max-iterations=1"]).run();
        let _ = output.code(11).complains("== checkpoint 1: ");
        // From elsewhere: nobody may enter it.
        let id = record(&dir);
        let id = id.file_name().unwrap().to_str().unwrap();
        let at_home = |words: &[&str]| {
            let mut command = dir.stockade(words).into_inner();
            command.current_dir(dir.path());
            TestCommand::new(command).run().success()
        };
        let diff = at_home(&["diff", "--name-only", id]);
        let names: Vec<_> = diff.stdout().lines().map(str::to_owned).collect();
        for name in ["made", "data/b.bin", ".gitignore"] {
            assert!(names.iter().any(|one| one == name), "{mode}: {names:?}");
        }
        let _ = at_home(&["rollback", id]);
        assert_eq!(fs::metadata(dir.work()).unwrap().mode(), before, "{mode}");
        assert_eq!(
            fs::read_to_string(dir.work().join("data/b.bin")).unwrap(),
            "first\n"
        );
        assert!(dir.work().join(".gitignore").exists() && !dir.work().join("made").exists());
        dir.assert_nothing_left();
    }
}
