//! Checkpoints while the agent works: what they hold, what rests on them, and the way back to one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::night::{ralph, record, wait_until};
use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};

/// Waits until the person has made `go`.
const WAITS: &str = "until [ -e go ]; do sleep 0.05; done\n";
const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

/// What was journalled of checkpoints, or of anything else.
fn events(dir: &TestDir, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(record(dir).join("journal.jsonl")).unwrap_or_default();
    let whole = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    whole.filter(|event| event["event"] == name).collect()
}

/// Those that were taken while the agent worked.
fn meanwhile(dir: &TestDir) -> Vec<Value> {
    let all = events(dir, "checkpoint");
    all.into_iter()
        .filter(|event| event.get("during").is_some())
        .collect()
}

fn files(dir: &TestDir) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![dir.work()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => drop(files.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    files
}

/// The last of them that was told.
fn last(dir: &TestDir) -> Option<String> {
    let event = meanwhile(dir).pop()?;
    Some(event["number"].to_string())
}

/// Whether the last of them has a file that the first checkpoint has not.
fn has(dir: &TestDir, name: &str) -> bool {
    let Some(number) = last(dir) else {
        return false;
    };
    let range = format!("0..{number}");
    let names = dir.stockade(&["diff", "--name-status", &range]).run();
    names
        .stdout()
        .lines()
        .any(|line| line == format!("A\t{name}"))
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn one_in_the_middle_is_to_go_back_to_and_nothing_rests_on_it() {
    let dir = TestDir::new();
    dir.write("kept/mine", "mine");
    // What git would obey is there while the checkpoint is taken.
    let agent = format!(
        "mkdir -p .git sub; echo '[core]' >.git/config; echo x >stockade.toml; echo early >sub/a; rm -r kept\n\
         touch ready\n{WAITS}rm -r .git stockade.toml; echo late >sub/a; echo late >b\n{PROMISE}"
    );
    let flags = ["--checkpoint-every", "1", "-d", "--check", "grep -q late b"];
    let _ = ralph(&dir, &agent, &flags).run().success();
    wait_until(|| dir.work().join("ready").exists());
    wait_until(|| has(&dir, "ready"));
    let number = last(&dir).unwrap();
    let range = format!("0..{number}");
    let names = dir.stockade(&["diff", "--name-status", &range]).run();
    let names = names.success();
    let listed = names.stdout();
    for line in ["A\t.git", "A\tstockade.toml", "A\tsub/a", "D\tkept/mine"] {
        assert!(listed.lines().any(|one| one == line), "{line}: {names}");
    }
    assert!(!listed.contains(".git/"), "{names}");
    let mut then = files(&dir);
    then.retain(|path, _| !path.starts_with(dir.work().join(".git")));
    then.remove(&dir.work().join("stockade.toml"));
    dir.write("go", "");
    let _ = dir.stockade(&["watch"]).run().code(0);
    dir.assert_nothing_left();

    let taken = meanwhile(&dir);
    assert!(!taken.is_empty(), "{taken:?}");
    let numbers: Vec<&Value> = taken.iter().map(|event| &event["number"]).collect();
    let checked = &events(&dir, "checking")[0]["checkpoint"];
    assert!(!numbers.contains(&checked), "{checked}");
    let unfrozen = taken[0]["during"] == "unfrozen";
    let shown = dir.stockade(&["show"]).run().success();
    let _ = dir
        .stockade(&["report"])
        .run()
        .success()
        .has("nothing rests");
    let history = dir.stockade(&["history"]).run().success();
    assert_eq!(
        history.stdout().contains("not frozen"),
        unfrozen,
        "{history}"
    );
    let _ = history
        .has("while iteration 1 worked")
        .has("after iteration 1");
    let told = shown.stdout().matches("without pausing it").count();
    assert_eq!(told, usize::from(unfrozen), "{shown}");

    let again = |flags: &[&str]| dir.stockade(&[&["check", "--check", "true"], flags].concat());
    let _ = again(&[]).run().code(0);
    let again = again(&["--at", &number]).run();
    match unfrozen {
        true => drop(again.code(1).complains("proves nothing")),
        false => drop(again.code(0)),
    }
    let _ = dir.stockade(&["rollback", "--to", &number]).run().success();
    assert_eq!(files(&dir), then);
    let _ = dir.stockade(&["rollback"]).run().success();
    assert_eq!(fs::read(dir.work().join("kept/mine")).unwrap(), b"mine");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn where_nothing_changes_there_is_no_other_and_0_is_never() {
    for (every, most) in [("1", 1), ("0", 0)] {
        let dir = TestDir::new();
        let flags = ["--checkpoint-every", every, "--max-iterations", "1"];
        let _ = ralph(&dir, "sleep 4", &flags).run().code(11);
        assert!(meanwhile(&dir).len() <= most, "{every}");
        if most > 0 {
            assert_eq!(meanwhile(&dir).len(), most);
        }
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_supervisor_that_is_killed_while_it_asks_for_a_pause_leaves_no_agent_paused() {
    let dir = TestDir::new();
    let gate = Gate::start(Hold::Answer("POST /containers/*/pause"));
    let flags = [
        "--checkpoint-every",
        "1",
        "-d",
        "--no-check",
        "--url",
        &gate.url(),
    ];
    let begun = ralph(&dir, &format!("{WAITS}{PROMISE}"), &flags).run();
    let id = begun.success().line();
    gate.wait_held();
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    assert!(record(&dir).join("paused").exists());
    gate.discard();
    dir.write("go", "");
    let _ = dir.stockade(&["resume"]).run().code(0);
    assert!(!record(&dir).join("paused").exists());
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_being_taken_when_the_agent_ends_is_not_in_the_way() {
    let dir = TestDir::new();
    let agent =
        "i=0; while [ $i -lt 3000 ]; do echo $i$n >f$i; i=$((i+1)); done; sleep 0.$((RANDOM % 10))";
    let flags = ["--checkpoint-every", "100ms", "--max-iterations", "4"];
    let output = ralph(&dir, agent, &flags).run().code(11);
    let _ = output
        .does_not_complain("could be taken")
        .does_not_complain("Warning");
    assert!(!meanwhile(&dir).is_empty());
    let quiet = events(&dir, "checkpoint").len() - meanwhile(&dir).len();
    assert_eq!(quiet, 5);
    dir.assert_nothing_left();
}
