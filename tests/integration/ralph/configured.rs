//! `stockade.toml` and `stockade trust`: what a directory asks for, and what it may have.

use std::fs;

use super::night::{lives, record, wait_until};
use crate::support::command::TestCommand;
use crate::support::dir::TestDir;

/// An agent that claims at once, and the rest from the file.
fn configured(dir: &TestDir, agent: &str, text: &str) {
    dir.write(
        "agent.sh",
        format!("n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count\n{agent}"),
    );
    let whole = format!(
        "image = \"{}\"\nnetwork = \"none\"\nallow-unenforced-limits = true\n\
         prompt = \"Work until the tests pass.\"\ncompletion-promise = \"COMPLETE\"\n\
         command = [\"sh\", \"agent.sh\"]\n{text}",
        dir.tiny()
    );
    dir.write("stockade.toml", whole);
}

fn trusted(dir: &TestDir) -> TestCommand {
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    dir.stockade(&["ralph"])
}

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

#[test]
#[ignore = "needs podman: reads a configuration"]
fn what_cannot_be_used_is_a_command_line_that_makes_no_sense() {
    let dir = TestDir::new();
    let words = |first: &[&str]| {
        let image = ["--image", dir.tiny(), "--network", "none"];
        let rest = ["--prompt-file", ".", "--no-check", "--", "true"];
        dir.stockade(&[&["ralph"], first, &image, &rest].concat())
            .run()
    };
    let error = words(&[]).stderr();
    let wrong = "error: cannot read the prompt `.`";
    assert!(error.contains(wrong), "{error}");
    let protect = [
        "--prompt",
        "Work until done.",
        "--protect",
        "a",
        "--dry-run",
    ];
    let image = ["--image", dir.tiny(), "--", "true"];
    let output = dir
        .stockade(&[&["ralph"][..], &protect, &image].concat())
        .run();
    let _ = output.complains("protects nothing without `--check`");
    for text in ["[", "prompt = 5 5"] {
        dir.write("stockade.toml", text);
        let _ = words(&[]).code(2).complains("cannot use `");
        let _ = dir
            .stockade(&["trust"])
            .run()
            .code(2)
            .complains("cannot use `");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_directory_says_what_is_asked_once_it_is_trusted() {
    let dir = TestDir::new();
    configured(&dir, PROMISE, "check = \"test -e agent.sh\"\n");
    let refused = dir.stockade(&["ralph"]).run().code(30);
    let refused = refused.complains("is not trusted, and decides: ");
    let _ = refused.complains("check, command, completion-promise, image, prompt");
    assert_eq!(lives(&dir), 0);
    let _ = dir.stockade(&["trust", "--show"]).run().code(1);
    let shown = dir.stockade(&["trust"]).run().code(2).stdout();
    assert!(shown.contains("check = \"test -e agent.sh\""), "{shown}");
    let output = trusted(&dir).run().code(0);
    let _ = output.complains("the check passed");
    assert_eq!(lives(&dir), 1);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_has_changed_has_to_be_trusted_again_unless_it_only_lowers() {
    let dir = TestDir::new();
    configured(&dir, "", "max-iterations = 3\nno-progress = 0\n");
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let text = fs::read_to_string(dir.work().join("stockade.toml")).unwrap();
    dir.write("stockade.toml", text.replace("= 3", "= 1"));
    let _ = dir.stockade(&["ralph"]).run().code(11);
    assert_eq!(lives(&dir), 1);
    dir.write("stockade.toml", text.replace("= 3", "= 4"));
    let output = dir.stockade(&["ralph"]).run().code(30);
    let _ = output.complains("has changed since you trusted it, and decides: max-iterations");
    // The command line is the person's word.
    let typed = ["ralph", "--max-iterations", "2"];
    let _ = dir.stockade(&typed).run().code(11);
    assert_eq!(lives(&dir), 3);
    let _ = dir.stockade(&["trust", "--revoke"]).run().code(0);
    let _ = dir.stockade(&typed).run().code(30);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_command_line_counts_more() {
    let dir = TestDir::new();
    configured(&dir, PROMISE, "check = \"false\"\nmax-iterations = 2\n");
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let typed = [
        "ralph",
        "--no-check",
        "--",
        "sh",
        "-c",
        "echo mine; sh agent.sh",
    ];
    let output = dir.stockade(&typed).run().code(0);
    assert!(output.stdout().starts_with("mine\n"), "{output}");
    // And without the file it has to say all.
    let _ = dir.stockade(&["ralph", "--no-config"]).run().code(2);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn phases_are_worked_on_one_after_the_other() {
    let dir = TestDir::new();
    let agent = "cat /run/stockade/prompt.md >>prompts\n\
        case $n in\n\
        1) echo '<promise>COMPLETE</promise>';;\n\
        2) touch api; echo '<promise>COMPLETE</promise>';;\n\
        3) touch docs; echo '<promise>DOCUMENTED</promise>';;\n\
        esac";
    let phases = "[[phase]]\nname = \"the api\"\nprompt = \"Make the API until it is done.\"\n\
        check = \"test -e api\"\n\
        [[phase]]\nname = \"the docs\"\nprompt = \"Write until it is done.\"\n\
        completion-promise = \"DOCUMENTED\"\ncheck = \"test -e docs && test -e api\"\n\
        max-iterations = 1\n";
    configured(&dir, agent, phases);
    let output = trusted(&dir).run().code(0);
    let _ = output.complains("phase 2, the docs");
    assert_eq!(lives(&dir), 3);
    let prompts = fs::read_to_string(dir.work().join("prompts")).unwrap();
    let said: Vec<usize> = [
        "Make the API",
        "the check failed",
        "Write until",
        "DOCUMENTED",
    ]
    .iter()
    .map(|words| prompts.find(words).expect("it was said"))
    .collect();
    assert!(said.is_sorted(), "{prompts}");
    let report = dir.stockade(&["report"]).run().code(0).stdout();
    assert!(report.contains("- phase 1, the api: verified"), "{report}");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_note_joins_the_next_prompt() {
    let dir = TestDir::new();
    let agent = "cp /run/stockade/prompt.md prompt-$n\n\
        [ $n = 1 ] && { touch ready; while [ ! -e go ]; do sleep 0.1; done; }\n";
    configured(&dir, agent, "max-iterations = 3\nno-progress = 0\n");
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let _ = dir.stockade(&["ralph", "-d"]).run().code(0);
    wait_until(|| dir.work().join("ready").exists());
    let id = record(&dir)
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let _ = dir
        .stockade(&["tell", &id, "no", "frameworks"])
        .run()
        .code(0);
    let always = ["tell", "--always", &id, "and be brief"];
    let _ = dir.stockade(&always).run().code(0);
    dir.write("go", "");
    let _ = dir.stockade(&["wait", &id]).run().code(11);
    let prompt = |n| fs::read_to_string(dir.work().join(format!("prompt-{n}"))).unwrap();
    let has = |n, words: &str| prompt(n).contains(words);
    assert!(!has(1, "no frameworks") && !has(1, "be brief"));
    assert!(has(2, "no frameworks") && has(2, "and be brief"));
    assert!(!has(3, "no frameworks") && has(3, "and be brief"));
    let _ = dir.stockade(&["tell", &id, "late"]).run().code(1);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_end_is_told_and_a_night_is_looked_at_before_it_begins() {
    let dir = TestDir::new();
    configured(&dir, PROMISE, "no-check = true\nprofile = \"light\"\n");
    let told = dir.path().join("told");
    let notify = format!("cat >'{}'; pwd >>'{0}'", told.display());
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let placeholder = ["ralph", "-e", "OPENAI_API_KEY=your-key"];
    let output = dir.stockade(&placeholder).run().code(30);
    let _ = output.complains("`OPENAI_API_KEY` is not filled in");
    assert_eq!(lives(&dir), 0);
    let typed = ["ralph", "-d", "--notify", &notify, "--name", "night \"x\""];
    let _ = dir.stockade(&typed).run().code(2);
    // A file that the agent could change is not asked; what another one says is not recorded.
    fs::write(dir.work().join("whom"), &notify).unwrap();
    let output = dir.stockade(&["ralph", "--notify", "@whom"]).run().code(30);
    let _ = output.complains("where the agent could change it");
    fs::write(dir.path().join("whom"), &notify).unwrap();
    let name = dir.name("night");
    let typed = ["ralph", "-d", "--notify", "@../whom", "--name", &name];
    let output = dir.stockade(&typed).run().code(0);
    let _ = output.complains("the run survives logout: yes, a reboot: no (`--survive-reboot`)");
    let _ = dir.stockade(&["wait", &name]).run().code(0);
    let text = fs::read_to_string(&told).unwrap();
    let (fields, place) = text.split_once('\n').unwrap();
    let fields: serde_json::Value = serde_json::from_str(fields).unwrap();
    assert_eq!(fields["name"], name);
    assert_eq!(fields["exit_code"], 0);
    assert_eq!(fields["verdict"], "claimed");
    assert_eq!(place, "/\n");
    let asked = fs::read_to_string(record(&dir).join("run.json")).unwrap();
    assert!(!asked.contains("cat >"), "{asked}");
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["memory"], 1u64 << 30);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn runs_that_could_use_up_all_memory_together_are_not_begun() {
    let dir = TestDir::new();
    let agent = "touch ready; while [ ! -e go ]; do sleep 0.1; done\n";
    configured(&dir, agent, "max-iterations = 1\n");
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
    let kib = meminfo.split_whitespace().nth(1).unwrap();
    let most = format!("{}k", kib.parse::<u64>().unwrap() / 10 * 6);
    let id = dir
        .stockade(&["ralph", "-d", "--memory", &most])
        .run()
        .success()
        .line();
    wait_until(|| dir.work().join("ready").exists());
    let elsewhere = format!("{}:/workspace:Z", other.display());
    let mut typed = vec!["ralph", "--memory", &most, "-v", &elsewhere];
    let refused = || {
        let refused = dir.stockade(&typed).run().code(30);
        let _ = refused.complains("this machine's");
    };
    refused();
    // Its agent goes on also when nobody has it in hand.
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let left = || dir.stockade(&["runs"]).run().success().stdout();
    wait_until(|| left().contains("left alone"));
    refused();
    typed.extend([
        "--allow-overcommit",
        "--no-check",
        "--",
        "sh",
        "-c",
        PROMISE,
    ]);
    let _ = dir.stockade(&typed).run().code(0);
    dir.write("go", "");
    let _ = dir.stockade(&["resume", &id]).run().code(11);
    dir.assert_nothing_left();
}
