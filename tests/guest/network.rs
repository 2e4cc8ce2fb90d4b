//! What a container and a build reach: never what listens on the guest's loopback alone.

use crate::gate;
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::{build, tiny};
use crate::support::listener::Listener;

/// A shell line that tries every way to the guest that a container may have: the addresses that
/// slirp4netns and pasta give the host, the gateway, names.
fn try_all(listeners: [&Listener; 2]) -> String {
    let [private, open] = listeners.map(|listener| listener.port);
    format!(
        "g=$(ip route 2>/dev/null | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'); \
         for host in 127.0.0.1 localhost 10.0.2.2 169.254.1.1 169.254.1.2 192.168.76.15 $g \
         host.containers.internal; do for port in {private} {open}; do \
         nc -w 2 $host $port </dev/null 2>/dev/null && echo $host:$port reached; done; done; \
         ls /sys/class/net | tr '\\n' ' '; echo end"
    )
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn the_guests_loopback_is_out_of_reach_and_without_a_network_everything_is() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let (private, open) = (Listener::on("127.0.0.1"), Listener::on("0.0.0.0"));
    let script = try_all([&private, &open]);
    let run = |flags: &[&str]| {
        let last = [tiny(), "sh", "-c", &script];
        let run = [&["run", "--rm"], flags, &last].concat();
        dir.stockade(&run).run().success()
    };
    let none = run(&["--network", "none"]);
    let _ = none.lacks("reached").has("lo end\n");
    assert_eq!((private.visits(), open.visits()), (0, 0));

    // By default there is a way out, and names; not to what listens on the loopback alone.
    let default = run(&[]);
    let _ = default
        .has(&format!("host.containers.internal:{} reached", open.port))
        .lacks(&format!(":{} reached", private.port));
    assert_eq!(private.visits(), 0);
    assert!(open.visits() > 0);

    // Who shares the guest's network reaches both.
    let shared = run(&["--network", "host"]);
    let _ = shared
        .has(&format!("127.0.0.1:{} reached", private.port))
        .has(&format!("127.0.0.1:{} reached", open.port));
    assert!(private.visits() > 0);
}

/// A build, once more if its network did not come up: on a guest that gets little of its processors Podman 4.3
/// loses the slirp4netns of a step now and then, and runs nothing of it.
fn built(dir: &TestDir, arguments: &[&str]) -> Output {
    let mut attempts = 1;
    loop {
        let output = build(dir, arguments);
        if attempts == 3 || !output.stderr().contains("slirp4netns failed") {
            return output.success();
        }
        attempts += 1;
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_step_of_a_build_reaches_nothing_on_the_guests_loopback() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let (private, open) = (Listener::on("127.0.0.1"), Listener::on("0.0.0.0"));
    let script = try_all([&private, &open]);
    dir.write("Containerfile", format!("FROM {}\nRUN {script}\n", tiny()));
    let run = |flags: &[&str]| {
        let built = built(&dir, &[&["--no-cache"], flags, &["."]].concat());
        dir.image(built.stdout().lines().last().expect("an id"));
        built
    };
    let reached = format!(":{} reached", private.port);
    let built = run(&[]).has(" end\n");
    if dir.podman().is_at_least(5, 0) {
        let _ = built.lacks(&reached).does_not_complain("10.0.2.2");
        assert_eq!(private.visits(), 0);
    } else {
        // Its slirp4netns lets a build through to the loopback, which cannot be asked of it otherwise.
        let _ = built
            .has(&format!("10.0.2.2{reached}"))
            .complains("10.0.2.2")
            .complains("--network none");
        let _ = run(&["--network", "none"])
            .lacks(&reached)
            .does_not_complain("10.0.2.2");
    }
    let _ = run(&["--network", "host"]).has(&reached);
    assert!(private.visits() > 0);
}
