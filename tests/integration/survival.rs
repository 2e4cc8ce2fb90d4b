//! The service ends at once while it works, and is started again on the same store: what is said
//! meanwhile, and what is known afterwards.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::capture::{Capture, PATIENCE};
use crate::support::command::{Output, Running};
use crate::support::gate::{Gate, Hold};
use crate::support::image;
use crate::support::private_service::Service;
use crate::support::pty::Pty;

/// The longest that a command may go on without its service.
const SOON: Duration = Duration::from_secs(20);

/// Ends the service under a command; what that then says, which must not take long.
#[track_caller]
fn killed_under(service: &Service, running: Running) -> Output {
    service.kill();
    let begun = Instant::now();
    let output = running.finish();
    assert!(begun.elapsed() < SOON, "{:?}\n{output}", begun.elapsed());
    output
}

/// Writes `line 1`, `line 2`, … until it is told to end.
const COUNTING: &str = "\
trap 'echo over; exit 7' TERM; echo ready; i=0
while :; do i=$((i+1)); echo line $i; sleep 0.02; done";

/// The log of [`COUNTING`] is whole, and each line is there once.
#[track_caller]
fn assert_whole(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let (first, rest) = lines.split_first().expect("a line");
    assert_eq!(*first, "ready");
    let count = rest.iter().filter(|line| line.starts_with("line ")).count();
    let expected: Vec<String> = (1..=count).map(|n| format!("line {n}")).collect();
    assert_eq!(&rest[..count], expected, "lost or doubled");
    assert_eq!(rest[count..], ["over"], "its last words");
}

/// Each with its exit code.
#[test]
#[ignore = "needs podman: ends a service of its own"]
fn whoever_waits_is_told_and_the_containers_run_on() {
    let service = Service::start();
    let dir = service.dir();
    let start = |arguments: &[&str]| dir.stockade(arguments).spawn();
    let (name, other) = (dir.name("run"), dir.name("other"));
    let run = ["run", "--network", "none", "--init=false", "--name"];
    let script = [image::NAME, "sh", "-c", COUNTING];
    let running = start(&[&run[..], &[&name], &script].concat());
    running.expect("line 10\n");
    let removing = start(&[&run[..], &[&other, "--rm"], &script].concat());
    removing.expect("line 10\n");
    let attached = start(&["attach", &name]);
    attached.expect("line ");
    let inside = start(&["exec", &name, "sh", "-c", "echo inside; sleep 300"]);
    inside.expect("inside\n");
    let watching = start(&["events", "--since", "1h"]);
    watching.expect(&name);
    let gate = Gate::on(service.podman(), Hold::Request("POST /containers/*/wait"));
    let waiting = start(&["--url", &gate.url(), "wait", &name]);
    gate.wait_held();
    gate.release();

    service.kill();
    let begun = Instant::now();
    let _ = removing.finish().code(125).complains("may still run");
    let shown = running.finish().code(125).complains("stockade attach");
    for waiting in [attached, inside, waiting] {
        let _ = waiting.finish().code(125).complains("error: ");
    }
    let _ = watching.finish().code(1).complains("went away");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());

    service.start_again();
    let _ = dir.stockade(&["ps"]).run().success().has(&name).has(&other);
    let joined = start(&["attach", &name]);
    joined.expect("line ");
    let _ = dir.stockade(&["stop", &name]).run().success();
    let _ = joined.finish().code(7).has("over\n");
    let log = dir.stockade(&["logs", &name]).run().success().stdout();
    assert_whole(&log);
    assert!(log.starts_with(&shown.stdout()), "{shown}\n{log}");
    let _ = dir.stockade(&["rm", &name]).run().success();
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &other])
        .run()
        .success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn both_terminals_are_given_back() {
    let service = Service::start();
    let dir = service.dir();
    let name = dir.name("terminal");
    let run = ["run", "-it", "--rm", "--network", "none", "--name", &name];
    let script = [image::NAME, "sh", "-c", "echo ready; exec cat"];
    let mut run = Pty::spawn(dir.stockade(&[&run[..], &script].concat()), 24, 80);
    run.expect("ready");
    let exec = ["exec", "-it", &name, "sh", "-c", "echo inside; exec cat"];
    let mut exec = Pty::spawn(dir.stockade(&exec), 24, 80);
    exec.expect("inside");
    run.wait_raw();
    exec.wait_raw();
    service.kill();
    for pty in [&mut run, &mut exec] {
        assert_eq!(pty.wait(), Some(125), "{}", pty.screen());
        pty.assert_given_back();
        pty.expect("error: ");
    }
    service.start_again();
    let mut again = Pty::spawn(dir.stockade(&["attach", &name]), 24, 80);
    again.wait_raw();
    again.type_keys(b"still here\r");
    again.expect("still here\r\nstill here");
    again.type_keys(b"\x04");
    assert_eq!(again.wait(), Some(0), "{}", again.screen());
    // Its `--rm` is kept by who saw it end.
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn a_stop_that_was_under_way_can_be_made_again() {
    let service = Service::start();
    let dir = service.dir();
    // Who reads the pipe is told of its writer's end.
    let pipe = dir.work().join("alive");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let name = dir.background(
        "stubborn",
        &["--init=false", "-v", ".:/workspace"],
        "trap '' TERM; exec 4> /workspace/alive; echo ready >&4; while :; do sleep 0.1; done",
    );
    let alive = Capture::start(File::open(&pipe).unwrap());
    assert!(alive.wait_for("ready").is_some());
    let stopping = dir.stockade(&["stop", "-t", "60", &name]).spawn();
    let state = [
        "container",
        "inspect",
        "--format",
        "{{.State.Status}}",
        &name,
    ];
    let deadline = Instant::now() + PATIENCE;
    while dir.podman().command(&state).run().success().line() != "stopping" {
        assert!(Instant::now() < deadline, "not stopping");
    }
    let _ = killed_under(&service, stopping)
        .code(1)
        .complains("went away");
    service.start_again();
    let _ = dir.stockade(&["ps", "-a"]).run().success().has(&name);
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &name])
        .run()
        .success();
    assert!(
        alive.wait_end(Instant::now() + SOON).is_some(),
        "what was removed runs on"
    );
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn a_build_and_a_pull_break_off_and_can_be_begun_again() {
    let service = Service::start();
    let dir = service.dir();
    let containerfile = |seconds: u32| {
        let from = image::NAME;
        let text = format!("FROM {from}\nRUN echo reached $((40+2)); sleep {seconds}\n");
        dir.write("Containerfile", text);
    };
    // Longer than anything is waited for: what a step says is seen while it is at work.
    containerfile(300);
    let building = dir.stockade(&["build", "-t", "built", "."]).spawn();
    building.expect("reached 42");
    // A registry that takes a connection and says nothing.
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let reference = format!("{}/x:y", registry.local_addr().unwrap());
    let pulling = dir.stockade(&["pull", &reference]).spawn();
    let _silent = registry.accept().unwrap();
    service.kill();
    let begun = Instant::now();
    for running in [building, pulling] {
        let _ = running.finish().code(1).complains("went away");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    service.start_again();
    let _ = dir.stockade(&["image", "exists", "built"]).run().code(1);
    containerfile(0);
    let again = dir.stockade(&["build", "-q", "-t", "built", "."]).run();
    let _ = again.success();
    let _ = dir.stockade(&["image", "exists", "built"]).run().success();
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn a_copy_breaks_off_in_both_directions() {
    let service = Service::start();
    let dir = service.dir();
    let script = "head -c 64000000 /dev/zero > /tmp/big; echo ready; sleep 300";
    let name = dir.background("copied", &[], script);
    dir.wait_for_log(&name, "ready");
    // Its reader stops after the first bytes, until it is told to go on.
    let line = format!(
        "exec 3<&0; {} cp {name}:/tmp/big - </dev/null | \
         {{ head -c 1000 | wc -c; read x <&3; cat >/dev/null; }}; echo ${{PIPESTATUS[0]}}",
        dir.program()
    );
    let out = dir.shell(&line).spawn();
    out.expect("1000\n");
    let gate = Gate::on(service.podman(), Hold::Request("PUT /containers/*/archive"));
    let into = ["--url", &gate.url(), "cp", "-", &format!("{name}:/tmp")];
    let mut into = dir.stockade(&into).spawn();
    let input = into.stdin.as_mut().unwrap();
    // A file of 1 MiB in a tar stream, and the beginning of it.
    input.write_all(&tar_header("half", 1 << 20)).unwrap();
    input.write_all(&[b'x'; 4096]).unwrap();
    gate.wait_held();
    gate.release();
    service.kill();
    let begun = Instant::now();
    let _ = into.finish().code(1).complains("error: ");
    let _ = out.finish().success().has("1000\n1\n").complains("error: ");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    service.start_again();
    let again = dir.stockade(&["cp", &format!("{name}:/tmp/big"), "big"]);
    let _ = again.run().success();
    assert_eq!(dir.work().join("big").metadata().unwrap().len(), 64_000_000);
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &name])
        .run()
        .success();
    dir.assert_nothing_left();
}

/// The header of a regular file (POSIX ustar).
fn tar_header(name: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, "0000644\x000000000\x000000000\0");
    put(124, &format!("{size:011o}\x0000000000000\0        0"));
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn logs_that_follow_break_off_and_the_log_is_whole_afterwards() {
    let service = Service::start();
    let dir = service.dir();
    let name = dir.background("followed", &["--init=false"], COUNTING);
    let following = dir.stockade(&["logs", "-f", &name]).spawn();
    following.expect("line 20\n");
    let _ = killed_under(&service, following)
        .code(1)
        .complains("went away");
    let _ = dir
        .stockade(&["ps"])
        .run()
        .code(3)
        .complains("podman.socket");
    service.start_again();
    let _ = dir.stockade(&["ps"]).run().success().has(&name);
    let again = dir.stockade(&["logs", "-f", &name]).spawn();
    again.expect("line 40\n");
    let _ = dir.stockade(&["stop", &name]).run().success();
    assert_whole(&again.finish().success().stdout());
    let _ = dir.stockade(&["wait", &name]).run().code(7).says("7\n");
    let _ = dir.stockade(&["rm", &name]).run().success();
    dir.assert_nothing_left();
}
