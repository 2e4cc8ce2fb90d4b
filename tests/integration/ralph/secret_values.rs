//! The value of a secret is in no checkpoint, no copy, no check and no record of a run.

use std::fs;
use std::path::{Path, PathBuf};

use super::night::{ended, lives, ralph, wait_until};
use super::repository::{git, names};
use crate::support::dir::TestDir;

const KEY: &str = "a-very-secret-value";
const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";
/// It has the key, and says so without saying it.
const HAS: &str = "echo \"has ${#AGENT_API_KEY}\"; cat .env.ralph; echo done >file";

fn env_file() -> String {
    format!("AGENT_API_KEY={KEY}\n")
}

/// Every file below a directory.
fn files(at: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap().file_type() {
            kind if kind.is_dir() => found.extend(files(&path)),
            kind if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// Neither in a file of ours, nor in an object of a checkpoint. Another text is found there.
#[track_caller]
fn assert_nowhere(dir: &TestDir, known: &str) {
    let state = dir.path().join("state");
    let holds = |bytes: &[u8], text: &str| {
        let mut windows = bytes.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    let all = files(&state);
    assert!(all.iter().any(|path| path.ends_with("run.json")));
    for path in all {
        assert!(!holds(&fs::read(&path).unwrap(), KEY), "{path:?}");
    }
    for name in names(&state.join("stockade/checkpoints")) {
        let store = state.join("stockade/checkpoints").join(name);
        let objects = git(&store, "--git-dir . cat-file --batch-all-objects --batch");
        assert!(holds(objects.as_bytes(), known), "{objects}");
        assert!(!holds(objects.as_bytes(), KEY), "{objects}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn an_env_file_is_in_no_checkpoint_and_in_no_check() {
    let dir = TestDir::new();
    dir.write(".env.ralph", env_file());
    dir.write(".env [1]*", env_file());
    dir.write("conf/other", "");
    let agent = format!("{HAS}; cat .env*; echo x >conf/other{CLAIM}");
    let check = "cat .env.ralph .env*; ls -A . conf; grep done file";
    let flags = [
        "--env-file",
        ".env.ralph",
        "--env-file",
        ".env [1]*",
        "--check",
        check,
        // What is not there cannot be put back.
        "--protect",
        ".env*",
    ];
    let output = ralph(&dir, &agent, &flags).run();
    let output = ended(&dir, output, 0, 1);
    let output =
        output.complains("checkpoints leave out .env.ralph (env file), .env [1]* (env file)\n");
    assert!(output.stdout().contains("has 19\n"), "{output}");
    let run = super::night::record(&dir);
    let seen = files(&run).into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("check-") && name.ends_with(".log")
    });
    let seen = fs::read_to_string(seen.expect("a check's log")).unwrap();
    assert!(seen.contains("can't open '.env.ralph'"), "{seen}");
    assert!(
        seen.contains("other\n") && !seen.contains(".env ["),
        "{seen}"
    );
    assert_nowhere(&dir, "done\n");
    let _ = dir.stockade(&["check"]).run().success();
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert_eq!(changed.stdout(), "conf/other\ncount\nfile\n");
    // It is the person's, as it is now.
    let newer = format!("{}NEW=1\n", env_file());
    dir.write(".env.ralph", &newer);
    let _ = dir.stockade(&["rollback"]).run().success();
    let text = |path: &str| fs::read_to_string(dir.work().join(path)).ok();
    assert_eq!(text(".env.ralph"), Some(newer));
    assert_eq!(text(".env [1]*"), Some(env_file()));
    assert_eq!(
        (text("file"), text("conf/other")),
        (None, Some(String::new()))
    );
    assert_nowhere(&dir, "done\n");
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn a_copy_has_no_env_file() {
    let dir = TestDir::new();
    dir.write(".env.ralph", env_file());
    dir.write(
        "agent.sh",
        format!("cd /workspace; cat /original/.env.ralph; {HAS}{CLAIM}"),
    );
    let text = format!(
        "image = \"{}\"\nnetwork = \"none\"\nallow-unenforced-limits = true\nworkspace = \"copy\"\n\
         prompt = \"Work until the tests pass.\"\ncompletion-promise = \"COMPLETE\"\n\
         command = [\"sh\", \"agent.sh\"]\nenv-file = \".env.ralph\"\n\
         check = \"cat .env.ralph; grep done file\"\n",
        dir.tiny()
    );
    dir.write("stockade.toml", text);
    let _ = dir.stockade(&["trust", "--yes"]).run().success();
    // Where the agent can see the original, it is masked there.
    let mount = format!("{}:/original:ro", dir.work().display());
    let output = dir.stockade(&["ralph", "-v", &mount]).run();
    let output = ended(&dir, output, 0, 0).complains("leave out .env.ralph (env file)");
    assert!(output.stdout().contains("has 19\n"), "{output}");
    let copies = dir.path().join("home/.local/share/stockade/copies");
    assert!(files(&copies).iter().any(|path| path.ends_with("file")));
    for path in files(&copies) {
        assert!(!path.ends_with(".env.ralph"), "{path:?}");
    }
    assert_nowhere(&dir, "done\n");
    let _ = dir.stockade(&["report"]).run().success().has("verified");
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert_eq!(changed.stdout(), "file\n");
    let _ = dir.stockade(&["accept", "--yes"]).run().success();
    let kept = fs::read_to_string(dir.work().join(".env.ralph")).unwrap();
    assert_eq!(kept, env_file());
    let _ = dir.stockade(&["rollback", "--original"]).run().success();
    let kept = fs::read_to_string(dir.work().join(".env.ralph")).unwrap();
    assert_eq!(kept, env_file());
    assert_nowhere(&dir, "done\n");
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn a_run_that_is_taken_up_keeps_it_so() {
    let dir = TestDir::new();
    dir.write(".env.ralph", env_file());
    let agent =
        format!("if [ $n = 1 ]; then while [ ! -e go ]; do sleep 0.1; done; else {HAS}{CLAIM} fi");
    let flags = [
        "-d",
        "--no-linger-check",
        "--env-file",
        ".env.ralph",
        "--check",
        "cat .env.ralph; grep done file",
    ];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| lives(&dir) == 1);
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let left = || dir.stockade(&["runs"]).run().success().stdout();
    wait_until(|| left().contains("left alone"));
    dir.write("go", "");
    let output = dir.stockade(&["resume"]).run();
    let output = ended(&dir, output, 0, 2);
    assert!(output.stdout().contains("has 19\n"), "{output}");
    assert_nowhere(&dir, "done\n");
}

#[test]
#[ignore = "needs podman: connects"]
fn what_would_show_it_all_the_same_is_refused() {
    let dir = TestDir::new();
    let env = dir.write(".env", env_file());
    let beside = dir.path().join("beside");
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join(".env"), env_file()).unwrap();
    let flags = [
        "--env-file",
        "../beside/.env",
        "--check-dir",
        "../beside",
        "--check",
        "true",
    ];
    let refused = ralph(&dir, "", &flags).run().code(2);
    let _ = refused.complains("`--check-dir` holds the env file");
    fs::hard_link(&env, dir.work().join("innocent")).unwrap();
    for place in ["here", "copy"] {
        let flags = ["--no-check", "--workspace", place, "--env-file", ".env"];
        let refused = ralph(&dir, "", &flags).run().code(30);
        let _ = refused.complains("has other names (hard links)");
    }
    // Its directory could be renamed.
    dir.write("conf/.env", env_file());
    for place in ["here", "copy"] {
        let flags = [
            "--no-check",
            "--workspace",
            place,
            "--env-file",
            "conf/.env",
        ];
        let refused = ralph(&dir, "", &flags).run().code(30);
        let _ = refused.complains("lies below the workspace's top");
    }
    fs::remove_file(env).unwrap();
    dir.write(".env", "CLOUD_KEY\n");
    for place in ["here", "copy"] {
        let flags = ["--no-check", "--workspace", place, "--env-file", ".env"];
        let refused = ralph(&dir, "", &flags).env("CLOUD_KEY", KEY).run().code(30);
        let _ = refused.complains(".env:1: ");
    }
    assert!(names(&dir.path().join("state/stockade/runs")).is_empty());
}

#[test]
#[ignore = "needs podman: runs an agent, and makes a secret"]
fn a_run_whose_key_is_taken_away_waits_until_it_is_back() {
    let dir = TestDir::new();
    let secret = dir.name("key");
    fs::write(dir.path().join("value"), KEY).unwrap();
    let value = dir.path().join("value").display().to_string();
    let podman = |words: &[&str]| dir.podman().command(words).run().success();
    let _ = podman(&["secret", "create", &secret, &value]);
    let told = dir.path().join("told");
    let notify = format!("cat >>'{}'", told.display());
    let given = format!("{secret},type=env,target=AGENT_API_KEY");
    let agent = format!(
        "echo \"has ${{#AGENT_API_KEY}}\"; [ $n = 1 ] || {{ {}; exit; }}; until [ -e go ]; do sleep 0.1; done",
        CLAIM.trim()
    );
    let flags = ["--no-check", "--secret", &given, "--notify", &notify, "-d"];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| lives(&dir) == 1);
    let _ = podman(&["secret", "rm", &secret]);
    dir.write("go", "");

    let runs = || dir.stockade(&["runs"]).run().success().stdout();
    wait_until(|| runs().contains("needs key"));
    assert_eq!(lives(&dir), 1);
    let told = || fs::read_to_string(&told).unwrap_or_default();
    wait_until(|| told().contains("no such secret"));
    assert!(told().contains("\"verdict\":null"), "{}", told());
    let report = dir.stockade(&["report"]).run().success();
    let _ = report.has("**needs key: ").has(&secret);
    // As long as it is not there, it is the same.
    let resumed = dir.stockade(&["resume", &id]).run().code(1);
    let _ = resumed.complains("needs a key: ");
    assert_eq!(dir.containers().len(), 1);

    let _ = podman(&["secret", "create", &secret, &value]);
    let output = dir.stockade(&["resume", &id]).run();
    let output = ended(&dir, output, 0, 2);
    assert_eq!(output.stdout().matches("has 19").count(), 2, "{output}");
    assert!(told().contains("\"verdict\":\"claimed\""), "{}", told());
    let _ = podman(&["secret", "rm", &secret]);
    assert_nowhere(&dir, "echo");
}
