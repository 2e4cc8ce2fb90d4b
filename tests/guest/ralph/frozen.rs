//! Checkpoints while the agent works, where it can be paused: it stands still, and goes on whatever happens.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gate;
use crate::support::capture::wait_until;
use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};

/// Begins a run in the background; its id.
fn begun(dir: &TestDir, agent: &str, flags: &[&str]) -> String {
    let first = [
        "ralph",
        "-d",
        "--network=none",
        "--no-check",
        "--prompt=Work until it is done.",
        "--completion-promise=COMPLETE",
        "--checkpoint-every=1",
        "--image",
        dir.tiny(),
    ];
    let last = ["--", "sh", "-c", agent];
    let run = dir.stockade(&[&first, flags, &last].concat()).run();
    run.success().line()
}

fn record(dir: &TestDir, id: &str) -> PathBuf {
    dir.path().join("state/stockade/runs").join(id)
}

/// What the checkpoints were, that were taken while the agent worked.
fn meanwhile(dir: &TestDir, id: &str) -> Vec<String> {
    let text = fs::read_to_string(record(dir, id).join("journal.jsonl")).unwrap_or_default();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let during = events.filter_map(|event| Some(event.get("during")?.as_str()?.to_owned()));
    during.collect()
}

fn status(dir: &TestDir, id: &str) -> String {
    let listed = dir.stockade(&["ps", "-a", "--format", "json"]).run();
    let listed = listed.success().stdout();
    match listed.contains(id) {
        true if listed.to_lowercase().contains("\"paused\"") => "paused".to_owned(),
        true => "other".to_owned(),
        false => "none".to_owned(),
    }
}

fn kill_supervisor(dir: &TestDir, id: &str) {
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
}

/// Writes the same number into two files, one after the other.
const COUNTS: &str = "i=0; until [ -e go ]; do i=$((i+1)); echo $i >a; echo $i >b; done; \
    echo '<promise>COMPLETE</promise>'";

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn an_agent_stands_still_while_a_checkpoint_is_taken() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let id = begun(&dir, COUNTS, &[]);
    wait_until(|| meanwhile(&dir, &id).len() >= 3);
    dir.write("go", "");
    let _ = dir.stockade(&["watch", &id]).run().code(0);
    let taken = meanwhile(&dir, &id);
    assert!(taken.iter().all(|during| during == "frozen"), "{taken:?}");
    let shown = dir.stockade(&["show", &id]).run().success();
    let _ = shown.has("while the agent worked:").lacks("not frozen");
    let number = |name: &str| -> u32 {
        let text = fs::read_to_string(dir.work().join(name)).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    };
    for to in 1..=3 {
        let to = to.to_string();
        let back = dir.stockade(&["rollback", "--to", &to, &id]).run();
        let _ = back.success();
        let (a, b) = (number("a"), number("b"));
        // Between emptying a file and writing it there is nothing in it.
        assert!(a == b || a == b + 1 || a == 0 || b == 0, "{a} {b}");
    }
    let _ = dir
        .stockade(&["check", "--check", "true", "--at", "1", &id])
        .run()
        .code(0);
    assert!(!record(&dir, &id).join("paused").exists());
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn an_agent_whose_supervisor_was_killed_while_it_was_paused_goes_on() {
    gate::in_a_guest();
    for hold in [
        Hold::Answer("POST /containers/*/pause"),
        Hold::Request("POST /containers/*/unpause"),
    ] {
        let dir = TestDir::new();
        let gate = Gate::start(hold);
        let id = begun(&dir, COUNTS, &["--url", &gate.url()]);
        gate.wait_held();
        assert_eq!(status(&dir, &id), "paused", "{hold:?}");
        kill_supervisor(&dir, &id);
        gate.discard();
        assert_eq!(status(&dir, &id), "paused", "{hold:?}");
        let _ = dir.stockade(&["resume", "-d", &id]).run().success();
        wait_until(|| status(&dir, &id) == "other");
        wait_until(|| meanwhile(&dir, &id).len() >= 2);
        dir.write("go", "");
        let _ = dir.stockade(&["watch", &id]).run().code(0);
        dir.assert_nothing_left();
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn a_run_whose_agent_is_paused_is_stopped_and_timed_out() {
    gate::in_a_guest();
    for (flags, code) in [(&[][..], 23), (&["--time", "30s"][..], 12)] {
        let dir = TestDir::new();
        let gate = Gate::start(Hold::Request("POST /containers/*/unpause"));
        let url = gate.url();
        let id = begun(&dir, COUNTS, &[&["--url", url.as_str()], flags].concat());
        let since = Instant::now();
        gate.wait_held();
        let stopping = match code {
            23 => Some(dir.stockade(&["stop", &id]).spawn()),
            _ => None,
        };
        match &stopping {
            Some(_) => wait_until(|| record(&dir, &id).join("stop").exists()),
            None => wait_until(|| since.elapsed() > Duration::from_secs(31)),
        }
        assert_eq!(status(&dir, &id), "paused");
        gate.release();
        let _ = dir.stockade(&["watch", &id]).run().code(code);
        if let Some(stopping) = stopping {
            let _ = stopping.finish().success();
        }
        dir.assert_nothing_left();
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn an_agent_that_the_person_has_paused_stays_so() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let id = begun(&dir, COUNTS, &[]);
    let name = format!("ralph-{id}");
    wait_until(|| !meanwhile(&dir, &id).is_empty());
    let paused = || dir.stockade(&["pause", &name]).run().exit_code() == Some(0);
    wait_until(paused);
    // One that was being taken may still be told; of those of every second none.
    let none_comes = || {
        let before = meanwhile(&dir, &id).len();
        std::thread::sleep(Duration::from_secs(5));
        meanwhile(&dir, &id).len() == before
    };
    assert!(none_comes() || none_comes());
    kill_supervisor(&dir, &id);
    let _ = dir.stockade(&["resume", "-d", &id]).run().success();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(status(&dir, &id), "paused");
    let _ = dir.stockade(&["unpause", &name]).run().success();
    dir.write("go", "");
    let _ = dir.stockade(&["watch", &id]).run().code(0);
    // What it said after its pause was heard.
    let journal = record(&dir, &id).join("journal.jsonl");
    let journal = fs::read_to_string(journal).expect("the journal");
    assert_eq!(
        journal.matches("\"event\":\"iteration\"").count(),
        1,
        "{journal}"
    );
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn an_agent_that_the_person_has_paused_is_ended_all_the_same() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let id = begun(&dir, "sleep 1000", &["--checkpoint-every=0"]);
    let name = format!("ralph-{id}");
    wait_until(|| dir.stockade(&["pause", &name]).run().exit_code() == Some(0));
    let _ = dir.stockade(&["stop", &id]).run().success();
    let _ = dir.stockade(&["wait", &id]).run().code(23);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2, run by tests/bench/vm.sh"]
fn an_agent_that_the_person_has_paused_just_before_us_stays_so() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let gate = Gate::start(Hold::Request("POST /containers/*/pause"));
    let id = begun(&dir, COUNTS, &["--url", &gate.url()]);
    let name = format!("ralph-{id}");
    gate.wait_held();
    let _ = dir.stockade(&["pause", &name]).run().success();
    gate.release();
    wait_until(|| !record(&dir, &id).join("paused").exists());
    assert_eq!(status(&dir, &id), "paused");
    assert_eq!(meanwhile(&dir, &id), [""; 0]);
    // Afterwards there are some again, of an agent that stands still.
    let _ = dir.stockade(&["unpause", &name]).run().success();
    wait_until(|| !meanwhile(&dir, &id).is_empty());
    dir.write("go", "");
    let _ = dir.stockade(&["watch", &id]).run().code(0);
    let taken = meanwhile(&dir, &id);
    assert!(taken.iter().all(|during| during == "frozen"), "{taken:?}");
    dir.assert_nothing_left();
}
