//! `stockade ralph` where limits hold. `tests/bench/run.sh` runs it in the first guest, in the others when the
//! whole matrix is asked for.

mod awake; // machines that sleep or must not
mod frozen; // checkpoints of a workspace whose agent is paused for them
mod full; // a run whose disk is full
mod logout; // users who log out
mod outage; // what was seen before a service went away

use std::process::Command;

use crate::support::command::{PATH, TestCommand};
use crate::support::image::tiny;

/// `stockade ralph FLAG... -- sh -c AGENT`.
fn words<'a>(flags: &[&'a str], agent: &'a str) -> Vec<&'a str> {
    let first = [
        "ralph",
        "--network=none",
        "--prompt=Work until it is done.",
        "--completion-promise=COMPLETE",
        "--no-check",
        "--image",
        tiny(),
    ];
    [&first[..], flags, &["--", "sh", "-c", agent]].concat()
}

fn sudo(arguments: &[&str]) -> TestCommand {
    let mut command = Command::new("/usr/bin/sudo");
    command.args(arguments).env_clear().env("PATH", PATH);
    TestCommand::new(command)
}
