//! What happens in a run, as it is journalled and shown.

use super::difference::Difference;
use super::growth::Grown;
use super::life::Cut;
use super::promise::Claim;
use super::room::Low;
use super::selection::Findings;
use super::trouble::{Refusal, Trouble};
use super::verdict::Verdict;
use crate::sandbox::Usage;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The run began.
    Begun {
        /// The version of Stockade.
        version: String,
    },
    /// A process took the run in hand again, after another had gone.
    Resumed {
        /// The version of Stockade.
        version: String,
    },
    /// A container is about to be made: known before it is.
    Creating {
        /// Its name.
        name: String,
    },
    /// It was made.
    Created {
        /// Its id.
        container: String,
    },
    /// A checkpoint of the workspace was taken.
    Checkpoint {
        /// Its number in the run.
        number: u32,
        /// Files in it.
        files: u64,
        /// Bytes in them.
        bytes: u64,
        /// What differs from the checkpoint before.
        changed: u64,
        /// The same in files and lines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        difference: Option<Difference>,
        /// Entries that it does not hold.
        left_out: u64,
        /// Those of them that it would hold if they, or all together, were less.
        #[serde(default, skip_serializing_if = "is_zero")]
        too_much: u64,
        /// Milliseconds that it took.
        took: u64,
        /// The agent was alive: it is to look at, and to go back to, and nothing rests on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        during: Option<During>,
    },
    /// A phase has ended well, and another begins.
    Phase {
        /// Of the one that begins, from 2.
        number: u32,
        /// How the one before ended.
        verdict: Verdict,
    },
    /// The person has a word for the agent.
    Told {
        /// Of the note.
        id: String,
        /// Which.
        text: String,
        /// It joins every prompt from now on, and not only the next.
        #[serde(default)]
        always: bool,
    },
    /// Something that has come to the top of the workspace and would be obeyed there was moved away.
    Quarantined {
        /// Its name.
        path: String,
        /// Where it is now.
        to: String,
    },
    /// Checkpoints were dropped, to make room.
    Dropped {
        /// Their numbers.
        numbers: Vec<u32>,
    },
    /// An iteration begins.
    Iteration {
        /// From 1.
        number: u32,
        /// Bytes of output before it.
        output: u64,
        /// Which of the machine's boots it is (`/proc/sys/kernel/random/boot_id`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
        /// Milliseconds that the machine was awake in it until then (`CLOCK_MONOTONIC`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        awake: Option<u64>,
    },
    /// Its process has ended.
    Ended {
        /// From 1.
        number: u32,
        /// Its exit code.
        exit_code: i32,
        /// Something in it was killed for want of memory.
        #[serde(default)]
        oom_killed: bool,
        /// Milliseconds that it took.
        took: u64,
        /// Its memory limit in bytes; 0 is none.
        memory_limit: i64,
        /// Bytes of output after it.
        output: u64,
        /// When its process began, by the service's clock: by this the life is known again.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        started: String,
        /// Why it was not left to end by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut: Option<Cut>,
        /// What its last words claim.
        claim: Claim,
        /// SHA-256 of its final message, or else of why it failed; empty if it said neither.
        words: String,
        /// What may have kept it from its model, in its words: believed where nothing was changed, or when it comes again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
        /// It did not begin to work: its program had no file, in its words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<String>,
        /// Something in it was refused a process, at the limit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forks_refused: bool,
        /// What it used, as far as the kernel said.
        #[serde(default, skip_serializing_if = "Usage::is_unknown")]
        used: Usage,
    },
    /// The first bytes of the output are not kept any more: it was too much.
    OutputDropped {
        /// So many.
        bytes: u64,
    },
    /// A disk that the run needs is nearly full.
    Disk {
        /// Which.
        low: Low,
    },
    /// What the workspace takes of its disk before the agent's first instruction.
    Measured {
        /// Bytes, as far as they could be counted.
        bytes: u64,
    },
    /// The workspace has grown by too much.
    Grown {
        /// By how much.
        grown: Grown,
    },
    /// The model's API is given time.
    Waiting {
        /// Until then, as in RFC 3339, in UTC.
        until: String,
        /// Milliseconds that this is.
        time: u64,
        /// Why.
        why: Trouble,
    },
    /// A check begins.
    Checking {
        /// The iteration whose claim it is.
        number: u32,
        /// The checkpoint that it is made on.
        checkpoint: u32,
        /// The name of its container: known before it is made.
        container: String,
    },
    /// A check has ended.
    Checked {
        /// The iteration whose claim it was.
        number: u32,
        /// Its exit code.
        exit_code: i32,
        /// It was ended at its time-out.
        #[serde(default)]
        timed_out: bool,
        /// Milliseconds that it took.
        took: u64,
        /// What the agent has done to what decides the outcome.
        #[serde(default)]
        findings: Findings,
    },
    /// A check that the person asks for begins.
    CheckingAgain {
        /// The checkpoint that it is made on.
        checkpoint: u32,
        /// The name of its container: known before it is made.
        container: String,
    },
    /// The person had a checkpoint checked once more.
    CheckedAgain {
        /// Which.
        checkpoint: u32,
        /// By which command, if not by the task's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<String>,
        /// The check's exit code.
        exit_code: i32,
        /// Why it was not left to end by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut: Option<Cut>,
        /// Milliseconds that it took.
        took: u64,
        /// What the agent has done to what decides the outcome.
        #[serde(default)]
        findings: Findings,
    },
    /// The person went back to a checkpoint.
    RolledBack {
        /// To which.
        to: u32,
        /// What was before.
        from: u32,
        /// Names that were restored.
        restored: u64,
        /// Names that were removed.
        removed: u64,
        /// Names that could not be.
        failed: u64,
        /// In their own directory, of which the workspace is a copy; the numbers are of its own checkpoints.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        original: bool,
        /// Only these paths; all, if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
    },
    /// Whether the machine stays awake while the run is at work.
    Awake {
        /// Why it may sleep; `None` if it may not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unless: Option<String>,
    },
    /// The person has taken what the run came to.
    Accepted {
        /// As it is in this checkpoint.
        checkpoint: u32,
        /// Only these paths; all, if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// The commit that was made of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// The run asks what comes next, and waits.
    Asks {
        /// After this iteration.
        after: u32,
    },
    /// The person wants the next iteration.
    GoesOn {
        /// After this one.
        after: u32,
    },
    /// The person has another prompt, from now on.
    Prompted {
        /// Which.
        text: String,
    },
    /// A secret that the agent gets from Podman is not there any more: the run waits until it is, and is taken up again.
    NeedsKey {
        /// In the service's words.
        text: String,
    },
    /// Something that the person should know, and that ends nothing.
    Warning {
        /// In words.
        text: String,
    },
    /// The run has ended.
    Verdict {
        /// How.
        verdict: Verdict,
    },
    /// Whoever is to be told of the end was told, or cannot be.
    Notified {
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unless: Option<String>,
    },
}

/// What the agent did while a checkpoint was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum During {
    /// Nothing: it was paused.
    Frozen,
    /// It worked. What stands side by side in the checkpoint may never have been there at once.
    Unfrozen,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// From 0.
    pub line: u64,
    /// When, as in RFC 3339, in UTC.
    pub at: String,
    /// SHA-256 of the line before, without its newline; empty in the first.
    pub before: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}
