//! The whole night, as the guide tells it, at terminals: begun and left, watched from another one, its client and its
//! supervisor killed, taken up again, verified; then read, gone back, checked, accepted, and forgotten.

use std::fs;

use rustix::process::Signal;

use super::night::{lives, ralph, record, wait_until};
use crate::support::command::TestCommand;
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

/// Says that it is done when it is not, then does it wrong, then right, once it has been told how it failed.
const AGENT: &str = "
case $n in
1) ;;
2) echo 'echo $(($1 - $2))' >add.sh;;
3) until [ -e go ]; do sleep 0.1; done
   grep -q 'wrong: 2 and 3 are -1' $STOCKADE_PROMPT_FILE && echo 'echo $(($1 + $2))' >add.sh;;
esac
echo '<promise>COMPLETE</promise>'
";

const TEST: &str =
    "sum=$(sh add.sh 2 3); [ \"$sum\" = 5 ] || { echo \"wrong: 2 and 3 are $sum\"; exit 1; }\n";

/// A person's terminal.
fn terminal(command: TestCommand) -> Pty {
    Pty::spawn(command, 40, 120)
}

/// A command of the person's that ends by itself, with this code; what its terminal shows.
#[track_caller]
fn typed(dir: &TestDir, words: &[&str], code: i32) -> String {
    let mut terminal = terminal(dir.stockade(words));
    assert_eq!(terminal.wait(), Some(code), "{}", terminal.screen());
    terminal.assert_given_back();
    terminal.last_screen()
}

#[track_caller]
fn shows(screen: &str, parts: &[&str]) {
    for part in parts {
        assert!(screen.contains(part), "`{part}` is not in\n{screen}");
    }
}

fn git(dir: &TestDir, line: &str) -> String {
    let safe = "git -c user.name=Ann -c user.email=ann@x -c safe.directory='*'";
    let run = dir.shell(&format!("{safe} {line}")).run();
    run.success().stdout()
}

#[test]
#[ignore = "needs podman: lives a night"]
fn the_night_of_the_guide() {
    let dir = TestDir::new();
    dir.write("test.sh", TEST);
    dir.write(".gitignore", "/count\n/agent.sh\n/go\n");
    let _ = git(&dir, "init -q -b main");
    let _ = git(&dir, "config user.name Ann");
    let _ = git(&dir, "config user.email ann@x");
    let _ = git(&dir, "add -A");
    let _ = git(&dir, "commit -qm first");

    // In the evening.
    let flags = [
        "--check",
        "sh test.sh",
        "--protect",
        "test.sh",
        "--max-iterations",
        "30",
        "-d",
    ];
    let mut evening = terminal(ralph(&dir, AGENT, &flags));
    evening.expect("the run survives logout: ");
    assert_eq!(evening.wait(), Some(0), "{}", evening.screen());
    let id = dir.stockade(&["runs", "-q"]).run().success().line();
    drop(evening);

    // From another terminal: one that is left by its keys, and one that is killed.
    let mut watching = terminal(dir.stockade(&["watch"]));
    watching.expect("iteration 2");
    watching.expect("the check failed");
    watching.expect("iteration 3 of 30");
    watching.type_keys(b"\x10\x11");
    assert_eq!(watching.wait(), Some(0), "{}", watching.screen());
    watching.assert_given_back();
    let mut again = terminal(dir.stockade(&["watch"]));
    again.expect("iteration 3 of 30");
    again.signal(Signal::KILL);
    let _ = again.wait();
    let _ = dir
        .stockade(&["tell", &id, "The sum, not the difference."])
        .run()
        .success();

    // At night somebody kills what looks after it; the agent goes on, and ends meanwhile.
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let list = || typed(&dir, &["runs"], 0);
    wait_until(|| list().contains("left alone"));
    dir.write("go", "");
    let mut morning = terminal(dir.stockade(&["resume"]));
    morning.expect("taken up again");
    assert_eq!(morning.wait(), Some(0), "{}", morning.screen());
    shows(&morning.last_screen(), &["verified (protected)"]);
    assert_eq!(lives(&dir), 3);

    // In the morning.
    shows(&list(), &["verified"]);
    let report = typed(&dir, &["report"], 0);
    shows(
        &report,
        &[
            "verified (protected)",
            "iterations: 3 of 30",
            "stockade accept",
        ],
    );
    let history = typed(&dir, &["history"], 0);
    shows(&history, &["before the agent", "after iteration 3"]);
    let diff = typed(&dir, &["diff", "2..3"], 0);
    shows(&diff, &["-echo $(($1 - $2))", "+echo $(($1 + $2))"]);
    shows(&typed(&dir, &["diff", "--stat"], 0), &["add.sh"]);

    // Back to what was wrong, which a check says, and on again.
    let sum = || fs::read_to_string(dir.work().join("add.sh")).unwrap();
    let right = sum();
    let _ = typed(&dir, &["rollback", "--to", "2"], 0);
    assert_ne!(sum(), right);
    shows(
        &typed(&dir, &["check", &id, "--at", "2"], 10),
        &["wrong: 2 and 3 are -1"],
    );
    let _ = typed(&dir, &["rollback", "--to", "3"], 0);
    assert_eq!(sum(), right);
    let _ = typed(&dir, &["check", &id, "--at", "3"], 0);

    // Taken, as a commit; and nothing is left.
    let commit = ["accept", "--commit", "-m", "The sum"];
    let mut accepting = terminal(dir.stockade(&commit));
    accepting.expect("add.sh");
    accepting.expect("[y/N]");
    accepting.type_keys(b"y\r");
    assert_eq!(accepting.wait(), Some(0), "{}", accepting.screen());
    assert_eq!(git(&dir, "log --format=%an:%s"), "Ann:The sum\nAnn:first\n");
    assert_eq!(git(&dir, "status --porcelain"), "");
    dir.assert_nothing_left();
    assert!(record(&dir).exists());
    let _ = typed(&dir, &["runs", "prune", "--force"], 0);
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
}
