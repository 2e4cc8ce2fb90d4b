//! How a run ended, as advice: what was found, and what to do about it.

mod causes;
mod reach;

use std::num::NonZeroU32;

use self::causes::causes;
use self::reach::{denied, model_here, unreached};
use crate::ralph::{Check, Claim, Described, Iteration, Record, Report, Task, Trouble, Verdict};

/// What no check can rule out that loads what it tests.
const FAKED: &str = "code under test shares a process with its tests, and could fake how that ends: a check that only looks at \
    the program from outside (`--check-dir`) cannot be faked so";

/// What there is to do where nobody has looked.
const CHECK_NOW: &str = "have it verified: `stockade check --check COMMAND`";

/// What there is to do about processes.
const FORKS: &str =
    "it needs more processes at once, or does not wait for those that it starts: `--pids-limit`";

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
    let mut advice = vec![led_to(verdict, record, task, report)];
    if let Verdict::Verified { .. } | Verdict::Claimed = verdict {
        return advice;
    }
    advice.extend(causes(verdict, record, task, report));
    if let Verdict::RateLimited { refusal } = verdict
        && refusal.trouble == Trouble::Unreachable
    {
        advice.extend(model_here(&record.network));
    }
    let words = last_words.to_ascii_lowercase();
    advice.extend(unreached(&record.network, &words));
    let mounts = described.map(Described::mounts).unwrap_or_default();
    advice.extend(denied(&record.workspace.target, &mounts, &words));
    advice
}

/// What led to it.
fn led_to(verdict: &Verdict, record: &Record, task: &Task, report: &Report) -> String {
    match verdict {
        Verdict::Verified { .. } => FAKED.to_owned(),
        Verdict::Claimed => CHECK_NOW.to_owned(),
        Verdict::Unchecked => format!("{CHECK_NOW}; in another run: `--check COMMAND`"),
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
        Verdict::OutOfMemory { limit } => more_memory(u64::try_from(*limit).unwrap_or_default()),
        Verdict::ApiRefused { refusal } => refused(refusal.trouble).to_owned(),
        Verdict::RateLimited { .. } => format!(
            "its API was given {} s in a row: with more, `--api-patience`",
            task.budget.api_patience.as_secs()
        ),
        Verdict::Pids => FORKS.to_owned(),
        Verdict::Disk { .. } => {
            "make room, and begin another run; how much has to stay free: `--min-free`".to_owned()
        }
        Verdict::Grown { .. } => {
            "look at what it has made: `stockade diff --stat`, and at what checkpoints leave out; to let it have more: `--max-growth`"
                .to_owned()
        }
        Verdict::Stopped => "another run goes on with what there is".to_owned(),
        Verdict::Failed { .. } => failed(report),
    }
}

/// What came of the claims.
fn used_up(task: &Task, report: &Report) -> String {
    let more = task.budget.iterations.saturating_mul(doubled());
    let claims = |one: &&Iteration| one.claim == Claim::Complete;
    let last = report.iterations.iter().rev().find(claims);
    let cut = last.is_some_and(|last| last.check_timed_out);
    let found = match (last.map(|last| (last.number, last.check)), &task.promise) {
        (Some((number, _)), _) if cut => format!(
            "the check of its last claim, in iteration {number}, took too long: what it wrote is in `stockade logs --check={number}`, and `stockade check` repeats it"
        ),
        (Some((number, Some(code))), _) => format!(
            "its last claim, in iteration {number}, failed the check with {code}: what it wrote is in `stockade logs --check={number}`, and `stockade check` repeats it"
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

/// What there is to do about an API that lets nobody in.
fn refused(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Auth => {
            "the key is refused: look at what the agent gets by `-e` or `--env-file`, and begin another run. Lines of \
             an env file are read as they are: quotes and spaces around a value are part of it, and only the CR of a line \
             that ends in CRLF is dropped"
        }
        Trouble::Quota => {
            "the account may ask for no more: look at its plan, or give the agent another key by `-e` or `--env-file`, \
             and begin another run"
        }
        Trouble::Model => {
            "there is no such model, or not for this key: name another in the agent's own words after `--`, or in its \
             variable by `-e` or `--env-file`, and begin another run"
        }
        Trouble::RateLimit | Trouble::Unreachable | Trouble::Overloaded => {
            "look at what the agent gets by `-e` or `--env-file`, and begin another run"
        }
    }
}

/// What there is to do about memory, by its limit in bytes; 0 is none.
fn more_memory(limit: u64) -> String {
    match limit >> 20 {
        0 => "there was no limit but the machine's own memory: let it do less at once".to_owned(),
        limit => format!(
            "its limit was {limit} MiB: let it do less at once, or begin another run with more, \
             `--memory {}m`",
            limit.saturating_mul(2)
        ),
    }
}

/// What kept it from going on, and what may be missing where nothing ever ran.
fn failed(report: &Report) -> String {
    let only = match &*report.iterations {
        [only] => Some((only.exit_code, &only.missing)),
        _ => None,
    };
    match only {
        Some((_, Some(_))) => {
            "the agent's program has to be in the workspace when the run begins, or in the image: in the sandbox \
             the workspace is `/workspace`, and a name without a directory is looked for there"
        }
        Some((126 | 127, None)) => {
            "what is called has to be in the image: name another with `--image`, or build one that has it with \
             `stockade build`"
        }
        _ => {
            "what was before that is in `stockade show`: once it is mended, another run goes on with what there is"
        }
    }
    .to_owned()
}

/// Twice as much is worth a try.
fn doubled() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

#[cfg(test)]
mod tests;
