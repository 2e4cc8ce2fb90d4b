//! `stockade ralph`: a scripted agent, again and again, until something ends it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::reported::report;
pub(crate) use crate::support::capture::wait_until;
use crate::support::command::{Output, TestCommand};
use crate::support::dir::TestDir;
use crate::support::private_service::Service;
use crate::support::relay::Relay;

/// Counts its lives in `count`, and then does what follows.
pub(crate) const COUNTING: &str =
    "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count; echo life $n\n";

/// `stockade ralph FLAG... -- sh agent.sh`
pub(crate) fn ralph(dir: &TestDir, agent: &str, flags: &[&str]) -> TestCommand {
    dir.write("agent.sh", format!("{COUNTING}{agent}"));
    let first = [
        "ralph",
        "--allow-unenforced-limits",
        "--network",
        "none",
        "--image",
        dir.tiny(),
        "--prompt",
        "Work until the tests pass.",
        "--completion-promise",
        "COMPLETE",
    ];
    dir.stockade(&[&first, flags, &["--", "sh", "agent.sh"]].concat())
}

/// The directory of the only run.
pub(crate) fn record(dir: &TestDir) -> PathBuf {
    let runs = dir.path().join("state/stockade/runs");
    let mut all = fs::read_dir(runs)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let only = all.next().expect("a run");
    assert_eq!(all.next(), None);
    only
}

pub(crate) fn lives(dir: &TestDir) -> u32 {
    let count = fs::read_to_string(dir.work().join("count")).unwrap_or_default();
    count.trim().parse().unwrap_or(0)
}

/// It ended so, after so many lives, and nothing is left on the service.
#[track_caller]
pub(crate) fn ended(dir: &TestDir, output: Output, code: i32, after: u32) -> Output {
    let output = output.code(code);
    assert_eq!(lives(dir), after, "{output}");
    dir.assert_nothing_left();
    output
}

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_same_prompt_again_until_the_promise() {
    let dir = TestDir::new();
    let agent = format!(
        "cmp - /run/stockade/prompt.md && grep -c 'Work until' \"$STOCKADE_PROMPT_FILE\"\n\
         (echo no >/run/stockade/prompt.md) 2>/dev/null || echo 'read-only'\n\
         if [ $n = 3 ]; then {PROMISE} fi"
    );
    let output = ralph(&dir, &agent, &["--no-check"]).run();
    let output = ended(&dir, output, 0, 3);
    let life = |n| format!("life {n}\n1\nread-only\n");
    let said = output.stdout();
    let lives = (1..=3).map(life).collect::<String>();
    assert_eq!(
        said,
        format!("{lives}<promise>COMPLETE</promise>\n"),
        "{output}"
    );
    let kept = fs::read_to_string(record(&dir).join("output.log")).unwrap();
    assert_eq!(kept, said);
    let _ = output.complains("the agent claims completion");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn without_a_check_a_claim_is_only_a_claim() {
    let dir = TestDir::new();
    let output = ralph(&dir, PROMISE, &[]).run();
    let _ = ended(&dir, output, 9, 1).complains("no check");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_no_promise_ends_nothing() {
    let dir = TestDir::new();
    let agent = "case $n in\n\
        1) echo '<promise>INCOMPLETE</promise>';;\n\
        2) echo 'I will say <promise>COMPLETE</promise>';;\n\
        3) cat;;\n\
        4) echo '<promise>COMPLETE</promise>' >&2;;\n\
        5) echo '<promise>COMPLETE</promise>'; echo but not yet; exit 3;;\n\
        esac";
    let output = ralph(&dir, agent, &["--no-check", "--max-iterations", "5"]).run();
    let _ = ended(&dir, output, 11, 5).complains("iteration 5 ended after");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_is_blocked_ends_the_run() {
    let dir = TestDir::new();
    let agent = "printf '<promise>BLOCKED: no \\033[31mcompiler</promise>\\n'";
    let output = ralph(&dir, agent, &["--no-check"]).run();
    let output = ended(&dir, output, 17, 1).complains("compiler");
    report(&dir, &["- answer the agent in the prompt of another run"]);
    assert!(!output.stderr().contains('\x1b'), "{output}");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn limits_end_it() {
    let dir = TestDir::new();
    let flags = [
        "--no-check",
        "--iteration-timeout",
        "1",
        "--max-iterations",
        "2",
    ];
    let output = ralph(&dir, "trap 'exit 0' TERM; sleep 60 & wait", &flags).run();
    let _ = ended(&dir, output, 11, 2).complains("it took too long");
    report(
        &dir,
        &[
            "`--max-iterations 4`",
            "- cut short after 1.0 s: 2 iterations;",
            "`--iteration-timeout`",
        ],
    );
    let dir = TestDir::new();
    let output = ralph(
        &dir,
        "trap 'exit 0' TERM; sleep 60 & wait",
        &["--no-check", "--time", "1s"],
    )
    .run();
    let _ = ended(&dir, output, 12, 1).complains("time used up");
    report(&dir, &["- the time is used up", "`--time`"]);
}

#[test]
#[ignore = "needs podman: runs agents"]
fn a_life_after_one_that_was_cut_is_not_lost_sight_of() {
    let flags = [
        "--no-check",
        "--no-progress=0",
        "--iteration-timeout=1",
        "--max-iterations=5",
    ];
    // A busy service is late with what it does behind a life.
    let dirs = [
        TestDir::new(),
        TestDir::new(),
        TestDir::new(),
        TestDir::new(),
    ];
    let agent = "trap 'exit 0' TERM; sleep 60 & wait";
    let running: Vec<_> = dirs
        .iter()
        .map(|dir| ralph(dir, agent, &flags).spawn())
        .collect();
    for running in running {
        let output = running.finish().code(11);
        let cut = output.stderr().matches("it took too long").count();
        assert_eq!(cut, 5, "{output}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_in_the_background_is_watched_from_elsewhere() {
    let dir = TestDir::new();
    let agent = format!("sleep 0.3\n[ $n = 2 ] && {PROMISE}");
    let begun = ralph(&dir, &agent, &["--no-check", "-d", "--name", "nightly"]).run();
    let id = begun.success().line();
    let watched = dir.stockade(&["watch", "nightly"]).run().code(0);
    assert_eq!(
        watched.stdout(),
        "life 1\nlife 2\n<promise>COMPLETE</promise>\n"
    );
    // And again, when it is over.
    assert_eq!(
        dir.stockade(&["watch", &id]).run().code(0).stdout(),
        watched.stdout()
    );
    let listed = dir.stockade(&["runs"]).run().success().stdout();
    assert!(
        listed.contains(&id) && listed.contains("nightly") && listed.contains("2/50"),
        "{listed}"
    );
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().line(), id);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_interrupt_ends_the_agent_and_the_run() {
    let dir = TestDir::new();
    let agent = "trap 'echo minded; exit 1' TERM; echo ready; sleep 60 & wait";
    let running = ralph(&dir, agent, &["--no-check"]).spawn();
    running.expect("ready\n");
    running.signal(Signal::INT);
    let output = running.finish();
    let _ = ended(&dir, output, 130, 1).has("minded\n");
    // Its end can be told later, too.
    let _ = dir.stockade(&["watch"]).run().code(23).complains("stopped");
    report(
        &dir,
        &["**stopped**", "- another run goes on with what there is"],
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_viewer_that_is_ended_otherwise_ends_no_run() {
    let dir = TestDir::new();
    let running = ralph(
        &dir,
        &format!("echo ready; sleep 1\n{PROMISE}"),
        &["--no-check"],
    )
    .spawn();
    running.expect("ready\n");
    running.signal(Signal::TERM);
    let _ = running.finish().code(143);
    let output = dir.stockade(&["watch"]).run();
    let _ = ended(&dir, output, 0, 1);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_second_interrupt_kills_an_agent_that_does_not_mind() {
    let dir = TestDir::new();
    let running = ralph(
        &dir,
        "trap '' TERM; echo ready; sleep 60; sleep 60",
        &["--no-check"],
    )
    .spawn();
    running.expect("ready\n");
    running.signal(Signal::INT);
    let asked = record(&dir).join("stop");
    wait_until(|| asked.exists());
    running.signal(Signal::INT);
    let output = running.finish();
    let _ = ended(&dir, output, 130, 1);
}

/// Prints lines for about two seconds, each once in its life.
const TALKING: &str = "for i in 1 2 3 4 5 6 7 8; do echo $n.$i; sleep 0.25; done\n[ $n = 2 ] && echo '<promise>COMPLETE</promise>'";

#[track_caller]
fn assert_all_said_once(dir: &TestDir) {
    let mut expected = String::new();
    for life in 1..=2 {
        expected.push_str(&format!("life {life}\n"));
        (1..=8).for_each(|line| expected.push_str(&format!("{life}.{line}\n")));
    }
    expected.push_str("<promise>COMPLETE</promise>\n");
    let kept = fs::read_to_string(record(dir).join("output.log")).unwrap();
    assert_eq!(kept, expected);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_survives_its_client_and_its_supervisor() {
    let dir = TestDir::new();
    let running = ralph(&dir, TALKING, &["--no-check"]).spawn();
    running.expect("1.2\n");
    running.signal(Signal::KILL);
    let _ = running.finish();
    let id = dir.stockade(&["runs", "-q"]).run().success().line();
    // Somebody has it in hand.
    let _ = dir
        .stockade(&["resume"])
        .run()
        .code(1)
        .complains("in the hands of");
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let _ = dir
        .stockade(&["watch"])
        .run()
        .code(1)
        .complains("stockade resume");
    let output = dir.stockade(&["resume"]).run();
    let output = ended(&dir, output, 0, 2);
    assert_all_said_once(&dir);
    let _ = output.complains("taken up again");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_ends_while_nobody_looks_is_not_lost() {
    let dir = TestDir::new();
    let id = ralph(&dir, TALKING, &["--no-check", "-d"])
        .run()
        .success()
        .line();
    let watching = dir.stockade(&["watch"]).spawn();
    watching.expect("1.2\n");
    let _ = dir
        .shell(&format!("pkill -KILL -f 'supervise {id}'"))
        .run()
        .success();
    let _ = watching.finish().code(1);
    let waited = dir.stockade(&["wait", &format!("ralph-{id}")]).run();
    assert_eq!(waited.code(1).stdout(), "1\n", "the end of its first life");
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 0, 2);
    assert_all_said_once(&dir);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn time_after_its_end_is_none_of_an_agents() {
    let dir = TestDir::new();
    let agent = "until [ -e go ]; do sleep 0.1; done; echo '<promise>COMPLETE</promise>'";
    let limits = ["--time=12s", "--iteration-timeout=12s"];
    let flags = [&["--no-check", "-d"][..], &limits].concat();
    let id = ralph(&dir, agent, &flags).run().success().line();
    let begun = Instant::now();
    wait_until(|| lives(&dir) == 1);
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    dir.write("go", "");
    let waited = dir.stockade(&["wait", &format!("ralph-{id}")]).run();
    let _ = waited.success();
    wait_until(|| begun.elapsed() > Duration::from_secs(13));
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 0, 1);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_service_that_is_there_again_at_once_takes_no_word_along() {
    let relay = Relay::start();
    let dir = TestDir::new();
    let url = format!("unix://{}", relay.socket().display());
    let running = ralph(&dir, TALKING, &["--no-check", "--url", &url]).spawn();
    running.expect("1.3\n");
    relay.hang_up();
    let output = running.finish();
    let _ = ended(&dir, output, 0, 2);
    assert_all_said_once(&dir);
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn a_run_survives_the_service() {
    let service = Service::start();
    let dir = service.dir();
    let running = ralph(&dir, TALKING, &["--no-check"]).spawn();
    running.expect("1.3\n");
    service.kill();
    let journal = record(&dir).join("journal.jsonl");
    wait_until(|| {
        fs::read_to_string(&journal)
            .unwrap()
            .contains("waiting for it")
    });
    service.start_again();
    let output = running.finish();
    let _ = ended(&dir, output, 0, 2);
    assert_all_said_once(&dir);
}

#[test]
#[ignore = "needs podman: looks for an image"]
fn what_cannot_begin_leaves_nothing() {
    let dir = TestDir::new();
    let none = |output: Output, code, why: &str| {
        let _ = ended(&dir, output.code(code), code, 0).complains(why);
        let listed = dir.stockade(&["runs", "-q"]).run().success().stdout();
        assert_eq!(listed, "");
    };
    none(ralph(&dir, "", &["--prompt", " "]).run(), 2, "empty");
    none(ralph(&dir, "", &["-t"]).run(), 2, "--tty");
    none(
        ralph(&dir, "", &["--completion-promise", "a<b"]).run(),
        2,
        "promise",
    );
    none(
        ralph(
            &dir,
            "",
            &["--image", "localhost/no-such:image", "--pull", "never"],
        )
        .run(),
        30,
        "no-such",
    );
    let dry = ralph(&dir, "", &["--dry-run"])
        .run()
        .code(0)
        .has("io.stockade");
    none(dry, 0, "instruction");
    let unknown = dir.stockade(&["watch", "no-such-run"]).run();
    let _ = unknown.code(1).complains("there is no run");
}

/// An agent may have put a link in its place since.
#[test]
#[ignore = "needs podman: connects"]
fn a_prompt_file_in_the_workspace_is_no_link() {
    let dir = TestDir::new();
    let secret = dir.path().join("secret");
    fs::write(&secret, "not for agents").unwrap();
    std::os::unix::fs::symlink(&secret, dir.work().join("task.md")).unwrap();
    let first = [
        "ralph",
        "--image",
        dir.tiny(),
        "--prompt-file",
        "task.md",
        "--",
        "sh",
    ];
    let _ = dir.stockade(&first).run().code(30).complains("task.md");
    fs::remove_file(dir.work().join("task.md")).unwrap();
    dir.write(
        "task.md",
        "Work until it is done.\n<promise>COMPLETE</promise>\n",
    );
    dir.write("agent.sh", "cat");
    let flags = [
        "--completion-promise",
        "COMPLETE",
        "--max-iterations",
        "1",
        "--allow-unenforced-limits",
    ];
    let run = [&first[..5], &flags, &["--", "sh", "agent.sh"]].concat();
    let output = dir.stockade(&run).run().code(11);
    assert_eq!(
        output.stdout(),
        "Work until it is done.\n<promise>COMPLETE</promise>\n"
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_that_has_ended_stays_as_it_ended() {
    let dir = TestDir::new();
    let output = ralph(&dir, PROMISE, &["--no-check"]).run();
    let _ = ended(&dir, output, 0, 1);
    let journal = record(&dir).join("journal.jsonl");
    let before = fs::read(&journal).unwrap();
    let again = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, again, 0, 1).complains("claimed");
    assert_eq!(fs::read(&journal).unwrap(), before);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_that_cannot_be_read_hides_no_other() {
    let dir = TestDir::new();
    let damaged = ralph(&dir, "", &["-d", "--max-iterations", "1"]).run();
    let damaged = damaged.success().line();
    let _ = dir.stockade(&["wait", &damaged]).run().code(11);
    fs::write(record(&dir).join("journal.jsonl"), "nonsense\n").unwrap();
    let output = ralph(&dir, PROMISE, &["--no-check"]).run();
    let _ = output.code(0);
    let runs = dir.stockade(&["runs", "--no-trunc"]).run().success();
    let _ = runs.has("is damaged").has("claimed");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_name_that_was_a_runs_can_be_a_containers() {
    let dir = TestDir::new();
    let name = dir.name("again");
    let flags = ["--no-check", "--name", &name];
    let _ = ended(&dir, ralph(&dir, PROMISE, &flags).run(), 0, 1);
    let _ = dir.stockade(&["wait", &name]).run().code(0);
    let run = ["run", "-d", "--network", "none", "--name", &name];
    let command = ["sh", "-c", "echo of the container; exit 7"];
    let all = [&run[..], &[dir.tiny()], &command[..]].concat();
    let _ = dir.stockade(&all).run().success();
    let _ = dir.stockade(&["wait", &name]).run().code(7);
    let logs = dir.stockade(&["logs", &name]).run().success();
    assert_eq!(logs.stdout(), "of the container\n");
    let _ = dir.stockade(&["rm", &name]).run().success();
}
