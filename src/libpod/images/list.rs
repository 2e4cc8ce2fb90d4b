//! Which images there are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::request::{Connection, Request};
use crate::libpod::{Client, ImageId, Pruned, null};

/// An image as the service describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Image {
    /// Identifier.
    pub id: ImageId,
    /// Its names.
    #[serde(default, deserialize_with = "null::default")]
    pub repo_tags: Vec<String>,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Operating system, as in `linux`.
    #[serde(default)]
    pub os: String,
    /// Processor, as in `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// What containers made from it begin with.
    #[serde(default, deserialize_with = "null::default")]
    pub config: ImageConfig,
    /// How it was made, oldest first, as far as whoever made it tells.
    #[serde(default, deserialize_with = "null::default")]
    pub history: Vec<HistoryEntry>,
    /// Where the service keeps it.
    #[serde(default, deserialize_with = "null::default")]
    pub graph_driver: GraphDriver,
}

impl Image {
    /// The directory of its topmost layer in the service's storage, as the service names it. Not every storage driver does.
    pub fn layer(&self) -> Option<&Path> {
        let path = Path::new(self.graph_driver.data.get("UpperDir")?);
        path.is_absolute().then_some(path)
    }

    /// Whether it is known to have `ONBUILD` instructions. That it is not known proves nothing: no
    /// release shows them, and not every builder notes them in the history.
    pub fn has_triggers(&self) -> bool {
        let noted = |entry: &HistoryEntry| entry.created_by.contains("ONBUILD");
        !self.config.on_build.is_empty() || self.history.iter().any(noted)
    }
}

/// The storage of an image's layers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GraphDriver {
    /// The driver's own names for them, as in `UpperDir` of `overlay`.
    #[serde(default, deserialize_with = "null::default")]
    pub data: BTreeMap<String, String>,
}

/// One step of an image's making.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The instruction.
    #[serde(default)]
    pub created_by: String,
}

/// What containers made from an image begin with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ImageConfig {
    /// `NAME=value`.
    #[serde(default, deserialize_with = "null::default")]
    pub env: Vec<String>,
    /// User.
    #[serde(default)]
    pub user: String,
    /// Working directory.
    #[serde(default)]
    pub working_dir: String,
    /// Program.
    #[serde(default, deserialize_with = "null::default")]
    pub entrypoint: Vec<String>,
    /// Arguments, or the program.
    #[serde(default, deserialize_with = "null::default")]
    pub cmd: Vec<String>,
    /// Build steps that a build from this image would run.
    #[serde(default, deserialize_with = "null::default")]
    pub on_build: Vec<String>,
    /// Labels.
    #[serde(default, deserialize_with = "null::default")]
    pub labels: BTreeMap<String, String>,
}

/// A line of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ListedImage {
    /// Identifier.
    pub id: ImageId,
    /// Its names; none for a dangling image.
    #[serde(default, deserialize_with = "null::default")]
    pub repo_tags: Vec<String>,
    /// When it was made, in Unix seconds.
    #[serde(default)]
    pub created: i64,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Containers made from it.
    #[serde(default)]
    pub containers: i64,
    /// Whether no name leads to it.
    #[serde(default)]
    pub dangling: bool,
}

/// What a removal took away.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct RemovedImages {
    /// Images.
    #[serde(default, deserialize_with = "null::default")]
    pub deleted: Vec<String>,
    /// Names.
    #[serde(default, deserialize_with = "null::default")]
    pub untagged: Vec<String>,
    #[serde(default, deserialize_with = "null::default")]
    errors: Vec<String>,
}

impl Client {
    /// Whether an image is there.
    ///
    /// Source: `GET /libpod/images/{name}/exists`.
    pub async fn image_exists(&self, reference: &str) -> Result<bool> {
        self.exists(&["images", reference, "exists"]).await
    }

    /// Describes an image, by name or id.
    ///
    /// Source: `GET /libpod/images/{name}/json`.
    pub async fn inspect_image(&self, reference: &str) -> Result<Image> {
        let request = Request::get(&["images", reference, "json"]);
        self.send(request).await?.json().await
    }

    /// As [`Client::inspect_image`], the service's whole document.
    pub async fn inspect_image_json(&self, reference: &str) -> Result<serde_json::Value> {
        let request = Request::get(&["images", reference, "json"]);
        self.send(request).await?.json().await
    }

    /// Lists images; `all` includes the layers of builds. Of several `reference` filters one has to
    /// match, of all other filters each.
    ///
    /// Source: `GET /libpod/images/json`.
    pub async fn list_images(
        &self,
        all: bool,
        filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<ListedImage>> {
        let references = filters.get("reference").map_or(&[][..], Vec::as_slice);
        if references.len() < 2 || self.version().at_least(5, 0) {
            return self.list_matching(all, filters).await;
        }
        // Before 5.0 each of them would have to match.
        let mut images: Vec<ListedImage> = Vec::new();
        let mut filters = filters.clone();
        for reference in references {
            filters.insert("reference".to_owned(), vec![reference.clone()]);
            for image in self.list_matching(all, &filters).await? {
                if images.iter().all(|known| known.id != image.id) {
                    images.push(image);
                }
            }
        }
        Ok(images)
    }

    async fn list_matching(
        &self,
        all: bool,
        filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<ListedImage>> {
        let request = Request::get(&["images", "json"])
            .flag("all", all)
            .json_query("filters", filters);
        self.send(request).await?.list().await
    }

    /// Removes an image, or only this name of it if it has others. `force` also removes containers
    /// made from it.
    ///
    /// Source: `DELETE /libpod/images/{name}`.
    pub async fn remove_image(&self, reference: &str, force: bool) -> Result<RemovedImages> {
        let request = Request::delete(&["images", reference])
            .flag("force", force)
            .on(Connection::Own);
        let endpoint = request.endpoint();
        let mut removed: RemovedImages = self.send(request).await?.json().await?;
        // A 200 is not success: the failure may stand in its list.
        match removed.errors.pop() {
            Some(message) => Err(Error::new(Kind::Api(ApiError {
                status: 200,
                cause: String::new(),
                message,
                endpoint,
            }))),
            None => Ok(removed),
        }
    }

    /// Removes images that no name leads to; with `all` also those that no container uses.
    ///
    /// Source: `POST /libpod/images/prune`.
    pub async fn prune_images(
        &self,
        all: bool,
        filters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<Pruned>> {
        let request = Request::post(&["images", "prune"])
            .flag("all", all)
            .json_query("filters", filters)
            .on(Connection::Own);
        self.send(request).await?.list().await
    }

    /// Gives an image another name.
    ///
    /// Source: `POST /libpod/images/{name}/tag`.
    pub async fn tag_image(&self, reference: &str, repository: &str, tag: &str) -> Result<()> {
        let request = Request::post(&["images", reference, "tag"])
            .query("repo", repository)
            .query("tag", tag);
        self.send(request).await?.done().await
    }
}
