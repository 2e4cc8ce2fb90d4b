//! What is said of a check that did not end by itself, and of tests of which the agent has made less.

use super::night::ended;
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
