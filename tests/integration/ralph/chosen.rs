//! Which run and which paths are meant, where not all of it is said.

use std::fs;

use super::night::{ralph, record};
use crate::support::command::Output;
use crate::support::dir::TestDir;

const CLAIM: &str = "; echo '<promise>COMPLETE</promise>'";

fn stockade(dir: &TestDir, words: &[&str]) -> Output {
    dir.stockade(words).run()
}

/// A run that has ended: two files are new, and a third is changed.
fn ended(dir: &TestDir) -> String {
    dir.write("src/old", "as it was");
    let agent = format!("echo new >src/new; echo changed >src/old; echo top >top{CLAIM}");
    let _ = ralph(dir, &agent, &["--no-check"]).run().success();
    let id = record(dir).file_name().unwrap().to_owned();
    id.into_string().unwrap()
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn without_a_run_it_is_the_last_one_of_this_directory() {
    let dir = TestDir::new();
    let id = ended(&dir);
    let diff = stockade(&dir, &["diff", "0..1", "--name-only"]).success();
    let _ = diff.has("src/new").has("src/old");
    let _ = stockade(&dir, &["diff", "1", "--name-only"])
        .success()
        .lacks("src");
    let _ = stockade(&dir, &["diff", "nosuch"])
        .code(1)
        .complains("there is no run `nosuch`");
    // A path in the place of the run.
    let _ = stockade(&dir, &["rollback", "src/new"])
        .success()
        .complains("/src/new: as at");
    assert!(!dir.work().join("src/new").exists() && dir.work().join("top").exists());
    // A part of an id is not taken for one where it may be a number.
    let last = &id[id.len() - 1..];
    let _ = stockade(&dir, &["show", last])
        .code(1)
        .complains("there is no run");
    let _ = stockade(&dir, &["show", &id[id.len() - 6..]]).success();
    let end = &id[id.len() - 6..];
    dir.write(end, "");
    let both = stockade(&dir, &["rollback", end]).code(2);
    let _ = both.complains("is a path here, and names the run");
    // From elsewhere nothing is done to a run that nobody has named, and looking takes the last one.
    let elsewhere = |line: &str| {
        dir.shell(&format!("mkdir -p ../other; cd ../other; {line}"))
            .run()
    };
    let program = dir.program();
    for verb in ["rollback", "accept --yes"] {
        let output = elsewhere(&format!("{program} {verb}")).code(1);
        let _ = output.complains("no run has worked in this directory");
    }
    let _ = elsewhere(&format!("{program} show")).success().has(&id);
    let _ = elsewhere(&format!("{program} rollback {id}")).success();
    assert!(!dir.work().join("top").exists());
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_not_there_is_neither_taken_nor_gone_back_to() {
    let dir = TestDir::new();
    let id = ended(&dir);
    for words in [
        &["rollback", &id, "nosuch"][..],
        &["rollback", "nosuch"],
        &["rollback", &id, "src", "src/nosuch"],
        &["accept", "--yes", &id, "nosuch"],
        &["accept", "--yes", &id, "top", "nosuch"],
    ] {
        let _ = stockade(&dir, words)
            .code(2)
            .complains("nosuch`, in no checkpoint either");
    }
    assert!(dir.work().join("src/new").exists());
    let _ = stockade(&dir, &["runs", "prune"])
        .success()
        .complains("1 neither accepted");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_done_to_a_part_decides_nothing() {
    let dir = TestDir::new();
    let id = ended(&dir);
    let open = |words: &[&str]| {
        let _ = stockade(&dir, words).success();
        let pruned = stockade(&dir, &["runs", "prune"]).success();
        let _ = pruned
            .lacks(&id)
            .complains("1 neither accepted nor rolled back");
    };
    open(&["rollback", "src/old"]);
    open(&["rollback", "--to", "1"]);
    open(&["accept", "--yes", "top"]);
    assert_eq!(fs::read(dir.work().join("src/old")).unwrap(), b"changed\n");
    let _ = stockade(&dir, &["rollback"]).success();
    let _ = stockade(&dir, &["runs", "prune"]).success().has(&id);
    assert_eq!(fs::read(dir.work().join("src/old")).unwrap(), b"as it was");
}
