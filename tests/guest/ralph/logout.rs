//! Nights of a user who logs out, with the real logind and real sessions.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{sudo, words};
use crate::gate;
use crate::support::capture::wait_until;
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::podman::stockade_program;

/// bob, who does not linger as long as this lives.
struct Unlingering;

const LINGER: &str = "/var/lib/systemd/linger/bob";

impl Unlingering {
    fn new() -> Self {
        gate::in_a_guest();
        let _ = sudo(&["rm", LINGER]).run().success();
        Self
    }
}

impl Drop for Unlingering {
    fn drop(&mut self) {
        let _ = sudo(&["touch", LINGER]).run();
    }
}

#[test]
#[ignore = "needs podman: with a user who does not linger, run by tests/bench/vm.sh"]
fn a_night_that_would_end_at_logout_is_not_begun() {
    gate::in_a_guest();
    let bob = |words: &[&str]| -> Output {
        let program = stockade_program().display().to_string();
        let first = [
            "-u",
            "bob",
            "env",
            "-i",
            "-C",
            "/home/bob/night",
            "HOME=/home/bob",
            "XDG_RUNTIME_DIR=/run/user/1001",
            "LANG=C.UTF-8",
            &program,
        ];
        sudo(&[&first[..], words].concat()).run()
    };
    let _ = sudo(&["-u", "bob", "mkdir", "-p", "/home/bob/night"])
        .run()
        .success();
    let unlingering = Unlingering::new();
    let _ = bob(&words(&["-d"], "true"))
        .code(30)
        .complains("the run would end when you log out")
        .complains("loginctl enable-linger bob");
    // In the foreground there is somebody to see it end: there it is the image that is missing.
    for flags in [&[][..], &["-d", "--no-linger-check"]] {
        let flags = [flags, &["--pull=never"]].concat();
        let _ = bob(&words(&flags, "true"))
            .code(30)
            .complains("image not known")
            .does_not_complain("log out");
    }
    drop(unlingering);
    let _ = bob(&words(&["-d", "--pull=never"], "true"))
        .code(30)
        .complains("image not known")
        .does_not_complain("log out");
}

/// Held by whoever needs logind as it is.
pub(super) fn logind() -> MutexGuard<'static, ()> {
    static LOGIND: Mutex<()> = Mutex::new(());
    LOGIND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A logind that ends what a session leaves, as long as this lives.
struct Killing {
    _alone: MutexGuard<'static, ()>,
}

impl Killing {
    fn new() -> Self {
        gate::in_a_guest();
        let killing = Self { _alone: logind() };
        let line = "mkdir -p /run/systemd/logind.conf.d && \
            printf '[Login]\\nKillUserProcesses=yes\\n' >/run/systemd/logind.conf.d/killing.conf && \
            systemctl restart systemd-logind";
        let _ = sudo(&["sh", "-c", line]).run().success();
        killing
    }
}

impl Drop for Killing {
    fn drop(&mut self) {
        let line = "rm /run/systemd/logind.conf.d/killing.conf; systemctl restart systemd-logind";
        let _ = sudo(&["sh", "-c", line]).run();
    }
}

/// `BEFORE... stockade ralph FLAG...` in a session of alice's.
fn in_session(dir: &TestDir, before: &str, flags: &[&str]) -> Output {
    let quoted = |word: &&str| format!("'{word}'");
    let typed: Vec<_> = words(flags, "sleep 1000").iter().map(quoted).collect();
    let line = format!("{before} {} {}", dir.program(), typed.join(" "));
    typed_in_session(dir, &line)
}

/// A line of shell in a session of alice's, which is over when it has ended.
fn typed_in_session(dir: &TestDir, line: &str) -> Output {
    let line = format!(
        "cd {} && export HOME={} XDG_STATE_HOME={} CONTAINER_HOST={} LANG=C.UTF-8 && {line}",
        dir.work().display(),
        dir.path().join("home").display(),
        dir.path().join("state").display(),
        dir.podman().url(),
    );
    sudo(&["su", "-l", "alice", "-c", &line]).run()
}

/// The states of alice's sessions.
fn sessions() -> String {
    let line = "for s in $(loginctl list-sessions --no-legend | awk '$3 == \"alice\" {print $1}'); do \
        loginctl show-session -p State --value $s; done";
    sudo(&["sh", "-c", line]).run().success().stdout()
}

/// Whether a run is in somebody's hands.
fn is_in_hand(dir: &TestDir, id: &str) -> bool {
    let found = dir.shell(&format!("pgrep -f 'supervise {id}'")).run();
    found.exit_code() == Some(0)
}

#[test]
#[ignore = "needs podman: with sessions that are ended, run by tests/bench/vm.sh"]
fn a_night_that_would_end_with_its_session_is_not_begun() {
    gate::in_a_guest();
    let (dir, ended) = (TestDir::new(), TestDir::new());
    let killing = Killing::new();
    let _ = in_session(&dir, "", &["-d"])
        .code(30)
        .complains("the run would end when you log out")
        .complains("`systemd-run --user --scope stockade ralph ...`")
        .does_not_complain("enable-linger");

    // It is as we say: outside of its session it goes on, in it is ended. That session ends later than the first.
    let outside = in_session(&dir, "systemd-run --quiet --user --scope", &["-d"])
        .success()
        .complains("the run survives logout: yes")
        .line();
    let in_it = in_session(&ended, "", &["-d", "--no-linger-check"])
        .success()
        .complains("the run survives logout: no")
        .line();
    wait_until(|| !is_in_hand(&ended, &in_it));
    assert!(is_in_hand(&dir, &outside));
    let end = |dir: &TestDir, id: &str| {
        let _ = dir.stockade(&["stop", "-t", "0", id]).run().success();
        let _ = dir.stockade(&["wait", id]).run().code(23);
        dir.assert_nothing_left();
    };
    end(&dir, &outside);
    // To take it up in such a session does not help for long, which is said.
    let again = format!("{} resume -d {in_it}", dir.program());
    let _ = typed_in_session(&ended, &again)
        .success()
        .complains("the run ends when you log out");
    wait_until(|| !is_in_hand(&ended, &in_it));
    drop(killing);

    let usual = in_session(&dir, "", &["-d"])
        .success()
        .complains("the run survives logout: yes")
        .line();
    // The session is closing for as long as something of it is at work.
    wait_until(|| sessions().contains("closing"));
    assert!(is_in_hand(&dir, &usual));
    end(&dir, &usual);
    // Whose supervisor was ended is there to be taken up.
    let _ = ended.stockade(&["resume", "-d", &in_it]).run().success();
    end(&ended, &in_it);
}
