//! What was asked for when a run began. Names, never values of variables.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::agent::Voice;
use super::pace::Pace;
use super::repository::Repository;
use super::retention::Retention;
use super::task::Task;
use crate::sandbox::asked::Asked;
use crate::workspace::LeaveOut;

/// The record of a run, as `run.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Of this format.
    pub version: u32,
    /// When it began, as in RFC 3339, in UTC.
    pub begun: String,
    /// The boot of the machine then: with another one devices may have other numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// What the person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is worked on.
    pub workspace: Workspace,
    /// The person's own directory, where what is worked on is a copy of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Workspace>,
    /// Its repository; runs of before that was looked at have none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// What checkpoints hold.
    #[serde(default)]
    pub keep: Keep,
    /// What is worked in.
    pub image: Image,
    /// The agent's command.
    pub command: Vec<String>,
    /// What the agent means by what it prints.
    #[serde(default)]
    pub voice: Voice,
    /// The most that is kept of its output, in bytes.
    #[serde(default = "output")]
    pub output: u64,
    /// The network, in podman's words.
    pub network: String,
    /// How it goes on.
    #[serde(default)]
    pub pace: Pace,
    /// The limits that were asked for: checks get the same.
    #[serde(default)]
    pub asked: Asked,
    /// The sandbox's memory limit, in bytes; `None` is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// What is told of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// Whether the machine may sleep meanwhile.
    #[serde(default)]
    pub sleep: Sleep,
    /// What is to be done, first.
    pub task: Task,
    /// What is to be done after that, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Task>,
    /// For the whole run, where it has several tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Duration>,
}

/// What was kept before anybody could say how much.
fn output() -> u64 {
    Record::OUTPUT
}

/// What checkpoints hold, and what they do not.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Keep {
    /// Also what a tool makes again.
    pub all: bool,
    /// Nothing that these match.
    pub skip: Vec<String>,
    /// How many there are of them.
    #[serde(default)]
    pub retention: Retention,
    /// How often one is taken while the agent works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
}

/// Whether the machine may sleep while a run is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sleep {
    /// As it likes.
    #[default]
    Allowed,
    /// Not as far as we can help it.
    Inhibited,
}

/// The directory that the agent works on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Workspace {
    /// Where it is, without a link in it.
    pub path: PathBuf,
    /// The device that it is on.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
    /// The number that the device had when the run began, if it has another one now.
    #[serde(skip)]
    pub device_then: Option<u64>,
    /// Where the agent sees it.
    pub target: String,
    /// Whether it may only be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// The image, by id: a name could mean another one by now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Image {
    /// What the person called it.
    pub name: String,
    /// What that was.
    pub id: String,
}

impl Keep {
    /// The same for whoever takes checkpoints.
    pub fn leave_out(&self) -> LeaveOut {
        LeaveOut {
            regenerable: !self.all,
            globs: self.skip.clone(),
        }
    }
}

impl Workspace {
    /// Whether it is at its path, and no other directory.
    pub fn is_there(&self) -> bool {
        let found = self.path.symlink_metadata();
        found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }

    /// A name for it, in files: of its path, device and inode.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.device_then.unwrap_or(self.device).to_le_bytes());
        hash.update(self.inode.to_le_bytes());
        hash.update(self.path.as_os_str().as_encoded_bytes());
        hash.finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl Record {
    /// The directory that the person means.
    pub fn original(&self) -> &Workspace {
        self.original.as_ref().unwrap_or(&self.workspace)
    }

    /// The task of a phase, from 0; the last one's for what is past it.
    pub fn task(&self, phase: usize) -> &Task {
        let Some(later) = phase.checked_sub(1) else {
            return &self.task;
        };
        let task = self.then.get(later).or(self.then.last());
        task.unwrap_or(&self.task)
    }

    /// Iterations that all phases may take together.
    pub fn iterations(&self) -> u32 {
        let tasks = std::iter::once(&self.task).chain(&self.then);
        let iterations = tasks.map(|task| task.budget.iterations.get());
        iterations.fold(0, u32::saturating_add)
    }

    /// How many phases there are.
    pub fn phases(&self) -> usize {
        1 + self.then.len()
    }

    /// The most that is kept of a run's output, unless something else is asked for, in bytes.
    pub const OUTPUT: u64 = 256 << 20;
    /// The format that is written.
    pub const VERSION: u32 = 1;
}
