//! Each verb once, where a systemd session runs the service.

use crate::clock;
use crate::gate;
use crate::support::dir::TestDir;
use crate::support::image::{build, tiny};

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_container_lives_and_dies_as_it_is_told() {
    gate::in_a_guest();
    let _steady = clock::steady();
    let dir = TestDir::new();
    let script = "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 0.2; done";
    let name = dir.background("life", &[], script);
    let name = name.as_str();
    let done = |arguments: &[&str]| dir.stockade(arguments).run().success();
    dir.wait_for_log(name, "ready\n");
    let _ = done(&["ps"]).has(name);
    let _ = done(&["ps", "-q"]).has("\n");
    let inspected = done(&["inspect", name]).json();
    assert_eq!(inspected[0]["State"]["Status"], "running");
    let manager = &inspected[0]["HostConfig"]["CgroupManager"];
    assert_eq!(manager, "systemd", "as on a person's machine");
    let _ = done(&["exec", name, "echo", "inside"]).says("inside\n");
    let _ = done(&["stats", "--no-stream", name]).has(name).lacks("n/a");

    dir.write("file", "there and back");
    let inside = format!("{name}:/tmp/copied");
    let _ = done(&["cp", "file", &inside]);
    let _ = done(&["exec", name, "cat", "/tmp/copied"]).says("there and back");
    let _ = done(&["cp", &inside, "again"]);
    let again = std::fs::read_to_string(dir.work().join("again"));
    assert_eq!(again.expect("copied"), "there and back");

    let _ = done(&["stop", "--time", "60", name]);
    let _ = done(&["logs", name]).has("stopping\n");
    let _ = dir.stockade(&["wait", name]).run().code(7).says("7\n");
    let _ = done(&["start", name]);
    let _ = done(&["kill", "--signal", "KILL", name]);
    let _ = dir.stockade(&["wait", name]).run().code(137).says("137\n");
    let _ = done(&["rm", name]);
    dir.assert_nothing_left();

    let filter = format!("container={name}");
    let events = [
        "events",
        "--stream=false",
        "--since",
        "1h",
        "--filter",
        &filter,
    ];
    let said = done(&events).stdout();
    for action in ["create", "start", "exec", "died", "remove"] {
        assert!(
            said.contains(&format!(" container {action} ")),
            "no {action}\n{said}"
        );
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn what_is_typed_into_a_container_comes_back_by_attach_and_by_start() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let name = dir.name("cat");
    let run = [
        "run",
        "-d",
        "-i",
        "--network",
        "none",
        "--name",
        &name,
        tiny(),
        "cat",
    ];
    let _ = dir.stockade(&run).run().success();
    let _ = dir
        .stockade(&["attach", &name])
        .stdin("by attach\n")
        .run()
        .success()
        .says("by attach\n");
    let _ = dir
        .stockade(&["start", "-a", "-i", &name])
        .stdin("by start\n")
        .run()
        .success()
        .says("by start\n");
    let _ = dir.stockade(&["rm", &name]).run().success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn an_image_is_built_listed_run_and_removed_and_without_a_registry_none_is_pulled() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let image = format!("localhost/{}:1", dir.name("image"));
    dir.write(
        "Containerfile",
        format!(
            "FROM {}\nCOPY file /file\nCMD [\"cat\", \"/file\"]\n",
            tiny()
        ),
    );
    dir.write("file", "of an image");
    let _ = build(&dir, &["-t", &image, "."]).success();
    dir.image(&image);
    let (repository, _) = image.split_once(':').expect("a tag");
    let listed = || dir.stockade(&["images"]).run().success();
    let _ = listed().has(repository);
    let _ = dir
        .stockade(&["run", "--rm", "--network", "none", &image])
        .run()
        .success()
        .says("of an image");
    let _ = dir.stockade(&["rmi", &image]).run().success();
    let _ = listed().lacks(repository);
    let missing = "registry.invalid/none:1";
    let _ = dir
        .stockade(&["pull", missing])
        .run()
        .code(1)
        .complains(missing);
    let _ = dir
        .stockade(&["run", "--rm", missing, "true"])
        .run()
        .code(125)
        .complains(missing);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn the_service_is_a_persons_own() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let info = dir
        .stockade(&["info", "--format", "json"])
        .run()
        .success()
        .json();
    assert_eq!(info["host"]["security"]["rootless"], true);
    assert_eq!(info["host"]["cgroupManager"], "systemd");
    assert_eq!(info["host"]["cgroupVersion"], "v2");
    let version = dir
        .podman()
        .command(&["version", "--format", "{{.Server.Version}}"]);
    let version = version.run().success().line();
    let _ = dir.stockade(&["version"]).run().success().has(&version);
    // Found where a person's is, without being told.
    let found = dir
        .stockade(&["version"])
        .env("CONTAINER_HOST", "")
        .env("XDG_RUNTIME_DIR", "/run/user/1000");
    let _ = found.run().success().has(&version);
}
