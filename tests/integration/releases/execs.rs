//! Exec sessions.

use serde_json::json;

use super::answered;
use super::containers::running;
use crate::support::dir::TestDir;

/// `POST /containers/{id}/exec`; the session's id.
#[track_caller]
fn session(dir: &TestDir, container: &str, spec: &serde_json::Value) -> String {
    let create = format!("/containers/{container}/exec");
    let create = dir.podman().raw("POST", &create);
    let created = create.body("application/json", spec.to_string()).send();
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["Id"].as_str().expect("an id").to_owned()
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_exec_needs_no_word_at_its_end() {
    let dir = TestDir::new();
    let id = running(&dir, "sleep 300");
    let spec = json!({"Cmd": ["true"]});
    let remove = format!("/exec/{}/remove", session(&dir, &id, &spec));
    let remove = dir.podman().raw("POST", &remove);
    let status = remove.body("application/json", "{\"Force\":true}").status();
    answered(&dir, "an_exec_needs_no_word_at_its_end", status);
    let _ = dir
        .stockade(&["exec", "--unmanaged", &id, "sh", "-c", "echo done; exit 5"])
        .run()
        .code(5)
        .says("done\n");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn an_exec_is_started_with_a_whole_body() {
    let dir = TestDir::new();
    let id = running(&dir, "sleep 300");
    let spec = json!({"Cmd": ["true"], "AttachStdout": true});
    let start = format!("/exec/{}/start", session(&dir, &id, &spec));
    let start = dir.podman().raw("POST", &start);
    let status = start.body("application/json", "").status();
    answered(&dir, "an_exec_is_started_with_a_whole_body", status);
    let exec = ["exec", "-d", "--unmanaged", &id, "true"];
    let _ = dir.stockade(&exec).run().success();
}
