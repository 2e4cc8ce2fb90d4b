//! A client that is killed, told to end or hung up on at each step of `run`: what is left.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};
use crate::support::image::tiny;

/// The steps of a run, in their order.
const STEPS: [&str; 8] = [
    "GET /_ping",
    "GET /images/*/json",
    "POST /containers/create",
    "POST /containers/*/attach",
    "GET /containers/*/json",
    "POST /containers/*/wait",
    "POST /containers/*/start",
    "DELETE /containers/*",
];

/// Before and after each step. The answer to a wait comes at the end of the container, when the
/// client has asked once more and goes on without it.
fn points() -> impl Iterator<Item = Hold> {
    STEPS.into_iter().flat_map(|step| {
        let after = Some(Hold::Answer(step)).filter(|_| !step.ends_with("/wait"));
        [Some(Hold::Request(step)), after].into_iter().flatten()
    })
}

/// Starts `run --rm` up to a point, sends the client a signal there, and lets things go on.
/// The container's name.
fn interrupted(dir: &TestDir, number: usize, hold: Hold, signal: Signal) -> String {
    let gate = Gate::start(hold);
    let name = dir.name(&format!("{number}"));
    let removal =
        matches!(hold, Hold::Request(step) | Hold::Answer(step) if step.starts_with("DELETE"));
    let script = if removal { "exit 3" } else { "sleep 300" };
    let url = gate.url();
    let arguments = ["--url", &url, "run", "--rm", "--network", "none"];
    let more = ["--name", &name, tiny(), "sh", "-c", script];
    let mut running = dir.stockade(&[&arguments[..], &more].concat()).spawn();
    gate.wait_held();
    running.signal(signal);
    if signal == Signal::KILL {
        let ended = running.finish();
        assert_eq!(ended.exit_code(), None, "{hold:?}: {ended}");
        return name;
    }
    // What it waits for comes late, but it comes.
    if !running.ends_within(Duration::from_secs(1)) {
        gate.release();
    }
    let ended = running.finish();
    let by_signal = 128 + signal.as_raw();
    let code = ended.exit_code();
    assert!(
        code == Some(by_signal) || removal && code == Some(3),
        "{hold:?}: {ended}"
    );
    name
}

/// The containers of this name that there are, whoever made them.
fn all_of(dir: &TestDir, name: &str) -> Vec<String> {
    let filter = format!("name=^{name}$");
    let listed = dir
        .podman()
        .command(&["ps", "-a", "-q", "--no-trunc", "--filter", &filter])
        .run();
    let listed = listed.success().stdout();
    listed.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs podman: runs containers"]
fn killed_at_any_step_it_leaves_what_rm_knows() {
    let dir = TestDir::new();
    tiny();
    let mut left = Vec::new();
    for (number, hold) in points().enumerate() {
        let name = interrupted(&dir, number, hold, Signal::KILL);
        let all = all_of(&dir, &name);
        let ours = dir.containers();
        assert_eq!(all, ours, "{hold:?}");
        for id in all {
            let _ = dir
                .stockade(&["rm", "-f", "-t", "0", &name])
                .run()
                .success();
            assert_eq!(all_of(&dir, &name), [""; 0], "{hold:?}: {id}");
            left.push(hold);
        }
    }
    // Else the steps were not where they seemed to be.
    let expected: Vec<Hold> = points().skip(5).collect();
    let made = |hold: &Hold| !matches!(hold, Hold::Answer(step) if step.starts_with("DELETE"));
    let expected: Vec<Hold> = expected.into_iter().filter(made).collect();
    assert_eq!(left, expected);
}

#[test]
#[ignore = "needs podman: runs containers"]
fn told_to_end_at_any_step_it_leaves_nothing() {
    let dir = TestDir::new();
    tiny();
    for (number, hold) in points().enumerate() {
        let name = interrupted(&dir, number, hold, Signal::TERM);
        assert_eq!(all_of(&dir, &name), [""; 0], "{hold:?}");
    }
}

#[test]
#[ignore = "needs podman: runs containers"]
fn hung_up_on_at_any_step_it_leaves_nothing() {
    let dir = TestDir::new();
    tiny();
    for (number, hold) in points().enumerate() {
        let name = interrupted(&dir, number, hold, Signal::HUP);
        assert_eq!(all_of(&dir, &name), [""; 0], "{hold:?}");
    }
}

#[test]
#[ignore = "needs podman: runs containers"]
fn told_to_end_while_it_runs_it_leaves_nothing() {
    let dir = TestDir::new();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let name = dir.name("running");
        let arguments = ["run", "--rm", "--network", "none", "--name", &name];
        let script = ["sh", "-c", "echo ready; sleep 300"];
        let running = dir
            .stockade(&[&arguments[..], &[tiny()], &script].concat())
            .spawn();
        running.expect("ready\n");
        running.signal(signal);
        let _ = running.finish().code(128 + signal.as_raw());
        assert_eq!(all_of(&dir, &name), [""; 0], "{signal:?}");
    }
}
