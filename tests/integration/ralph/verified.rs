//! What a run's verdict rests on, and the way back: checks, checkpoints, rollback.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::night::{ended, lives, ralph, record, wait_until};
use crate::support::dir::TestDir;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// As [`ralph`], with claims in each life.
pub(super) fn claiming(
    dir: &TestDir,
    agent: &str,
    flags: &[&str],
) -> crate::support::command::TestCommand {
    ralph(dir, &format!("{agent}{CLAIM}"), flags)
}

/// The events of the only run, one JSON object each.
fn events(dir: &TestDir) -> Vec<serde_json::Value> {
    let shown = dir
        .stockade(&["show", "--format", "json"])
        .run()
        .success()
        .json();
    shown["events"].as_array().unwrap().clone()
}

pub(super) fn event(dir: &TestDir, name: &str) -> serde_json::Value {
    let all = events(dir);
    let last = all.iter().rev().find(|event| event["event"] == name);
    last.unwrap_or_else(|| panic!("no {name} in {all:#?}"))
        .clone()
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_test_that_the_agent_has_turned_off_is_told() {
    let dir = TestDir::new();
    fs::create_dir(dir.work().join("tests")).unwrap();
    for name in ["off", "more"] {
        dir.write(&format!("tests/{name}.sh"), "assert=1\n[ -e done ]\n");
    }
    let agent = "cp tests/off.sh x; (echo exit 0; cat x) >tests/off.sh; echo true >>tests/more.sh";
    let check = "sh tests/off.sh && sh tests/more.sh";
    let output = claiming(&dir, agent, &["--check", check]).run();
    let _ = ended(&dir, output, 0, 1).complains("verified (agent's tests)");
    let checked = event(&dir, "checked");
    let findings = &checked["findings"];
    assert_eq!(
        findings["agents_tests"],
        serde_json::json!(["tests/more.sh", "tests/off.sh"])
    );
    assert_eq!(findings["weakened"], serde_json::json!(["tests/off.sh"]));
    let report = dir.stockade(&["report"]).run().success().stdout();
    let (_, told) = report.split_once("may have been weakened").unwrap();
    assert!(told.contains("- `tests/off.sh`"), "{report}");
    assert!(!told.contains("tests/more.sh"), "{report}");
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_claim_counts_when_the_check_passes() {
    let dir = TestDir::new();
    let agent = "grep -c 'only 1 of 3' /run/stockade/prompt.md\n\
        grep -c 'only 2 of 3' /run/stockade/prompt.md\n\
        echo $n >sum; printf '\\033]52;c;eA==\\a' >noise";
    let check = "cat noise; n=$(cat sum); [ $n = 3 ] || { echo only $n of 3; exit 4; }";
    let output = claiming(&dir, agent, &["--check", check]).run();
    let output = ended(&dir, output, 0, 3);
    let said = output.stdout();
    let counts: Vec<&str> = said.lines().filter(|line| line.len() == 1).collect();
    assert_eq!(
        counts,
        ["0", "0", "1", "0", "0", "1"],
        "each is told of the last failure alone: {said:?}\n{}",
        output.stderr()
    );
    let output = output.complains("failed after").complains("verified (");
    assert!(!output.stderr().contains('\x1b'));
    let report = dir.stockade(&["report"]).run().success().stdout();
    for part in [
        "verified",
        "| 1 |",
        "| complete | failed with 4 |",
        "| complete | passed |",
        "stockade rollback",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
    let report = dir
        .stockade(&["report", "--format", "json"])
        .run()
        .success();
    assert_eq!(report.json()["report"]["iterations"][2]["check"], 0);
    let prompt = fs::read(record(&dir).join("prompt/prompt.md")).unwrap();
    assert!(!prompt.contains(&0x1b), "what a check prints is cleaned");
    let waited = dir
        .stockade(&["wait", record(&dir).file_name().unwrap().to_str().unwrap()])
        .run();
    assert_eq!(waited.success().stdout(), "0\n");
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_check_is_made_in_a_clean_container() {
    let dir = TestDir::new();
    let agent = "mkdir -p sub; echo x >sub/file; chmod 750 sub/file; ln -s sub/file link; touch -d @1000000000 sub/file\n\
        touch /tmp/left /home/agent/left; echo nothing >/workspace/made";
    let check = "id -u; pwd; ls /run/stockade 2>&1; ls /tmp /home/agent; ip -o addr 2>/dev/null | grep -v ' lo '\n\
        stat -c '%a %U %Y %N' sub/file link; echo own >mine && cat link; env | grep -c STOCKADE";
    let output = claiming(&dir, agent, &["--check", &format!("{check}; true")]).run();
    let _ = ended(&dir, output, 0, 1);
    let said = fs::read_to_string(record(&dir).join("check-1.log")).unwrap();
    let mine = rustix::process::geteuid().as_raw().to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        [
            &mine,
            "/workspace",
            "ls: /run/stockade: No such file or directory"
        ],
        "{said}"
    );
    assert!(!said.contains("left"), "{said}");
    assert!(said.contains("750 agent 1000000000 sub/file"), "{said}");
    assert!(
        said.contains("'link' -> 'sub/file'") || said.contains("link -> sub/file"),
        "{said}"
    );
    assert_eq!(lines[lines.len() - 2..], ["x", "0"], "{said}");
    assert!(
        !dir.work().join("mine").exists(),
        "a check changes nothing here"
    );
}

/// Each way to make a check pass without the work.
#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn what_decides_the_outcome_is_the_persons() {
    let dir = TestDir::new();
    dir.write(
        "tests/run.sh",
        "[ \"$(cat answer)\" = 42 ] && . ./conftest.py\n",
    );
    dir.write("conftest.py", "true\n");
    let agent = "echo 'exit 0' >tests/run.sh; echo 'exit 0' >conftest.py; echo x >tests/new; echo y >sitecustomize.py\n\
        [ $n = 2 ] && rm -r tests\n[ $n = 3 ] && echo 42 >answer";
    let flags = [
        "--check",
        "ls . tests; sh tests/run.sh",
        "--protect",
        "tests/",
    ];
    let output = claiming(&dir, agent, &flags).run();
    let _ = ended(&dir, output, 0, 3).complains("verified (protected)");
    let findings = &event(&dir, "checked")["findings"];
    let put_back = findings["put_back"].to_string();
    for name in ["tests/run.sh", "conftest.py", "sitecustomize.py"] {
        assert!(put_back.contains(name), "{put_back}");
    }
    let said = fs::read_to_string(record(&dir).join("check-3.log")).unwrap();
    assert!(
        said.contains("run.sh") && !said.contains("new") && !said.contains("sitecustomize"),
        "{said}"
    );
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn of_a_file_that_holds_more_only_what_steered_is_put_back() {
    let dir = TestDir::new();
    dir.write("package.json", "{\"scripts\": {\"test\": \"run\"}}");
    let pyproject = "[project]\nversion = '1'\n[tool.pytest.ini_options]\naddopts = ''\n";
    dir.write("pyproject.toml", pyproject);
    let agent = "printf '[project]\\nversion = \"better\"\\n[tool.pytest.ini_options]\\naddopts = \"--collect-only\"\\n' >pyproject.toml\n\
        echo '{\"scripts\": {\"test\": \"true\"}, \"version\": \"2.'$n'\"}' >package.json\n\
        cat \"$STOCKADE_PROMPT_FILE\"";
    let check = "grep better py*.toml && ! grep collect py*.toml && \
        grep 2.2 pack*.json && grep run pack*.json";
    let output = claiming(&dir, agent, &["--check", check]).run();
    let output = ended(&dir, output, 0, 2).complains("verified (protected)");
    // The agent is told, as its first claim failed.
    let _ = output.has(
        "as they were in the beginning:\npackage.json (scripts)\npyproject.toml (tool.pytest)\n",
    );
    let put_back = event(&dir, "checked")["findings"]["put_back"].to_string();
    for name in ["pyproject.toml (tool.pytest)", "package.json (scripts)"] {
        assert!(put_back.contains(name), "{put_back}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_dependency_that_yarn_has_installed_is_there_and_told() {
    let dir = TestDir::new();
    let agent = "mkdir -p .yarn/cache .yarn/releases; echo new | tee .pnp.cjs >.yarn/cache/a.zip; ln -s ../cache .yarn/sdks\n\
        echo exit >.yarn/releases/yarn.cjs";
    let check =
        "grep new .pnp.cjs .yarn/cache/a.zip && [ ! -e .yarn/releases ] && [ ! -L .yarn/sdks ]";
    let output = claiming(&dir, agent, &["--check", check]).run();
    let _ = ended(&dir, output, 0, 1).complains("agent's tests");
}

#[test]
#[ignore = "needs podman: runs agents and checks"]
fn what_is_new_in_such_a_file_or_cannot_be_read_is_told() {
    let dir = TestDir::new();
    for agent in [
        "printf '[tool.pytest.ini_options]\\naddopts = \"--collect-only\"\\n' >pyproject.toml",
        "echo '[' >pyproject.toml",
        "printf '[metadata]\\nname = x\\r[tool:pytest]\\raddopts = -q\\r' >setup.cfg",
        "printf '[project]\\nautotests = false\\n' >Cargo.toml",
    ] {
        let output = claiming(&dir, agent, &["--check", "true"]).run();
        let _ = output.success().complains("agent's tests");
        let _ = dir.shell("rm -f *.toml *.cfg").run().success();
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn an_agent_that_wrote_its_own_tests_is_told_apart() {
    let dir = TestDir::new();
    let agent = "mkdir -p tests; echo 'exit 0' >tests/run.sh";
    let output = claiming(&dir, agent, &["--check", "sh tests/run.sh"]).run();
    let _ = ended(&dir, output, 0, 1).complains("agent's tests");
    assert_eq!(
        event(&dir, "checked")["findings"]["agents_tests"][0],
        "tests/run.sh"
    );
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_supervisor_killed_in_a_check_loses_nothing() {
    let dir = TestDir::new();
    let flags = ["--check", "sleep 1.5; test -e work", "-d"];
    let id = claiming(&dir, "touch work", &flags).run().success().line();
    let journal = record(&dir).join("journal.jsonl");
    wait_until(|| {
        fs::read_to_string(&journal)
            .unwrap()
            .contains("\"checking\"")
    });
    wait_until(|| dir.containers().len() == 2);
    let _ = dir
        .shell(&format!("pkill -KILL -f 'supervise {id}'"))
        .run()
        .success();
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 0, 1).complains("verified");
}

/// Paths, kinds, modes, times and contents of a tree.
fn listing(root: &Path) -> String {
    let find = "find . -printf '%P %y %m %l %T@ ' -exec sh -c '[ -f \"$0\" ] && md5sum <\"$0\" || echo' {} \\; | sort";
    let listed = std::process::Command::new("/bin/sh")
        .args(["-c", find])
        .current_dir(root)
        .output();
    String::from_utf8_lossy(&listed.unwrap().stdout).into_owned()
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_workspace_can_be_had_back_as_it_was() {
    let dir = TestDir::new();
    dir.write("src/main.rs", "fn main() {}\n");
    dir.write(".git/config", "[core]\n\tbare = false\n");
    dir.write("secret", "mine\n");
    dir.mode("secret", 0o600);
    dir.write("agent.sh", "");
    fs::create_dir(dir.work().join("empty")).unwrap();
    symlink("src/main.rs", dir.work().join("link")).unwrap();
    let agent = "echo '[core] fsmonitor = x' >>.git/config; mkdir .git/hooks; echo x >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit\n\
        rm -r src link; ln -s /etc link; echo all >secret; chmod 644 secret; rmdir empty; mkdir -p new/deep; echo n >new/deep/file; mkfifo pipe\n\
        [ $n = 2 ] && echo second >later";
    let command = ralph(
        &dir,
        agent,
        &["--max-iterations", "2", "--no-progress", "0", "--git", "rw"],
    );
    let before = listing(&dir.work());
    let output = command.run();
    let _ = ended(&dir, output, 11, 2);
    let after = listing(&dir.work());

    let history = dir.stockade(&["history"]).run().success().stdout();
    assert_eq!(history.lines().count(), 4, "{history}");
    let changed = dir
        .stockade(&["diff", "--name-status"])
        .run()
        .success()
        .stdout();
    for line in [
        "M\t.git/config",
        "A\t.git/hooks/pre-commit",
        "D\tsrc/main.rs",
        "M\tsecret",
        "A\tlater",
    ] {
        assert!(
            changed.lines().any(|found| found == line),
            "{line} in\n{changed}"
        );
    }
    let id = dir.stockade(&["runs", "-q"]).run().success().line();
    let names = dir.stockade(&["diff", "--name-only", &id, "1..2"]).run();
    assert_eq!(names.success().stdout(), ".git/config\ncount\nlater\n");

    // What is at its top was touched here, too.
    let without = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("pipe ") && !line.starts_with(" d "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let shown = dir.stockade(&["diff"]).run().success().stdout();
    for line in [
        "M .git/config (file 0644)",
        "+[core] fsmonitor = x",
        "M secret (file 0600 -> file 0644)",
        "-mine",
        "A pipe (nothing -> special 0644)",
    ] {
        let start = |found: &str| {
            found == line
                || line.contains("pipe") && found.starts_with("A pipe (nothing -> special")
        };
        assert!(shown.lines().any(start), "{line} in\n{shown}");
    }
    let _ = dir
        .stockade(&["diff", "--stat"])
        .run()
        .success()
        .has("M\t+1 -1\tsecret");

    let back = dir
        .stockade(&["rollback"])
        .run()
        .success()
        .complains("pipe");
    assert!(
        back.stderr().contains("rollback") && back.stderr().contains("--to 3"),
        "{back}"
    );
    fs::remove_file(dir.work().join("pipe")).unwrap();
    assert_eq!(without(&listing(&dir.work())), without(&before));
    let _ = dir
        .stockade(&["rollback", &id, "--to", "2"])
        .run()
        .success();
    assert_eq!(without(&listing(&dir.work())), without(&after));
    let _ = dir
        .stockade(&["rollback", &id, "--to", "0", "secret"])
        .run()
        .success();
    assert_eq!(
        fs::read_to_string(dir.work().join("secret")).unwrap(),
        "mine\n"
    );
    let mode = fs::metadata(dir.work().join("secret"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!dir.work().join("src").exists());
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_workspace_belongs_to_one_run_at_a_time() {
    let dir = TestDir::new();
    let id = ralph(
        &dir,
        "trap 'exit 1' TERM; sleep 60 & wait",
        &["-d", "--name", "nightly"],
    )
    .run();
    let id = id.success().line();
    wait_until(|| lives(&dir) == 1);
    let second = ralph(&dir, "", &[]).run();
    let _ = second
        .code(30)
        .complains("is at work in")
        .complains("stockade stop");
    let _ = dir
        .stockade(&["rollback"])
        .run()
        .code(1)
        .complains("is at work in");
    let _ = dir.stockade(&["stop", "nightly"]).run().success();
    let _ = dir.stockade(&["wait", &id]).run().code(23);
    assert!(
        dir.stockade(&["logs", &id])
            .run()
            .success()
            .stdout()
            .starts_with("life 1\n")
    );
    dir.assert_nothing_left();
}

/// An agent cannot, but whoever shares the machine may put another directory in its place.
#[test]
#[ignore = "needs podman: runs an agent"]
fn another_directory_in_the_workspaces_place_is_noticed() {
    let dir = TestDir::new();
    let id = ralph(&dir, "sleep 1", &["-d"]).run().success().line();
    wait_until(|| lives(&dir) == 1);
    fs::rename(dir.work(), dir.path().join("moved")).unwrap();
    fs::create_dir(dir.work()).unwrap();
    fs::write(dir.work().join("mine"), "x").unwrap();
    let _ = dir.stockade(&["wait", &id]).run().code(1);
    let shown = dir.stockade(&["show"]).run().success();
    assert!(shown.stdout().contains("another directory"), "{shown}");
    assert_eq!(fs::read_dir(dir.work()).unwrap().count(), 1);
    dir.assert_nothing_left();
}

/// Its agent is alive, or was not looked after: nobody else may come, and nothing may be put back.
#[test]
#[ignore = "needs podman: runs an agent"]
fn a_run_that_is_left_alone_still_has_its_workspace() {
    let dir = TestDir::new();
    let agent = "trap 'exit 1' TERM; sleep 60 & wait";
    let id = ralph(&dir, agent, &["-d"]).run().success().line();
    wait_until(|| lives(&dir) == 1);
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let _ = dir.stockade(&["watch"]).run().code(1);
    for refused in [
        ralph(&dir, agent, &[]).run().code(30),
        dir.stockade(&["rollback"]).run().code(1),
    ] {
        let _ = refused.complains("has not ended").complains("resume");
    }
    let _ = dir.stockade(&["stop", &id]).run().success();
    let _ = dir.stockade(&["wait", &id]).run().code(23);
    let _ = dir.stockade(&["rollback"]).run().success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn of_runs_that_begin_at_once_one_has_the_workspace() {
    let dir = TestDir::new();
    let flags = ["-d", "--max-iterations", "1"];
    let both = [0, 1].map(|_| ralph(&dir, "sleep 3", &flags).spawn());
    let mut codes = both.map(|one| one.finish().exit_code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(30)]);
    let id = dir.stockade(&["runs", "-q"]).run().success().line();
    let _ = dir.stockade(&["wait", &id]).run().code(11);
}
