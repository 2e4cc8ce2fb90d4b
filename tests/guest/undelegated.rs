//! bob, to whom the guest does not delegate `cpu`: a limit that needs it stops a run before its
//! first instruction; everything else works.

use std::fs;
use std::process::Command;

use crate::gate;
use crate::support::command::{Output, PATH, TestCommand};
use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::podman::stockade_program;

/// A command of bob's, in his session.
fn as_bob(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("/usr/bin/sudo");
    command.args(["-u", "bob", "env", "-i", "-C", "/home/bob"]);
    command.args([
        "HOME=/home/bob",
        "XDG_RUNTIME_DIR=/run/user/1001",
        "LANG=C.UTF-8",
    ]);
    command.arg(format!("PATH={PATH}"));
    command
        .arg(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH);
    TestCommand::new(command).run()
}

fn stockade(arguments: &[&str]) -> Output {
    as_bob(&stockade_program().display().to_string(), arguments)
}

/// The tests' image, in bob's store too.
fn give_image(dir: &TestDir) {
    let archive = dir.path().join("image.tar").display().to_string();
    let save = dir
        .podman()
        .command(&["save", "--output", &archive, tiny()]);
    let _ = save.run().success();
    for path in [dir.path(), archive.as_ref()] {
        let mut mode = fs::metadata(path).expect("ours").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs::set_permissions(path, mode).expect("ours");
    }
    let load = ["--remote", "load", "--input", &archive];
    let _ = as_bob("podman", &load).success();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_limit_whose_controller_is_not_delegated_stops_the_run_before_its_first_instruction() {
    gate::in_a_guest();
    let dir = TestDir::new();
    give_image(&dir);
    let info = stockade(&["info", "--format", "json"]).success().json();
    assert_eq!(gate::missing(&info), ["cpu"], "the gate is shut for bob");

    let _ = as_bob("mkdir", &["-p", "/home/bob/ws"]).success();
    let volume = ["-v", "/home/bob/ws:/workspace:Z"];
    let first = ["run", "--rm", "--network", "none", "--memory", "64m"];
    let script = [
        tiny(),
        "sh",
        "-c",
        "echo yes > /workspace/ran; cat /workspace/ran",
    ];
    let limited = [&first[..], &["--cpus", "0.5"], &volume, &script].concat();
    let refused = stockade(&limited).code(125);
    let _ = refused
        .says("")
        .complains("`cpu`")
        .complains("/etc/systemd/system/user@.service.d/delegate.conf")
        .complains("Delegate=cpu cpuset io memory pids");
    let ralph = [
        "ralph",
        "--network=none",
        "--prompt=Work until it is done.",
        "--no-check",
        "--no-linger-check",
        "--cpus=0.5",
        "--image",
        tiny(),
    ];
    let ralph = [&ralph[..], &volume, &["--"], &script[1..]].concat();
    let refused = stockade(&ralph).code(30);
    let _ = refused.complains("`cpu`").complains("Delegate=cpu");
    let _ = stockade(&["runs", "-q"]).success().says("");
    let _ = as_bob("cat", &["/home/bob/ws/ran"]).code(1);
    let _ = stockade(&["ps", "-a", "-q"]).success().says("");

    // Without it, the others hold and he can work.
    let free = [&first[..], &volume, &script].concat();
    let _ = stockade(&free)
        .success()
        .says("yes\n")
        .does_not_complain("cpu");
}
