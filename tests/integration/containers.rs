//! The verbs on containers: ps, stop, kill, rm, wait, attach, start, inspect; ours and foreign.

use std::time::{Duration, Instant};

use crate::support::dir::TestDir;
use crate::support::image::tiny;

#[test]
#[ignore = "needs podman: runs containers"]
fn ps_shows_ours_and_counts_the_others() {
    let dir = TestDir::new();
    let running = dir.background("up", &[], "sleep 300");
    let ended = dir.background("down", &[], "exit 4");
    let _ = dir.stockade(&["wait", &ended]).run().code(4);
    let foreign = dir.foreign("other", &[], "sleep 300");

    let table = dir.stockade(&["ps"]).run().success();
    let text = table.stdout();
    assert!(text.starts_with("CONTAINER ID"), "{table}");
    assert_eq!(text.lines().count(), 2, "{table}");
    let table = table.has(&running).has("Up ").lacks(&ended);
    let _ = table.lacks(&foreign[..12]).complains("--unmanaged");

    let all = dir.stockade(&["ps", "-a"]).run().success();
    let _ = all.has(&running).has(&ended).has("Exited (4)");
    let everything = dir.stockade(&["ps", "--unmanaged"]).run().success();
    let _ = everything.has(&running).has(&foreign[..12]);

    let quiet = dir.stockade(&["ps", "-q"]).run().success();
    assert_eq!(quiet.line().len(), 12);
    let _ = quiet.does_not_complain("unmanaged");
    let json = dir.stockade(&["ps", "-a", "--format", "json"]).run();
    let json = json.success().json();
    let states: Vec<_> = json
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            (
                row["Names"][0].as_str().expect("a name"),
                row["State"].as_str(),
                row["ExitCode"].as_i64(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (running.as_str(), Some("running"), Some(0)),
            (ended.as_str(), Some("exited"), Some(4))
        ]
    );
    let filtered = dir.stockade(&["ps", "--filter", "status=exited", "--format", "json"]);
    assert_eq!(
        filtered.run().success().json()[0]["Names"][0],
        ended.as_str()
    );
}

#[test]
#[ignore = "needs podman: lists containers"]
fn an_empty_list_is_a_list() {
    let dir = TestDir::new();
    let json = dir.stockade(&["ps", "-a", "--format", "json"]).run();
    assert_eq!(json.success().json(), serde_json::json!([]));
    let _ = dir.stockade(&["ps", "-a", "-q"]).run().success().says("");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn stop_asks_first_and_kills_after_the_time() {
    let dir = TestDir::new();
    let polite = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let name = dir.background("polite", &["--init=false"], polite);
    dir.wait_for_log(&name, "ready");
    let _ = dir
        .stockade(&["stop", &name])
        .run()
        .success()
        .says(&format!("{name}\n"));
    let _ = dir
        .stockade(&["logs", &name])
        .run()
        .success()
        .says("ready\nbye\n");
    let _ = dir.stockade(&["wait", &name]).run().code(5);
    // Stopped is stopped: the service's 304 is no failure.
    let _ = dir.stockade(&["stop", &name]).run().success();

    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let name = dir.background("deaf", &["--init=false"], deaf);
    dir.wait_for_log(&name, "ready");
    let begun = Instant::now();
    let _ = dir.stockade(&["stop", "-t", "1", &name]).run().success();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let _ = dir.stockade(&["wait", &name]).run().code(137);
    let _ = dir
        .stockade(&["stop", "no-such"])
        .run()
        .code(1)
        .complains("no-such");
    let _ = dir
        .stockade(&["stop", "--ignore", "no-such"])
        .run()
        .success();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn kill_sends_the_signal_it_is_told() {
    let dir = TestDir::new();
    let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
    let name = dir.background("killed", &["--init=false"], script);
    dir.wait_for_log(&name, "ready");
    for signal in ["USR1", "SIGUSR1", "10"] {
        let _ = dir.stockade(&["kill", "-s", signal, &name]).run().success();
        std::thread::sleep(Duration::from_millis(200));
    }
    dir.wait_for_log(&name, "usr1\nusr1\nusr1\n");
    let _ = dir
        .stockade(&["kill", "-s", "NONSENSE", &name])
        .run()
        .code(1);
    let _ = dir.stockade(&["kill", &name]).run().success();
    let _ = dir.stockade(&["wait", &name]).run().code(137).says("137\n");
    let _ = dir.stockade(&["kill", &name]).run().code(1);
}

#[test]
#[ignore = "needs podman: runs containers"]
fn rm_refuses_what_runs_unless_forced() {
    let dir = TestDir::new();
    let running = dir.background("running", &[], "sleep 300");
    let ended = dir.background("ended", &[], "true");
    let _ = dir.stockade(&["wait", &ended]).run().success();
    // One failure does not keep the other from going.
    let _ = dir
        .stockade(&["rm", &running, &ended])
        .run()
        .code(1)
        .says(&format!("{ended}\n"))
        .complains("rm -f");
    assert_eq!(dir.containers().len(), 1);
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &running])
        .run()
        .success();
    dir.assert_nothing_left();
    let _ = dir.stockade(&["rm", &running]).run().code(1);
    let _ = dir.stockade(&["rm", "-f", &running]).run().success();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn rm_all_and_prune_take_ours_alone() {
    let dir = TestDir::new();
    let foreign = dir.foreign("stays", &[], "sleep 300");
    let ended = dir.foreign("ended", &[], "true");
    let running = dir.background("a", &[], "sleep 300");
    let gone = dir.background("b", &[], "true");
    let _ = dir.stockade(&["wait", &gone]).run().success();
    let pruned = dir.stockade(&["container", "prune", "-f"]).run().success();
    assert_eq!(pruned.stdout().lines().count(), 1, "{pruned}");
    assert_eq!(dir.containers().len(), 1, "the running one stays");
    let _ = dir.stockade(&["rm", "-a", "-f", "-t", "0"]).run().success();
    dir.assert_nothing_left();
    let _ = dir.stockade(&["rm", &running]).run().code(1);
    for id in [foreign, ended] {
        let there = dir.podman().command(&["container", "exists", &id]);
        let _ = there.run().success();
    }
}

#[test]
#[ignore = "needs podman: runs containers"]
fn what_is_foreign_is_left_alone_unless_it_is_meant() {
    let dir = TestDir::new();
    let id = dir.foreign("foreign", &[], "sleep 300");
    for verb in [
        &["stop"][..],
        &["kill"],
        &["rm", "-f"],
        &["logs"],
        &["wait"],
        &["inspect"],
    ] {
        let refused = dir.stockade(&[verb, &[&id]].concat()).run();
        let code = if verb == ["wait"] { 125 } else { 1 };
        let _ = refused.code(code).complains("--unmanaged");
    }
    let _ = dir.stockade(&["attach", &id]).run().code(125);
    let running = [
        "container",
        "inspect",
        "--format",
        "{{.State.Running}}",
        &id,
    ];
    let _ = dir
        .podman()
        .command(&running)
        .run()
        .success()
        .says("true\n");
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", "--unmanaged", &id])
        .run()
        .success();
    let _ = dir
        .podman()
        .command(&["container", "exists", &id])
        .run()
        .code(1);
}

#[test]
#[ignore = "needs podman: runs containers and commits one"]
fn a_label_that_an_image_carries_makes_nothing_ours() {
    let dir = TestDir::new();
    let name = dir.background("real", &[], "sleep 300");
    let asked = [
        "container",
        "inspect",
        "--format",
        "{{index .Config.Labels \"io.stockade.owner\"}}",
        &name,
    ];
    let label = dir.podman().command(&asked).run().success().line();
    assert!(label.len() > 64, "a seal: {label}");
    let image = format!("localhost/{}", dir.name("forged"));
    dir.write(
        "Containerfile",
        format!("FROM {}\nLABEL io.stockade.owner={label}\n", tiny()),
    );
    let _ = crate::support::image::build(&dir, &["-t", &image, "."]).success();
    dir.image(&image);
    let run = ["run", "-d", "--network", "none", &image, "sleep", "300"];
    let forged = dir.podman().command(&run).run().success().line();
    dir.adopt(&forged);
    assert_eq!(dir.containers().len(), 1, "only the real one");
    let _ = dir.stockade(&["rm", "-f", &forged]).run().code(1);
    let _ = dir.stockade(&["rm", "-a", "-f", "-t", "0"]).run().success();
    let there = dir.podman().command(&["container", "exists", &forged]);
    let _ = there.run().success();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn wait_gives_the_code_of_the_last_one() {
    let dir = TestDir::new();
    let a = dir.background("a", &[], "exit 3");
    let b = dir.background("b", &[], "sleep 0.5; exit 8");
    let _ = dir.stockade(&["wait", &a, &b]).run().code(8).says("3\n8\n");
    let _ = dir.stockade(&["wait", &b, &a]).run().code(3).says("8\n3\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn attaching_to_one_that_has_ended_is_refused_and_changes_nothing() {
    let dir = TestDir::new();
    let name = dir.background("ended", &[], "exit 2");
    let _ = dir.stockade(&["wait", &name]).run().code(2);
    let _ = dir
        .stockade(&["attach", &name])
        .run()
        .code(125)
        .complains("stockade logs");
    let state = [
        "container",
        "inspect",
        "--format",
        "{{.State.Status}}",
        &name,
    ];
    let state = dir.podman().command(&state).run().success().line();
    // "initialized" would be another life that nobody starts.
    assert!(matches!(state.as_str(), "exited" | "stopped"), "{state}");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn attach_joins_what_runs_and_gives_its_code() {
    let dir = TestDir::new();
    let script = "until [ -e /tmp/go ]; do sleep 0.02; done; echo said; echo err >&2; exit 11";
    let name = dir.background("joined", &[], script);
    let attached = dir.stockade(&["attach", &name]).spawn();
    std::thread::sleep(Duration::from_millis(500));
    // The container's end, which it brings about, may overtake its own.
    let touched = dir.stockade(&["exec", &name, "touch", "/tmp/go"]).run();
    assert!(matches!(touched.exit_code(), Some(0 | 137)), "{touched}");
    let _ = attached.finish().code(11).says("said\n").complains("err\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn start_gives_it_another_life() {
    let dir = TestDir::new();
    let script = "echo life >> /tmp/lives; wc -l < /tmp/lives; exit 6";
    let name = dir.background("lives", &[], script);
    let _ = dir.stockade(&["wait", &name]).run().code(6);
    let _ = dir.stockade(&["start", &name]).run().success();
    let _ = dir.stockade(&["wait", &name]).run().code(6);
    let _ = dir
        .stockade(&["start", "-a", &name])
        .run()
        .code(6)
        .has("3\n");
    let _ = dir
        .stockade(&["logs", &name])
        .run()
        .success()
        .says("1\n2\n3\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn another_life_is_held_to_the_same_limits() {
    let dir = TestDir::new();
    let asked = ["--memory", "1g", "--allow-unenforced-limits"];
    let name = dir.background("limited", &asked, "exit 0");
    let _ = dir.stockade(&["wait", &name]).run().success();
    // Neither tier enforces it: it was allowed, and it is said again.
    let _ = dir
        .stockade(&["start", &name])
        .run()
        .success()
        .complains("not in force: --memory 1 GiB");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn inspect_hides_values_unless_asked() {
    let dir = TestDir::new();
    let name = dir.background("env", &["-e", "TOKEN=very-secret"], "sleep 300");
    let said = dir.stockade(&["inspect", &name]).run().success();
    let json = said.json();
    assert_eq!(json[0]["Name"], name.as_str());
    let _ = said.has("TOKEN=").lacks("very-secret");
    let open = dir.stockade(&["inspect", "--show-env", &name]).run();
    let _ = open.success().has("TOKEN=very-secret");
    let _ = dir
        .stockade(&["inspect", "no-such"])
        .run()
        .code(1)
        .complains("no-such");
    let image = dir.stockade(&["inspect", tiny()]).run().success().json();
    assert_eq!(image[0]["Config"]["Cmd"], serde_json::json!(["sh"]));
}

#[test]
#[ignore = "needs podman: runs containers"]
fn a_mount_replaced_by_a_link_does_not_start_again() {
    let dir = TestDir::new();
    dir.write("keys/id", "PRIVATE");
    dir.write("ws/sub/file", "x");
    let mount = format!("{}:/m", dir.work().join("ws/sub").display());
    let script = "cat /m/id; sleep 300";
    let name = dir.background("again", &["-v", &mount], script);
    let _ = dir.stockade(&["stop", "-t", "0", &name]).run().success();
    let _ = dir.stockade(&["start", &name]).run().success();
    let _ = dir.stockade(&["stop", "-t", "0", &name]).run().success();
    // As an agent could that has the directory above.
    std::fs::rename(dir.work().join("ws/sub"), dir.work().join("ws/old")).unwrap();
    std::os::unix::fs::symlink("../keys", dir.work().join("ws/sub")).unwrap();
    for flags in [&["start"][..], &["start", "--attach"]] {
        let start = || dir.stockade(&[flags, &[name.as_str()]].concat()).run();
        let mut refused = start();
        // The service's own process for cleaning up behind the last life may come late, and takes
        // what was prepared meanwhile.
        for _ in 0..10 {
            if !refused.stderr().contains("attach socket") {
                break;
            }
            std::thread::sleep(Duration::from_millis(300));
            refused = start();
        }
        let _ = refused.code(125).complains("a link leads elsewhere");
    }
    let _ = dir
        .stockade(&["logs", &name])
        .run()
        .success()
        .lacks("PRIVATE");
}
