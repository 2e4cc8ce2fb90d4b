//! Events in words.

use std::time::Duration;

use crate::cli::night;
use crate::ralph::{Claim, Cut, During, Event, Record, ranges};

/// What a checkpoint does not hold; `None` for nothing.
pub(crate) fn left_out_words(left_out: u64, too_much: u64) -> Option<String> {
    match (left_out, too_much) {
        (0, _) => None,
        (all, 0) => Some(format!("{all} left out")),
        (all, many) => Some(format!("{all} left out ({many} since they are too much)")),
    }
}

/// An event in words; `None` for what only matters to us.
pub(crate) fn words(event: &Event, record: &Record) -> Option<String> {
    let time = |millis: u64| night::shown(Duration::from_millis(millis));
    Some(match event {
        Event::Resumed { .. } => "taken up again".to_owned(),
        Event::Checkpoint {
            number,
            files,
            changed,
            left_out,
            too_much,
            during,
            ..
        } => {
            let when = match during {
                None => "",
                Some(During::Frozen) => " while the agent worked",
                Some(During::Unfrozen) => " while the agent worked, not frozen",
            };
            let left = left_out_words(*left_out, *too_much);
            let left = left.map_or(String::new(), |words| format!(", {words}"));
            format!("checkpoint {number}{when}: {files} files, {changed} changed{left}")
        }
        Event::Quarantined { path, to } => {
            format!("`{path}` has come since the beginning, and was moved to {to}")
        }
        Event::Dropped { numbers } => {
            format!("checkpoints dropped, to make room: {}", ranges(numbers))
        }
        Event::Iteration { number, .. } => match record.phases() {
            1 => format!("iteration {number} of {}", record.task.budget.iterations),
            _ => format!("iteration {number}"),
        },
        Event::Phase { number, verdict } => {
            let phase = usize::try_from(*number).unwrap_or(usize::MAX);
            let name = record.task(phase.saturating_sub(1)).phase.as_deref();
            format!("{verdict}; phase {number}, {}", name.unwrap_or("unnamed"))
        }
        Event::Told { text, .. } => format!("a note for the agent: {text}"),
        Event::Ended {
            number,
            exit_code,
            oom_killed,
            took,
            cut,
            claim,
            refusal,
            forks_refused,
            ..
        } => {
            let forks = match forks_refused {
                true => ", out of processes",
                false => "",
            };
            let refusal = match refusal {
                Some(refusal) => format!("; its API: {}, {}", refusal.trouble, refusal.text),
                None => String::new(),
            };
            let claim = match claim {
                Claim::Complete => "; the agent claims completion",
                _ => "",
            };
            let cut = match cut {
                None => "",
                Some(Cut::Stopped) => ", stopped",
                Some(Cut::IterationTime) => ", it took too long",
                Some(Cut::Disk) => ", the disk is nearly full",
                Some(Cut::Growth) => ", the workspace has grown too much",
                Some(Cut::Time) => ", the run's time is used up",
                Some(Cut::MachineDown) => ", the machine went down",
                Some(Cut::LostSight) => ", the service had lost sight of it",
            };
            let memory = if *oom_killed { ", out of memory" } else { "" };
            format!(
                "iteration {number} ended after {} with {exit_code}{memory}{forks}{cut}{claim}{refusal}",
                time(*took)
            )
        }
        Event::Waiting {
            time: millis, why, ..
        } => format!("its API: {why}; again in {}", time(*millis)),
        Event::OutputDropped { bytes } => {
            format!("the first {bytes} bytes of the output are not kept: it is too much")
        }
        Event::Disk { low } => low.to_string(),
        Event::Grown { grown } => format!(
            "the workspace has grown by {} MiB, more than {} MiB",
            grown.bytes >> 20,
            grown.most >> 20
        ),
        Event::Checking { checkpoint, .. } => {
            format!("check of checkpoint {checkpoint}, in a clean container")
        }
        Event::CheckingAgain { checkpoint, .. } => {
            format!("check of checkpoint {checkpoint} once more, in a clean container")
        }
        Event::Checked {
            timed_out: true,
            took,
            ..
        } => format!(
            "the check took too long, and was ended after {}",
            time(*took)
        ),
        Event::Checked {
            exit_code: 0, took, ..
        } => format!("the check passed after {}", time(*took)),
        Event::Checked {
            exit_code, took, ..
        } => format!("the check failed after {} with {exit_code}", time(*took)),
        Event::CheckedAgain {
            checkpoint,
            exit_code,
            cut,
            took,
            ..
        } => {
            let how = match (exit_code, cut) {
                (0, None) => "it passed".to_owned(),
                (_, Some(_)) => "it was ended".to_owned(),
                (code, None) => format!("it failed with {code}"),
            };
            format!(
                "checkpoint {checkpoint} checked again: {how} after {}",
                time(*took)
            )
        }
        Event::RolledBack {
            to,
            restored,
            removed,
            failed,
            original,
            ..
        } => {
            let whose = if *original {
                "the person's own directory "
            } else {
                ""
            };
            let failed = match failed {
                0 => String::new(),
                failed => format!(", {failed} not what they were"),
            };
            format!(
                "{whose}back to checkpoint {to}: {restored} restored, {removed} removed{failed}"
            )
        }
        Event::Awake { unless } => match unless {
            None => "this machine stays awake".to_owned(),
            Some(why) => format!("this machine may go to sleep: {why}"),
        },
        Event::Accepted {
            checkpoint, commit, ..
        } => match commit {
            Some(commit) => format!("checkpoint {checkpoint} accepted, as commit {commit}"),
            None => format!("checkpoint {checkpoint} accepted"),
        },
        Event::Asks { .. } => "what comes next?".to_owned(),
        Event::Prompted { .. } => "another prompt, from now on".to_owned(),
        Event::NeedsKey { text } => format!("needs a key: {text}"),
        Event::Warning { text } => format!("warning: {text}"),
        Event::Notified { unless: None } => "told of the end".to_owned(),
        Event::Notified { unless: Some(why) } => {
            format!("warning: nobody was told of the end: {why}")
        }
        Event::Verdict { verdict } => verdict.to_string(),
        _ => return None,
    })
}
