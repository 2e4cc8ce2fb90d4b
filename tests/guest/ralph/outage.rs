//! A service that goes away while an agent is at work, and what the kernel had said by then.

use std::os::unix::fs::symlink;

use serde_json::Value;

use super::words;
use crate::gate;
use crate::support::capture::wait_until;
use crate::support::dir::TestDir;
use crate::support::podman::Podman;
use crate::support::relay::Relay;

/// A child of it is killed for its memory, and it is refused processes. It ends when it may.
const AGENT: &str = "dd if=/dev/zero of=/dev/null bs=200M count=1; \
    (awk 'BEGIN { for (i = 0; i < 40; i++) system(\"sleep 3 2>/dev/null &\") }'); \
    touch strained; until [ -e go ]; do sleep 0.2; done; \
    echo '<promise>COMPLETE</promise>'";

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn what_was_seen_before_the_service_went_away_is_evidence() {
    gate::limits_hold();
    let dir = TestDir::new();
    let relay = Relay::start();
    let url = format!("unix://{}", relay.socket().display());
    let flags = [
        "-d",
        "--url",
        url.as_str(),
        "--memory=64m",
        "--pids-limit=20",
        "--min-free=0",
    ];
    let id = dir.stockade(&words(&flags, AGENT)).run();
    let id = id.success().line();
    wait_until(|| dir.work().join("strained").exists());
    relay.cut();
    dir.write("go", "");
    let status = || {
        let shown = dir.stockade(&["inspect", &format!("ralph-{id}")]).run();
        shown.success().json()[0]["State"]["Status"].clone()
    };
    wait_until(|| status() == "exited");
    symlink(&Podman::get().socket, relay.socket()).expect("its socket again");
    let _ = dir.stockade(&["watch", &id]).run().code(0);
    let report = dir.stockade(&["report", "--format", "json", &id]).run();
    let iteration = report.json()["report"]["iterations"][0].clone();
    assert_eq!(iteration["oom_killed"], true, "{iteration}");
    assert_eq!(iteration["forks_refused"], true, "{iteration}");
    // It was a child's end: the agent's own was none of that.
    assert_eq!(iteration["exit_code"], 0, "{iteration}");
    assert_ne!(iteration["used"]["cpu"], Value::Null, "{iteration}");
    dir.assert_nothing_left();
}
