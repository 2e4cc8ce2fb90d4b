//! Which containers there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::libpod::error::Result;
use crate::libpod::request::{Connection, Request};
use crate::libpod::{Client, ContainerId, Status, null};

/// A line of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ListedContainer {
    /// Identifier.
    pub id: ContainerId,
    /// Names; one in practice.
    #[serde(default, deserialize_with = "null::default")]
    pub names: Vec<String>,
    /// The image's name.
    #[serde(default)]
    pub image: String,
    /// What it runs.
    #[serde(default, deserialize_with = "null::default")]
    pub command: Vec<String>,
    /// When it was made (RFC 3339).
    #[serde(default)]
    pub created: String,
    /// Where in its life it is.
    pub state: Status,
    /// Exit code of its last life.
    #[serde(default)]
    pub exit_code: i32,
    /// When its last life began, in Unix seconds.
    #[serde(default)]
    pub started_at: i64,
    /// When its last life ended, in Unix seconds; far in the past if it never did.
    #[serde(default)]
    pub exited_at: i64,
    /// Labels, the image's included.
    #[serde(default, deserialize_with = "null::default")]
    pub labels: BTreeMap<String, String>,
    /// Forwarded ports.
    #[serde(default, deserialize_with = "null::default")]
    pub ports: Vec<PortForward>,
}

/// A forwarded port, or a range of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct PortForward {
    /// Address on the host; empty for all.
    #[serde(default)]
    pub host_ip: String,
    /// First port on the host.
    #[serde(default)]
    pub host_port: u16,
    /// First port in the container.
    #[serde(default)]
    pub container_port: u16,
    /// How many.
    #[serde(default)]
    pub range: u16,
    /// `tcp`, `udp`, `sctp`.
    #[serde(default)]
    pub protocol: String,
}

/// Filters in podman's words (`label`, `name`, `status`, …), each with its values.
pub type ContainerFilter = BTreeMap<String, Vec<String>>;

/// Something that a prune removed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Pruned {
    /// What it was.
    pub id: String,
    /// Bytes set free.
    #[serde(default)]
    pub size: u64,
    /// Why it is still there.
    #[serde(default)]
    pub err: Option<String>,
}

impl Client {
    /// Lists containers: running ones, or all.
    ///
    /// Source: `GET /libpod/containers/json`.
    pub async fn list_containers(
        &self,
        all: bool,
        filter: &ContainerFilter,
    ) -> Result<Vec<ListedContainer>> {
        let request = Request::get(&["containers", "json"])
            .flag("all", all)
            .json_query("filters", filter);
        self.send(request).await?.list().await
    }

    /// Removes containers that do not run and that match.
    ///
    /// Source: `POST /libpod/containers/prune`.
    pub async fn prune_containers(&self, filter: &ContainerFilter) -> Result<Vec<Pruned>> {
        let request = Request::post(&["containers", "prune"])
            .json_query("filters", filter)
            .on(Connection::Own);
        self.send(request).await?.list().await
    }
}
