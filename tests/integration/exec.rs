//! `stockade exec`: streams, terminals and exit codes of further processes.

use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::noise;
use crate::support::pty::Pty;

/// `exec FLAGS NAME sh -c SCRIPT` without input.
fn exec(dir: &TestDir, flags: &[&str], name: &str, script: &str) -> Output {
    let last = [name, "sh", "-c", script];
    dir.stockade(&[&["exec"], flags, &last].concat()).run()
}

#[test]
#[ignore = "needs podman: runs a container"]
fn exit_codes_are_the_commands_own() {
    let dir = TestDir::new();
    let name = dir.background("codes", &[], "sleep 300");
    for code in [0, 7, 255] {
        let _ = exec(&dir, &[], &name, &format!("exit {code}")).code(code);
    }
    let _ = exec(&dir, &[], &name, "kill -KILL $$").code(137);
    let run = |command| dir.stockade(&["exec", &name, command]).run();
    let _ = run("/nope").code(127).complains("/nope");
    let _ = run("/etc/passwd").code(126);
    let _ = dir
        .stockade(&["exec", "no-such-container", "true"])
        .run()
        .code(125)
        .complains("no-such-container");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn streams_stay_apart_and_bytes_are_exact_both_ways() {
    let dir = TestDir::new();
    let name = dir.background("streams", &[], "sleep 300");
    let said = exec(&dir, &[], &name, "printf out; echo err >&2; exit 2").code(2);
    let _ = said.says("out").complains("err\n");
    let bytes = noise(3 << 20);
    let copied = dir
        .stockade(&["exec", "-i", &name, "cat"])
        .stdin(bytes.clone())
        .run()
        .success();
    assert!(
        copied.bytes == bytes,
        "{} bytes came back",
        copied.bytes.len()
    );
    // Half-closed: the sum comes after the end of the input.
    let _ = dir
        .stockade(&[
            "exec",
            "-i",
            &name,
            "sh",
            "-c",
            "wc -c; sleep 0.2; echo after",
        ])
        .stdin("12345")
        .run()
        .success()
        .says("5\nafter\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_tree_goes_out_through_a_pipe() {
    let dir = TestDir::new();
    let name = dir.background(
        "tree",
        &[],
        "mkdir -p /tmp/d/e; echo x > /tmp/d/e/f; sleep 300",
    );
    let program = dir.program();
    let line = format!(
        "until {program} exec {name} test -e /tmp/d/e/f; do sleep 0.1; done; \
         {program} exec -i {name} tar c -C /tmp d | tar x && cat d/e/f"
    );
    let _ = dir.shell(&line).run().success().says("x\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn user_directory_and_variables_are_as_asked() {
    let dir = TestDir::new();
    let name = dir.background("where", &["-e", "A=of-container"], "sleep 300");
    let script = "echo \"$A $B $HOME\"; pwd; id -u";
    let uid = rustix::process::geteuid().as_raw();
    let _ = exec(&dir, &["-e", "B=b"], &name, script)
        .success()
        .says(&format!("of-container b /home/agent\n/\n{uid}\n"));
    dir.write("vars", "B=from-file\n");
    let flags = [
        "--env-file",
        "vars",
        "-w",
        "/tmp",
        "-u",
        "0",
        "-e",
        "A=mine",
    ];
    let _ = exec(
        &dir,
        &flags,
        &name,
        "echo $A $B; pwd; id -u; grep CapEff /proc/self/status",
    )
    .success()
    .says("mine from-file\n/tmp\n0\nCapEff:\t0000000000000000\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_terminal_has_its_size_and_every_change() {
    let dir = TestDir::new();
    let name = dir.background("tty", &[], "sleep 300");
    // From 5.4 on the process may begin a moment before it has the size it was given. Without a
    // size `stty` says nothing, and is content.
    let script = "until s=$(stty size) && [ \"$s\" ]; do sleep 0.02; done; echo $s; \
        trap 'stty size' WINCH; echo $TERM armed; while :; do sleep 0.05; done";
    let command = dir.stockade(&["exec", "-it", &name, "sh", "-c", script]);
    let mut pty = Pty::spawn(command.env("TERM", "screen"), 33, 99);
    pty.expect("33 99");
    pty.expect("screen armed");
    pty.wait_raw();
    pty.resize(21, 71);
    pty.expect("21 71");
    pty.type_keys(b"\x03");
    assert_eq!(pty.wait(), Some(130), "{}", pty.screen());
    pty.assert_given_back();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_container_that_ends_ends_its_sessions_and_gives_the_terminal_back() {
    let dir = TestDir::new();
    let name = dir.background("ends", &[], "sleep 300");
    let mut pty = Pty::spawn(dir.stockade(&["exec", "-it", &name, "sh"]), 24, 80);
    pty.wait_raw();
    pty.type_keys(b"echo in-$((1+1))\r");
    pty.expect("in-2");
    let _ = dir.stockade(&["kill", &name]).run().success();
    let code = pty.wait();
    assert_ne!(code, Some(0), "{}", pty.screen());
    pty.assert_given_back();
    let _ = exec(&dir, &[], &name, "true").code(125);
}

#[test]
#[ignore = "needs podman: runs a container"]
fn in_the_background_it_runs_on_alone() {
    let dir = TestDir::new();
    let name = dir.background("alone", &[], "sleep 300");
    let started = exec(&dir, &["-d"], &name, "sleep 0.2; echo done > /tmp/mark");
    let _ = started.success().line();
    let wait = "until grep -q done /tmp/mark; do sleep 0.05; done";
    let _ = exec(&dir, &[], &name, wait).success();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn privileged_is_refused_unless_it_is_called_what_it_is() {
    let dir = TestDir::new();
    let name = dir.background("caps", &[], "sleep 300");
    let _ = exec(&dir, &["--privileged"], &name, "true")
        .code(125)
        .complains("--not-a-sandbox");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_foreign_container_is_not_entered() {
    let dir = TestDir::new();
    let id = dir.foreign("entered", &[], "sleep 300");
    let _ = exec(&dir, &[], &id, "echo in").code(125).says("");
    let _ = exec(&dir, &["--unmanaged"], &id, "echo in")
        .success()
        .says("in\n");
}
