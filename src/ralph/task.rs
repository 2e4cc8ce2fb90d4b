//! What is to be done, and when it is enough.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::promise::{Promise, Reading};

/// A task: everything the person said of the work itself, apart from the prompt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Task {
    /// What it is called, where a run has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// How the agent claims completion; without one only limits end the loop.
    pub promise: Option<Promise>,
    /// How strictly that is read.
    #[serde(default)]
    pub reading: Reading,
    /// What verifies a claim.
    pub check: Check,
    /// A directory of the person's that a check finds at [`CHECK_DIRECTORY`](super::CHECK_DIRECTORY).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_directory: Option<PathBuf>,
    /// Paths that are the person's: a check has them as they were in the beginning.
    #[serde(default)]
    pub protect: Vec<String>,
    /// How much it may take.
    pub budget: Budget,
}

/// Whether a claim is verified.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// By this shell command, in a clean container.
    Command(String),
    /// The person wants none: a claim is enough.
    Waived,
    /// The task has none.
    Missing,
}

/// How much a task may take.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Budget {
    /// Iterations.
    pub iterations: NonZeroU32,
    /// For all of it.
    pub time: Option<Duration>,
    /// For one iteration.
    pub iteration_time: Option<Duration>,
    /// So many iterations in a row that change nothing, or say the same, are no progress.
    pub no_progress: Option<NonZeroU32>,
    /// For one check.
    pub check_time: Duration,
    /// For a model's API that cannot be used, in a row.
    #[serde(default = "half_an_hour")]
    pub api_patience: Duration,
    /// Bytes that have to stay free on the disks of the workspace and of what is kept of the run.
    #[serde(default)]
    pub least_free: u64,
    /// Bytes on its disk by which the workspace may grow; 0 for any.
    #[serde(default)]
    pub most_growth: u64,
}

fn half_an_hour() -> Duration {
    Duration::from_secs(1800)
}
