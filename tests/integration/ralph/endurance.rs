//! What is looked at each minute. Run on the first service alone.

use std::time::{Duration, Instant};

use super::night::ralph;
use crate::support::capture::stretched;
use crate::support::dir::TestDir;

/// Two runs at once, which wait for much the same.
#[test]
#[ignore = "needs podman: runs agents"]
fn an_iteration_that_uses_up_a_disk_does_not_go_on_until_it_ends() {
    let begun = Instant::now();
    let (growing, filling) = (TestDir::new(), TestDir::new());
    // Not in the checkpoints: that would take most of the time.
    filling.write(".gitignore", "target/\n");
    let agent = |size: &str| format!("mkdir target; fallocate -l {size} target/data; sleep 600");
    let flags = ["--no-check", "--min-free=0", "--max-growth=8m"];
    let grown = ralph(&growing, &agent("16m"), &flags).spawn();

    // So much more than others free or take meanwhile.
    let disk = rustix::fs::statvfs(filling.path()).expect("its file system");
    let free = disk.f_bavail * disk.f_frsize;
    let least = format!("--min-free={}m", (free >> 20) - 1024);
    let flags = ["--no-check", "--max-growth=0", &least];
    let filled = ralph(&filling, &agent("4g"), &flags).run().code(22);
    let filled = filled
        .complains("iteration 1 ended")
        .complains("are free where");
    let _ = filled.complains("the disk is nearly full");

    let grown = grown.finish().code(22).complains("iteration 1 ended");
    let _ = grown.complains("the workspace has grown by 16 MiB, more than 8 MiB");
    assert!(begun.elapsed() < stretched(Duration::from_secs(120)));
    growing.assert_nothing_left();
    filling.assert_nothing_left();
}
