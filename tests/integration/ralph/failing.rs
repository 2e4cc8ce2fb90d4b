//! A service that answers, and fails at what it is asked for.

use std::fs;

use super::night::{ended, ralph, record};
use crate::support::dir::TestDir;
use crate::support::relay::Relay;

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";
/// What a clean container is sent: nothing else of a run asks for it.
const SENT: &str = "/archive";
const LOCKED: &str = "beginning transaction: database is locked";

fn journal(dir: &TestDir) -> String {
    fs::read_to_string(record(dir).join("journal.jsonl")).unwrap()
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn what_passes_ends_no_run() {
    let dir = TestDir::new();
    let relay = Relay::failing_at(SENT, 2, LOCKED);
    let url = format!("unix://{}", relay.socket().display());
    let flags = ["--check", "test -e agent.sh", "--url", &url];
    let output = ralph(&dir, PROMISE, &flags).run();
    let output = ended(&dir, output, 0, 1);
    let _ = output.complains("Podman's service failed, trying again: ");
    assert_eq!(journal(&dir).matches("database is locked").count(), 2);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_does_not_pass_does() {
    let dir = TestDir::new();
    let relay = Relay::failing_at(SENT, u32::MAX, LOCKED);
    let url = format!("unix://{}", relay.socket().display());
    let flags = ["--check", "test -e agent.sh", "--url", &url];
    let output = ralph(&dir, PROMISE, &flags).run().code(1);
    let _ = output.complains("failed: ").complains("database is locked");
    // The work is kept, and nothing else.
    let _ = dir.stockade(&["rollback"]).run().success();
    dir.assert_nothing_left();
}
