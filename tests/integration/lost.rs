//! A service that goes away: what is given back, what is said, what goes on.

use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::pty::Pty;
use crate::support::relay::Relay;
use crate::support::stub::{Stub, Then};

#[test]
#[ignore = "needs podman: runs a container"]
fn the_terminal_is_given_back_and_the_container_runs_on() {
    let dir = TestDir::new();
    let relay = Relay::start();
    let url = format!("unix://{}", relay.socket().display());
    let name = dir.name("lost");
    let arguments = ["--url", &url, "run", "-it", "--rm", "--network", "none"];
    let more = ["--name", &name, tiny(), "sh", "-c", "echo ready; exec cat"];
    let mut pty = Pty::spawn(dir.stockade(&[&arguments[..], &more].concat()), 24, 80);
    pty.expect("ready");
    pty.wait_raw();
    relay.cut();
    assert_eq!(pty.wait(), Some(125), "{}", pty.screen());
    pty.assert_given_back();
    pty.expect("attach");

    // It runs, and is ours: it can be joined and ended by another way.
    let mut again = Pty::spawn(dir.stockade(&["attach", &name]), 24, 80);
    again.wait_raw();
    again.type_keys(b"still here\r");
    again.expect("still here\r\nstill here");
    again.type_keys(b"\x04");
    assert_eq!(again.wait(), Some(0), "{}", again.screen());
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_container_that_could_not_be_made_or_prepared_for_a_moment_is_so_again() {
    const MOMENT: &str = "preparing container 1 for attach: crun: write to `/proc/sys/net/ipv4/ping_group_range` \
                          (are all the IDs mapped in the user namespace?): Invalid argument: OCI runtime error";
    // Podman 4.3 says so of about one in fifty that are made at once.
    const RACE: &str = "keep-id requires additional UIDs or GIDs defined in /etc/subuid and /etc/subgid to function \
                        correctly: %!w(<nil>)";
    let dir = TestDir::new();
    for (step, detach, moment, code) in [
        ("/attach", "", MOMENT, 126),
        ("/start", "", MOMENT, 126),
        ("/init", "-d", MOMENT, 126),
        ("/containers/create", "", RACE, 125),
    ] {
        let relay = Relay::failing_at(step, 2, moment);
        let url = format!("unix://{}", relay.socket().display());
        let flags = format!("--url {url} run --rm --network none {detach}");
        let words = flags.split_whitespace().chain([tiny(), "true"]);
        let _ = dir.stockade(&Vec::from_iter(words)).run().success();
        // What does not pass is said.
        let relay = Relay::failing_at(step, u32::MAX, moment);
        let other = format!("unix://{}", relay.socket().display());
        let flags = flags.replace(&url, &other);
        let words = flags.split_whitespace().chain([tiny(), "true"]);
        let output = dir.stockade(&Vec::from_iter(words)).run();
        let _ = output.code(code).complains(&moment[..30]);
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn without_a_terminal_it_is_said_as_well() {
    let dir = TestDir::new();
    let relay = Relay::start();
    let url = format!("unix://{}", relay.socket().display());
    let arguments = [
        "--url",
        &url,
        "run",
        "-i",
        "--rm",
        "--network",
        "none",
        tiny(),
    ];
    let running = dir
        .stockade(&[&arguments[..], &["sh", "-c", "echo ready; exec cat"]].concat())
        .spawn();
    running.expect("ready\n");
    relay.cut();
    let _ = running.finish().code(125).complains("may still run");
    assert_eq!(dir.containers().len(), 1);
}

#[test]
#[ignore = "needs podman: runs a container"]
fn logs_that_follow_end_with_an_error() {
    let dir = TestDir::new();
    let name = dir.background("followed", &[], "echo ready; sleep 300");
    let relay = Relay::start();
    let url = format!("unix://{}", relay.socket().display());
    let following = dir.stockade(&["--url", &url, "logs", "-f", &name]).spawn();
    following.expect("ready\n");
    relay.cut();
    let _ = following.finish().code(1).complains("error: ");
}

#[test]
fn an_upload_that_is_answered_early_is_no_broken_pipe() {
    let stub = Stub::start(|exchange| {
        (exchange.what == "POST /build").then(|| {
            exchange.answer(
                400,
                r#"{"cause":"bad","message":"no such platform","response":400}"#,
            );
            std::thread::sleep(std::time::Duration::from_millis(300));
            Then::Close
        })
    });
    let dir = TestDir::on(&stub.socket());
    dir.write("Containerfile", "FROM scratch\nCOPY big /\n");
    dir.write("big", vec![0; 16 << 20]);
    let _ = dir
        .stockade(&["build", "."])
        .run()
        .code(1)
        .complains("no such platform")
        .does_not_complain("roken pipe");
}

#[test]
fn what_changes_while_it_is_sent_breaks_the_request_off() {
    let stub = Stub::start(|exchange| {
        (exchange.what == "POST /build").then(|| {
            // Takes its time, so that the upload is still under way.
            std::thread::sleep(std::time::Duration::from_millis(500));
            let body = exchange.body();
            assert!(
                !body.ends_with(b"0\r\n\r\n"),
                "a part was taken for the whole"
            );
            Then::Close
        })
    });
    let dir = TestDir::on(&stub.socket());
    dir.write("Containerfile", "FROM scratch\nCOPY big /\n");
    dir.write("big", vec![0; 16 << 20]);
    let building = dir.stockade(&["build", "."]).spawn();
    stub.wait_for("POST /build");
    let big = std::fs::File::options()
        .write(true)
        .open(dir.work().join("big"));
    big.expect("ours").set_len(1 << 20).expect("shorter");
    let _ = building.finish().code(1).complains("big");
}

#[test]
fn a_run_that_cannot_be_prepared_removes_what_it_made() {
    let id = "d".repeat(64);
    let image = "e".repeat(64);
    let stub = Stub::start(move |exchange| match exchange.what {
        what if what.starts_with("GET /images/") => Some(exchange.answer(
            200,
            &format!(r#"{{"Id":"{image}","Config":{{"Env":null}},"Size":1}}"#),
        )),
        // Asked where the socket belongs to root.
        "GET /info" => {
            Some(exchange.answer(200, r#"{"host":{"security":{"rootless":true}},"store":{}}"#))
        }
        "POST /containers/create" => {
            exchange.body();
            Some(exchange.answer(201, &format!(r#"{{"Id":"{id}","Warnings":[]}}"#)))
        }
        what if what.ends_with("/attach") => Some(exchange.answer(
            500,
            r#"{"cause":"OCI runtime error","message":"preparing: no luck","response":500}"#,
        )),
        what if what.starts_with("DELETE /containers/") => Some(exchange.answer(200, "[]")),
        _ => None,
    });
    let dir = TestDir::on(&stub.socket());
    let _ = dir
        .stockade(&["run", "-e", "TOKEN=hunter2", "x", "true"])
        .run()
        .code(126)
        .complains("no luck")
        .does_not_complain("hunter2");
    assert_eq!(
        stub.count(&format!("DELETE /containers/{}", "d".repeat(64))),
        1
    );
    assert_eq!(stub.count("/wait"), 0, "5.x answers 0 for what never ran");
}
