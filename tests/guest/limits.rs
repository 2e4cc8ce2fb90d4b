//! Limits that are asked for, and what becomes of those who exceed them.

use crate::gate;

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn what_is_asked_for_stands_in_the_kernels_files() {
    gate::limits_hold();
}
