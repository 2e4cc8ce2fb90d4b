//! `ralph -d` until the first iteration: as long as somebody is there to hear it.

use std::fs::{self, File};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::night::{ralph, wait_until};
use crate::support::command::Running;
use crate::support::dir::TestDir;

const FLAGS: [&str; 4] = [
    "-d",
    "--no-linger-check",
    "--no-check",
    "--max-iterations=1",
];

/// Nobody else writes to the checkpoints: another run's first one waits.
fn busy(dir: &TestDir) -> File {
    let all = fs::read_dir(dir.path().join("state/stockade/checkpoints")).unwrap();
    let repository = all.map(|entry| entry.unwrap().path()).next().unwrap();
    let lock = File::open(repository.join("stockade.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    lock
}

fn runs(dir: &TestDir) -> Vec<PathBuf> {
    let all = fs::read_dir(dir.path().join("state/stockade/runs")).unwrap();
    let paths = all.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

/// A run that somebody has in hand, and whose workspace cannot be kept yet.
fn waiting(dir: &TestDir) -> Running {
    let before = runs(dir);
    let running = ralph(dir, "echo at work", &FLAGS).spawn();
    wait_until(|| {
        let journal =
            |run: PathBuf| fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
        let new = runs(dir).into_iter().filter(|run| !before.contains(run));
        new.map(journal).any(|text| text.contains("\"begun\""))
    });
    running
}

#[test]
#[ignore = "needs podman: runs agents"]
fn a_run_in_the_background_is_heard_until_its_agent_works() {
    let dir = TestDir::new();
    let begun = ralph(&dir, "echo at work", &FLAGS).run().success();
    let begun = begun
        .complains("working in the background")
        .complains("nothing ends an agent that hangs");
    let first = begun.line();
    let _ = dir.stockade(&["wait", &first]).run().code(11);

    // Whoever is ended otherwise leaves a run that goes on, and says which.
    let lock = busy(&dir);
    let running = waiting(&dir);
    running.signal(Signal::TERM);
    let left = running
        .finish()
        .code(143)
        .complains("the run goes on: `stockade watch 2");
    assert!(fs::read_to_string(dir.work().join("count")).unwrap() == "1\n");
    drop(lock);
    let _ = dir.stockade(&["wait", &left.line()]).run().code(11);

    // Ctrl-C ends it before its agent has begun.
    let lock = busy(&dir);
    let running = waiting(&dir);
    running.signal(Signal::INT);
    wait_until(|| runs(&dir).iter().any(|run| run.join("stop").exists()));
    drop(lock);
    let stopped = running.finish().code(130);
    assert_eq!(stopped.stdout(), "");
    let _ = stopped.complains(": stopped");
    assert!(fs::read_to_string(dir.work().join("count")).unwrap() == "2\n");
    dir.assert_nothing_left();
}
