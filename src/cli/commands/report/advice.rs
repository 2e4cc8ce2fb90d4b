//! How a run ended, as advice: what was found, and what to do about it.

use std::num::NonZeroU32;

use crate::ralph::{Check, Claim, Described, Iteration, Record, Report, Task, Verdict};

/// Names of this machine, and of the sandbox itself.
const HERE: [&str; 4] = [
    "host.containers.internal",
    "host.docker.internal",
    "localhost",
    "127.0.0.1",
];
/// What programs say of a service that they do not reach, in small letters.
const AWAY: [&str; 7] = [
    "refused",
    "unreachable",
    "bad address",
    "could not resolve",
    "name or service not known",
    "name resolution",
    "failed to connect",
];

/// What programs say of what they may not open, in small letters.
const DENIED: [&str; 2] = ["permission denied", "eacces"];

/// What no check can rule out that loads what it tests.
const FAKED: &str = "code under test shares a process with its tests, and could fake how that ends: a check that only looks at \
    the program from outside (`--check-dir`) cannot be faked so";

/// What led to the verdict, and what is worth a try. In Markdown, and without a word of the agent's, whose last
/// words are looked at.
pub(super) fn advice(
    record: &Record,
    report: &Report,
    described: Option<&Described>,
    last_words: &str,
) -> Vec<String> {
    let Some(verdict) = &report.verdict else {
        return Vec::new();
    };
    let task = record.task(report.phases.len());
    let mut advice = Vec::from_iter(match verdict {
        Verdict::Verified { .. } => return vec![FAKED.to_owned()],
        Verdict::Claimed => return Vec::new(),
        verdict => led_to(verdict, record, task, report),
    });
    let words = last_words.to_ascii_lowercase();
    advice.extend(unreached(&record.network, &words));
    let mounts = described.map(Described::mounts).unwrap_or_default();
    advice.extend(denied(&record.workspace.target, &mounts, &words));
    advice
}

/// What led to it.
fn led_to(verdict: &Verdict, record: &Record, task: &Task, report: &Report) -> Option<String> {
    Some(match verdict {
        Verdict::Unchecked => "have it verified: `--check COMMAND`, in another run".to_owned(),
        Verdict::CheckFailed | Verdict::Iterations => used_up(task, report),
        Verdict::Time => {
            "the time is used up: another run goes on with what there is; with more: `--time`"
                .to_owned()
        }
        Verdict::NoProgress { iterations } => no_progress(record, task, report, *iterations),
        Verdict::Blocked { .. } => {
            "answer the agent in the prompt of another run, which goes on with what there is"
                .to_owned()
        }
        Verdict::OutOfMemory { limit } => out_of_memory(*limit),
        Verdict::ApiRefused { .. } => {
            "the key, the account or the model is refused: look at what the agent gets by `-e` or `--env-file`, \
             and begin another run"
                .to_owned()
        }
        Verdict::RateLimited { .. } => format!(
            "its API was given {} s in a row: with more, `--api-patience`",
            task.budget.api_patience.as_secs()
        ),
        Verdict::Pids => {
            "it needs more processes at once, or does not wait for those that it starts: `--pids-limit`"
                .to_owned()
        }
        Verdict::Disk { .. } => {
            "make room, and begin another run; how much has to stay free: `--min-free`".to_owned()
        }
        Verdict::Grown { .. } => {
            "look at what it has made: `stockade diff --stat`, and at what checkpoints leave out; to let it have more: `--max-growth`"
                .to_owned()
        }
        Verdict::Stopped => "another run goes on with what there is".to_owned(),
        _ => return failed(report),
    })
}

/// What came of the claims.
fn used_up(task: &Task, report: &Report) -> String {
    let more = task.budget.iterations.saturating_mul(doubled());
    let claims = |one: &&Iteration| one.claim == Claim::Complete;
    let last = report.iterations.iter().rev().find(claims);
    let cut = last.is_some_and(|last| last.check_timed_out);
    let found = match (last.map(|last| (last.number, last.check)), &task.promise) {
        (Some((number, _)), _) if cut => format!(
            "the check of its last claim, in iteration {number}, took too long: `stockade check` repeats that"
        ),
        (Some((number, Some(code))), _) => format!(
            "its last claim, in iteration {number}, failed the check with {code}: `stockade check` repeats that"
        ),
        (Some((number, None)), _) => format!("its last claim was in iteration {number}"),
        (None, Some(promise)) => format!(
            "its promise was never seen: the agent's final message needs `<promise>{}</promise>` alone on a line",
            promise.text()
        ),
        (None, None) => "the task has no promise".to_owned(),
    };
    format!(
        "{found}. Another run goes on with what there is; with more iterations: `--max-iterations {more}`"
    )
}

fn no_progress(record: &Record, task: &Task, report: &Report, iterations: u32) -> String {
    let last = report.iterations.iter().rev();
    let mut last = last.take(usize::try_from(iterations).unwrap_or(usize::MAX));
    let found = match record.workspace.read_only {
        false if last.all(|iteration| iteration.changed == Some(0)) => "changed nothing",
        _ => "ended with the same message",
    };
    let more = task.budget.no_progress;
    let more = more.map_or(0, |most| most.saturating_mul(doubled()).get());
    let check = match task.check {
        Check::Command(_) => "",
        Check::Missing | Check::Waived => ", and what tells it: `--check`",
    };
    format!(
        "the last {iterations} iterations {found}: the agent thinks that it is done, or does not know how to go on. \
         Say in the prompt what is left{check}, and begin another run; with more patience: `--no-progress {more}`"
    )
}

fn out_of_memory(limit: i64) -> String {
    match u64::try_from(limit).unwrap_or_default() >> 20 {
        0 => "there was no limit but the machine's own memory: let it do less at once".to_owned(),
        limit => format!(
            "its limit was {limit} MiB: let it do less at once, or begin another run with more, \
             `--memory {}m`",
            limit.saturating_mul(2)
        ),
    }
}

/// What may be missing where nothing ever ran.
fn failed(report: &Report) -> Option<String> {
    let [last] = &*report.iterations else {
        return None;
    };
    match (last.exit_code, &last.missing) {
        (_, Some(_)) => Some(
            "the agent's program has to be in the workspace when the run begins, or in the image: in the sandbox \
             the workspace is `/workspace`, and a name without a directory is looked for there"
                .to_owned(),
        ),
        (126 | 127, None) => Some(
            "what is called has to be in the image: name another with `--image`, or build one that has it with \
             `stockade build`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// How a service on this machine is reached, if that may have been the trouble.
fn unreached(network: &str, words: &str) -> Option<String> {
    let is_away = |line: &&str| AWAY.iter().any(|word| line.contains(word));
    let mut lines = words.lines().filter(is_away);
    let here = lines.find_map(|line| HERE.iter().find(|name| line.contains(**name)))?;
    let how = match (network, here.starts_with("host.")) {
        ("none", _) => {
            "with `--network none` nothing outside is reached; with `--network full` this machine is \
             `host.containers.internal`"
        }
        (_, false) => {
            "in a sandbox that is the sandbox itself: this machine is `host.containers.internal`"
        }
        (_, true) => {
            "a service that listens on this machine's 127.0.0.1 alone is out of reach: have it listen on 0.0.0.0, \
             or say `--network slirp4netns:allow_host_loopback=true`"
        }
    };
    Some(format!(
        "at the end the agent could not reach `{here}`: {how}"
    ))
}

/// What may keep an agent from its files, if it was denied one.
fn denied(workspace: &str, mounts: &[String], words: &str) -> Option<String> {
    // Of a machine that one logs in to it is said, too.
    let lines = words.lines().filter(|line| !line.contains("(publickey"));
    let mut denials = lines.filter(|line| DENIED.iter().any(|word| line.contains(word)));
    denials.next()?;
    let found = mounts.iter().find_map(|mount| {
        let mut parts = mount.rsplit(':');
        let (last, before) = (parts.next()?, parts.next()?);
        let options = match (last == workspace, before == workspace) {
            (true, _) => "",
            (_, true) => last,
            _ => return None,
        };
        Some(
            options
                .split(',')
                .any(|word| word.eq_ignore_ascii_case("z")),
        )
    });
    let why = match found {
        Some(false) => format!(
            "a workspace that is mounted without `:Z` is closed to it where SELinux is in force: \
             `-v DIRECTORY:{workspace}:Z`, or leave `-v` away"
        ),
        _ => "in the workspace it may do what you may yourself, which `ls -l` shows; elsewhere what the image lets a user do"
            .to_owned(),
    };
    Some(format!("at the end the agent was denied access: {why}"))
}

/// Twice as much is worth a try.
fn doubled() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_memory_is_named() {
        let said = out_of_memory(512 << 20);
        assert!(
            said.contains("512 MiB") && said.contains("`--memory 1024m`"),
            "{said}"
        );
        assert!(!out_of_memory(0).contains("--memory"));
    }

    #[test]
    fn who_was_called_says_how_to_reach_it() {
        let at = |network, words: &str| unreached(network, words).unwrap_or_default();
        let host = "curl: (7) failed to connect to host.containers.internal port 11434: connection refused";
        assert!(at("full", host).contains("allow_host_loopback"));
        assert!(at("none", host).contains("`--network full`"));
        let local = "x\ndial tcp 127.0.0.1:11434: connect: connection refused\ny";
        assert!(at("full", local).contains("is the sandbox itself"));
        for words in [
            "",
            "connection refused by api.example.com",
            "listening on localhost:80",
        ] {
            assert_eq!(unreached("full", words), None, "{words}");
        }
    }

    #[test]
    fn who_was_denied_a_file_is_told_of_the_label_that_is_missing() {
        let words = "sh: can't create /workspace/a: permission denied\n";
        let told = |mount: &str| denied("/workspace", &[mount.to_owned()], words).unwrap();
        for (mount, is_missing) in [
            ("/home/ann/z:/workspace", true),
            ("/home/ann/z:/workspace:ro,rbind", true),
            ("/home/ann/z:/workspace:Z", false),
            ("/home/ann/z:/workspace:ro,z", false),
            ("/srv:/srv", false),
            ("/home/ann/m:/workspace/modules:ro", false),
        ] {
            assert_eq!(told(mount).contains(":Z`"), is_missing, "{mount}");
        }
        for words in [
            "all is well",
            "git@example.com: permission denied (publickey).",
        ] {
            assert_eq!(denied("/workspace", &[], words), None, "{words}");
        }
    }
}
