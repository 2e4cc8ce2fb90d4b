//! Named volumes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::request::Request;
use super::{Client, null};

/// A volume as the service describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Volume {
    /// Name.
    pub name: String,
    /// Where it lies on the service's machine.
    #[serde(default)]
    pub mountpoint: String,
    /// Labels.
    #[serde(default, deserialize_with = "null::default")]
    pub labels: BTreeMap<String, String>,
}

/// A volume to be made.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeSpec {
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The driver's options. That of the driver `local` called `o` is a list as mount(8) has it, where `uid=` and `gid=`
    /// are owners in the service's user namespace.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl Client {
    /// Makes a volume.
    ///
    /// Source: `POST /libpod/volumes/create`.
    pub async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume> {
        let request = Request::post(&["volumes", "create"]);
        let endpoint = request.endpoint();
        let request = request
            .json(spec)
            .map_err(|source| Error::decode(&endpoint, source))?;
        self.send(request).await?.json().await
    }

    /// Describes a volume.
    ///
    /// Source: `GET /libpod/volumes/{name}/json`.
    pub async fn inspect_volume(&self, name: &str) -> Result<Volume> {
        let request = Request::get(&["volumes", name, "json"]);
        self.send(request).await?.json().await
    }

    /// Lists volumes that match all filters.
    ///
    /// Source: `GET /libpod/volumes/json`.
    pub async fn list_volumes(
        &self,
        filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<Volume>> {
        let request = Request::get(&["volumes", "json"]).json_query("filters", filters);
        self.send(request).await?.list().await
    }

    /// Whether a volume exists.
    ///
    /// Source: `GET /libpod/volumes/{name}/exists`.
    pub async fn volume_exists(&self, name: &str) -> Result<bool> {
        self.exists(&["volumes", name, "exists"]).await
    }

    /// Removes a volume that no container uses.
    ///
    /// Source: `DELETE /libpod/volumes/{name}`.
    pub async fn remove_volume(&self, name: &str) -> Result<()> {
        let request = Request::delete(&["volumes", name]);
        self.send(request).await?.done().await
    }
}
