//! What a person is told of a prompt and a promise, and what the agent gets of it.

use std::fs;

use super::night::{ended, ralph};
use crate::support::command::Output;
use crate::support::dir::TestDir;

/// One life of an agent that keeps its prompt, asked for this.
fn asked(dir: &TestDir, prompt: &str, promise: &[&str]) -> Output {
    let first = [
        "ralph",
        "--allow-unenforced-limits",
        "--network",
        "none",
        "--image",
        dir.tiny(),
        "--max-iterations",
        "1",
        "--no-check",
        "--prompt",
        prompt,
    ];
    let agent = ["--", "sh", "-c", "cp \"$STOCKADE_PROMPT_FILE\" seen"];
    let output = dir.stockade(&[&first, promise, &agent].concat()).run();
    dir.assert_nothing_left();
    output
}

fn seen(dir: &TestDir) -> String {
    fs::read_to_string(dir.work().join("seen")).unwrap()
}

const ADDED: &str =
    "the prompt does not say how to claim completion: an instruction is added to it";
const VAGUE: &str = "warning: the prompt does not seem to say when the work is done";
const ORDINARY: &str = "warning: the promise is an ordinary word";
const ENDLESS: &str = "warning: without `--completion-promise` only limits end the run";

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_promise_that_the_prompt_does_not_have_is_added_and_said() {
    let dir = TestDir::new();
    let prompt = "Work until all tests pass.";
    let promise = ["--completion-promise", "COMPLETE"];
    let output = asked(&dir, prompt, &promise).code(11).complains(ADDED);
    for other in [VAGUE, ORDINARY, ENDLESS] {
        let _ = output.clone().does_not_complain(other);
    }
    let text = seen(&dir);
    assert!(text.starts_with(prompt), "{text}");
    let instruction = "end your answer with a line that is exactly `<promise>COMPLETE</promise>`. \
                       If you cannot go on without the person who runs you, end it with \
                       `<promise>BLOCKED: why</promise>` instead.\n";
    assert!(text.ends_with(instruction), "{text}");

    let whole = "Work until all tests pass.\nThen say:\n<promise>COMPLETE</promise>\n";
    let _ = asked(&dir, whole, &promise)
        .code(11)
        .does_not_complain(ADDED);
    assert_eq!(seen(&dir), whole);
    // Another promise's tag is none.
    let other = ["--completion-promise", "FINISHED"];
    let _ = asked(&dir, whole, &other).code(11).complains(ADDED);
    assert!(seen(&dir).contains("`<promise>FINISHED</promise>`"));
    let output = asked(&dir, prompt, &[]).code(11).complains(ENDLESS);
    let _ = output.does_not_complain(ADDED);
    assert_eq!(seen(&dir), format!("{prompt}\n"));
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_odd_about_a_prompt_is_a_warning() {
    let dir = TestDir::new();
    let prompt = "Write a poem.\n<promise>POEM WRITTEN</promise>";
    let promise = ["--completion-promise", "POEM WRITTEN"];
    let output = asked(&dir, prompt, &promise).code(11).complains(VAGUE);
    for other in [ADDED, ORDINARY, ENDLESS] {
        let _ = output.clone().does_not_complain(other);
    }
    for word in ["done", "ok", "OK"] {
        let prompt = format!("Work until it is finished.\n<promise>{word}</promise>");
        let output = asked(&dir, &prompt, &["--completion-promise", word]);
        let output = output.code(11).complains(ORDINARY);
        let _ = output.does_not_complain(VAGUE).does_not_complain(ADDED);
    }
    let prompt = "Work until it is finished.\n<promise>DONE</promise>";
    let output = asked(&dir, prompt, &["--completion-promise", "DONE"]);
    let _ = output.code(11).does_not_complain("warning: the promise");
}

#[test]
#[ignore = "needs podman: connects"]
fn a_prompt_that_says_nothing_begins_no_run() {
    let dir = TestDir::new();
    for empty in ["", " \n\t\n"] {
        let _ = asked(&dir, empty, &[]).code(2).complains("prompt is empty");
        dir.write("task.md", empty);
        let first = ["ralph", "--image", dir.tiny(), "--network", "none"];
        let rest = ["--prompt-file", "task.md", "--", "touch", "seen"];
        let output = dir.stockade(&[first, rest].concat()).run();
        let _ = output.code(2).complains("prompt is empty");
    }
    assert!(!dir.work().join("seen").exists());
    let runs = dir.stockade(&["runs", "-q"]).run().success().stdout();
    assert_eq!(runs, "");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs agents"]
fn a_loose_promise_counts_anywhere_in_the_last_words() {
    let says = |words: &str| format!("printf '%s\\n' {words}\n");
    let claims = [
        "'I say <promise>COMPLETE</promise>.' 'Bye.'",
        "'<promise>COMPLETE</promise>' 'not yet, though'",
        "'<promise>INCOMPLETE</promise><promise>COMPLETE</promise>'",
    ];
    for words in claims {
        let dir = TestDir::new();
        let flags = ["--no-check", "--max-iterations", "2", "--loose-promise"];
        let strict = ralph(&dir, &says(words), &flags[..3]).run();
        let _ = ended(&dir, strict, 11, 2);
        dir.write("count", "0");
        let loose = ralph(&dir, &says(words), &flags).run();
        let _ = ended(&dir, loose, 0, 1).complains("the agent claims completion");
    }
    let dir = TestDir::new();
    // A word is no tag, and what goes to standard error no answer. A claim is still only that.
    let agent = "case $n in\n\
        1) echo COMPLETE;;\n\
        2) echo '<promise>INCOMPLETE</promise>';;\n\
        3) echo '<promise>COMPLETE</promise>' >&2;;\n\
        *) echo 'It is <promise>COMPLETE</promise>!';;\n\
        esac";
    let flags = ["--check", "[ $(cat count) = 5 ]", "--loose-promise"];
    let output = ralph(&dir, agent, &flags).run();
    let output = ended(&dir, output, 0, 5).complains("verified (");
    let report = dir
        .stockade(&["report", "--format", "json"])
        .run()
        .success();
    let iterations = &report.json()["report"]["iterations"];
    let claims: Vec<_> = (0..5).map(|at| &iterations[at]["claim"]).collect();
    assert_eq!(
        claims,
        ["none", "none", "none", "complete", "complete"],
        "{output}"
    );
}
