//! Agents that Stockade knows: how they are started, and what they mean. The agents are scripts that print
//! what the real ones do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::night::{ended, ralph, record, wait_until};
use super::reported::report;
use crate::support::command::TestCommand;
use crate::support::dir::TestDir;

/// A promise that stands alone on a line.
const TAG: &str = "<promise>COMPLETE</promise>";
const RULE: &str =
    "================================================================================";

/// A program of the agent's, in a directory of the image's PATH, that counts its lives.
fn program(dir: &TestDir, name: &str, script: &str) {
    let count = "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count\n";
    let path = dir.work().join(name);
    fs::write(&path, format!("#!/bin/sh\n{count}{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// `stockade ralph --agent NAME FLAG...`
fn agent(dir: &TestDir, name: &str, flags: &[&str]) -> TestCommand {
    let first = [
        "ralph",
        "--allow-unenforced-limits",
        "--network",
        "none",
        "--image",
        dir.tiny(),
        "--prompt",
        "Work until the tests pass.",
        "--completion-promise",
        "COMPLETE",
        "--no-check",
        "-e",
        "PATH=/workspace:/usr/bin:/bin",
        "--agent",
        name,
    ];
    dir.stockade(&[&first, flags].concat())
}

/// What PatchPal's autopilot prints of one round.
fn response(text: &str) -> String {
    format!(
        "printf '%s\\n' '' '{RULE}' '📝 Agent Response:' '{RULE}' '{text}' '{RULE}' '' '💰 Cumulative Cost (after iteration 1):' '   Total LLM calls: 2' ''\n"
    )
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn patchpals_promise_counts_in_its_response_alone() {
    let dir = TestDir::new();
    let (claims, other) = (response(TAG), response("Not yet."));
    let open = format!("printf '%s\\n' '{RULE}' '📝 Agent Response:' '{RULE}' '{TAG}' '{RULE}'");
    let script = format!(
        "echo \"$@\"; echo $PATCHPAL_AUTOPILOT_CONFIRMED $PATCHPAL_REQUIRE_PERMISSION; [ -t 0 ] || wc -c\n\
         grep -c 'Work until' \"$2\"\n\
         case $n in\n\
         1) {other} echo '{TAG}';;\n\
         2) {claims} {open};;\n\
         3) {claims} {other} exit 1;;\n\
         4) {other} {claims} printf '%s\\n' '' '{RULE}' '⚠️  MAX ITERATIONS REACHED (1)' '{RULE}'; exit 1;;\n\
         esac"
    );
    program(&dir, "patchpal-autopilot", &script);
    let flags = ["--no-progress", "0", "--", "--model", "x"];
    let output = agent(&dir, "patchpal", &flags).run();
    let output = ended(&dir, output, 0, 4);
    let started = "--prompt-file /run/stockade/prompt.md --completion-promise COMPLETE --max-iterations 1 --model x\ntrue false\n0\n1\n";
    assert_eq!(output.stdout().matches(started).count(), 4, "{output}");
    let kept = fs::read_to_string(record(&dir).join("run.json")).unwrap();
    assert!(kept.contains("\"agent\": \"patchpal\""), "{kept}");
    let _ = output.complains("`-e ANTHROPIC_API_KEY`");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn claude_is_understood_by_its_json() {
    let dir = TestDir::new();
    let line = |error: bool, text: &str| {
        format!(
            r#"echo '{{"type":"result","subtype":"success","is_error":{error},"result":"{text}"}}'"#
        )
    };
    let script = format!(
        "cat >told; echo '{{\"type\":\"system\",\"subtype\":\"init\"}}'\n\
         case $n in\n\
         1) echo '{TAG}';;\n\
         2) {};;\n\
         3) {}; echo; echo '{{';;\n\
         esac",
        line(true, TAG),
        line(false, &format!("It works.\\n{TAG}"))
    );
    program(&dir, "claude", &script);
    let output = agent(&dir, "claude", &["-e", "ANTHROPIC_API_KEY=of-the-tests"]).run();
    let output = ended(&dir, output, 0, 3);
    assert!(!output.stderr().contains("is given no key"), "{output}");
    let told = fs::read_to_string(dir.work().join("told")).unwrap();
    assert!(told.starts_with("Work until the tests pass."), "{told}");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn codex_has_the_key_by_its_own_name() {
    let dir = TestDir::new();
    let script = "wc -l >told; echo \"${CODEX_API_KEY-none} $*\" >>told; rm count\n\
                  echo '{\"type\":\"turn.failed\",\"error\":{\"message\":\"unexpected status 401 Unauthorized: no\"}}'; exit 1";
    program(&dir, "codex", script);
    for (flags, key) in [
        (&["-e", "OPENAI_API_KEY=first"][..], "first"),
        (
            &["-e", "OPENAI_API_KEY=first", "-e", "CODEX_API_KEY=own"],
            "own",
        ),
        (&[], "none"),
    ] {
        let _ = agent(&dir, "codex", &[flags, &["--max-iterations", "1"]].concat()).run();
        let told = fs::read_to_string(dir.work().join("told")).unwrap();
        let wanted = format!("{key} exec --json ");
        assert!(told.contains(&wanted), "{told}");
    }
}

/// Who looks on reads it; what is kept is what the agent wrote.
#[test]
#[ignore = "needs podman: runs an agent"]
fn lines_of_json_are_readable_and_kept_as_they_are() {
    let dir = TestDir::new();
    let wrote = r#"{"type":"step_start","part":{}}
{"type":"text","part":{"text":"I \u001b]0;title\u0007look.\nAgain."}}
no JSON
{"type":"tool_use","part":{"tool":"bash","state":{"input":{"command":"pytest -q"},"output":"1 passed\n"}}}
{"type":"text","part":{"text":"Not yet."}}"#;
    dir.write("lines", wrote);
    program(&dir, "opencode", "cat >told; cat lines");
    let flags = ["--max-iterations", "2", "--no-progress", "0"];
    let output = agent(&dir, "opencode", &flags).run();
    let output = ended(&dir, output, 11, 2);
    let read =
        "· step_start\nI look.\nAgain.\nno JSON\n· tool_use: bash pytest -q 1 passed\nNot yet.\n"
            .repeat(2);
    assert_eq!(output.stdout(), read);
    for (arguments, expected) in [
        (&["watch"][..], &*read),
        (&["attach"], &read),
        (&["watch", "--raw"], &wrote.repeat(2)),
        (&["logs"], &wrote.repeat(2)),
    ] {
        let output = dir.stockade(arguments).run();
        assert_eq!(output.stdout(), expected, "{arguments:?}");
    }
    let id = dir.stockade(&["runs", "-q"]).run().line();
    let followed = dir.stockade(&["logs", "-f", &id]).run();
    assert_eq!(followed.stdout(), wrote.repeat(2));
    let kept = fs::read_to_string(record(&dir).join("output.log")).unwrap();
    assert_eq!(kept, wrote.repeat(2));
    let raw = agent(&dir, "opencode", &["--raw", "--max-iterations", "1"]).run();
    assert_eq!(raw.stdout(), wrote);
}

/// What the service's log has is heard again, from its beginning.
#[test]
#[ignore = "needs podman: runs an agent"]
fn a_message_is_found_in_the_services_log() {
    let dir = TestDir::new();
    let script = format!(
        "printf '%s\\n' '{RULE}' '📝 Agent Response:'; echo ready >&2; sleep 1; printf '%s\\n' '{RULE}' '{TAG}' '{RULE}' '💰 Cumulative Cost'"
    );
    program(&dir, "patchpal-autopilot", &script);
    let id = agent(&dir, "patchpal", &["-d"]).run().success().line();
    let watching = dir.stockade(&["watch"]).spawn();
    watching.expect("ready\n");
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let _ = watching.finish().code(1);
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 0, 1);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_person_has_agents_of_their_own() {
    let dir = TestDir::new();
    let config = dir.path().join("home/.config/stockade/agents");
    fs::create_dir_all(&config).unwrap();
    let own = "about = 'mine'\ncommand = ['mine', '--yes']\nprompt = 'argument'\nprompt-flag = '-p'\n\
               environment = { GREETING = 'hello' }\nmessage = { kind = 'without', lines = ['cost: '] }\n";
    let file = config.join("mine.toml");
    fs::write(&file, own).unwrap();
    program(
        &dir,
        "mine",
        &format!("echo \"$GREETING $1 $2 $3 $#\"; echo \"$4\"; echo '{TAG}'; echo 'cost: 1 €'"),
    );
    let output = agent(&dir, "mine", &["-e", "GREETING=bye", "--", "more"]).run();
    let output = ended(&dir, output, 0, 1);
    let _ = output.has("bye --yes more -p 4\nWork until the tests pass.");
    let _ = dir
        .stockade(&["ralph", "--agent", "help"])
        .run()
        .success()
        .has("mine (yours)")
        .has("Claude Code");
    let refused = |why: &str| {
        let _ = agent(&dir, "mine", &[]).run().code(30).complains(why);
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    refused("nobody else");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, format!("{own}shell = 'x'\n")).unwrap();
    refused("shell");
    fs::remove_file(&file).unwrap();
    dir.write("mine.toml", own);
    std::os::unix::fs::symlink(dir.work().join("mine.toml"), &file).unwrap();
    refused("in the workspace");
    fs::remove_file(&file).unwrap();
    let unknown = agent(&dir, "mine", &[]).run().code(2);
    let _ = unknown
        .complains("there is no agent `mine`")
        .complains("patchpal, ralph.py");
}

/// As the guide's agent has it: what it is to promise is an argument.
#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_is_told_the_promise_of_each_phase() {
    let dir = TestDir::new();
    let config = dir.path().join("home/.config/stockade/agents");
    fs::create_dir_all(&config).unwrap();
    let own = "about = 'mine'\ncommand = ['mine', '--promise', '{promise}', '--file', '{prompt-file}']\nprompt = 'file'\n";
    fs::write(config.join("mine.toml"), own).unwrap();
    let script =
        "echo \"$# $1 $2 $3 $5\" >>told; grep '^Do' \"$4\" >>told; echo \"<promise>$2</promise>\"";
    program(&dir, "mine", script);
    let phases = |second: &str| {
        let text = format!(
            "completion-promise = 'ALL  OF IT'\n[[phase]]\nprompt = 'Do one until done.'\n\
             [[phase]]\nprompt = 'Do two until done.'\n{second}"
        );
        dir.write("stockade.toml", text);
        let _ = dir.stockade(&["trust", "--yes"]).run().success();
        let words = "ralph --allow-unenforced-limits --network none --no-check -e PATH=/workspace:/usr/bin:/bin --agent mine";
        let image = ["--image", dir.tiny(), "--", "more {promise}"];
        let words: Vec<_> = words.split(' ').chain(image).collect();
        let _ = dir.stockade(&words).run().code(0);
        let told = fs::read_to_string(dir.work().join("told")).unwrap();
        fs::remove_file(dir.work().join("told")).unwrap();
        told
    };
    let first = "5 --promise ALL  OF IT --file more {promise}\nDo one until done.\n";
    assert_eq!(
        phases("completion-promise = \"IT'S $(done)\"\n"),
        format!("{first}5 --promise IT'S $(done) --file more {{promise}}\nDo two until done.\n")
    );
    assert_eq!(
        phases(""),
        format!("{first}{}", first.replace("Do one", "Do two"))
    );
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: connects"]
fn an_agent_has_to_be_named_whole() {
    let dir = TestDir::new();
    let first = ["ralph", "--image", dir.tiny(), "--prompt", "Do it."];
    let with = |more: &[&str]| dir.stockade(&[&first, more].concat()).run().code(2);
    let _ = with(&[]).complains("which agent is to work?");
    let _ = with(&["--agent", "command"]).complains("which agent is to work?");
    // The guide's is meant where what it needs is said.
    let promised = ["--completion-promise", "COMPLETE", "--dry-run"];
    let promised = dir
        .stockade(&[&first[..], &promised].concat())
        .run()
        .success();
    let _ = promised
        .complains("no agent is named: patchpal works")
        .has("patchpal-autopilot");
    let _ = with(&["--agent", "patchpal"]).complains("--completion-promise");
    let words = "ralph --prompt Do.it. --completion-promise COMPLETE --no-key-check --dry-run";
    let words: Vec<_> = words.split(' ').collect();
    let output = dir.stockade(&words).run();
    let output = output.complains("no agent is named: patchpal works");
    let _ = output.does_not_complain("which image is it");
    // It is no preset's, for which an image would be built.
    let _ = dir
        .stockade(&["ralph", "--prompt", "Do it.", "--", "true"])
        .run()
        .code(2)
        .complains("which image is it");
    let _ = ralph(&dir, "", &["--dry-run", "--agent", "claude"])
        .run()
        .code(0)
        .has("stream-json");
}

/// What patchpal prints of one round in which its model could not be asked.
fn model_error(text: &str) -> String {
    response(&format!("Error calling model: {text}")) + "exit 1\n"
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_api_that_refuses_the_key_ends_the_run() {
    let dir = TestDir::new();
    let script = model_error(
        r#"litellm.AuthenticationError: AnthropicException - {"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
    );
    program(
        &dir,
        "patchpal-autopilot",
        &format!("git status 2>/dev/null; rm count; {script}"),
    );
    let output = agent(&dir, "patchpal", &[]).run();
    let output =
        ended(&dir, output, 15, 0).complains("the agent's API refuses it (the key is refused): ");
    let _ = output.complains("invalid x-api-key");
    let waited = dir.stockade(&["watch"]).run();
    let _ = waited.code(15);
    report(
        &dir,
        &[
            "- the key is refused: ",
            "`--env-file`",
            "quotes and spaces around a value are part of it",
        ],
    );
}

/// What an agent keeps for itself is no change.
#[test]
#[ignore = "needs podman: runs an agent"]
fn what_aider_keeps_for_itself_is_no_change() {
    let dir = TestDir::new();
    let script = "rm count; mkdir -p .aider.tags.cache.v4; cat /proc/sys/kernel/random/uuid >.aider.tags.cache.v4/cache.db\n\
                  echo \"$@\"; echo; echo 'litellm.RateLimitError: OpenAIException - You exceeded your current quota.'\n\
                  echo 'The API provider has rate limited you.'";
    program(&dir, "aider", script);
    let output = agent(&dir, "aider", &["--", "--model", "x"]).run();
    let output = ended(&dir, output, 15, 0).complains("(no quota): litellm.RateLimitError");
    report(&dir, &["- the account may ask for no more"]);
    // Where there is no repository it would make one.
    let output = output.has("--message-file /run/stockade/prompt.md --yes-always");
    let _ = output.has("--model x --no-git");
    assert!(!dir.work().join(".aider.tags.cache.v4").exists());
}

/// It is asked to end like every other agent, and what was there before it stays.
#[test]
#[ignore = "needs podman: runs an agent"]
fn aider_is_asked_to_end() {
    let dir = TestDir::new();
    let script = "mkdir -p .aider.tags.cache.v5; trap 'echo asked; touch asked; exit 0' TERM; touch ready\n\
                  while :; do sleep 0.05; done";
    program(&dir, "aider", script);
    fs::create_dir(dir.work().join(".aider.tags.cache.v4")).unwrap();
    let run = agent(&dir, "aider", &["-d"]).run().success().line();
    wait_until(|| dir.work().join("ready").exists());
    let output = dir.stockade(&["stop", &run]).run().success();
    assert!(dir.work().join("asked").exists(), "{output}");
    assert!(dir.work().join(".aider.tags.cache.v4").exists());
    assert!(!dir.work().join(".aider.tags.cache.v5").exists());
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_api_that_is_overloaded_is_given_time() {
    let dir = TestDir::new();
    // What it counts must not be seen as a change.
    let script = format!(
        "n=$(cat /home/agent/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >/home/agent/n; rm count\n\
         cat /run/stockade/prompt.md | wc -l >&2\n\
         if [ -e goes ]; then rm goes; {} exit; fi\n{}",
        response(TAG),
        model_error(
            r#"litellm.InternalServerError: AnthropicException - {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#
        )
    );
    program(&dir, "patchpal-autopilot", &script);
    let flags = ["--max-iterations", "1", "--no-progress", "1", "-d"];
    let id = agent(&dir, "patchpal", &flags).run().success().line();
    let journal = record(&dir).join("journal.jsonl");
    let waits = || {
        fs::read_to_string(&journal)
            .unwrap()
            .matches("\"waiting\"")
            .count()
    };
    wait_until(|| waits() == 1);
    // Whoever takes it up goes on with the waiting.
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    dir.write("goes", "");
    let output = dir.stockade(&["resume"]).run();
    let output = ended(&dir, output, 0, 0).complains("its API: overloaded; again in ");
    assert_eq!(waits(), 1, "{output}");
    let events = fs::read_to_string(&journal).unwrap();
    assert_eq!(
        events
            .matches("\"event\":\"iteration\",\"number\":1")
            .count(),
        2,
        "{events}"
    );
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_api_is_not_waited_for_without_an_end() {
    let dir = TestDir::new();
    let script = r#"rm count; echo '{"type":"result","is_error":true,"result":"API Error: 429 {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}"}'; exit 1"#;
    program(&dir, "claude", script);
    let output = agent(&dir, "claude", &["--api-patience", "1s"]).run();
    let _ = ended(&dir, output, 16, 0).complains("for too long (rate-limited)");
    report(
        &dir,
        &["- its API was given 1 s in a row", "`--api-patience`"],
    );
    let dir = TestDir::new();
    program(&dir, "claude", script);
    let running = agent(&dir, "claude", &[]).spawn();
    let journal = || fs::read_to_string(record(&dir).join("journal.jsonl")).unwrap_or_default();
    running.expect("API Error");
    wait_until(|| journal().contains("\"waiting\""));
    let begun = std::time::Instant::now();
    running.signal(rustix::process::Signal::INT);
    let output = running.finish();
    assert!(begun.elapsed() < std::time::Duration::from_secs(3));
    let _ = ended(&dir, output, 130, 0);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_command_that_is_not_in_the_image_ends_the_run_at_once() {
    let dir = TestDir::new();
    let output = agent(&dir, "goose", &[]).run();
    let _ = ended(&dir, output, 1, 0)
        .complains("failed: the agent's command was not found in the image");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_without_a_key_begins_no_run() {
    let dir = TestDir::new();
    program(&dir, "claude", "");
    let env_file = dir.path().join("key");
    fs::write(&env_file, "ANTHROPIC_API_KEY=of-the-tests\n").unwrap();
    let env_file = env_file.to_str().unwrap();
    let begin = |flags: &[&str]| {
        let more = [&["--network", "private", "--max-iterations", "1"], flags];
        agent(&dir, "claude", &more.concat()).run()
    };
    let _ = begin(&["-e", "MODEL=x"])
        .code(30)
        .complains("claude is given no key")
        .complains("`-e ANTHROPIC_API_KEY`")
        .complains("`--no-key-check`");
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
    dir.assert_nothing_left();
    let _ = begin(&["--no-key-check"])
        .code(11)
        .complains("claude is given no key");
    for given in [
        ["--env-file", env_file],
        ["-e", "ANTHROPIC_BASE_URL=http://127.0.0.1:1"],
    ] {
        let output = begin(&given).code(11);
        assert!(!output.stderr().contains("given no key"), "{output}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_disk_that_is_nearly_full_begins_no_run() {
    let dir = TestDir::new();
    program(&dir, "claude", "");
    let output = agent(&dir, "claude", &["--min-free", "4096p"]).run();
    let _ = output
        .code(30)
        .complains("MiB are free where")
        .complains("and 4398046511104 MiB have to stay so");
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
    // Room that is not asked for is not looked at.
    let output = agent(
        &dir,
        "claude",
        &["--min-free", "0", "--max-iterations", "1"],
    )
    .run();
    let _ = output.code(11);
}
