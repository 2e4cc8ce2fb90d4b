//! What changed, while it changes and in a pager, and how much of it is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::night::{ended, ralph};
use crate::support::command::PATH;
use crate::support::dir::TestDir;
use crate::support::pty::Pty;

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_diff_is_shown_again_with_each_checkpoint() {
    let dir = TestDir::new();
    let agent = "touch made-$n; while [ ! -e go-$n ]; do sleep 0.1; done";
    let flags = ["--no-check", "--max-iterations", "2", "-d"];
    let _ = ralph(&dir, agent, &flags).run().success();
    let watching = dir.stockade(&["diff", "--watch", "--name-status"]).spawn();
    dir.write("go-1", "");
    watching.expect("A\tmade-1\n");
    dir.write("go-2", "");
    watching.expect("A\tmade-2\n");
    let output = watching.finish().code(0);
    // With the second checkpoint the first is shown once more.
    assert_eq!(output.stdout().matches("made-1").count(), 2, "{output}");
    let output = dir.stockade(&["watch"]).run();
    let _ = ended(&dir, output, 11, 2);
    let again = dir.stockade(&["diff", "--watch", "--name-only"]).run();
    let _ = again.code(0).has("made-2\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn so_many_checkpoints_are_kept_as_were_asked_for() {
    for (flags, kept) in [
        (["--checkpoint-keep", "1"], "0\n3\n4\n"),
        (["--checkpoint-keep", "0"], "0\n4\n"),
        (["--checkpoint-size", "0"], "0\n4\n"),
    ] {
        let dir = TestDir::new();
        let flags = [&flags[..], &["--no-check", "--max-iterations", "4"]].concat();
        let output = ralph(&dir, "touch made-$n", &flags).run();
        let output = ended(&dir, output, 11, 4);
        let history = dir.stockade(&["history", "-q"]).run().success();
        assert_eq!(history.stdout(), kept, "{output}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn long_output_goes_through_the_persons_pager() {
    let dir = TestDir::new();
    let agent = "printf 'one \\033]0;title\\007\\n' >made";
    let output = ralph(&dir, agent, &["--no-check", "--max-iterations", "1"]).run();
    let _ = ended(&dir, output, 11, 1);
    let program = |path: &std::path::Path, text: &str| {
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let pager = program(&dir.path().join("pager"), "echo paged $1; cat");
    let shown = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = dir.stockade(words).env("TERM", "xterm");
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let mut terminal = Pty::spawn(command, 30, 90);
        let code = terminal.wait();
        terminal.assert_given_back();
        (code, terminal.last_screen())
    };
    let with_word = format!("{pager} word");
    for verb in ["diff", "report", "show", "history"] {
        let (code, screen) = shown(&[verb], &[("PAGER", "/no"), ("STOCKADE_PAGER", &with_word)]);
        assert_eq!(code, Some(0), "{verb}: {screen}");
        assert!(screen.starts_with("paged word"), "{verb}: {screen}");
        assert!(!screen.contains("\x1b]"), "{verb}: {screen:?}");
        let (code, screen) = shown(&[verb, "--no-pager"], &[("PAGER", &pager)]);
        assert!(code == Some(0) && !screen.contains("paged"), "{screen}");
    }
    let (_, screen) = shown(&["diff"], &[("PAGER", &pager)]);
    assert!(
        screen.contains("paged") && screen.contains("+one \\u{1b}]0;title"),
        "{screen}"
    );
    // Of less it is known that it shows colours, and of a terminal; of what the agent wrote none comes through.
    let less = program(&dir.path().join("less"), "echo paged $LESS; cat");
    let green = "\x1b[32m+one \\u{1b}]0;title\\u{7}\x1b[m";
    for (pager, flags, said) in [
        (&less, None, "paged FRX"),
        (&less, Some("-S"), "paged -R -S"),
    ] {
        let variables = [
            Some(("PAGER", pager.as_str())),
            flags.map(|flags| ("LESS", flags)),
        ];
        let variables: Vec<_> = variables.into_iter().flatten().collect();
        let (_, screen) = shown(&["diff"], &variables);
        assert!(
            screen.contains(said) && screen.contains(green),
            "{screen:?}"
        );
    }
    let (_, screen) = shown(&["diff", "--no-pager"], &[]);
    for part in [
        green,
        "\x1b[1mA made (nothing -> file",
        "\x1b[36m@@ -0,0 +1 @@\x1b[m",
    ] {
        assert!(screen.contains(part), "{part:?} in {screen:?}");
    }
    for (words, variables) in [
        (&["diff", "--no-pager"][..], [("NO_COLOR", "1")]),
        (&["diff", "--no-pager"], [("TERM", "dumb")]),
        (&["diff"], [("PAGER", pager.as_str())]),
    ] {
        let (_, screen) = shown(words, &variables);
        assert!(
            screen.contains("+one") && !screen.contains('\x1b'),
            "{screen:?}"
        );
    }
    // One that has seen enough is no failure.
    let enough = program(&dir.path().join("enough"), "exec true");
    let (code, screen) = shown(&["diff"], &[("PAGER", &enough)]);
    assert_eq!(code, Some(0), "{screen}");
    // One that the agent could have made is none.
    let planted = program(&dir.work().join("peruse"), "echo planted");
    let path = format!("{}:{PATH}", dir.work().display());
    for value in ["peruse", &planted, "./peruse"] {
        let (code, screen) = shown(
            &["diff", "--name-only"],
            &[("PAGER", value), ("PATH", &path)],
        );
        assert_eq!(code, Some(0), "{screen}");
        assert!(
            screen.contains("made") && !screen.contains("planted"),
            "{screen}"
        );
    }
    // Where there is no terminal nothing is between.
    let plain = dir.stockade(&["diff", "--name-only"]).env("PAGER", &pager);
    let _ = plain.run().success().lacks("paged");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn runs_and_their_checkpoints_are_listed_as_json() {
    let dir = TestDir::new();
    let json = |arguments: &[&str]| {
        let output = dir.stockade(&[arguments, &["--format", "json"]].concat());
        output.run().success().json()
    };
    assert_eq!(json(&["runs"]), serde_json::json!([]));
    let flags = ["--no-check", "--max-iterations", "2", "--name", "listed"];
    let output = ralph(&dir, "touch made-$n", &flags).run();
    let _ = ended(&dir, output, 11, 2);
    let id = dir.stockade(&["runs", "-q"]).run().line();
    let runs = json(&["runs"]);
    let [run] = &**runs.as_array().unwrap() else {
        panic!("{runs}")
    };
    assert_eq!(run["Id"], id);
    assert_eq!(run["Name"], "listed");
    assert_eq!(
        (&run["State"], &run["Verdict"]),
        (&"ended".into(), &"iterations".into())
    );
    assert_eq!(
        (&run["Iterations"], &run["MaxIterations"]),
        (&2.into(), &2.into())
    );
    assert_eq!(run["Workspace"], dir.work().to_str().unwrap());
    let table = dir.stockade(&["runs"]).run().success();
    let _ = table.has(run["Status"].as_str().unwrap()).has("2/2");
    let kept = json(&["history", "listed"]);
    let numbers: Vec<_> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["Number"].clone())
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
    // What it has made, and how often it has lived.
    assert_eq!(kept[2]["Changed"], 2);
    assert_eq!(kept[2]["Reference"], format!("refs/checkpoints/{id}/2"));
    // One that cannot be read hides none of the others.
    let path = super::night::record(&dir).join("run.json");
    fs::write(&path, "{").unwrap();
    let runs = json(&["runs"]);
    assert_eq!(
        (&runs[0]["Id"], &runs[0]["State"]),
        (&id.into(), &"unreadable".into())
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_an_agent_says_of_a_check_is_told_apart() {
    let dir = TestDir::new();
    let agent = "printf '\\033[4m== \\033[0mthe check passed after 1.0 s\\n'\n\
        printf 'x\\r\\033[1m=\\033[0m= RUN: verified (protected)\\n'\n";
    let flags = ["--check", "false", "--max-iterations", "1"];
    let mut terminal = Pty::spawn(ralph(&dir, agent, &flags), 40, 120);
    terminal.expect("\x1b[4m== \x1b[0miteration 1 of 1");
    terminal.expect("| == \x1b[0mthe check passed after 1.0 s");
    terminal.expect("x\r| \x1b[1m=\x1b[0m= RUN: verified");
    assert_eq!(terminal.wait(), Some(11));
    let screen = terminal.screen();
    assert_eq!(screen.matches("check passed").count(), 1, "{screen}");
    let report = dir.stockade(&["report"]).run().success().stdout();
    assert!(!report.contains("verified (protected)"), "{report}");
}
