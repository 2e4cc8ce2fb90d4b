//! The gate: no fork bomb and no hog is started unless this is a guest, its service has the
//! controllers, and a limit is seen to stand in the kernel's own files.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::support::dir::TestDir;

/// What the guests have, and no other machine.
const MARK: &str = "/etc/stockade-guest";

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Returns where limits hold.
///
/// # Panics
/// They do not: whoever asks must not go on.
#[track_caller]
pub(crate) fn limits_hold() {
    static HELD: OnceLock<()> = OnceLock::new();
    HELD.get_or_init(|| {
        in_a_guest();
        let dir = TestDir::new();
        let info = dir.stockade(&["info", "--format", "json"]).run();
        let missing = missing(&info.success().json());
        assert!(missing.is_empty(), "not delegated: {missing:?}");
        let limits = ["--memory", "64m", "--memory-swap", "96m", "--cpus", "0.5"];
        let flags = [&limits[..], &["--pids-limit", "20"]].concat();
        let name = dir.background("gate", &flags, "sleep 300");
        let cgroup = Cgroup::of(&dir, &name);
        assert_eq!(cgroup.read("memory.max"), (64 << 20).to_string());
        assert_eq!(cgroup.read("memory.swap.max"), (32 << 20).to_string());
        assert_eq!(cgroup.read("cpu.max"), "50000 100000");
        assert_eq!(cgroup.read("pids.max"), "20");
    });
}

/// Returns in a machine that is thrown away: elsewhere nobody changes the clock.
///
/// # Panics
/// This is another machine.
#[track_caller]
pub(crate) fn in_a_guest() {
    assert!(Path::new(MARK).exists(), "no {MARK}: not a guest of vm.sh");
}

/// The controllers that a service lacks for limits to hold.
pub(crate) fn missing(info: &Value) -> Vec<&'static str> {
    let delegated = info["host"]["cgroupControllers"].as_array();
    let has = |name: &str| delegated.is_some_and(|list| list.iter().any(|c| c == name));
    CONTROLLERS.into_iter().filter(|name| !has(name)).collect()
}

#[test]
fn a_service_that_says_nothing_of_controllers_has_none() {
    assert_eq!(missing(&Value::Null), CONTROLLERS);
    let info = serde_json::json!({"host": {"cgroupControllers": ["memory", "hugetlb"]}});
    assert_eq!(missing(&info), ["pids", "cpu"]);
}
