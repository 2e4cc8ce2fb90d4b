//! What lies in a workspace may be an agent's: links, pipes and names that it has planted; and
//! workspaces that nobody may have.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use super::night::{lives, ralph, wait_until};
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};
use crate::support::image::tiny;

/// `stockade run --rm --network none FLAGS IMAGE sh -c SCRIPT`
fn run(dir: &TestDir, flags: &[&str], script: &str) -> Output {
    let first = ["run", "--rm", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    dir.stockade(&[&first, flags, &last].concat()).run()
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_workspace_that_is_a_link_is_resolved_once_and_shown() {
    let dir = TestDir::new();
    dir.write("real/file", "content");
    symlink("real", dir.work().join("link")).unwrap();
    let real = dir.work().canonicalize().unwrap().join("real");
    let shown = format!("link is a link: what is mounted is {}", real.display());
    let _ = run(&dir, &["-v", "./link:/workspace"], "cat /workspace/file")
        .success()
        .says("content")
        .complains(&shown);
    let dry = ["--dry-run", "-v", "./link:/workspace"];
    let json = run(&dir, &dry, "true").success().json();
    let mounts = json["create"]["mounts"].as_array().unwrap();
    let source = |mount: &serde_json::Value| mount["source"] == *real.to_str().unwrap();
    assert!(mounts.iter().any(source), "{mounts:?}");
    let _ = run(&dir, &["-v", "./real:/workspace"], "true")
        .success()
        .does_not_complain("is a link");
    // A link says nothing of what it leads to.
    fs::create_dir(dir.path().join("home/.ssh")).unwrap();
    symlink(dir.path().join("home/.ssh"), dir.work().join("keys")).unwrap();
    let _ = run(&dir, &["-v", "./keys:/workspace"], "true")
        .code(125)
        .complains("is the directory of SSH keys");
}

#[test]
#[ignore = "needs podman: prepares containers"]
fn what_no_workspace_may_be_hold_or_lie_in() {
    let dir = TestDir::new();
    let home = dir.path().join("home");
    for below in [
        ".ssh/keys",
        ".gnupg",
        ".local/share/containers/storage",
        ".config/stockade/agents",
    ] {
        fs::create_dir_all(home.join(below)).unwrap();
    }
    let _ = dir.stockade(&["ps"]).run().success();
    let state = dir.path().join("state/stockade");
    fs::create_dir(state.join("below")).unwrap();
    let info = ["info", "--format", "{{.Store.GraphRoot}}"];
    let store = dir.podman().command(&info).run().success().line();
    let store = std::path::PathBuf::from(store);
    for (path, why) in [
        (std::path::PathBuf::from("/"), "is the root directory"),
        (home.clone(), "is the home directory itself"),
        (dir.path().to_owned(), "holds the home directory itself"),
        (home.join(".ssh"), "is the directory of SSH keys"),
        (home.join(".ssh/keys"), "lies in the directory of SSH keys"),
        (home.join(".gnupg"), "is the directory of OpenPGP keys"),
        (home.join(".local"), "holds podman's storage"),
        (
            home.join(".local/share/containers/storage"),
            "lies in podman's storage",
        ),
        (state.clone(), "is stockade's own state"),
        (
            home.join(".config/stockade/agents"),
            "lies in stockade's own state",
        ),
        (state.join("below"), "lies in stockade's own state"),
        (dir.path().join("state"), "holds stockade's own state"),
        // Where this service has its store only the service knows.
        (store.clone(), "is podman's storage"),
        (store.join("overlay"), "lies in podman's storage"),
    ] {
        for options in ["", ":ro", ":O"] {
            if options == ":O" && path.starts_with(&store) {
                // The runtime cannot put a layer on that, and says so first.
                continue;
            }
            let volume = format!("{}:/workspace{options}", path.display());
            let _ = run(&dir, &["-v", &volume], "echo ran")
                .code(125)
                .says("")
                .complains(why);
        }
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_directory_that_a_sandbox_of_yours_can_write_in_is_no_workspace() {
    let dir = TestDir::new();
    dir.write("sub/file", "");
    for (volume, code) in [(".:/w", 30), ("./sub:/w", 30), (".:/w:ro", 11)] {
        let name = dir.background("beside", &["-v", volume], "sleep 1000");
        let output = ralph(&dir, "", &["--max-iterations", "1"]).run().code(code);
        if code == 30 {
            let _ = output
                .complains(&format!("the container {name} is at work in `"))
                .complains(&format!("stockade stop {name}"));
        }
        let _ = dir.stockade(&["stop", "-t", "0", &name]).run().success();
        // What is stopped is in nobody's way.
        let _ = ralph(&dir, "", &["--max-iterations", "1"]).run().code(11);
        let _ = dir.stockade(&["rm", &name]).run().success();
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn the_workspace_of_a_run_is_nobody_elses() {
    let dir = TestDir::new();
    dir.write("sub/file", "");
    let agent = "while [ ! -e go ]; do sleep 0.1; done\n";
    let flags = ["-d", "--no-linger-check", "--max-iterations", "1"];
    let flags = [&flags[..], &["--allow-overcommit"]].concat();
    let id = ralph(&dir, agent, &flags).run().success().line();
    wait_until(|| lives(&dir) == 1);
    symlink("work/sub", dir.path().join("led")).unwrap();
    fs::create_dir(dir.path().join("beside")).unwrap();
    let refused = |why: &str| {
        for volume in [".:/w", ".:/w:ro", "./sub:/workspace", "../led:/w"] {
            let output = run(&dir, &["-v", volume], "echo ran").code(125).says("");
            let _ = output.complains(&format!("the run {id} {why}"));
        }
        let line = format!(
            "cd ../beside && exec {} ralph --allow-unenforced-limits --allow-overcommit --network none \
             --image {} --prompt x --no-check -v ../work:/second -- true",
            dir.program(),
            tiny()
        );
        let output = dir.shell(&line).run().code(30);
        let _ = output.complains(&format!("the run {id} {why}"));
    };
    refused("is at work in");
    let _ = run(&dir, &["-v", "../beside:/w"], "echo ran").says("ran\n");
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let left = || dir.stockade(&["runs"]).run().success().stdout();
    wait_until(|| left().contains("left alone"));
    refused("has not ended in");
    dir.write("go", "");
    let _ = dir.stockade(&["resume", &id]).run().code(11);
    let _ = run(&dir, &["-v", ".:/w"], "cat /w/count").says("1\n");
    dir.assert_nothing_left();
}

/// Where the source of a mount is exchanged: after it was looked at, and before it is mounted.
const EXCHANGES: [Hold; 3] = [
    Hold::Request("POST /containers/create"),
    Hold::Answer("POST /containers/create"),
    Hold::Request("POST /containers/*/attach"),
];

#[test]
#[ignore = "needs podman: prepares containers"]
fn a_source_that_is_exchanged_meanwhile_does_not_start() {
    let dir = TestDir::new();
    tiny();
    dir.write("secret/file", "PRIVATE");
    for (number, hold) in EXCHANGES.into_iter().enumerate() {
        for options in ["", ":O"] {
            for by_link in [true, false] {
                let place = format!("ws{number}{options}{by_link}").replace(':', "");
                dir.write(&format!("{place}/sub/file"), "harmless");
                let place = dir.work().join(place);
                let gate = Gate::start(hold);
                let volume = format!("{}:/m{options}", place.join("sub").display());
                let url = gate.url();
                let first = [
                    "--url",
                    &url,
                    "run",
                    "--rm",
                    "--network",
                    "none",
                    "-v",
                    &volume,
                ];
                let last = [tiny(), "sh", "-c", "cat /m/file"];
                let running = dir.stockade(&[&first[..], &last].concat()).spawn();
                gate.wait_held();
                fs::rename(place.join("sub"), place.join("old")).unwrap();
                if by_link {
                    symlink("../secret", place.join("sub")).unwrap();
                } else {
                    fs::create_dir(place.join("sub")).unwrap();
                    fs::write(place.join("sub/file"), "PRIVATE").unwrap();
                }
                gate.release();
                let _ = running
                    .finish()
                    .code(125)
                    .says("")
                    .complains("was replaced by another file");
            }
        }
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_source_that_is_exchanged_when_it_is_mounted_changes_nothing() {
    let dir = TestDir::new();
    dir.write("secret/file", "PRIVATE");
    dir.write("ws/sub/file", "harmless");
    let gate = Gate::start(Hold::Request("POST /containers/*/start"));
    let url = gate.url();
    let first = ["--url", &url, "run", "--rm", "--network", "none"];
    let last = ["-v", "./ws/sub:/m", tiny(), "sh", "-c", "cat /m/file"];
    let running = dir.stockade(&[&first[..], &last].concat()).spawn();
    gate.wait_held();
    fs::rename(dir.work().join("ws/sub"), dir.work().join("ws/old")).unwrap();
    symlink("../secret", dir.work().join("ws/sub")).unwrap();
    gate.release();
    let _ = running.finish().success().says("harmless");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_env_file_in_the_workspace_is_a_plain_file_or_none() {
    let dir = TestDir::new();
    let outside = dir.path().join("outside");
    fs::write(&outside, "TOKEN=very-secret\n").unwrap();
    let env = dir.write("ws/.env", "");
    let plant = |what: &str| {
        fs::remove_file(&env).unwrap();
        match what {
            "pipe" => assert!(Command::new("mkfifo").arg(&env).status().unwrap().success()),
            target => symlink(target, &env).unwrap(),
        }
    };
    let flags = ["-v", "./ws:/workspace", "--env-file", "ws/.env"];
    for (what, why) in [
        (outside.to_str().unwrap(), "is a symbolic link below"),
        ("/proc/self/environ", "is a symbolic link below"),
        ("/dev/zero", "is a symbolic link below"),
        // It leads to what has no path.
        ("/dev/stdin", "cannot open env file"),
        ("pipe", "is not a regular file"),
    ] {
        plant(what);
        let begun = Instant::now();
        let _ = run(&dir, &flags, "env")
            .code(125)
            .says("")
            .complains(why)
            .does_not_complain("very-secret");
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
    }
    let _ = run(&dir, &["--env-file", "/dev/zero"], "env")
        .code(125)
        .complains("is not a regular file");
    // A directory on the way is as good a place for a link.
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::write(dir.path().join("elsewhere/.env"), "TOKEN=very-secret\n").unwrap();
    symlink("../../elsewhere", dir.work().join("ws/conf")).unwrap();
    let _ = run(
        &dir,
        &["-v", "./ws:/workspace", "--env-file", "ws/conf/.env"],
        "env",
    )
    .code(125)
    .complains("is a symbolic link below");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_env_file_in_the_workspace_takes_no_variable_of_ours() {
    let dir = TestDir::new();
    let name = dir.background("inside", &["-v", ".:/workspace"], "sleep 300");
    for text in ["A=1\nCLOUD_KEY\n", "# x\nCLOUD_*\n", "\n*\n"] {
        dir.write(".env", text);
        let runs = ["run", "--rm", "--network", "none", "-v", ".:/workspace"];
        let runs = [&runs[..], &["--env-file", ".env", tiny(), "env"]].concat();
        let execs = ["exec", "--env-file", ".env", &name, "env"];
        for arguments in [&runs[..], &execs] {
            let _ = dir
                .stockade(arguments)
                .env("CLOUD_KEY", "very-secret")
                .run()
                .code(125)
                .says("")
                .complains(".env:2: ")
                .complains("`-e NAME`")
                .does_not_complain("CLOUD");
        }
    }
    // Where no agent can write, podman's format is podman's.
    dir.write(".env", "CLOUD_KEY\n");
    let runs = ["run", "--rm", "--network", "none", "--env-file", ".env"];
    let taken = dir
        .stockade(&[&runs[..], &[tiny(), "sh", "-c", "echo $CLOUD_KEY"]].concat())
        .env("CLOUD_KEY", "given")
        .run();
    let _ = taken.success().says("given\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_env_file_with_a_second_name_is_refused() {
    let dir = TestDir::new();
    let env = dir.write(".env", "TOKEN=very-secret\n");
    fs::hard_link(&env, dir.work().join("innocent")).unwrap();
    let flags = ["-v", ".:/workspace", "--env-file", ".env"];
    let _ = run(&dir, &flags, "cat /workspace/innocent")
        .code(125)
        .says("")
        .complains("has other names (hard links)")
        .complains("put a copy of it in its place");
    // As the hint says.
    fs::copy(&env, dir.work().join("copy")).unwrap();
    fs::rename(dir.work().join("copy"), &env).unwrap();
    let _ = run(&dir, &flags, "wc -c < /workspace/.env")
        .success()
        .says("0\n");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: connects"]
fn no_copy_is_made_of_what_no_sandbox_may_have() {
    let dir = TestDir::new();
    let private = |path: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
    };
    for path in [
        "home/.ssh/keys",
        "home/.gnupg",
        "state/stockade",
        "state/stockade/runs",
    ] {
        private(path);
    }
    symlink("../home/.ssh", dir.work().join("keys")).unwrap();
    fs::write(dir.path().join("home/.ssh/id"), "PRIVATE").unwrap();
    // Nobody has to trust a file that asks for less.
    fs::write(
        dir.path().join("home/stockade.toml"),
        "workspace = \"copy\"\n",
    )
    .unwrap();
    let asked = format!(
        "{} ralph --allow-unenforced-limits --network none --image {} --prompt x --no-check",
        dir.program(),
        dir.tiny()
    );
    let copy = " --workspace copy";
    let info = ["info", "--format", "{{.Store.GraphRoot}}"];
    // Only the service knows where that is.
    let store = dir.podman().command(&info).run().success().line();
    for (place, flags, why) in [
        ("../home", copy, "is the home directory itself"),
        ("../home", "", "is the home directory itself"),
        ("..", copy, "holds the home directory itself"),
        ("../home/.ssh", copy, "is the directory of SSH keys"),
        (
            "../home/.ssh/keys",
            copy,
            "lies in the directory of SSH keys",
        ),
        ("keys", copy, "is the directory of SSH keys"),
        (
            ".",
            " --workspace copy -v ./keys:/workspace",
            "is the directory of SSH keys",
        ),
        ("../home/.gnupg", copy, "is the directory of OpenPGP keys"),
        (&store, copy, "is podman's storage"),
        ("../state", copy, "holds stockade's own state"),
        ("../state/stockade", copy, "is stockade's own state"),
        (
            "../state/stockade/runs",
            copy,
            "lies in stockade's own state",
        ),
    ] {
        let line = format!("cd {place} && exec {asked}{flags} -- true");
        let output = dir.shell(&line).run().code(30);
        let _ = output.complains("cannot mount ").complains(why);
    }
    assert!(
        !dir.path()
            .join("home/.local/share/stockade/copies")
            .exists()
    );
    assert!(!dir.path().join("state/stockade/checkpoints").exists());
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
}
