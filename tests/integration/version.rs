//! `stockade version`, and what is said without a service.

use crate::support::dir::TestDir;

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
    let _ = said
        .has(&ours)
        .has(&format!("Podman:    {remote}\n"))
        .does_not_complain("warning");

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
