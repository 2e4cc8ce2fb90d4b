//! Files into and out of a container, as tar streams.

use base64::Engine as _;
use serde::Deserialize;

use crate::libpod::error::{Error, Result};
use crate::libpod::request::{Body, Connection, Request, TarBody};
use crate::libpod::response::{ByteStream, Response};
use crate::libpod::{Client, ContainerId};

/// What the service says of a path in a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArchiveStat {
    /// The last part of the path.
    pub name: String,
    /// Size in bytes.
    #[serde(default)]
    pub size: i64,
    /// Go's mode bits: permissions, and the kind in the upper ones.
    #[serde(default)]
    pub mode: u32,
    /// Where a symbolic link leads.
    #[serde(default)]
    pub link_target: String,
}

impl ArchiveStat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.mode & 1 << 31 != 0
    }
}

/// To whom files belong after a copy into a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyOwnership {
    /// The container's user.
    Container,
    /// The ids in the archive.
    Archive,
}

impl Client {
    /// Describes a path in a container, running or not.
    ///
    /// Source: `HEAD /libpod/containers/{id}/archive`.
    ///
    /// # Errors
    /// [`Error::is_not_found`] where there is no such path.
    pub async fn stat_in_container(&self, id: &ContainerId, path: &str) -> Result<ArchiveStat> {
        let request = Request::head(&["containers", id.as_str(), "archive"]).query("path", path);
        let response = self.send(request).await?;
        let stat = archive_stat(&response)?;
        response.done().await?;
        Ok(stat)
    }

    /// A path in a container as a tar stream, with what it is.
    ///
    /// Everything in the stream is the container's word: names, links and sizes.
    ///
    /// Source: `GET /libpod/containers/{id}/archive`.
    pub async fn read_archive(
        &self,
        id: &ContainerId,
        path: &str,
    ) -> Result<(ArchiveStat, ByteStream)> {
        let request = Request::get(&["containers", id.as_str(), "archive"])
            .query("path", path)
            .on(Connection::Own);
        let response = self.send(request).await?;
        Ok((archive_stat(&response)?, response.stream()))
    }

    /// Unpacks a tar stream into a directory of a container, running or not.
    ///
    /// Source: `PUT /libpod/containers/{id}/archive`.
    pub async fn write_archive(
        &self,
        id: &ContainerId,
        directory: &str,
        ownership: CopyOwnership,
        tar: TarBody,
    ) -> Result<()> {
        let request = Request::put(&["containers", id.as_str(), "archive"])
            .query("path", directory)
            .flag("copyUIDGID", ownership == CopyOwnership::Container)
            .flag("noOverwriteDirNonDir", true)
            .body(Body::Tar(tar))
            .on(Connection::Own);
        self.send(request).await?.done().await
    }
}

fn archive_stat(response: &Response) -> Result<ArchiveStat> {
    let missing = || {
        Error::protocol(
            response.endpoint(),
            "the answer does not say what the path is",
        )
    };
    let header = response
        .header("X-Docker-Container-Path-Stat")
        .ok_or_else(missing)?;
    let engine = base64::engine::general_purpose::STANDARD;
    let json = engine.decode(header).map_err(|_| missing())?;
    serde_json::from_slice(&json).map_err(|e| Error::decode(response.endpoint(), e))
}
