//! What is said of a check that did not end by itself, of tests of which the agent has made less, and of a directory of the
//! person's.

use std::fs;

use rustix::process::Signal;

use super::night::{ended, record, wait_until};
use super::verified::{claiming, event};
use crate::support::dir::TestDir;

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_check_that_takes_too_long_has_failed_whatever_it_says_then() {
    let dir = TestDir::new();
    // Many commands end so when they are asked to.
    let check = "trap 'exit 0' TERM; sleep 60 & wait";
    let bounds = ["--check-timeout", "1", "--max-iterations", "1"];
    let flags = [&["--check", check][..], &bounds].concat();
    let output = claiming(&dir, "", &flags).run();
    let output = ended(&dir, output, 10, 1).complains("took too long");
    assert!(!output.stderr().contains("passed"), "{output}");
    let checked = event(&dir, "checked");
    assert_eq!(
        (&checked["timed_out"], &checked["exit_code"]),
        (&true.into(), &0.into())
    );
    let report = dir.stockade(&["report"]).run().success().stdout();
    assert!(report.contains("| complete | took too long |"), "{report}");
    assert!(report.contains("iteration 1, took too long"), "{report}");
    let report = dir.stockade(&["report", "--format", "json"]).run();
    let report = report.success().json();
    assert_eq!(report["report"]["iterations"][0]["check_timed_out"], true);
    let shown = dir.stockade(&["show"]).run().success().stdout();
    assert!(!shown.contains("the check passed"), "{shown}");
    // By hand, too.
    let again = dir.stockade(&["check"]).run().code(10);
    assert!(!again.stderr().contains("passed"), "{again}");
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_check_by_hand_that_was_cut_off_is_in_nobodys_way() {
    let dir = TestDir::new();
    let output = claiming(&dir, "", &["--check", "true"]).run();
    let _ = ended(&dir, output, 0, 1);
    let endless = ["check", "--check", "echo begun; sleep 1000"];
    let running = dir.stockade(&endless).spawn();
    let logs = || dir.stockade(&["logs", "--check"]).run().success();
    wait_until(|| logs().stdout() == "begun\n");
    running.signal(Signal::KILL);
    let _ = running.finish();
    assert_eq!(dir.containers().len(), 1);
    let _ = dir.stockade(&["check"]).run().success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn tests_that_are_gone_from_a_file_of_source_are_told() {
    let dir = TestDir::new();
    let work = "pub fn answer() -> u8 {\n    41\n}\n";
    let tests = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn it_is_right() {\n        assert_eq!(super::answer(), 42);\n    }\n}\n";
    dir.write("src/lib.rs", format!("{work}\n{tests}"));
    dir.write("src/other.rs", "pub fn other() {}\n");
    // In place of a runner of tests: as many as there are have to hold.
    let check = "[ -e src/lib.rs ] && ! grep -q 'answer(), 42' src/lib.rs";
    let agent = "sed -i '/cfg(test)/,$d' src/lib.rs; echo >>src/other.rs";
    let output = claiming(&dir, agent, &["--check", check]).run();
    let output = ended(&dir, output, 0, 1).complains("verified (agent's tests)");
    assert!(!output.stderr().contains("protected"), "{output}");
    let findings = &event(&dir, "checked")["findings"];
    assert_eq!(findings["agents_tests"], serde_json::json!(["src/lib.rs"]));
    assert_eq!(findings["weakened"], serde_json::json!(["src/lib.rs"]));
    let report = dir.stockade(&["report"]).run().success().stdout();
    let (_, told) = report.split_once("may have been weakened").unwrap();
    assert!(told.contains("- `src/lib.rs`"), "{report}");
}

#[test]
#[ignore = "needs podman: runs agents"]
fn tests_that_are_gone_are_told_where_no_check_was_made() {
    let dir = TestDir::new();
    let take_away = "rm -f tests/gone.sh; echo exit 0 >tests/off.sh; echo x >conftest.py";
    let no_check: &[&str] = &["--no-check", "--max-iterations", "1"];
    let no_claim = ["--check", "true", "--max-iterations", "1"];
    for (agent, flags, code) in [
        (
            format!("{take_away}\necho '<promise>COMPLETE</promise>'"),
            no_check,
            0,
        ),
        (take_away.to_owned(), &no_claim, 11),
        // A check before is none of what came then.
        (
            format!("[ $n = 1 ] && echo '<promise>COMPLETE</promise>' && exit\n{take_away}"),
            &["--check", "false", "--max-iterations", "2"],
            11,
        ),
    ] {
        let _ = dir.shell("rm -rf tests conftest.py count").run().success();
        for name in ["gone", "off", "same"] {
            dir.write(&format!("tests/{name}.sh"), "assert=1\n[ -e done ]\n");
        }
        let _ = super::night::ralph(&dir, &agent, flags).run().code(code);
        let report = dir.stockade(&["report"]).run().success().stdout();
        let (_, told) = report
            .split_once("## Steer tests, and were changed")
            .unwrap();
        let (put_back, told) = told.split_once("## Decide the outcome").unwrap();
        let (_, told) = told.split_once("## Tests that are gone").unwrap();
        let (gone, told) = told.split_once("may have been weakened").unwrap();
        assert!(put_back.contains("- `conftest.py`"), "{report}");
        assert!(gone.contains("- `tests/gone.sh`"), "{report}");
        assert!(told.contains("- `tests/off.sh`"), "{report}");
        assert!(!report.contains("same.sh"), "{report}");
        let json = dir.stockade(&["report", "--format", "json"]).run();
        let found = &json.success().json()["unchecked"];
        assert_eq!(found["tests_gone"], serde_json::json!(["tests/gone.sh"]));
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_check_may_come_from_a_directory_of_the_persons() {
    let dir = TestDir::new();
    let checks = dir.path().join("checks");
    fs::create_dir(&checks).unwrap();
    fs::write(
        checks.join("run.sh"),
        "(echo x >/check/run.sh) 2>&1; [ \"$(cat answer)\" = 42 ]\n",
    )
    .unwrap();
    let given = checks.display().to_string();
    let inside = claiming(&dir, "", &["--check", "true", "--check-dir", "."]).run();
    let _ = inside.code(2).complains("outside of the workspace");
    for (above, options) in [("", ""), ("/checks", ":rw")] {
        let volume = format!("{}{above}:/mnt{options}", dir.path().display());
        let flags = ["--check", "true", "--check-dir", &given, "-v", &volume];
        let theirs = claiming(&dir, "", &flags).run().code(2);
        let _ = theirs.complains("must not be the agent's to write");
    }
    let volume = format!("{given}:/mnt:ro");
    let flags = [
        "--check",
        "true",
        "--check-dir",
        &given,
        "-v",
        &volume,
        "--dry-run",
    ];
    let _ = claiming(&dir, "", &flags).run().success();
    let agent = "ls /check; [ $n = 2 ] && echo 42 >answer";
    let flags = ["--check", "sh /check/run.sh", "--check-dir", &given];
    let output = claiming(&dir, agent, &flags).run();
    let output = ended(&dir, output, 0, 2).complains("verified (protected)");
    assert!(
        !output.stdout().contains("run.sh"),
        "the agent has none of it: {output}"
    );
    let said = fs::read_to_string(record(&dir).join("check-2.log")).unwrap();
    assert!(said.contains("Read-only file system"), "{said}");
}
