//! What was asked for when a run began. Names, never values of variables.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::repository::Repository;
use super::task::Task;

/// The record of a run, as `run.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Of this format.
    pub version: u32,
    /// When it began, as in RFC 3339, in UTC.
    pub begun: String,
    /// What the person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is worked on.
    pub workspace: Workspace,
    /// Its repository; runs of before that was looked at have none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// What is worked in.
    pub image: Image,
    /// The agent's command.
    pub command: Vec<String>,
    /// The network, in podman's words.
    pub network: String,
    /// What is to be done.
    pub task: Task,
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
    /// Where the agent sees it.
    pub target: String,
}

/// The image, by id: a name could mean another one by now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Image {
    /// What the person called it.
    pub name: String,
    /// What that was.
    pub id: String,
}

impl Workspace {
    /// A name for it, in files: of its path, device and inode.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.device.to_le_bytes());
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
    /// The format that is written.
    pub const VERSION: u32 = 1;
}
