//! Verbs that take a container or a run, and what they are without a name.

use super::night::{ended, ralph, record, wait_until};
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_runs_sandbox_is_reached_by_the_runs_name() {
    let dir = TestDir::new();
    let agent = format!("touch ready; while [ ! -e go ]; do sleep 0.1; done; {PROMISE}");
    let flags = ["--no-check", "-d", "-e", "COLOUR=blue"];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| dir.work().join("ready").exists());
    let exec = |words: &[&str]| dir.stockade(&[&["exec", &id], words].concat()).run();
    let _ = exec(&["sh", "-c", "echo $COLOUR; pwd; exit 7"])
        .code(7)
        .says("blue\n/workspace\n");
    let _ = exec(&["touch", "by-hand"]).success();
    assert!(dir.work().join("by-hand").exists());
    let agents = exec(&["id", "-u"]).success().line();
    // Without a name it is the last run, and a shell that is not on a terminal reads its lines.
    let shell = dir
        .stockade(&["shell"])
        .stdin("id -u\necho in $PWD\nexit 3\n");
    let _ = shell
        .run()
        .code(3)
        .says(&format!("{agents}\nin /workspace\n"));
    let mut terminal = Pty::spawn(dir.stockade(&["shell", &id]).env("TERM", "xterm"), 24, 80);
    terminal.expect("/workspace");
    terminal.type_keys(b"test -t 0 && echo on a $((6*7))\n");
    terminal.expect("on a 42");
    terminal.type_keys(b"exit 5\n");
    assert_eq!(terminal.wait(), Some(5));
    terminal.assert_given_back();
    let stats = dir.stockade(&["stats", "--no-stream", "--format", "json", &id]);
    let stats = stats.run();
    // Where there are no cgroups of its own nothing is measured; the sandbox is found all the same.
    if stats.exit_code() == Some(0) {
        assert_eq!(stats.json()[0]["name"], format!("ralph-{id}"));
    } else {
        let _ = stats.code(1).complains("cgroups");
    }
    let looking = dir.stockade(&["attach", &id]).spawn();
    looking.expect("life 1\n");
    dir.write("go", "");
    let looked = ended(&dir, looking.finish(), 0, 1);
    let _ = looked.complains("the agent claims completion");

    // Without a name it is the last run.
    for verb in ["attach", "logs", "wait"] {
        let said = dir.stockade(&[verb]).run().code(0).stdout();
        let expected = match verb {
            "wait" => "0\n",
            _ => "life 1\n<promise>COMPLETE</promise>\n",
        };
        assert_eq!(said, expected, "{verb}");
    }
    // What has ended has no sandbox.
    let _ = exec(&["true"])
        .code(125)
        .complains("has no sandbox any more")
        .complains("stockade report");
    let _ = dir.stockade(&["shell"]).run().code(125);
    let _ = dir.stockade(&["stats", &id]).run().code(1);
    drop(record(&dir));
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn a_sandbox_that_does_not_run_is_told() {
    let dir = TestDir::new();
    // While a check runs, the agent does not.
    let agent = format!("touch ready; {PROMISE}");
    let flags = ["--check", "touch /tmp/x; sleep 3", "-d"];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    let journal = record(&dir).join("journal.jsonl");
    let checks =
        || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"checking\""));
    wait_until(checks);
    let _ = dir
        .stockade(&["exec", &id, "true"])
        .run()
        .code(125)
        .complains("does not work just now")
        .complains("from the beginning of an iteration to its end");
    let watched = dir.stockade(&["watch"]).run();
    let _ = ended(&dir, watched, 0, 1);
}

#[test]
#[ignore = "needs podman: asks a service nothing"]
fn an_empty_name_is_none() {
    let dir = TestDir::new();
    for words in [
        "kill",
        "logs",
        "pause",
        "rm",
        "rm -f",
        "start",
        "stats",
        "stop",
        "unpause",
        "inspect",
        "rmi",
        "rmi -f",
        "pull",
        "images",
        "container exists",
        "image exists",
        "image tag",
        "diff",
        "history",
        "report",
        "show",
        "tell",
        "resume",
        "rollback",
        "accept",
        "check",
    ] {
        let words: Vec<&str> = words.split(' ').chain([""]).collect();
        let output = dir.stockade(&words).run().code(2);
        let _ = output.complains("an empty name means nothing");
    }
    for words in [["wait", ""].as_slice(), &["attach", ""], &["shell", ""]] {
        let output = dir.stockade(words).run().code(125);
        let _ = output.complains("an empty name means nothing");
    }
    let _ = dir.stockade(&["exec", "", "true"]).run().code(125);
    let _ = dir.stockade(&["run", "", "true"]).run().code(125);
    let _ = dir.stockade(&["watch", ""]).run().code(2);
}
