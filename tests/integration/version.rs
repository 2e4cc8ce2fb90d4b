//! `stockade version`, and what is said without a service.

use crate::support::dir::TestDir;
use crate::support::stub::{Stub, Then};

#[test]
#[ignore = "needs podman: asks the service for its version"]
fn both_versions_are_said() {
    let dir = TestDir::new();
    let remote = dir
        .podman()
        .command(&["version", "--format", "{{.Server.Version}}"])
        .run()
        .success()
        .line();
    let said = dir.stockade(&["version"]).run().success();
    let ours = format!("Stockade:  {}\n", env!("CARGO_PKG_VERSION"));
    let said = said.has(&ours).has(&format!("Podman:    {remote}\n"));
    // sid and experimental may have moved on to what nobody has tested yet.
    if dir.podman().version().is_untested() {
        let _ = said.complains("newer than what");
    } else {
        let _ = said.does_not_complain("warning");
    }

    let json = dir.stockade(&["version", "--format", "json"]).run();
    let json = json.success().json();
    assert_eq!(json["Server"]["Version"], remote.as_str());
}

#[test]
#[ignore = "needs podman: uses the directory that the service shares"]
fn without_a_service_our_half_is_said_and_the_way_out() {
    let dir = TestDir::new();
    let _ = dir
        .stockade(&["version"])
        .env("CONTAINER_HOST", "unix:///nowhere/podman.sock")
        .run()
        .code(3)
        .has("Stockade:")
        .complains("/nowhere/podman.sock")
        .complains("systemctl --user enable --now podman.socket");
}

#[test]
#[ignore = "needs podman: uses the directory that the service shares"]
fn a_connection_of_another_kind_is_refused_by_name() {
    let dir = TestDir::new();
    for (url, kind) in [
        ("ssh://a@b/run/x.sock", "ssh"),
        ("tcp://127.0.0.1:1", "tcp"),
    ] {
        let _ = dir
            .stockade(&["--url", url, "ps"])
            .run()
            .code(2)
            .complains(kind)
            .complains("unix://");
    }
}

#[test]
fn a_release_that_nobody_has_tested_is_said_once_and_used() {
    let said = |release: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nLibpod-Api-Version: {release}\r\n");
        let stub = Stub::start(move |exchange| match exchange.what {
            "GET /_ping" => {
                exchange.raw(format!("{head}Content-Length: 2\r\n\r\nOK"));
                Some(Then::Keep)
            }
            "GET /containers/json" => Some(exchange.answer(200, "[]")),
            _ => None,
        });
        TestDir::on(&stub.socket()).stockade(&["ps"]).run()
    };
    let newer = said("99.0.0").success();
    assert_eq!(newer.stderr().matches("99.0.0").count(), 1, "{newer}");
    let _ = newer.complains("newer than what");
    let _ = said("5.4.2").success().does_not_complain("newer");
    let _ = said("4.2.1").code(3).complains("too old");
}
