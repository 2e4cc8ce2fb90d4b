//! What is kept of what an agent says, where that is more than is to be kept, and what is shown of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::night::{ended, ralph, record, wait_until};
use crate::support::dir::TestDir;

/// Says a line of 1024 bytes, which ends with a number, so many times.
const LINES: &str = "line() { printf '%01024d' $1 | tail -c 1023; echo; }\n\
    lines() { i=$1; while [ $i -lt $2 ]; do line $i; i=$((i+1)); done; }\n";
const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

/// The bytes that are kept of the run's output.
fn kept(dir: &TestDir) -> u64 {
    let entries = fs::read_dir(record(dir)).unwrap().map(Result::unwrap);
    let is_output = |entry: &fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        name.starts_with("output.log")
    };
    let all = entries.filter(is_output);
    all.map(|entry| entry.metadata().unwrap().len()).sum()
}

/// The numbers of the lines, one after the other without a gap.
#[track_caller]
fn numbers(text: &str) -> Vec<u32> {
    let long = text.lines().filter(|line| line.len() > 60);
    let number = |line: &str| line[line.len() - 5..].parse::<u32>().unwrap();
    let all: Vec<u32> = long.map(number).collect();
    assert!(
        all.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "there are holes: {all:?}"
    );
    all
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn of_too_much_output_the_end_is_kept_and_the_rest_is_told() {
    let dir = TestDir::new();
    let agent = format!("{LINES} lines $((n*100)) $((n*100+100))\n[ $n = 3 ] && {PROMISE}");
    let flags = ["--no-check", "--output-size", "64k"];
    let output = ralph(&dir, &agent, &flags).run();
    // Whoever looks on misses nothing, or is told so.
    let output = ended(&dir, output, 0, 3);
    let seen = output.stdout();
    assert!(seen.ends_with("<promise>COMPLETE</promise>\n"), "{seen}");
    let _ = output.complains("bytes of the output are not kept: it is too much");
    assert!(kept(&dir) <= 64 << 10, "{}", kept(&dir));

    let logs = dir.stockade(&["logs", &id(&dir)]).run().success();
    let text = logs.stdout();
    assert_eq!(text.len() as u64, kept(&dir));
    assert!(text.len() > 48 << 10, "{}", text.len());
    assert!(text.ends_with("<promise>COMPLETE</promise>\n"), "{text}");
    let lines = text.split_once('\n').unwrap().1;
    assert_eq!(numbers(lines).last(), Some(&399));
    let missing = 3 * 7 + 300 * 1024 + 28 - text.len();
    let told = format!("the first {missing} bytes of the output are not kept");
    let _ = logs.complains(&told);
    let watched = dir.stockade(&["watch"]).run().code(0);
    assert_eq!(watched.stdout(), text);
    let _ = watched.complains(&told);
    for verb in ["report", "show"] {
        let said = dir.stockade(&[verb]).run().success();
        assert!(said.stdout().contains(&told), "{said}");
    }
}

fn id(dir: &TestDir) -> String {
    let name = record(dir);
    name.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn output_that_is_too_much_goes_on_after_a_kill() {
    let dir = TestDir::new();
    let agent = format!(
        "{LINES} lines 100 300; touch first; while [ ! -e go ]; do sleep 0.1; done\n\
         lines 300 500; {PROMISE}"
    );
    let flags = ["--no-check", "--output-size", "64k", "-d"];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| dir.work().join("first").exists());
    let watching = dir.stockade(&["logs", "-f", &id]).spawn();
    watching.expect("00000299\n");
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    // As if that had been between two steps: a segment was begun, and an older one is still there.
    let segments = || {
        let names = fs::read_dir(record(&dir)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter(|name| name.starts_with("output.log."))
            .collect();
        names.sort();
        names
    };
    assert_eq!(segments().len(), 4);
    let last = record(&dir).join(segments().pop().unwrap());
    let begun: u64 = last.extension().unwrap().to_str().unwrap().parse().unwrap();
    let end = begun + fs::metadata(&last).unwrap().len();
    dir.write("go", "");
    fs::write(record(&dir).join(format!("output.log.{end:016}")), "").unwrap();
    let _ = watching.finish();
    let resumed = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, resumed, 0, 1).complains("the agent claims completion");
    assert!(kept(&dir) <= 64 << 10, "{}", kept(&dir));
    assert_eq!(segments().len(), 4);
    let text = dir.stockade(&["logs", &id]).run().success().stdout();
    assert_eq!(text.len() as u64, kept(&dir));
    assert!(text.ends_with("<promise>COMPLETE</promise>\n"), "{text}");
    let lines = text.split_once('\n').unwrap().1;
    assert_eq!(numbers(lines).last(), Some(&499));
}

#[test]
#[ignore = "needs podman: starts no agent"]
fn less_than_an_agents_last_words_is_not_kept() {
    let dir = TestDir::new();
    let output = ralph(&dir, "", &["--output-size", "1k"]).run().code(2);
    let _ = output.complains("at least 64k");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn of_a_run_the_last_lines_are_shown() {
    let dir = TestDir::new();
    let flags = ["--no-check", "--max-iterations", "1"];
    let _ = ralph(&dir, "seq 1 5; printf end", &flags).run().code(11);
    let id = record(&dir);
    let id = id.file_name().unwrap().to_str().unwrap();
    let last = &id[id.len() - 6..];
    for (count, text) in [
        ("0", ""),
        ("1", "end"),
        ("3", "4\n5\nend"),
        ("-1", "life 1\n1\n2\n3\n4\n5\nend"),
    ] {
        for name in [id, last] {
            let logs = dir.stockade(&["logs", "-n", count, name]).run();
            let _ = logs.success().says(text);
        }
        let logs = dir.stockade(&["logs", "--follow", "--tail", count]).run();
        let _ = logs.says(text);
    }
    for flags in [
        &["--since", "1h"][..],
        &["--until", "1h"],
        &["--timestamps"],
    ] {
        let logs = dir.stockade(&[&["logs", last], flags].concat()).run();
        let _ = logs
            .code(2)
            .complains(&format!("`{}` is not for a run", flags[0]));
    }
    // It has ended, and whoever names it so is told.
    for name in [id, last] {
        let stop = dir.stockade(&["stop", name]).run();
        let _ = stop.code(1).complains(&format!("the run {id} has ended"));
    }
    let _ = dir.stockade(&["stop", "--ignore", id]).run().success();
    let code = dir.stockade(&["wait", id]).run().stdout();
    let _ = dir.stockade(&["wait", last]).run().says(&code);
    let gone = dir.stockade(&["stop", "no-such-thing"]).run();
    let _ = gone.code(1).complains("there is no container");
}

/// The agent is at work, and its output cannot be kept any more.
#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_that_is_given_up_keeps_what_its_agent_did_last() {
    let dir = TestDir::new();
    let agent = format!(
        "touch ready; while [ ! -e go ]; do sleep 0.05; done; echo 1 >made\n\
         {LINES} lines 0 200; sleep 600"
    );
    let told = dir.path().join("told");
    let notify = format!("cat >'{}'", told.display());
    let flags = [
        "--no-check",
        "--output-size=64k",
        "--stop-timeout=0",
        "--notify",
        &notify,
        "-d",
    ];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| dir.work().join("ready").exists());
    let mode = |mode| fs::set_permissions(record(&dir), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    dir.write("go", "");
    let output = dir.stockade(&["watch", &id]).run();
    mode(0o700);
    let output = output.code(1).complains("Permission denied");
    let shown = dir.stockade(&["diff", "--name-only", &id]).run().success();
    assert!(shown.stdout().contains("made\n"), "{shown}\n{output}");
    let history = dir.stockade(&["history", &id]).run().success();
    let _ = history.has("when the run was given up");
    wait_until(|| fs::read_to_string(&told).is_ok_and(|text| text.contains("failed")));
    dir.assert_nothing_left();
}
