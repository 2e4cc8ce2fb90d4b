//! What a container finds itself in: user, files, network, limits, and what of it is shown.

use std::os::unix::fs::MetadataExt as _;

use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// `run --rm --network none FLAGS IMAGE sh -c SCRIPT`
fn run(dir: &TestDir, flags: &[&str], script: &str) -> Output {
    let first = ["run", "--rm", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    dir.stockade(&[&first, flags, &last].concat()).run()
}

#[test]
#[ignore = "needs podman: runs a container"]
fn nothing_is_privileged_and_the_user_is_ours() {
    let dir = TestDir::new();
    let said = run(
        &dir,
        &[],
        "cat /proc/self/status; echo HOME=$HOME; touch $HOME/x && echo writable",
    );
    let said = said.success();
    let uid = rustix::process::geteuid().as_raw();
    let of = |key: &str| {
        let line = said.stdout().lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == key).then(|| value.trim().to_owned())
        });
        line.unwrap_or_else(|| panic!("no {key}\n{said}"))
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(of(set), "0000000000000000", "{set}");
    }
    assert_eq!(of("NoNewPrivs"), "1");
    assert_eq!(of("Seccomp"), "2");
    assert_eq!(of("Uid"), format!("{uid}\t{uid}\t{uid}\t{uid}"));
    let _ = said.has("HOME=/home/agent\n").has("writable\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn what_is_written_in_the_workspace_is_the_callers() {
    let dir = TestDir::new();
    dir.write("in.txt", "from outside");
    let volume = format!("{}:/workspace:Z", dir.work().display());
    let script = "cat in.txt; umask 022; mkdir sub; echo made > sub/out.txt; pwd";
    let _ = run(&dir, &["-v", &volume, "-w", "/workspace"], script)
        .success()
        .says("from outside/workspace\n");
    let made = dir.work().join("sub/out.txt");
    assert_eq!(std::fs::read_to_string(&made).expect("made"), "made\n");
    let owner = std::fs::metadata(&made).expect("made");
    assert_eq!(owner.uid(), rustix::process::geteuid().as_raw());
    assert_eq!(owner.gid(), rustix::process::getegid().as_raw());
    // A relative source is below the working directory, and read-only is read-only.
    let _ = run(
        &dir,
        &["-v", "./sub:/data:ro"],
        "cat /data/out.txt; touch /data/x",
    )
    .code(1)
    .says("made\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn without_a_network_there_is_only_loopback() {
    let dir = TestDir::new();
    let _ = run(&dir, &[], "ls /sys/class/net; cat /proc/net/route | wc -l")
        .success()
        .says("lo\n1\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn variables_come_from_flags_and_files_and_from_nowhere_else() {
    let dir = TestDir::new();
    dir.write(
        "vars",
        "# comment\nA=1\nB=two words\n\nFROM_HERE\nC=\"q\"\nNOT_HERE\n",
    );
    let flags = ["--env-file", "vars", "-e", "A=override", "-e", "D"];
    let script = "echo \"$A|$B|$FROM_HERE|$C|$D|${NOT_HERE-unset}|${SECRET_OF_HOST-unset}|${http_proxy-unset}\"";
    let first = ["run", "--rm", "--network", "none"];
    let said = dir
        .stockade(&[&first, &flags[..], &[tiny(), "sh", "-c", script]].concat())
        .env("FROM_HERE", "here")
        .env("D", "dee")
        .env("SECRET_OF_HOST", "x")
        .env("http_proxy", "http://user:pass@proxy")
        .run()
        .success();
    let _ = said
        .says("override|two words|here|\"q\"|dee|unset|unset|unset\n")
        // Quotes are part of the value, as with podman; that is said, the value is not.
        .complains("vars")
        .does_not_complain("\"q\"");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_env_file_in_the_workspace_cannot_be_read_inside() {
    let dir = TestDir::new();
    dir.write(".env", "TOKEN=very-secret-value\n");
    dir.write("other", "plain");
    let flags = ["--env-file", ".env", "-v", ".:/workspace:Z"];
    let script =
        "echo $TOKEN; cat /workspace/other; echo; cat /workspace/.env; wc -c < /workspace/.env";
    let said = run(&dir, &flags, script);
    let text = said.stdout();
    assert!(text.starts_with("very-secret-value\nplain\n"), "{said}");
    assert_eq!(text.matches("very-secret-value").count(), 1, "{said}");
    let _ = said.does_not_complain("very-secret-value");
    let kept = std::fs::read_to_string(dir.work().join(".env")).expect("still there");
    assert_eq!(kept, "TOKEN=very-secret-value\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn limits_that_are_not_in_force_are_refused() {
    let dir = TestDir::new();
    for flags in [
        &["--memory", "64m"][..],
        &["--cpus", "0.5"],
        &["--pids-limit", "50"],
    ] {
        // Nothing of the agent runs.
        dir.write("ran", "no");
        let volume = [flags, &["-v", ".:/workspace"]].concat();
        let refused = run(&dir, &volume, "echo yes > /workspace/ran").code(125);
        let _ = refused
            .complains(flags[0])
            .complains("--allow-unenforced-limits");
        let ran = std::fs::read_to_string(dir.work().join("ran")).expect("ours");
        assert_eq!(ran, "no", "{flags:?}");
        let allowed = [&volume[..], &["--allow-unenforced-limits"]].concat();
        let _ = run(&dir, &allowed, "echo ran")
            .success()
            .says("ran\n")
            .complains("warning: ")
            .complains(flags[0]);
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn privileged_is_refused_unless_it_is_called_what_it_is() {
    let dir = TestDir::new();
    let _ = run(&dir, &["--privileged"], "true")
        .code(125)
        .complains("--not-a-sandbox");
    dir.assert_nothing_left();
    let _ = run(&dir, &["--privileged", "--not-a-sandbox"], "true")
        .success()
        .complains("privileged");
}

#[test]
#[ignore = "needs podman: finds an image"]
fn a_dry_run_makes_nothing_and_shows_no_secret() {
    let dir = TestDir::new();
    dir.write("vars", "FILE_TOKEN=secret-of-file\n");
    let flags = [
        "--dry-run",
        "--env-file",
        "vars",
        "-e",
        "FLAG_TOKEN=secret-of-flag",
        "--rm",
    ];
    let more = [
        "--memory",
        "64m",
        "--network",
        "none",
        "-v",
        ".:/workspace:Z",
    ];
    let said = dir
        .stockade(&[&["run"], &flags[..], &more, &[tiny(), "echo", "hi"]].concat())
        .run()
        .success();
    let json = said.json();
    let create = &json["create"];
    assert_eq!(create["command"], serde_json::json!(["echo", "hi"]));
    assert_eq!(create["resource_limits"]["memory"]["limit"], 64 << 20);
    // Without its own limit swap would double the memory.
    assert_eq!(create["resource_limits"]["memory"]["swap"], 64 << 20);
    let _ = said
        .has("FILE_TOKEN")
        .has("FLAG_TOKEN")
        .lacks("secret-of")
        .does_not_complain("secret-of");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn what_no_sandbox_may_have_is_refused() {
    let dir = TestDir::new();
    let home = dir.path().join("home");
    std::fs::create_dir(home.join(".ssh")).expect("a directory");
    let socket = dir.podman().socket.clone();
    let state = dir.path().join("state/stockade");
    for path in [
        &home,
        &home.join(".ssh"),
        &socket,
        &state,
        std::path::Path::new("/"),
    ] {
        let volume = format!("{}:/workspace", path.display());
        let refused = run(&dir, &["-v", &volume], "true").code(125);
        let _ = refused.complains(&path.display().to_string());
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn as_root_is_root_without_new_privileges() {
    let dir = TestDir::new();
    let script =
        "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; touch /root/x /etc/y && echo wrote";
    let said = run(&dir, &["--as-root"], script).success();
    let text = said.stdout();
    assert!(text.starts_with("0\n"), "{said}");
    assert!(!text.contains("CapEff:\t0000000000000000"), "{said}");
    let _ = said.has("NoNewPrivs:\t1\n").has("wrote\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_read_only_root_is_one() {
    let dir = TestDir::new();
    let script = "touch /etc/x; echo $?; touch /tmp/x && touch $HOME/x && echo scratch";
    let _ = run(&dir, &["--read-only"], script)
        .success()
        .says("1\nscratch\n");
}
