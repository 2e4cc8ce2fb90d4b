//! What needs cgroups v2: figures, pause and unpause.

use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::gate;
use crate::support::capture::{PATIENCE, stretched};
use crate::support::dir::TestDir;

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn figures_are_the_kernels_and_what_is_paused_stands_still() {
    gate::limits_hold();
    let dir = TestDir::new();
    let flags = ["--memory", "64m", "--pids-limit", "30"];
    let name = dir.background(
        "measured",
        &flags,
        "sleep 300 & sleep 300 & while :; do :; done",
    );
    let cgroup = Cgroup::of(&dir, &name);
    let usage = || cgroup.number("cpu.stat", "usage_usec ");
    let deadline = Instant::now() + stretched(PATIENCE);
    while usage() < 500_000 {
        assert!(Instant::now() < deadline, "it does not work");
        std::thread::sleep(Duration::from_millis(50));
    }

    let stats = dir.stockade(&["stats", "--no-stream", &name]).run();
    let _ = stats.success().has(&name).lacks("n/a");
    let json = dir.stockade(&["stats", "--no-stream", "--format", "json", &name]);
    let json = json.run().success().json();
    let figures = &json[0];
    eprintln!("stats: {figures}");
    // An init, a shell, two that sleep.
    assert_eq!(figures["pids"], cgroup.number("pids.current", ""));
    assert_eq!(figures["mem_limit"], 64 << 20);
    let memory = figures["mem_usage"].as_u64().expect("a figure");
    assert!((1..64 << 20).contains(&memory), "{memory}");

    let frozen = || cgroup.number("cgroup.events", "frozen ");
    assert_eq!(frozen(), 0);
    let _ = dir.stockade(&["pause", &name]).run().success();
    assert_eq!(frozen(), 1);
    let before = usage();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(usage(), before, "it stands still");
    let _ = dir.stockade(&["ps", "-a"]).run().success().has("aused");
    let _ = dir.stockade(&["unpause", &name]).run().success();
    assert_eq!(frozen(), 0);
    let deadline = Instant::now() + stretched(PATIENCE);
    while usage() == before {
        assert!(Instant::now() < deadline, "it does not go on");
        std::thread::sleep(Duration::from_millis(50));
    }
}
