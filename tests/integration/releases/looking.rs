//! Looking at containers: inspect, logs, stats, events.

use std::time::Duration;

use serde_json::json;
use stockade::libpod::EventOptions;

use super::answered;
use super::containers::{create, post, running};
use super::raw::encoded;
use crate::support::dir::TestDir;

#[tokio::test]
#[ignore = "needs podman: makes a container"]
async fn inspect_is_read_in_both_shapes() {
    let dir = TestDir::new();
    let spec = json!({"entrypoint": ["sh", "-c"], "command": ["true"], "stop_signal": 10});
    let id = create(&dir, spec);
    let path = format!("/containers/{id}/json");
    let config = dir.podman().raw("GET", &path).send().json()["Config"].take();
    let observed = match (&config["Entrypoint"], &config["StopSignal"]) {
        (serde_json::Value::String(_), serde_json::Value::Number(_)) => "a string, a number",
        (serde_json::Value::Array(_), serde_json::Value::String(_)) => "a list, a name",
        _ => "neither",
    };
    answered(&dir, "inspect_is_read_in_both_shapes", observed);
    let client = dir.podman().client().await;
    let container = client.inspect_container(&id).await.unwrap();
    assert_eq!(container.id.as_str(), id);
    assert_eq!(container.config.cmd, ["true"]);
}

#[test]
#[ignore = "needs podman: makes a container"]
fn text_is_the_same_however_it_is_escaped() {
    let dir = TestDir::new();
    let id = create(
        &dir,
        json!({"labels": {"purpose": "a>b"}, "command": ["true"]}),
    );
    let path = format!("/containers/{id}/json");
    let body = dir.podman().raw("GET", &path).send().text();
    let observed = if body.contains(r"a\u003eb") {
        "escaped"
    } else if body.contains("a>b") {
        "as it is"
    } else {
        "lost"
    };
    answered(&dir, "text_is_the_same_however_it_is_escaped", observed);
    let said = dir.stockade(&["inspect", "--unmanaged", &id]).run();
    let _ = said.success().has("\"purpose\": \"a>b\"");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn times_in_a_log_are_as_fine_as_the_release_has_them() {
    let dir = TestDir::new();
    let name = dir.background("times", &[], "echo word");
    let _ = dir.stockade(&["wait", &name]).run().success();
    let path = format!("/containers/{name}/logs?stdout=true&timestamps=true");
    let log = dir.podman().raw("GET", &path).send().body;
    let line = String::from_utf8_lossy(&log[8..]).into_owned();
    let fine = line.split_once(' ').expect("a time").0.contains('.');
    let observed = if fine { "nanoseconds" } else { "seconds" };
    answered(
        &dir,
        "times_in_a_log_are_as_fine_as_the_release_has_them",
        observed,
    );
    let said = dir.stockade(&["logs", "-t", &name]).run().success();
    assert_eq!(said.stdout(), line);
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_silent_log_is_waited_for() {
    let dir = TestDir::new();
    let script = "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo word; while [ -e /tmp/go ]; do sleep 0.1; done";
    let name = dir.background("silent", &[], script);
    let path = format!("/containers/{name}/logs?stdout=true&follow=true");
    // An answer of the service takes milliseconds.
    let head = dir.podman().raw("GET", &path).begin(Duration::from_secs(2));
    let observed = if head.is_some() {
        "at once"
    } else {
        "with the first line"
    };
    answered(&dir, "a_silent_log_is_waited_for", observed);
    let following = dir.stockade(&["logs", "-f", &name]).spawn();
    let exec = |command: &[&str]| {
        let _ = dir
            .stockade(&[&["exec", &name], command].concat())
            .run()
            .success();
    };
    exec(&["touch", "/tmp/go"]);
    following.expect("word");
    exec(&["rm", "/tmp/go"]);
    let _ = following.finish().success();
}

#[test]
#[ignore = "needs podman: asks for what is not there"]
fn statistics_of_nothing_are_an_error() {
    let dir = TestDir::new();
    let path = "/containers/stats?containers=no-such&stream=false";
    let answer = dir.podman().raw("GET", path).send();
    let observed = match answer.status {
        200 => format!("200 with {}", json!({"Error": answer.json()["Error"]})),
        status => status.to_string(),
    };
    answered(&dir, "statistics_of_nothing_are_an_error", observed);
    let _ = dir
        .stockade(&["stats", "--no-stream", "no-such"])
        .run()
        .code(1)
        .complains("no-such");
}

#[test]
#[ignore = "needs podman: asks for events"]
fn a_wrong_filter_of_events_is_an_error() {
    let dir = TestDir::new();
    let path = format!(
        "/events?stream=false&filters={}",
        encoded(r#"{"nonsense":["x"]}"#)
    );
    let answer = dir.podman().raw("GET", &path).send();
    assert!(answer.text().contains("nonsense"), "{}", answer.text());
    answered(&dir, "a_wrong_filter_of_events_is_an_error", answer.status);
    let _ = dir
        .stockade(&["events", "--stream=false", "--filter", "nonsense=x"])
        .run()
        .code(1)
        .complains("nonsense");
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn only_the_end_of_a_life_tells_its_exit_code() {
    let dir = TestDir::new();
    let id = running(&dir, "exit 7");
    assert_eq!(post(dir.podman(), &id, "wait"), 200);
    let filters = encoded(&json!({"container": [&id]}).to_string());
    let path = format!("/events?stream=false&filters={filters}");
    let events = dir.podman().raw("GET", &path).send().documents();
    let start = events.iter().find(|event| event["Action"] == "start");
    let start = &start.expect("it started")["Actor"]["Attributes"];
    let observed = start["containerExitCode"].as_str().unwrap_or("none");
    answered(&dir, "only_the_end_of_a_life_tells_its_exit_code", observed);

    let options = EventOptions {
        filters: [("container".to_owned(), vec![id])].into(),
        ..EventOptions::default()
    };
    let client = dir.podman().client().await;
    let mut events = client.events(&options).await.unwrap();
    let mut codes = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        codes.extend(event.exit_code().map(|code| (event.action, code)));
    }
    assert_eq!(codes, [("died".to_owned(), 7)]);
}

#[test]
#[ignore = "needs podman: removes a container"]
fn a_removal_is_told_by_name() {
    let dir = TestDir::new();
    let id = create(&dir, json!({"command": ["true"]}));
    let removed = dir
        .podman()
        .raw("DELETE", &format!("/containers/{id}"))
        .send();
    let report = &removed.json()[0];
    assert_eq!(report["Id"], id.as_str());
    let observed = if report["RawInput"].is_null() {
        "Id"
    } else {
        "Id and RawInput"
    };
    answered(&dir, "a_removal_is_told_by_name", observed);
    let name = dir.background("removed", &[], "true");
    let _ = dir
        .stockade(&["rm", "-f", &name])
        .run()
        .success()
        .says(&format!("{name}\n"));
}
