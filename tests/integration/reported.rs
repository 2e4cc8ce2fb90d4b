//! `stockade report`: what it says, by how a run ended.

use crate::support::command::TestCommand;
use crate::support::dir::TestDir;

/// `stockade ralph FLAG... -- sh -c AGENT`, of which nothing is said or kept that the agent does not say or keep.
fn ralph(dir: &TestDir, agent: &str, flags: &[&str]) -> TestCommand {
    let first = [
        "ralph",
        "--allow-unenforced-limits",
        "--network=none",
        "--prompt=Work until the tests pass.",
        "--completion-promise=COMPLETE",
        "--image",
        dir.tiny(),
    ];
    dir.stockade(&[&first, flags, &["--", "sh", "-c", agent]].concat())
}

/// The report, as a person reads it; it says this.
#[track_caller]
fn report(dir: &TestDir, parts: &[&str]) -> String {
    let report = dir.stockade(&["report"]).run().success().stdout();
    for part in parts {
        assert!(report.contains(part), "`{part}` is not in\n{report}");
    }
    report
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_changes_nothing_makes_no_progress() {
    let dir = TestDir::new();
    // It says something else each time.
    let agent = "cat /proc/sys/kernel/random/uuid";
    let flags = ["--no-check", "--no-progress", "2"];
    let output = ralph(&dir, agent, &flags).run().code(14);
    let _ = output
        .complains("iteration 2 ended")
        .complains("not done: no progress in 2 iterations");
    let said = report(
        &dir,
        &[
            "**not done: no progress in 2 iterations**",
            "- iterations: 2 of 50",
            "- the last 2 iterations changed nothing",
            "`--no-progress 4`",
            "stockade rollback",
        ],
    );
    assert!(!said.contains("| 3 |"), "{said}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_says_the_same_makes_no_progress() {
    for most in ["2", "3"] {
        let dir = TestDir::new();
        // Whatever it changes.
        let agent = "echo >>made; echo 'I am done, I think.'";
        let flags = ["--no-check", "--no-progress", most];
        let output = ralph(&dir, agent, &flags).run().code(14);
        let _ = output.complains("no progress");
        let made = std::fs::read_to_string(dir.work().join("made")).unwrap();
        assert_eq!(made.len().to_string(), most);
        let verdict = format!("**not done: no progress in {most} iterations**");
        let why = format!("- the last {most} iterations ended with the same message");
        report(&dir, &[&verdict, &why]);
        dir.assert_nothing_left();
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_says_the_same_and_changes_nothing_makes_no_progress() {
    let dir = TestDir::new();
    let flags = ["--no-check", "--no-progress", "2"];
    let output = ralph(&dir, "echo the same", &flags).run().code(14);
    assert_eq!(output.stdout(), "the same\nthe same\n", "{output}");
    report(&dir, &["- the last 2 iterations changed nothing"]);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_was_opened_is_still_known_when_the_container_is_gone() {
    let dir = TestDir::new();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let volume = format!("{}:/data:ro", data.display());
    let mut flags = vec!["--no-check", "--max-iterations=1", "--cap-add=NET_RAW"];
    flags.extend(["-v", &volume, "-e", "TOKEN=not-for-records"]);
    let _ = ralph(&dir, "true", &flags).run().code(11);
    dir.assert_nothing_left();
    let mount = format!("{}:/data:", data.display());
    report(
        &dir,
        &["- loosened: capability CAP\\_NET\\_RAW", &mount, "`TOKEN`"],
    );
    let shown = dir.stockade(&["show"]).run().success();
    let shown = shown
        .has("loosened   capability CAP_NET_RAW")
        .has(&format!("mount      {mount}"));
    assert!(shown.stdout().contains("TOKEN"), "{shown}");
    let json = dir.stockade(&["report", "--format", "json"]).run().json();
    let found = &json["sandbox"]["loosenings"][0];
    assert_eq!(found["name"], "CAP_NET_RAW", "{found}");
    // In no file of the run is there a value.
    let run = crate::night::record(&dir);
    let files = std::fs::read_dir(run).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    let texts: Vec<_> = files
        .map(|file| std::fs::read_to_string(file.path()).unwrap())
        .collect();
    assert!(texts.len() > 3 && texts.iter().any(|text| text.contains("TOKEN")));
    assert!(!texts.concat().contains("not-for-records"));
}
