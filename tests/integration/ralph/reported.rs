//! `stockade report`: what it says, by how a run ended.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

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
pub(crate) fn report(dir: &TestDir, parts: &[&str]) -> String {
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
            "- limits: also where they are not in force",
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
fn a_workspace_that_grows_too_much_ends_the_run() {
    let dir = TestDir::new();
    // What checkpoints leave out counts, too; what was there before the agent does not.
    std::fs::write(dir.work().join(".gitignore"), "target/\n").unwrap();
    std::fs::write(dir.work().join("large"), vec![1; 8 << 20]).unwrap();
    let agent = "mkdir -p target; head -c 3145728 /dev/urandom >target/$(cat /proc/sys/kernel/random/uuid); \
                 truncate -s 64m holes; sleep 1";
    let flags = ["--no-check", "--no-progress", "0", "--max-growth", "5m"];
    let output = ralph(&dir, agent, &flags).run().code(22);
    let _ = output.complains("the workspace has grown by 6 MiB, more than 5 MiB");
    report(
        &dir,
        &[
            "**not done: the workspace has grown by 6 MiB, more than 5 MiB**",
            "- iterations: 2 of 50",
            "`--max-growth`",
            "stockade rollback",
        ],
    );
    dir.assert_nothing_left();
    let flags = ["--no-check", "--max-growth", "0", "--max-iterations", "3"];
    let _ = ralph(&dir, agent, &flags).run().code(11);
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
    let run = super::night::record(&dir);
    let files = std::fs::read_dir(run).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    let texts: Vec<_> = files
        .map(|file| std::fs::read_to_string(file.path()).unwrap())
        .collect();
    assert!(texts.len() > 3 && texts.iter().any(|text| text.contains("TOKEN")));
    assert!(!texts.concat().contains("not-for-records"));
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_report_says_what_each_iteration_has_changed_and_stays_with_the_run() {
    let dir = TestDir::new();
    let agent = "[ -e made ] && { printf 'one\nthree\n' >made; mv old new; exit 3; }\n\
        printf 'one\ntwo\n' >made; echo >old; truncate -s 9G much; echo '_said_ <b>'";
    let flags = ["--no-check", "--max-iterations=2", "--name=n_a_me"];
    let output = ralph(&dir, agent, &flags).run().code(11);
    let _ = output.complains("3 changed, 1 left out (1 since they are too much)");
    let said = report(
        &dir,
        &[
            "- not in its last checkpoint: 1 left out (1 since they are too much)",
            "| 3 files, +3 -0, 1 left out | – | – |",
            "| 3 | 3 files, +2 -2, 1 left out | – | – |",
        ],
    );
    // When each began, as `show` has it.
    let run = super::night::record(&dir);
    let kept = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    let journal = kept("journal.jsonl");
    let events = journal.lines().map(serde_json::from_str);
    let events: Vec<serde_json::Value> = events.map(Result::unwrap).collect();
    for event in events.iter().filter(|event| event["event"] == "iteration") {
        let row = format!(
            "| {} | {}Z | ",
            event["number"],
            &event["at"].as_str().unwrap()[..19]
        );
        assert!(said.contains(&row), "{row} in\n{said}");
    }
    let json = dir.stockade(&["report", "--format=json"]).run().json();
    let first = &json["report"]["iterations"][0];
    let at = |name: &str| events.iter().find(|event| event["event"] == name).unwrap()["at"].clone();
    assert_eq!(
        (&first["begun"], &first["ended"]),
        (&at("iteration"), &at("ended"))
    );
    assert_eq!(first["difference"]["lines"]["added"], 3, "{first}");
    // As it was when the run ended.
    assert_eq!(kept("report.md"), said);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&kept("report.json")).unwrap(),
        json
    );
    for format in ["text", "markdown"] {
        let again = dir.stockade(&["report", "--format", format]).run();
        assert_eq!(again.success().stdout(), said);
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_report_that_cannot_be_kept_changes_no_verdict() {
    let dir = TestDir::new();
    let agent =
        "touch began; while [ ! -e go ]; do sleep 0.1; done; echo '<promise>COMPLETE</promise>'";
    let id = ralph(&dir, agent, &["--no-check", "-d"])
        .run()
        .success()
        .line();
    super::night::wait_until(|| dir.work().join("began").exists());
    std::fs::create_dir(super::night::record(&dir).join("report.md")).unwrap();
    dir.write("go", "");
    let _ = dir.stockade(&["watch", &id]).run().code(0);
    let _ = dir
        .stockade(&["show"])
        .run()
        .has("the report is not kept with the run");
    report(&dir, &["**claimed", "the report is not kept with the run"]);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_program_that_is_not_there_is_not_tried_again() {
    let dir = TestDir::new();
    // As `python ralph.py`, which says nearly the same and ends with 2, too.
    let output = ralph(&dir, "exec sh ralph.py", &["--no-check"])
        .run()
        .code(1);
    let _ = output.complains("found no file to run: sh: can't open 'ralph.py'");
    report(
        &dir,
        &[
            "- iterations: 1 of 50",
            "- the agent's program has to be in the workspace",
        ],
    );
    let dir = TestDir::new();
    let output = ralph(&dir, "exec no-such-agent", &["--no-check"])
        .run()
        .code(1);
    let _ = output.complains("was not found in the image");
    report(&dir, &["name another with `--image`"]);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn iterations_that_are_used_up_say_what_was_missing() {
    let flags = ["--max-iterations=1", "--check=echo wrong; exit 7"];
    for (agent, code, why) in [
        (
            "echo COMPLETE",
            11,
            "- its promise was never seen: the agent's final message needs `<promise>COMPLETE</promise>`",
        ),
        (
            "echo '<promise>COMPLETE</promise>'",
            10,
            "- its last claim, in iteration 1, failed the check with 7",
        ),
    ] {
        let dir = TestDir::new();
        let _ = ralph(&dir, agent, &flags).run().code(code);
        report(&dir, &[why, "`--max-iterations 2`"]);
        let logs = |flag| dir.stockade(&["logs", flag]).run();
        if code == 11 {
            let _ = logs("--check").code(1).complains("nothing of the run");
            continue;
        }
        report(&dir, &["`stockade logs --check=1`"]);
        for flag in ["--check", "--check=1"] {
            let said = logs(flag).success().complains("the check failed after");
            assert!(said.stdout().starts_with("wrong"), "{said}");
        }
        let _ = logs("--check=2")
            .code(1)
            .complains("no claim of iteration 2");
        let typed = ["logs", "--check", "no-such-run"];
        let _ = dir
            .stockade(&typed)
            .run()
            .code(1)
            .complains("there is no run");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_service_of_this_machine_that_is_out_of_reach_is_named() {
    let dir = TestDir::new();
    let flags = ["--no-check", "--api-patience=1s"];
    let output = ralph(&dir, "nc 127.0.0.1 9; exit 1", &flags).run().code(16);
    let said = report(
        &dir,
        &[
            "- its API was given 1 s in a row: with more, `--api-patience`",
            "- a model that this machine serves is at `host.containers.internal`",
            "- this run had `--network none`, which reaches nothing",
            "- at the end the agent could not reach `127.0.0.1`: with `--network none` nothing outside is reached",
            "of it waiting for the agent's API; ",
            ", its API: unreachable, then waited for ",
        ],
    );
    assert!(said.contains("`host.containers.internal`"), "{output}");
    let json = dir.stockade(&["report", "--format=json"]).run().json();
    assert_eq!(
        json["report"]["iterations"][0]["refusal"]["trouble"],
        "unreachable"
    );
    assert_eq!(json["exit"], 16, "{json}");
    let advice = json["advice"].as_array().unwrap();
    let told = advice
        .iter()
        .map(|line| format!("- {}\n", line.as_str().unwrap()));
    assert!(advice.len() > 3 && told.into_iter().all(|line| said.contains(&line)));
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_that_is_denied_its_files_is_told_why() {
    let dir = TestDir::new();
    dir.write("locked", "");
    let path = dir.work().join("locked");
    std::fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
    let agent = "cat locked; echo Tried.; exit 3";
    let flags = ["--no-check", "--max-iterations=1"];
    let _ = ralph(&dir, agent, &flags).run().code(11);
    report(
        &dir,
        &["- at the end the agent was denied access: in the workspace it may do what you may"],
    );
    // As the guide has it, less its label.
    let mount = format!("--volume={}:/workspace", dir.work().display());
    let _ = ralph(&dir, agent, &[&flags[..], &[&mount]].concat())
        .run()
        .code(11);
    report(
        &dir,
        &["- at the end the agent was denied access: a workspace that is mounted without `:Z`"],
    );
    dir.assert_nothing_left();
}
