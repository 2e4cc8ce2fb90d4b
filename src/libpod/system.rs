//! The service itself.

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::request::Request;
use super::{Client, null};

/// What runs on the other side.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ServiceVersion {
    /// Podman's release.
    pub version: String,
    /// Kernel of the machine it runs on.
    #[serde(default)]
    pub kernel_version: String,
    /// Operating system and architecture.
    #[serde(default)]
    pub os: String,
    /// Architecture.
    #[serde(default)]
    pub arch: String,
    /// What it was compiled with.
    #[serde(default)]
    pub go_version: String,
}

/// What the service says of its machine.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Info {
    /// The machine.
    pub host: HostInfo,
    /// The image and container store.
    pub store: StoreInfo,
}

/// The service's machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HostInfo {
    /// `v1` or `v2`.
    #[serde(default)]
    pub cgroup_version: String,
    /// `systemd` or `cgroupfs`.
    #[serde(default)]
    pub cgroup_manager: String,
    /// Controllers that the service believes to have.
    #[serde(default, deserialize_with = "null::default")]
    pub cgroup_controllers: Vec<String>,
    /// Bytes of memory.
    #[serde(default)]
    pub mem_total: u64,
    /// Processors.
    #[serde(default)]
    pub cpus: u32,
    /// Security features.
    pub security: SecurityInfo,
}

/// Security features of the service.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct SecurityInfo {
    /// Whether it runs as an ordinary user.
    #[serde(default)]
    pub rootless: bool,
    /// Whether seccomp filters can be used.
    #[serde(rename = "seccompEnabled", default)]
    pub seccomp: bool,
    /// Whether SELinux labels are in force.
    #[serde(rename = "selinuxEnabled", default)]
    pub selinux: bool,
}

/// The store.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreInfo {
    /// Where images and containers lie, on the service's machine.
    #[serde(default)]
    pub graph_root: String,
    /// Where the state of running ones lies.
    #[serde(default)]
    pub run_root: String,
    /// Where volumes lie.
    #[serde(default)]
    pub volume_path: String,
}

impl Client {
    /// What the service is.
    ///
    /// Source: `GET /libpod/version`.
    pub async fn service_version(&self) -> Result<ServiceVersion> {
        self.send(Request::get(&["version"])).await?.json().await
    }

    /// What the service says of its machine.
    ///
    /// Source: `GET /libpod/info`.
    pub async fn info(&self) -> Result<Info> {
        self.send(Request::get(&["info"])).await?.json().await
    }

    /// As [`Client::info`], the service's whole document.
    pub async fn info_json(&self) -> Result<serde_json::Value> {
        self.send(Request::get(&["info"])).await?.json().await
    }
}
