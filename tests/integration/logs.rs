//! `stockade logs`: what a container wrote, then and later.

use rustix::process::Signal;

use crate::support::dir::TestDir;

#[test]
#[ignore = "needs podman: runs a container"]
fn both_streams_and_an_unfinished_line() {
    let dir = TestDir::new();
    let name = dir.background("both", &[], "seq 1 10; echo oops >&2; printf unfinished");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let logs = |flags: &[&str]| {
        let arguments = [&["logs"], flags, &[&name]].concat();
        dir.stockade(&arguments).run().success()
    };
    let numbers: String = (1..=10).map(|n| format!("{n}\n")).collect();
    let _ = logs(&[])
        .says(&format!("{numbers}unfinished"))
        .complains("oops\n");
    let _ = logs(&["--tail", "0"]).says("");
    let _ = logs(&["--since", "1h"]).has("10\n");
    let _ = logs(&["--since", "2001-01-01T00:00:00Z"]).has("10\n");
    let _ = logs(&["--until", "2001-01-01T00:00:00Z"]).says("");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn the_tail_is_so_many_lines() {
    let dir = TestDir::new();
    let name = dir.background("last", &[], "seq 1 10");
    let _ = dir.stockade(&["wait", &name]).run().success();
    for (count, text) in [("3", "8\n9\n10\n"), ("1", "10\n")] {
        let logs = dir.stockade(&["logs", "-n", count, &name]).run();
        let _ = logs.success().says(text);
    }
}

#[test]
#[ignore = "needs podman: runs a container"]
fn timestamps_stand_before_each_line() {
    let dir = TestDir::new();
    let name = dir.background("times", &[], "echo a; echo b");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let said = dir.stockade(&["logs", "-t", &name]).run().success();
    let text = said.stdout();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    for (line, word) in lines.iter().zip(["a", "b"]) {
        let (time, rest) = line.split_once(' ').expect("a time and the line");
        assert_eq!(rest, word, "{said}");
        assert!(time.starts_with("20") && time.contains('T'), "{said}");
    }
}

#[test]
#[ignore = "needs podman: runs a container"]
fn following_goes_on_to_the_end() {
    let dir = TestDir::new();
    let script = "echo first; until [ -e /tmp/go ]; do sleep 0.02; done; echo second";
    let name = dir.background("follow", &[], script);
    let following = dir.stockade(&["logs", "-f", &name]).spawn();
    following.expect("first\n");
    let _ = dir
        .stockade(&["exec", &name, "touch", "/tmp/go"])
        .run()
        .success();
    let _ = following.finish().success().says("first\nsecond\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn following_ends_with_an_interrupt_and_the_container_runs_on() {
    let dir = TestDir::new();
    let name = dir.background("interrupt", &[], "echo first; sleep 300");
    let following = dir.stockade(&["logs", "-f", &name]).spawn();
    following.expect("first\n");
    following.signal(Signal::INT);
    let _ = following.finish().code(130);
    let _ = dir.stockade(&["exec", &name, "true"]).run().success();
    // A silent one sends no head of its answer on 4.3: an interrupt ends that too.
    let silent = dir.background("silent", &[], "sleep 300");
    let following = dir.stockade(&["logs", "-f", &silent]).spawn();
    std::thread::sleep(std::time::Duration::from_millis(500));
    following.signal(Signal::INT);
    let _ = following.finish().code(130).says("");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn much_output_comes_whole() {
    let dir = TestDir::new();
    let name = dir.background("much", &["-t"], "seq 1 30000");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let said = dir.stockade(&["logs", &name]).run().success();
    // Of a terminal the lines end as terminals end them.
    let expected: String = (1..=30000).map(|n| format!("{n}\r\n")).collect();
    assert!(said.stdout() == expected, "{said}");
}
