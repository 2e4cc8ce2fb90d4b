//! The part of inspect that we read.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::libpod::error::Result;
use crate::libpod::request::Request;
use crate::libpod::{Client, ContainerId, ImageId, null};

/// A container as the service describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Container {
    /// Identifier.
    pub id: ContainerId,
    /// Name.
    pub name: String,
    /// Image it was made from.
    pub image: ImageId,
    /// The image's name at that time.
    #[serde(default)]
    pub image_name: String,
    /// When it was made (RFC 3339).
    #[serde(default)]
    pub created: String,
    /// Where the service keeps what it knows of it.
    #[serde(default)]
    pub static_dir: String,
    /// What it is doing.
    pub state: State,
    /// What it runs.
    pub config: Config,
    /// What it may do.
    pub host_config: HostConfig,
    /// What is mounted.
    #[serde(default, deserialize_with = "null::default")]
    pub mounts: Vec<Mounted>,
    /// Capabilities in force; `None` where the release does not say, empty where there are none.
    #[serde(default, deserialize_with = "null::default")]
    pub effective_caps: Vec<String>,
    /// Capabilities that can be gained.
    #[serde(default, deserialize_with = "null::default")]
    pub bounding_caps: Vec<String>,
}

/// What a container is doing.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct State {
    /// Where in its life it is.
    pub status: Status,
    /// Process id of its main process in the service's pid namespace; 0 if there is none.
    #[serde(default)]
    pub pid: u32,
    /// Process id of its monitor, likewise.
    #[serde(default)]
    pub conmon_pid: u32,
    /// Exit code of its last life; -1 when the service ended it at its `timeout`.
    #[serde(default)]
    pub exit_code: i32,
    /// Something in it was ended for want of memory (not only the main process).
    #[serde(default, rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Why it could not start.
    #[serde(default)]
    pub error: String,
    /// When its last life began (RFC 3339).
    #[serde(default)]
    pub started_at: String,
    /// When its last life ended (RFC 3339).
    #[serde(default)]
    pub finished_at: String,
}

/// Where in its life a container is, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, nothing prepared.
    Created,
    /// Prepared (namespaces exist), process not started.
    Initialized,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// On its way out.
    Stopping,
    /// Ended, not yet cleaned up.
    Stopped,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// Anything a later release may add.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Initialized => "initialized",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Unknown => "unknown",
        }
    }

    /// Whether there are processes.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopping)
    }
}

/// What a container runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Config {
    /// Whether it has a terminal: this decides how its output is framed.
    #[serde(default)]
    pub tty: bool,
    /// Whether its standard input can be written to.
    #[serde(default)]
    pub open_stdin: bool,
    /// User it runs as.
    #[serde(default)]
    pub user: String,
    /// Its command.
    #[serde(default, deserialize_with = "null::default")]
    pub cmd: Vec<String>,
    /// Its labels, the image's included.
    #[serde(default, deserialize_with = "null::default")]
    pub labels: BTreeMap<String, String>,
    /// Seconds it may take to stop.
    #[serde(default)]
    pub stop_timeout: Option<u32>,
}

/// What a container may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct HostConfig {
    /// Memory limit in bytes; 0 is none. Reported even where nothing enforces it.
    #[serde(default)]
    pub memory: i64,
    /// Memory and swap together in bytes.
    #[serde(default)]
    pub memory_swap: i64,
    /// Most processes; 0 or below is no limit.
    #[serde(default)]
    pub pids_limit: i64,
    /// Microseconds of cpu per period.
    #[serde(default)]
    pub cpu_quota: i64,
    /// The period in microseconds.
    #[serde(default)]
    pub cpu_period: u64,
    /// Nanocpus.
    #[serde(default)]
    pub nano_cpus: i64,
    /// Capabilities added.
    #[serde(default, deserialize_with = "null::default")]
    pub cap_add: Vec<String>,
    /// Capabilities dropped.
    #[serde(default, deserialize_with = "null::default")]
    pub cap_drop: Vec<String>,
    /// Security options in Docker's words.
    #[serde(default, deserialize_with = "null::default")]
    pub security_opt: Vec<String>,
    /// Whether the root file system is read-only.
    #[serde(default)]
    pub readonly_rootfs: bool,
    /// Network mode.
    #[serde(default)]
    pub network_mode: String,
    /// Pid namespace.
    #[serde(default)]
    pub pid_mode: String,
    /// User namespace.
    #[serde(default)]
    pub userns_mode: String,
    /// Inter-process communication.
    #[serde(default)]
    pub ipc_mode: String,
    /// Host name.
    #[serde(default, rename = "UTSMode")]
    pub uts_mode: String,
    /// Whether it has a cgroup.
    #[serde(default)]
    pub cgroup_mode: String,
    /// Whether it is not a sandbox at all.
    #[serde(default)]
    pub privileged: bool,
    /// Whether the service removes it at its end.
    #[serde(default)]
    pub auto_remove: bool,
}

/// One mount of a container.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Mounted {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// The volume's name; empty where it is none.
    #[serde(default)]
    pub name: String,
    /// Where it is on the host.
    #[serde(default)]
    pub source: String,
    /// Where it is in the container.
    #[serde(default)]
    pub destination: String,
    /// Whether it can be written to.
    #[serde(default, rename = "RW")]
    pub writable: bool,
}

impl Client {
    /// Describes a container, by name, whole id or the id's beginning.
    ///
    /// Source: `GET /libpod/containers/{name}/json`.
    ///
    /// # Errors
    /// [`crate::libpod::Error::is_not_found`] where there is none.
    pub async fn inspect_container(&self, name: &str) -> Result<Container> {
        let request = Request::get(&["containers", name, "json"]);
        self.send(request).await?.json().await
    }

    /// As [`Client::inspect_container`], the service's whole document.
    pub async fn inspect_container_json(&self, name: &str) -> Result<serde_json::Value> {
        let request = Request::get(&["containers", name, "json"]);
        self.send(request).await?.json().await
    }
}
