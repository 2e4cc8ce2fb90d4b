//! What `RUN` reaches while building: never the host's loopback, unless that is asked for.

use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::{self, build, tiny};
use crate::support::listener::Listener;

/// Builds with a `RUN` that tries to reach the listener and tells which links it has.
fn try_out(dir: &TestDir, listener: &Listener, flags: &[&str]) -> Output {
    let port = listener.port;
    let script = format!(
        "for host in 127.0.0.1 localhost; do \
         if nc -w 2 $host {port} </dev/null; then echo REACHED; else echo unreachable; fi; done; \
         tail -n +3 /proc/net/dev | cut -d: -f1 | xargs echo links:"
    );
    dir.write("Containerfile", format!("FROM {}\nRUN {script}\n", tiny()));
    let output = build(dir, &[&["--no-cache"], flags, &["."]].concat()).success();
    dir.image(output.stdout().lines().last().expect("an id"));
    output
}

#[test]
#[ignore = "needs podman: builds"]
fn a_listener_on_the_hosts_loopback_is_out_of_reach() {
    let dir = TestDir::new();
    let listener = Listener::on("127.0.0.1");
    for flags in [&[][..], &["--network", "private"], &["--network", "none"]] {
        let output = try_out(&dir, &listener, flags);
        assert_eq!(
            output.stdout().matches("unreachable\n").count(),
            2,
            "{output}"
        );
        let _ = output.lacks("REACHED\n");
    }
    assert_eq!(listener.visits(), 0);

    // The listener can be reached: by who asks for it, and is told so.
    let output = try_out(&dir, &listener, &["--network", "host"]);
    let _ = output.has("REACHED\n").complains("--network host");
    assert!(listener.visits() > 0);
}

#[test]
#[ignore = "needs podman: builds"]
fn without_a_network_there_is_only_loopback() {
    let dir = TestDir::new();
    let listener = Listener::on("127.0.0.1");
    let _ = try_out(&dir, &listener, &["--network", "none"]).has("links: lo\n");
    let private = try_out(&dir, &listener, &[]).stdout();
    let links = private.lines().find(|line| line.starts_with("links: "));
    let links: Vec<_> = links.expect("a line").split_whitespace().collect();
    assert_eq!(links.len(), 3, "loopback and a way out: {links:?}");
}

#[test]
#[ignore = "needs podman: builds"]
fn a_proxy_of_the_host_does_not_come_in() {
    let dir = TestDir::new();
    dir.write(
        "Containerfile",
        format!("FROM {}\nRUN env | grep -i proxy; echo done\n", tiny()),
    );
    let _building = image::building();
    let build = dir.stockade(&["build", "--no-cache", "."]);
    let output = build.env("http_proxy", "http://user:pass@proxy:1").run();
    let output = output.success().has("done\n").lacks("user:pass");
    dir.image(output.stdout().lines().last().expect("an id"));
}
