//! A container's life: create, attach, start, kill, wait, remove.

use serde_json::json;

use super::answered;
use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::podman::Podman;

/// `POST /containers/create` of what is not ours; the id.
#[track_caller]
pub(super) fn create(dir: &TestDir, mut spec: serde_json::Value) -> String {
    for (key, value) in [
        ("image", json!(tiny())),
        ("netns", json!({"nsmode": "none"})),
    ] {
        let spec = spec.as_object_mut().expect("a spec");
        spec.entry(key).or_insert(value);
    }
    let answer = dir.podman().raw("POST", "/containers/create");
    let answer = answer.body("application/json", spec.to_string()).send();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["Id"].as_str().expect("an id").to_owned();
    dir.adopt(&id);
    id
}

/// The same of a shell line, started.
#[track_caller]
pub(super) fn running(dir: &TestDir, script: &str) -> String {
    let id = create(dir, json!({"command": ["sh", "-c", script]}));
    assert_eq!(post(dir.podman(), &id, "start"), 204);
    id
}

/// The status of `POST /containers/{id}/{verb}`.
#[track_caller]
pub(super) fn post(podman: &Podman, id: &str, verb: &str) -> u16 {
    podman
        .raw("POST", &format!("/containers/{id}/{verb}"))
        .status()
}

/// `run --rm --network none` of our own.
fn run(dir: &TestDir, arguments: &[&str]) -> crate::support::command::Output {
    let first = ["run", "--rm", "--network", "none"];
    dir.stockade(&[&first, arguments].concat()).run()
}

#[test]
#[ignore = "needs podman: asks for an image that is not there"]
fn a_missing_image_is_said_to_be_missing() {
    let dir = TestDir::new();
    let name = "localhost/no-such-image:1";
    let answer = dir.podman().raw("POST", "/containers/create");
    let body = json!({ "image": name }).to_string();
    let answer = answer.body("application/json", body).send();
    assert_eq!(answer.json()["cause"], "image not known");
    answered(&dir, "a_missing_image_is_said_to_be_missing", answer.status);
    let _ = run(&dir, &["--pull", "never", name, "true"])
        .code(125)
        .complains(name)
        .complains("stockade build -t");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: sends what is no request"]
fn every_field_that_is_sent_is_understood() {
    let dir = TestDir::new();
    let answer = dir.podman().raw("POST", "/containers/create");
    let wrong = json!({ "image": tiny(), "stop_timeout": "soon" }).to_string();
    let answer = answer.body("application/json", wrong).send();
    let cause = answer.json()["cause"].to_string();
    assert!(cause.to_lowercase().contains("timeout"), "{cause}");
    answered(
        &dir,
        "every_field_that_is_sent_is_understood",
        answer.status,
    );
    let said = run(
        &dir,
        &[
            "--init",
            "--read-only",
            "--stop-timeout",
            "3",
            "--timeout",
            "100",
            "--workdir",
            "/tmp",
            "--tmpfs",
            "/scratch:size=1m",
            "--shm-size",
            "1m",
            "--ulimit",
            "nofile=60:70",
            "--add-host",
            "there:10.0.0.1",
            "--env",
            "WORD=said",
            "--label",
            "purpose=test",
            "--cap-add",
            "CHOWN",
            "--user",
            "5:6",
            "--log-opt",
            "max-size=1m",
            "--entrypoint",
            "sh",
            tiny(),
            "-c",
            "echo $WORD $PWD $(id -u) $(ulimit -n) $(grep -c there /etc/hosts)",
        ],
    );
    let _ = said.success().says("said /tmp 5 60 1\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_signal_to_what_does_not_run_is_refused() {
    let dir = TestDir::new();
    let name = dir.background("ended", &[], "true");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let status = post(dir.podman(), &name, "kill");
    answered(&dir, "a_signal_to_what_does_not_run_is_refused", status);
    let _ = dir
        .stockade(&["kill", &name])
        .run()
        .code(1)
        .complains("can only kill running containers");
}

#[test]
#[ignore = "needs podman: prepares a container"]
fn a_missing_command_is_found_missing_whoever_says_so() {
    let dir = TestDir::new();
    let id = create(&dir, json!({"command": ["/nope"]}));
    let target = format!("/containers/{id}/attach?stream=true&stdout=true");
    let status = dir.podman().raw("POST", &target).status();
    let test = "a_missing_command_is_found_missing_whoever_says_so";
    answered(&dir, test, status);
    for flags in [&[][..], &["-d"]] {
        let command = [flags, &["--init=false", tiny(), "/nope"]].concat();
        let _ = run(&dir, &command).code(127).complains("nope");
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn the_exit_code_outlives_the_container() {
    let dir = TestDir::new();
    let id = running(&dir, "exit 3");
    let wait = format!("/containers/{id}/wait");
    assert_eq!(dir.podman().raw("POST", &wait).send().text(), "3\n");
    let removed = dir.podman().raw("DELETE", &format!("/containers/{id}"));
    assert_eq!(removed.status(), 200);
    let again = dir.podman().raw("POST", &wait).send();
    let observed = match again.status {
        200 => format!("200 {}", again.text().trim()),
        status => status.to_string(),
    };
    answered(&dir, "the_exit_code_outlives_the_container", observed);

    let name = dir.name("gone");
    let script = ["sh", "-c", "echo up; sleep 300"];
    let flags = ["run", "--rm", "--network", "none", "--name", &name, tiny()];
    let run = dir.stockade(&[&flags[..], &script].concat()).spawn();
    run.expect("up");
    let rm = ["rm", "--force", "--time", "0", &name];
    let _ = dir.podman().command(&rm).run().success();
    let _ = run.finish().code(137);
}

#[test]
#[ignore = "needs podman: runs a container"]
fn no_condition_of_a_wait_is_taken_for_an_end() {
    let dir = TestDir::new();
    let name = dir.background(
        "waited",
        &[],
        "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7",
    );
    let wrong = format!("/containers/{name}/wait?condition=nonsense");
    let wrong = dir.podman().raw("POST", &wrong).send();
    let observed = match wrong.status {
        200 => format!("200 {}", wrong.text().trim()),
        status => status.to_string(),
    };
    answered(&dir, "no_condition_of_a_wait_is_taken_for_an_end", observed);
    let waiting = dir.stockade(&["wait", &name]).spawn();
    let _ = dir
        .stockade(&["exec", &name, "touch", "/tmp/end"])
        .run()
        .success();
    let _ = waiting.finish().code(7).says("7\n");
}

#[test]
#[ignore = "needs podman: attaches to a container"]
fn framing_is_not_read_from_a_header() {
    let dir = TestDir::new();
    let id = running(&dir, "sleep 300");
    let target = format!("/containers/{id}/attach?stream=true&stdout=true");
    let begun = dir.podman().raw("POST", &target);
    let (answer, _) = begun
        .begin(crate::support::capture::PATIENCE)
        .expect("a head");
    let kind = answer.head.split_once("application/vnd.docker.");
    let kind = kind.and_then(|(_, rest)| rest.lines().next());
    answered(
        &dir,
        "framing_is_not_read_from_a_header",
        kind.unwrap_or("none"),
    );
    let said = run(&dir, &[tiny(), "sh", "-c", "echo out; echo err >&2"]);
    let _ = said.success().says("out\n").complains("\nerr\n");
}

#[test]
#[ignore = "needs podman: makes a container"]
fn an_unlimited_ulimit_is_one_or_an_error() {
    let dir = TestDir::new();
    let spec = json!({"image": tiny(), "netns": {"nsmode": "none"}, "command": ["true"],
        "r_limits": [{"type": "core", "soft": -1, "hard": -1}]});
    let answer = dir.podman().raw("POST", "/containers/create");
    let answer = answer.body("application/json", spec.to_string()).send();
    if answer.status == 201 {
        dir.adopt(answer.json()["Id"].as_str().expect("an id"));
    }
    answered(
        &dir,
        "an_unlimited_ulimit_is_one_or_an_error",
        answer.status,
    );
    let said = run(
        &dir,
        &["--ulimit", "core=-1", tiny(), "sh", "-c", "ulimit -c"],
    );
    if dir.podman().is_at_least(5, 6) {
        let _ = said.success().says("unlimited\n");
    } else {
        let _ = said.code(125).complains("needs podman 5.5.1");
    }
    dir.assert_nothing_left();
}
