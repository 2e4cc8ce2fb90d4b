//! Nights of a machine that sleeps, or must not: with the real logind, which lets only root keep a machine awake where
//! there is no polkit, as here.

use std::fs;
use std::time::Duration;

use super::{sudo, words};
use crate::clock;
use crate::gate;
use crate::support::capture::wait_until;
use crate::support::command::{Output, PATH};
use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::podman::stockade_program;

#[test]
#[ignore = "needs podman: puts the machine to sleep, run by tests/bench/vm.sh"]
fn sleep_that_comes_all_the_same_does_not_count() {
    gate::in_a_guest();
    let _alone = clock::alone();
    // Nobody has this one in hand while the machine sleeps.
    let left = TestDir::new();
    let agent = "touch ready; until [ -e woken ]; do sleep 0.2; done";
    let typed = words(&["-d", "--allow-sleep", "--max-iterations=1"], agent);
    let since = clock::since_epoch();
    let id = left.stockade(&typed).run().success().line();
    wait_until(|| left.work().join("ready").exists());
    let killed = left.shell(&format!("pkill -KILL -f 'supervise {id}'"));
    let _ = killed.run().success();
    let dir = TestDir::new();
    // It has 90 s, and the machine sleeps for longer: to fall asleep and to wake takes a busy one its time.
    let flags = ["--iteration-timeout=90s", "--max-iterations=1"];
    let agent = "echo at work; until [ -e woken ]; do sleep 0.2; done";
    let running = dir.stockade(&words(&flags, agent)).spawn();
    running.expect("at work\n");
    let begun = clock::since_epoch();
    let _ = sudo(&["rtcwake", "--mode", "mem", "--seconds", "110"])
        .run()
        .success();
    let slept = clock::since_epoch() - begun;
    dir.write("woken", "");
    let output = running.finish().code(11);
    // What has woken it once wakes an emulated machine at once the next time: until it is brought up anew.
    assert!(slept > Duration::from_secs(100), "it woke after {slept:?}");
    let _ = output
        .complains("the machine slept meanwhile, for 2 min: not counted")
        .complains("iteration 1 ended after")
        .does_not_complain("took too long");
    let report = dir.stockade(&["report"]).run().success();
    let _ = report.has("the machine slept meanwhile");
    dir.assert_nothing_left();

    let _ = left.stockade(&["resume", "-d", &id]).run().success();
    left.write("woken", "");
    let _ = left.stockade(&["watch", &id]).run().code(11);
    let report = left.stockade(&["report", "--format=json"]).run().json();
    let took = report["report"]["iterations"][0]["took"]["secs"]
        .as_u64()
        .unwrap();
    let whole = clock::since_epoch() - since;
    let waking = whole.saturating_sub(Duration::from_secs(100));
    assert!(took <= waking.as_secs() + 5, "{took} of {whole:?}");
    left.assert_nothing_left();
}

/// A service of root's, as long as this lives.
struct Rootful;

const UNIT: &str = "stockade-guest-rootful";
const URL: &str = "unix:///run/stockade-guest.sock";

impl Rootful {
    fn start(dir: &TestDir) -> Self {
        gate::in_a_guest();
        let unit = format!("--unit={UNIT}");
        let service = ["podman", "system", "service", "--time=0", URL];
        let _ = sudo(&[&["systemd-run", "--quiet", &unit], &service[..]].concat())
            .run()
            .success();
        let rootful = Self;
        let archive = dir.path().join("image.tar").display().to_string();
        let save = ["save", "--output", &archive, tiny()];
        let _ = dir.podman().command(&save).run().success();
        let _ = sudo(&["podman", "load", "--input", &archive])
            .run()
            .success();
        let _ = sudo(&["mkdir", "-p", "/root/night"]).run().success();
        wait_until(|| fs::exists("/run/stockade-guest.sock").unwrap());
        rootful
    }

    fn stockade(&self, words: &[&str]) -> Output {
        let program = stockade_program().display().to_string();
        let path = format!("PATH={PATH}");
        let first = [
            "env",
            "-i",
            "-C",
            "/root/night",
            "HOME=/root",
            "LANG=C.UTF-8",
            &path,
            &program,
            "--url",
            URL,
        ];
        sudo(&[&first[..], words].concat()).run()
    }
}

impl Drop for Rootful {
    fn drop(&mut self) {
        let _ = sudo(&["systemctl", "stop", UNIT]).run();
    }
}

/// What keeps the machine awake, as logind has it.
fn inhibitors() -> String {
    let list = ["systemd-inhibit", "--list", "--no-pager", "--no-legend"];
    let all = sudo(&list).run().success().stdout();
    all.lines()
        .filter(|line| line.contains("stockade"))
        .collect()
}

#[test]
#[ignore = "needs podman: with logind, run by tests/bench/vm.sh"]
fn the_machine_stays_awake_as_long_as_a_run_is_at_work() {
    gate::in_a_guest();
    let _as_it_is = super::logout::logind();
    let dir = TestDir::new();
    // Whom logind does not let is told, and begins all the same.
    let id = dir.stockade(&words(&["-d"], "sleep 1000")).run().success();
    let _ = id.complains("this machine will not stay awake by itself (systemd-logind does not let us); the run survives logout: yes");
    assert_eq!(inhibitors(), "");
    let _ = dir.stockade(&["stop", "-t", "0"]).run();

    let rootful = Rootful::start(&dir);
    let allowed = rootful
        .stockade(&words(&["-d", "--allow-sleep"], "sleep 1000"))
        .success()
        .complains("this machine will not stay awake by itself (--allow-sleep)");
    assert_eq!(inhibitors(), "");
    let _ = rootful.stockade(&["stop", "-t", "0", &allowed.line()]);
    let id = rootful
        .stockade(&words(&["-d"], "sleep 1000"))
        .success()
        .complains("this machine will stay awake; the run survives logout: yes")
        .line();
    let held = inhibitors();
    assert!(held.contains("sleep:idle:handle-lid-switch"), "{held}");
    assert!(held.contains(&id) && held.contains("block"), "{held}");
    let _ = rootful.stockade(&["stop", "-t", "0", &id]);
    let _ = rootful.stockade(&["wait", &id]).code(23);
    // The supervisor ends after the verdict.
    wait_until(|| inhibitors().is_empty());
}
