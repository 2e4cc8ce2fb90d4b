//! `stockade stats`, `stockade events` and `stockade info`: looking at the service.

use rustix::process::Signal;

use crate::support::dir::TestDir;

#[test]
#[ignore = "needs podman: runs a container"]
fn stats_never_show_what_was_not_measured() {
    let dir = TestDir::new();
    let name = dir.background("measured", &[], "sleep 300");
    let info = dir.stockade(&["info", "--format", "json"]).run();
    let info = info.success().json();
    let host = &info["host"];
    let stats = dir.stockade(&["stats", "--no-stream", &name]).run();
    if host["cgroupVersion"] == "v1" {
        let _ = stats.code(1).complains("cgroup").complains("hint: ");
        return;
    }
    let delegated = host["cgroupControllers"].as_array().expect("a list");
    let stats = stats.success().has(&name);
    if delegated.iter().any(|name| name == "memory") {
        let _ = stats.lacks("n/a");
    } else {
        let _ = stats.has("n/a").lacks("0.00%").complains("delegated");
        let json = dir.stockade(&["stats", "--no-stream", "--format", "json", &name]);
        let json = json.run().success().json();
        assert_eq!(json[0]["name"], name.as_str());
        assert_eq!(json[0]["pids"], serde_json::Value::Null);
    }
}

#[test]
#[ignore = "needs podman: runs a container"]
fn stats_of_what_does_not_run_are_refused() {
    let dir = TestDir::new();
    let name = dir.background("ended", &[], "true");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let stats = |name: &str| dir.stockade(&["stats", "--no-stream", name]).run().code(1);
    let _ = stats(&name).complains("does not run");
    let _ = stats("no-such").complains("no-such");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn events_tell_a_containers_life_with_its_exit_code() {
    let dir = TestDir::new();
    let name = dir.background("life", &[], "exit 7");
    let _ = dir.stockade(&["wait", &name]).run().code(7);
    let _ = dir.stockade(&["rm", &name]).run().success();
    let filter = format!("container={name}");
    let arguments = [
        "events",
        "--stream=false",
        "--since",
        "10m",
        "--filter",
        &filter,
    ];
    let said = dir.stockade(&[&arguments[..], &["--format", "json"]].concat());
    let said = said.run().success();
    let events: Vec<serde_json::Value> = said
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let actions: Vec<_> = events
        .iter()
        .filter_map(|event| event["Status"].as_str())
        .collect();
    for action in ["create", "start", "died", "remove"] {
        assert!(actions.contains(&action), "no {action}\n{said}");
    }
    let died = events.iter().find(|event| event["Status"] == "died");
    let code = &died.expect("it died")["ContainerExitCode"];
    assert_eq!(code, 7, "{said}");
    let text = dir.stockade(&arguments).run().success();
    let _ = text.has(" container died ").has(&format!("name={name}"));
}

#[test]
#[ignore = "needs podman: runs a container"]
fn events_come_as_they_happen() {
    let dir = TestDir::new();
    let name = dir.name("live");
    let filter = format!("container={name}");
    let following = dir.stockade(&["events", "--filter", &filter]).spawn();
    // The service has no word for "I am listening now": until it does, containers come and go.
    let run = ["run", "--rm", "--network", "none", "--name", &name];
    for _ in 0..3 {
        let command = [&run[..], &[crate::support::image::tiny(), "true"]].concat();
        let _ = dir.stockade(&command).run().success();
    }
    following.expect(" container died ");
    following.signal(Signal::INT);
    let _ = following.finish().code(130);
}

#[test]
#[ignore = "needs podman: asks the service"]
fn info_is_the_services_own() {
    let dir = TestDir::new();
    let info = dir.stockade(&["info", "--format", "json"]).run();
    let json = info.success().json();
    assert_eq!(json["host"]["security"]["rootless"], true);
    let ours = dir.podman().is_at_least(5, 0);
    let version = json["version"]["APIVersion"].as_str().expect("a version");
    assert_eq!(!version.starts_with('4'), ours, "{version}");
}
