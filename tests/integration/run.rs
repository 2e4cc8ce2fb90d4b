//! `stockade run`: exit codes, streams, what is left.

use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::noise;

/// `run --rm --network none` of a shell line.
fn shell(dir: &TestDir, script: &str) -> crate::support::command::Output {
    dir.stockade(&[
        "run",
        "--rm",
        "--network",
        "none",
        tiny(),
        "sh",
        "-c",
        script,
    ])
    .run()
}

#[test]
#[ignore = "needs podman: runs containers"]
fn exit_codes_are_the_containers_own() {
    let dir = TestDir::new();
    for code in [0, 1, 7, 125, 255] {
        let _ = shell(&dir, &format!("exit {code}")).code(code);
    }
    let _ = shell(&dir, "kill -KILL $$").code(137);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn what_cannot_run_ends_as_with_podman() {
    let dir = TestDir::new();
    let run = |arguments: &[&str]| {
        let first = ["run", "--rm", "--network", "none"];
        dir.stockade(&[&first, arguments].concat()).run()
    };
    let missing = "localhost/no-such-image:1";
    let _ = run(&["--pull", "never", missing, "true"])
        .code(125)
        .complains(missing);
    let _ = run(&["--memory", "many", tiny(), "true"]).code(125);
    for init in ["--init", "--init=false"] {
        // Several times: an init's complaint comes in pieces of any size.
        for _ in 0..3 {
            let _ = run(&[init, tiny(), "/nope"]).code(127);
        }
        let _ = run(&[init, tiny(), "/etc/passwd"]).code(126);
        let _ = run(&[init, tiny(), "/tmp"]).code(126);
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn both_streams_stay_apart() {
    let dir = TestDir::new();
    let said = shell(&dir, "echo out; echo err >&2; printf tail").success();
    let said = said.says("out\ntail").complains("err\n");
    assert!(!said.stderr().contains("out"), "{said}");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn three_mebibytes_go_in_and_come_out_byte_for_byte() {
    let dir = TestDir::new();
    let bytes = noise(3 << 20);
    let copied = dir
        .stockade(&["run", "--rm", "-i", "--network", "none", tiny(), "cat"])
        .stdin(bytes.clone())
        .run()
        .success();
    assert!(
        copied.bytes == bytes,
        "{} bytes came back",
        copied.bytes.len()
    );
    // Nothing of a closed input reaches a container without -i.
    let _ = dir
        .stockade(&["run", "--rm", "--network", "none", tiny(), "wc", "-c"])
        .stdin(bytes)
        .run()
        .success()
        .says("0\n");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn output_goes_on_after_the_input_has_ended() {
    let dir = TestDir::new();
    let script = "cat | wc -c; sleep 0.3; echo after; exit 5";
    let _ = dir
        .stockade(&[
            "run",
            "--rm",
            "-i",
            "--network",
            "none",
            tiny(),
            "sh",
            "-c",
            script,
        ])
        .stdin("hello")
        .run()
        .code(5)
        .says("5\nafter\n");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn a_process_that_reads_nothing_loses_no_output() {
    let dir = TestDir::new();
    let script = "exec <&-; seq 1 20000; exit 3";
    let said = dir
        .stockade(&[
            "run",
            "--rm",
            "-i",
            "--network",
            "none",
            tiny(),
            "sh",
            "-c",
            script,
        ])
        .stdin(noise(1 << 20))
        .run()
        .code(3);
    let expected: String = (1..=20000).map(|n| format!("{n}\n")).collect();
    assert!(said.stdout() == expected, "{said}");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn without_rm_it_stays_and_with_a_name_in_use_nothing_is_made() {
    let dir = TestDir::new();
    let name = dir.name("kept");
    let run = |code| {
        let arguments = [
            "run",
            "--network",
            "none",
            "--name",
            &name,
            tiny(),
            "sh",
            "-c",
            "exit 4",
        ];
        dir.stockade(&arguments).run().code(code)
    };
    let _ = run(4);
    assert_eq!(dir.containers().len(), 1);
    let _ = run(125).complains("in use").complains("--name");
    assert_eq!(dir.containers().len(), 1);
    let _ = dir.stockade(&["rm", &name]).run().success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn the_id_file_names_the_container_and_is_never_overwritten() {
    let dir = TestDir::new();
    let run = || {
        dir.stockade(&[
            "run",
            "--network",
            "none",
            "--cidfile",
            "cid",
            tiny(),
            "true",
        ])
        .run()
    };
    let _ = run().success();
    let id = std::fs::read_to_string(dir.work().join("cid")).expect("written");
    assert_eq!(dir.containers(), [id]);
    let _ = run().code(125).complains("cid");
    assert_eq!(dir.containers().len(), 1);
}

#[test]
#[ignore = "needs podman: runs containers"]
fn in_the_background_only_the_id_goes_to_stdout() {
    let dir = TestDir::new();
    let name = dir.name("bg");
    let started = dir
        .stockade(&[
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            &name,
            tiny(),
            "sh",
            "-c",
        ])
        .args(["echo hello; exit 9"])
        .run()
        .success();
    assert_eq!(dir.containers(), [started.line()]);
    let _ = started.complains(&format!("stockade logs -f {name}"));
    let _ = dir.stockade(&["wait", &name]).run().code(9).says("9\n");
    let _ = dir
        .stockade(&["logs", &name])
        .run()
        .success()
        .says("hello\n");
}
