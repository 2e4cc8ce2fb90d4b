//! Signals, a client that is stopped or killed, and what is left of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::command::Running;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// Tells of each signal how often it came, until SIGTERM; then of all.
const COUNTING: &str = "\
hup=0 int=0 quit=0 usr1=0 usr2=0
trap 'hup=$((hup+1)); echo hup $hup' HUP; trap 'int=$((int+1)); echo int $int' INT
trap 'quit=$((quit+1)); echo quit $quit' QUIT
trap 'usr1=$((usr1+1)); echo usr1 $usr1' USR1; trap 'usr2=$((usr2+1)); echo usr2 $usr2' USR2
trap 'echo all: $hup $int $quit $usr1 $usr2; exit 33' TERM
echo ready
while :; do sleep 0.02; done";

/// Starts `run --network none FLAGS IMAGE sh -c SCRIPT`.
fn start(dir: &TestDir, flags: &[&str], script: &str) -> Running {
    let first = ["run", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    dir.stockade(&[&first, flags, &last].concat()).spawn()
}

#[test]
#[ignore = "needs podman: runs a container"]
fn each_signal_reaches_the_container_once() {
    let dir = TestDir::new();
    let running = start(&dir, &["--rm", "--init=false"], COUNTING);
    running.expect("ready\n");
    // One after the other has come: of several that wait, any may be the first.
    for (signal, told) in [
        (Signal::HUP, "hup 1\n"),
        (Signal::INT, "int 1\n"),
        (Signal::QUIT, "quit 1\n"),
        (Signal::USR1, "usr1 1\n"),
        (Signal::USR2, "usr2 1\n"),
        (Signal::USR1, "usr1 2\n"),
    ] {
        running.signal(signal);
        running.expect(told);
    }
    // A second one of any would be on its way.
    sleep(Duration::from_millis(500));
    running.signal(Signal::TERM);
    let _ = running.finish().code(33).has("\nall: 1 1 1 2 1\n");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn without_the_proxy_a_signal_ends_the_client() {
    let dir = TestDir::new();
    let running = start(&dir, &["--rm", "--sig-proxy=false"], COUNTING);
    running.expect("ready\n");
    running.signal(Signal::INT);
    let ended = running.finish();
    assert_eq!(ended.exit_code(), Some(130), "{ended}");
    let _ = ended.lacks("int");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_interrupt_before_the_start_leaves_nothing() {
    let dir = TestDir::new();
    tiny();
    for wait in [0, 2, 5, 10, 20, 30, 40, 60] {
        let mut running = start(&dir, &["--rm", "-i"], "cat");
        sleep(Duration::from_millis(wait));
        running.signal(Signal::INT);
        // It began, perhaps, and was interrupted; or it never did. In any case it ends.
        running.stdin = None;
        let ended = running.finish();
        let code = ended.exit_code();
        // Before signals are caught the signal itself ends it.
        assert!(matches!(code, None | Some(0 | 130)), "{wait} ms: {ended}");
        let left = dir.containers();
        assert!(left.is_empty(), "{wait} ms: {left:?}\n{ended}");
    }
}

#[test]
#[ignore = "needs podman: runs a container"]
fn what_a_killed_client_leaves_is_known_and_removable() {
    let dir = TestDir::new();
    tiny();
    for wait in [1, 5, 10, 20, 40, 60, 90, 150, 300] {
        let running = start(&dir, &["--rm"], "sleep 300");
        sleep(Duration::from_millis(wait));
        running.signal(Signal::KILL);
        let ended = running.finish();
        assert_eq!(ended.exit_code(), None, "{ended}");
    }
    // What was under way on the service comes to its end: no more are added after a while.
    let mut left = dir.containers();
    loop {
        sleep(Duration::from_millis(500));
        let now = dir.containers();
        if now == left {
            break;
        }
        left = now;
    }
    let all = dir
        .podman()
        .command(&["ps", "-a", "-q", "--no-trunc"])
        .run();
    let all = all.success().stdout();
    for id in &left {
        assert!(all.contains(id.as_str()));
        let _ = dir.stockade(&["rm", "-f", "-t", "0", id]).run().success();
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_stopped_client_loses_nothing() {
    let dir = TestDir::new();
    let script =
        "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo line $i; sleep 0.002; done; exit 6";
    let running = start(&dir, &["--rm"], script);
    running.expect("line 20\n");
    for _ in 0..3 {
        running.signal(Signal::TSTP);
        let state = wait_state(&running, 'T');
        assert_eq!(state, 'T', "SIGTSTP stops it");
        sleep(Duration::from_millis(300));
        running.signal(Signal::CONT);
        sleep(Duration::from_millis(50));
    }
    let expected: String = (1..=1500).map(|n| format!("line {n}\n")).collect();
    let _ = running.finish().code(6).says(&expected);
    dir.assert_nothing_left();
}

/// Waits until the process is in a state, as /proc has it; the last state seen.
fn wait_state(running: &Running, wanted: char) -> char {
    let stat = format!("/proc/{}/stat", running.pid().as_raw_nonzero());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(&stat).unwrap_or_default();
        let (_, rest) = text.rsplit_once(") ").unwrap_or_default();
        let state = rest.chars().next().unwrap_or('?');
        if state == wanted || Instant::now() > deadline {
            return state;
        }
        sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "needs podman: runs a container"]
fn three_interrupts_end_what_does_not_mind_one() {
    let dir = TestDir::new();
    let script = "trap '' INT; echo ready; while :; do sleep 0.05; done";
    let running = start(&dir, &["--rm", "--init=false"], script);
    running.expect("ready\n");
    for _ in 0..3 {
        running.signal(Signal::INT);
        sleep(Duration::from_millis(200));
    }
    let ended = running.finish();
    assert_eq!(ended.exit_code(), Some(130), "{ended}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_reader_that_goes_away_ends_the_run_and_removes_the_container() {
    let dir = TestDir::new();
    let line = format!(
        "{} run --rm --network none {} sh -c 'while :; do echo y; sleep 0.01; done' | head -n 3; \
         echo ${{PIPESTATUS[0]}}",
        dir.program(),
        tiny()
    );
    let said = dir.shell(&line).run().success();
    let _ = said.says("y\ny\ny\n141\n");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs fifty containers"]
fn fifty_at_once_each_with_its_own_output_and_code() {
    let dir = TestDir::new();
    tiny();
    let runs: Vec<_> = (0..50)
        .map(|n| {
            let script = format!("seq {n} $(({n} + 2000)); echo err {n} >&2; exit {n}");
            start(&dir, &["--rm"], &script)
        })
        .collect();
    for (n, running) in runs.into_iter().enumerate() {
        let expected: String = (n..=n + 2000).map(|n| format!("{n}\n")).collect();
        let ended = running.finish().code(i32::try_from(n).expect("small"));
        assert!(ended.stdout() == expected, "{ended}");
        let errors = ended.stderr();
        assert!(
            errors.lines().any(|line| line == format!("err {n}")),
            "{ended}"
        );
        assert_eq!(errors.matches("err ").count(), 1, "{ended}");
    }
    dir.assert_nothing_left();
}
