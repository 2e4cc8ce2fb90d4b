//! `stockade ralph --interactive`: between iterations the person is asked.

use std::fs;

use rustix::process::Signal;

use super::night::{ended, lives, ralph, record, wait_until};
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

const KEYS: &str = "[q]uit: ";

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_person_goes_step_by_step() {
    let dir = TestDir::new();
    // An editor that says something else.
    let editor = dir.path().join("editor");
    fs::write(
        &editor,
        "#!/bin/sh\ncp \"$1\" \"$0.seen\"; echo 'Write the docs until done.' >\"$1\"\n",
    )
    .unwrap();
    let _ = dir
        .shell(&format!("chmod 755 '{}'", editor.display()))
        .run()
        .success();
    let _ = dir.shell("git init --quiet .").run().success();
    let agent = "cat /run/stockade/prompt.md >prompt-$n; echo $n >work";
    let flags = ["-i", "--check", "grep -q 2 work", "--no-progress", "0"];
    let running = ralph(&dir, agent, &flags).env("EDITOR", &editor.display().to_string());
    let mut terminal = Pty::spawn(running, 40, 120);
    terminal.expect(KEYS);
    assert_eq!(lives(&dir), 1);
    let id = record(&dir).file_name().unwrap().to_owned();
    let id = id.into_string().unwrap();
    terminal.type_keys(b"nonsense\r");
    terminal.expect("a letter; and for `r`");
    terminal.expect(KEYS);
    terminal.type_keys(b"d\r");
    terminal.expect("A work (nothing -> file");
    terminal.expect(KEYS);
    terminal.type_keys(b"k\r");
    terminal.expect("checkpoint 1 checked again: it failed with 1");
    terminal.expect(KEYS);
    terminal.type_keys(b"e\r");
    terminal.expect("another prompt");
    terminal.expect(KEYS);
    let told = dir.stockade(&["tell", &id, "Mind the gap."]).run();
    let _ = told.success();
    terminal.type_keys(b"c\r");
    terminal.expect("iteration 2 ended");
    terminal.expect(KEYS);
    let second = fs::read_to_string(dir.work().join("prompt-2")).unwrap();
    assert!(second.starts_with("Write the docs"), "{second}");
    assert!(second.contains("Mind the gap."), "{second}");
    // What was for one iteration is not for the next ones.
    terminal.type_keys(b"e\r");
    terminal.expect(KEYS);
    let seen = fs::read_to_string(dir.path().join("editor.seen")).unwrap();
    assert_eq!(seen, "Write the docs until done.\n");
    terminal.type_keys(b"k\r");
    terminal.expect("it passed");
    terminal.expect(KEYS);
    terminal.type_keys(b"s\r");
    terminal.expect("without a network");
    terminal.type_keys(b"cat work; echo $((6*7))\r");
    terminal.expect("42");
    // What the agent is kept from, what it has made is kept from.
    terminal.type_keys(b"ls -d .git; touch .git/hooks/x; echo $((7*8))\r");
    terminal.expect("Read-only file system");
    terminal.expect("56");
    terminal.type_keys(b"exit\r");
    terminal.expect(KEYS);
    terminal.type_keys(b"r 1\r");
    terminal.expect("back to checkpoint 1");
    terminal.expect(KEYS);
    assert_eq!(fs::read_to_string(dir.work().join("work")).unwrap(), "1\n");
    terminal.type_keys(b"q\r");
    assert_eq!(terminal.wait(), Some(23));
    let prompt = |n| fs::read_to_string(dir.work().join(format!("prompt-{n}")));
    assert!(prompt(1).unwrap().starts_with("Work until"));
    assert!(prompt(2).is_err(), "it was gone back from");
    let journal = fs::read_to_string(record(&dir).join("journal.jsonl")).unwrap();
    assert!(journal.contains("Write the docs until done."), "{journal}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn what_could_not_be_put_back_is_said() {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    let flags = ["-i", "--no-check", "--as-root", "--max-iterations", "2"];
    let mut terminal = Pty::spawn(ralph(&dir, "chown 33:33 file", &flags), 40, 120);
    terminal.expect(KEYS);
    terminal.type_keys(b"r 0\r");
    terminal.expect("1 not what they were");
    terminal.expect("1 names are not what they were: ");
    terminal.expect(KEYS);
    terminal.type_keys(b"q\r");
    assert_eq!(terminal.wait(), Some(23));
    // Then there is a container for it.
    let _ = dir.stockade(&["rollback"]).run().success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn whoever_is_not_there_is_not_asked() {
    let dir = TestDir::new();
    let output = ralph(&dir, "", &["--interactive"]).run().code(2);
    let _ = output.complains("there is nobody to ask");
    let output = ralph(&dir, "", &["-i", "-d"]).run().code(2);
    let _ = output.complains("not with `--detach`");
    for flag in [
        "--tty",
        "--raw-terminal",
        "--sig-proxy=false",
        "--detach-keys=ctrl-x",
    ] {
        let output = ralph(&dir, "", &[flag]).run().code(2);
        let _ = output.complains("is not for `ralph`");
    }
    let _ = lives(&dir);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn closing_the_terminal_at_a_question_ends_nothing() {
    let dir = TestDir::new();
    let flags = ["-i", "--max-iterations", "2", "--no-progress", "0"];
    let ralph = ralph(&dir, "", &flags).into_inner();
    let words = std::iter::once(ralph.get_program()).chain(ralph.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // A terminal within ours, which is closed when `script` is killed.
    let line = words.join(" ");
    let script = dir
        .shell("exec script --quiet --command \"$RALPH; echo gone >>ended\" /dev/null")
        .env("RALPH", &format!("trap '' HUP; {line}"));
    let terminal = Pty::spawn(script, 40, 120);
    terminal.expect(KEYS);
    terminal.signal(Signal::KILL);
    wait_until(|| dir.work().join("ended").exists());
    let mut terminal = Pty::spawn(dir.stockade(&["watch"]), 40, 120);
    terminal.expect(KEYS);
    terminal.type_keys(b"c\r");
    assert_eq!(terminal.wait(), Some(11));
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_question_outlives_whoever_asked_it() {
    let dir = TestDir::new();
    let flags = ["-i", "--max-iterations", "2", "--no-progress", "0"];
    let mut terminal = Pty::spawn(ralph(&dir, "", &flags), 40, 120);
    terminal.expect(KEYS);
    // What cannot be done ends nothing.
    terminal.type_keys(b"k\r");
    terminal.expect("the task has no check");
    terminal.expect(KEYS);
    terminal.type_keys(b"r 0 work\r");
    terminal.expect("the number of a checkpoint, no more");
    terminal.expect(KEYS);
    drop(terminal);
    let id = dir.stockade(&["runs", "-q"]).run().success().line();
    let _ = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let mut terminal = Pty::spawn(dir.stockade(&["resume", &id]), 40, 120);
    terminal.expect(KEYS);
    terminal.type_keys(b"c\r");
    assert_eq!(terminal.wait(), Some(11));
    let output = dir.stockade(&["watch", &id]).run();
    let _ = ended(&dir, output, 11, 2);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_in_the_foreground_is_left_by_keys() {
    let dir = TestDir::new();
    let agent = "until [ -e go ]; do sleep 0.1; done";
    let flags = ["--no-check", "--max-iterations", "1"];
    let mut terminal = Pty::spawn(ralph(&dir, agent, &flags), 40, 120);
    terminal.expect("life 1");
    // Of what is typed besides, nothing is shown.
    terminal.type_keys(b"hm\x10x");
    terminal.signal(Signal::TSTP);
    wait_until(|| terminal.is_stopped());
    terminal.assert_given_back();
    terminal.signal(Signal::CONT);
    wait_until(|| !terminal.is_stopped());
    wait_until(|| terminal.takes_keys());
    terminal.type_keys(b"\x10\x11");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.screen());
    terminal.assert_given_back();
    let screen = terminal.last_screen();
    assert!(screen.contains("goes on: `stockade watch`"), "{screen}");
    assert!(!screen.contains("hm"), "{screen}");

    // And there is somebody who looks after it.
    let mut watching = Pty::spawn(dir.stockade(&["watch"]), 40, 120);
    watching.expect("life 1");
    watching.type_keys(b"\x10");
    watching.type_keys(b"\x11");
    assert_eq!(watching.wait(), Some(0), "{}", watching.screen());
    watching.assert_given_back();
    dir.write("go", "");
    let output = dir.stockade(&["wait"]).run();
    let _ = ended(&dir, output, 11, 1);
}
