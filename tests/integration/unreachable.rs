//! Sockets on which nobody answers, or not for long: how that ends, in what time, with which advice.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use stockade::libpod::ContainerFilter;

use crate::support::dir::TestDir;
use crate::support::image;
use crate::support::private_service::Service;
use crate::support::stub::{Stub, Then};

/// What asks the service for something, and the exit code when there is none.
const VERBS: [(&[&str], i32); 12] = [
    (&["ps"], 3),
    (&["logs", "x"], 3),
    (&["rm", "-f", "x", "y"], 3),
    (&["stop", "x"], 3),
    (&["images"], 3),
    (&["pull", "x"], 3),
    (&["events"], 3),
    (&["cp", "x:/a", "b"], 3),
    (&["run", "x"], 125),
    (&["exec", "x", "true"], 125),
    (&["attach", "x"], 125),
    (&["wait", "x"], 125),
];

/// The longest that a refused connection may take.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Every verb ends at once with its code and this advice.
#[track_caller]
fn assert_unreachable(dir: &TestDir, why: &str, advice: &str) {
    for (verb, code) in VERBS {
        let begun = Instant::now();
        let _ = dir
            .stockade(verb)
            .run()
            .code(code)
            .says("")
            .complains("error: ")
            .complains(why)
            .complains(advice);
        assert!(begun.elapsed() < AT_ONCE, "{verb:?}");
    }
}

#[test]
fn nobody_listens_in_whatever_way() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing.sock");
    let stale = place.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let file = place.path().join("file");
    fs::write(&file, "no socket").unwrap();
    let below = file.join("below.sock");
    let advice = "podman.socket`";
    assert_unreachable(&TestDir::on(&missing), "No such file", advice);
    assert_unreachable(&TestDir::on(&below), "Not a directory", advice);
    for path in [&stale, &file, &place.path().to_owned()] {
        assert_unreachable(&TestDir::on(path), "onnection refused", advice);
    }
}

#[test]
fn who_takes_a_connection_and_says_nothing_is_not_waited_for_long() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("silent.sock");
    // Connections are made by the kernel; nobody looks at them.
    let _listener = UnixListener::bind(&socket).unwrap();
    // The head of an answer, and never its body.
    let half = Stub::start(|exchange| {
        exchange.raw("HTTP/1.1 200 OK\r\nLibpod-Api-Version: 5.4.2\r\nContent-Length: 2\r\n\r\n");
        std::thread::sleep(Duration::from_secs(100));
        Some(Then::Close)
    });
    let begun = Instant::now();
    let dirs = [TestDir::on(&socket), TestDir::on(&half.socket())];
    let all: Vec<_> = dirs
        .iter()
        .flat_map(|dir| [("ps", 3), ("run", 125)].map(|(verb, code)| (dir, verb, code)))
        .map(|(dir, verb, code)| {
            (
                dir.stockade(&[verb, "x"][..if verb == "ps" { 1 } else { 2 }])
                    .spawn(),
                code,
            )
        })
        .collect();
    for (running, code) in all {
        let _ = running
            .finish()
            .code(code)
            .complains("error: ")
            .complains("restart podman.service`");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(45),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
#[ignore = "needs podman: a socket without permission, which root would not mind"]
fn a_socket_that_we_may_not_use() {
    let service = Service::start();
    let dir = service.dir();
    let socket = &service.podman().socket;
    fs::set_permissions(socket, Permissions::from_mode(0o000)).unwrap();
    assert_unreachable(
        &dir,
        "ermission denied",
        "only the user who owns the service",
    );
    fs::set_permissions(socket, Permissions::from_mode(0o600)).unwrap();
    let _ = dir.stockade(&["ps"]).run().success();
}

#[test]
#[ignore = "needs podman: takes a socket away from a service of its own"]
fn a_socket_that_is_removed_while_it_is_used() {
    let service = Service::start();
    let dir = service.dir();
    let name = dir.name("used");
    let first = ["run", "-i", "--rm", "--network", "none", "--name", &name];
    let script = [
        image::NAME,
        "sh",
        "-c",
        "echo ready; read x; echo $x; exit 5",
    ];
    let mut running = dir.stockade(&[&first[..], &script].concat()).spawn();
    running.expect("ready\n");
    fs::remove_file(&service.podman().socket).unwrap();
    let _ = dir
        .stockade(&["ps"])
        .run()
        .code(3)
        .complains("No such file");
    // What is attached stays attached, and how it ends is known.
    let input = running.stdin.as_mut().unwrap();
    std::io::Write::write_all(input, b"still here\n").unwrap();
    let begun = Instant::now();
    let ended = running.finish().code(5).has("still here\n");
    assert!(begun.elapsed() < AT_ONCE, "{ended}");
    service.kill();
    service.start_again();
    // It may be that it could not be removed without a new connection.
    if !dir.containers().is_empty() {
        let _ = ended.complains(&format!("stockade rm -f {name}"));
        let _ = dir.stockade(&["rm", "-f", &name]).run().success();
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: a service of its own that ends when it is idle"]
fn a_service_that_ends_when_idle_is_asked_again_when_it_is_back() {
    let service = Service::idle(1);
    let dir = service.dir();
    let name = dir.background("stays", &[], "echo ready; sleep 300");
    // Nobody is connected.
    service.wait_ended();
    let _ = dir
        .stockade(&["ps"])
        .run()
        .code(3)
        .complains("podman system service");
    service.start_again();
    let _ = dir.stockade(&["ps"]).run().success().has(&name);
    let _ = dir
        .stockade(&["logs", &name])
        .run()
        .success()
        .says("ready\n");
    // Who is attached is no idler, however quiet.
    let first = ["run", "--rm", "--network", "none", image::NAME];
    let quiet = ["sh", "-c", "sleep 4; echo woken; exit 6"];
    let _ = dir
        .stockade(&[&first[..], &quiet].concat())
        .run()
        .code(6)
        .says("woken\n");
    service.wait_ended();
    service.start_again();
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &name])
        .run()
        .success();
    dir.assert_nothing_left();
}

#[tokio::test]
#[ignore = "needs podman: a service of its own that ends when it is idle"]
async fn a_client_that_outlives_its_service_asks_the_next_one() {
    let service = Service::idle(1);
    let client = service.podman().client().await;
    let filter = ContainerFilter::new();
    for _ in 0..2 {
        assert!(
            client
                .list_containers(true, &filter)
                .await
                .unwrap()
                .is_empty()
        );
        // The connection that is kept for the next call does not keep the service.
        service.wait_ended();
        // As any program does that has something else to do meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let error = client.list_containers(true, &filter).await.unwrap_err();
        assert!(error.nobody_listens(), "{error}");
        service.start_again();
    }
    assert!(
        client
            .list_containers(true, &filter)
            .await
            .unwrap()
            .is_empty()
    );
}
