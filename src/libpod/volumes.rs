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

impl Client {
    /// Makes a volume.
    ///
    /// Source: `POST /libpod/volumes/create`.
    pub async fn create_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Volume> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Spec<'a> {
            name: &'a str,
            labels: &'a BTreeMap<String, String>,
        }
        let request = Request::post(&["volumes", "create"]);
        let endpoint = request.endpoint();
        let request = request
            .json(&Spec { name, labels })
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
