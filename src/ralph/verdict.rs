//! How a run ended, by facts: never from what the agent says, but for its claim to be blocked.

use std::fmt;

use super::growth::Grown;
use super::room::Low;
use super::trouble::Refusal;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The check passed on what the agent had claimed to be complete.
    Verified {
        /// Whose the tests are.
        grade: Grade,
    },
    /// The agent claims completion, and the person wanted no check.
    Claimed,
    /// The agent claims completion; the task has no check.
    Unchecked,
    /// The last claim did not pass the check, and the iterations are used up.
    CheckFailed,
    /// The iterations are used up.
    Iterations,
    /// The time is used up.
    Time,
    /// Iterations went by and nothing changed.
    NoProgress {
        /// How many.
        iterations: u32,
    },
    /// The agent says that it cannot go on.
    Blocked {
        /// Why, in its own words: not to be trusted.
        reason: String,
    },
    /// The agent itself died for want of memory, again.
    OutOfMemory {
        /// The limit, in bytes; 0 is none.
        limit: i64,
    },
    /// The model's API does not let the agent in: its key, its account or the model.
    ApiRefused {
        /// Why.
        refusal: Refusal,
    },
    /// The model's API could not be used, for longer than the person wanted to wait.
    RateLimited {
        /// Why.
        refusal: Refusal,
    },
    /// The agent was refused processes at its limit, again.
    Pids,
    /// A disk that the run needs is nearly full.
    Disk {
        /// Which.
        low: Low,
    },
    /// The workspace has grown by too much.
    Grown {
        /// By how much.
        grown: Grown,
    },
    /// Somebody stopped the run.
    Stopped,
    /// The run could not go on: the service, or its own record.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a check that passed rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// As far as names tell, everything that decides the outcome is the person's.
    Protected,
    /// The agent has written or removed tests.
    AgentsTests,
}

impl Verdict {
    /// Whether the work is done, as far as anybody could tell.
    pub fn is_well(&self) -> bool {
        self.rank().is_some()
    }

    /// What both come to: no more than the weaker of them.
    pub(super) fn together(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.rank() < self.rank() => other,
            _ => self,
        }
    }

    /// The higher, the more it says.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::Verified {
                grade: Grade::Protected,
            } => Some(3),
            Self::Verified {
                grade: Grade::AgentsTests,
            } => Some(2),
            Self::Claimed => Some(1),
            Self::Unchecked => Some(0),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified {
                grade: Grade::Protected,
            } => f.write_str("verified (protected): the check passed"),
            Self::Verified {
                grade: Grade::AgentsTests,
            } => f.write_str(
                "verified (agent's tests): the check passed, and the agent wrote some of the tests",
            ),
            Self::Claimed => {
                f.write_str("claimed: the agent says that it is done, unchecked as asked")
            }
            Self::Unchecked => {
                f.write_str("claimed: the agent says that it is done, and the task has no check")
            }
            Self::CheckFailed => f.write_str(
                "not done: the agent claimed it, and the check failed; iterations used up",
            ),
            Self::Iterations => f.write_str("not done: iterations used up"),
            Self::Time => f.write_str("not done: time used up"),
            Self::NoProgress { iterations } => {
                write!(f, "not done: no progress in {iterations} iterations")
            }
            Self::Blocked { reason } => write!(f, "blocked, says the agent: {reason}"),
            Self::OutOfMemory { limit: 0 } => f.write_str("not done: the agent ran out of memory"),
            Self::OutOfMemory { limit } => {
                write!(f, "not done: the agent ran out of memory, at {limit} bytes")
            }
            Self::ApiRefused { refusal } => write!(
                f,
                "not done: the agent's API refuses it ({}): {}",
                refusal.trouble, refusal.text
            ),
            Self::RateLimited { refusal } => write!(
                f,
                "not done: the agent's API could not be used for too long ({}): {}",
                refusal.trouble, refusal.text
            ),
            Self::Pids => f.write_str("not done: the agent ran into its limit of processes, again"),
            Self::Disk { low } => write!(f, "not done: {low}"),
            Self::Grown { grown } => write!(
                f,
                "not done: the workspace has grown by {} MiB, more than {} MiB",
                grown.bytes >> 20,
                grown.most >> 20
            ),
            Self::Stopped => f.write_str("stopped"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
        }
    }
}
