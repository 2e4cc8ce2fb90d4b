//! A clock that jumps while a container runs: no wait is cut short, none is for ever.

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::gate;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// Held for writing while the clock is wrong.
static CLOCK: RwLock<()> = RwLock::new(());

/// While this is held no test changes the clock.
pub(crate) fn steady() -> RwLockReadGuard<'static, ()> {
    CLOCK.read().unwrap_or_else(PoisonError::into_inner)
}

/// While this is held no other test needs the clock, or changes it.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    CLOCK.write().unwrap_or_else(PoisonError::into_inner)
}

/// The clock, put right again at the end, by one that does not jump.
struct Clock {
    start: Instant,
    then: Duration,
}

impl Clock {
    fn take() -> Self {
        gate::in_a_guest();
        Self {
            start: Instant::now(),
            then: since_epoch(),
        }
    }

    /// Puts the clock to so many seconds from the right time.
    fn set(&self, seconds: i64) {
        let now = (self.then + self.start.elapsed()).as_secs();
        let now = now.checked_add_signed(seconds).expect("a time");
        let status = Command::new("sudo")
            .args(["date", "--set", &format!("@{now}")])
            .status();
        assert!(status.expect("sudo runs").success());
        let off = since_epoch().as_secs().abs_diff(now);
        assert!(off < 30, "the clock was not set: {off} s");
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.set(0);
    }
}

pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_clock_that_jumps_changes_no_exit_code_and_stops_nobody() {
    gate::in_a_guest();
    let _alone = alone();
    let dir = TestDir::new();
    let clock = Clock::take();
    for (seconds, code) in [(7200, 7), (-7200, 8)] {
        clock.set(0);
        let name = dir.name(&format!("jump-{code}"));
        let script =
            format!("echo ready; until [ -e /workspace/{code} ]; do sleep 0.2; done; exit {code}");
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "--name",
            &name,
            "-v",
            ".:/workspace:Z",
        ];
        let running = dir
            .stockade(&[&run[..], &[tiny(), "sh", "-c", &script]].concat())
            .spawn();
        running.expect("ready\n");
        let waiting = dir.stockade(&["wait", &name]).spawn();
        let following = dir.stockade(&["logs", "-f", &name]).spawn();
        following.expect("ready\n");
        let before = Instant::now();
        clock.set(seconds);
        let _ = dir.stockade(&["ps"]).run().success().has(&name);
        let _ = dir
            .stockade(&["exec", &name, "echo", "inside"])
            .run()
            .success()
            .says("inside\n");
        dir.write(&code.to_string(), "");
        let _ = running.finish().code(code);
        let _ = waiting.finish().code(code);
        let _ = following.finish().success();
        eprintln!(
            "after a jump by {seconds} s: ended in {:?}",
            before.elapsed()
        );
        dir.assert_nothing_left();
    }
}
