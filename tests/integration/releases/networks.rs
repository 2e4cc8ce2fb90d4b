//! What a container is connected with.

use serde_json::json;

use super::answered;
use super::containers::create;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// `run --rm --network NETWORK` of a shell line.
fn run(dir: &TestDir, network: &str, script: &str) -> crate::support::command::Output {
    let flags = ["run", "--rm", "--network", network, tiny()];
    dir.stockade(&[&flags[..], &["sh", "-c", script]].concat())
        .run()
}

#[test]
#[ignore = "needs podman: runs containers"]
fn the_default_network_has_a_way_out() {
    let dir = TestDir::new();
    let id = create(&dir, json!({"netns": null, "command": ["true"]}));
    let path = format!("/containers/{id}/json");
    let inspected = dir.podman().raw("GET", &path).send().json();
    let mode = inspected["HostConfig"]["NetworkMode"].as_str();
    answered(
        &dir,
        "the_default_network_has_a_way_out",
        mode.unwrap_or("none"),
    );
    let script = "ip route | grep -c '^default'; ls /sys/class/net | grep -vc '^lo$'";
    let _ = run(&dir, "full", script).success().says("1\n1\n");
}

#[test]
#[ignore = "needs podman: runs containers"]
fn the_host_has_a_name() {
    let dir = TestDir::new();
    let id = create(&dir, json!({"netns": null, "command": ["sleep", "300"]}));
    assert_eq!(super::containers::post(dir.podman(), &id, "start"), 204);
    let script = "grep host.containers.internal /etc/hosts";
    let exec = dir
        .podman()
        .command(&["exec", &id, "sh", "-c", script])
        .run();
    let line = exec.success().line();
    let observed = match line.split_whitespace().next() {
        Some("169.254.1.2") => "169.254.1.2",
        Some(_) => "an address of the host's",
        None => "none",
    };
    answered(&dir, "the_host_has_a_name", observed);
    let _ = run(&dir, "full", script)
        .success()
        .has("host.containers.internal");
}

#[test]
#[ignore = "needs podman: makes containers"]
fn a_network_that_the_release_lacks_is_refused_by_name() {
    let dir = TestDir::new();
    let mut observed = Vec::new();
    for network in ["slirp4netns", "pasta"] {
        let spec = json!({"image": tiny(), "netns": {"nsmode": network}, "command": ["true"]});
        let answer = dir.podman().raw("POST", "/containers/create");
        let answer = answer.body("application/json", spec.to_string()).send();
        let said = run(&dir, network, "echo ran");
        if answer.status == 201 {
            dir.adopt(answer.json()["Id"].as_str().expect("an id"));
            observed.push(network);
            let _ = said.success().says("ran\n");
        } else {
            let _ = said
                .code(125)
                .complains(network)
                .complains("the service is");
        }
    }
    answered(
        &dir,
        "a_network_that_the_release_lacks_is_refused_by_name",
        observed.join(", "),
    );
    dir.assert_nothing_left();
}
