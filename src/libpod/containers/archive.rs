//! Files into and out of a container, as tar streams.

use std::collections::BTreeMap;

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
    /// Where the path leads when links are followed: absolute, and with the `/.` or `/` at its end
    /// that was asked for.
    #[serde(default)]
    pub link_target: String,
    #[serde(default)]
    is_dir: bool,
}

impl ArchiveStat {
    /// Whether it is a directory, or a link to one.
    pub fn is_dir(&self) -> bool {
        self.is_dir || self.mode & 1 << 31 != 0
    }

    /// Whether it is a device, a FIFO or a socket.
    pub fn is_special(&self) -> bool {
        self.mode & (1 << 26 | 1 << 25 | 1 << 24 | 1 << 21) != 0
    }
}

/// What is at a path in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// This.
    Found(ArchiveStat),
    /// A symbolic link that leads nowhere.
    Dangling(ArchiveStat),
    /// Nothing.
    Missing,
}

/// To whom files belong after a copy into a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyOwnership {
    /// The container's user.
    Container,
    /// The ids in the archive.
    Archive,
}

/// How an archive is unpacked in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveWrite {
    /// To whom files belong.
    pub ownership: CopyOwnership,
    /// Whether a directory may be replaced by a file, and a file by a directory.
    pub overwrite: bool,
    /// New names for what stands at the archive's top, by the name there.
    pub rename: BTreeMap<String, String>,
}

impl Client {
    /// Describes a path in a container, running or not. The container itself has to be there: the
    /// service does not tell a missing container from a missing path.
    ///
    /// Source: `HEAD /libpod/containers/{id}/archive`.
    pub async fn stat_in_container(&self, id: &ContainerId, path: &str) -> Result<Lookup> {
        let request = Request::head(&["containers", id.as_str(), "archive"]).query("path", path);
        let response = self.send_or_missing(request).await?;
        let missing = response.status() == 404;
        let lookup = match archive_stat(&response)? {
            Some(stat) if missing => Lookup::Dangling(stat),
            Some(stat) => Lookup::Found(stat),
            None if missing => Lookup::Missing,
            None => return Err(no_stat(&response)),
        };
        response.done().await?;
        Ok(lookup)
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
        let stat = archive_stat(&response)?.ok_or_else(|| no_stat(&response))?;
        Ok((stat, response.stream()))
    }

    /// Unpacks a tar stream into a directory of a container, running or not.
    ///
    /// Source: `PUT /libpod/containers/{id}/archive`.
    pub async fn write_archive(
        &self,
        id: &ContainerId,
        directory: &str,
        how: &ArchiveWrite,
        tar: TarBody,
    ) -> Result<()> {
        let request = Request::put(&["containers", id.as_str(), "archive"])
            .query("path", directory)
            .flag("copyUIDGID", how.ownership == CopyOwnership::Container)
            .flag("noOverwriteDirNonDir", !how.overwrite)
            .json_query("rename", &how.rename)
            .body(Body::Tar(tar))
            .on(Connection::Own);
        self.send(request).await?.done().await
    }
}

fn archive_stat(response: &Response) -> Result<Option<ArchiveStat>> {
    let Some(header) = response.header("X-Docker-Container-Path-Stat") else {
        return Ok(None);
    };
    decode_stat(header)
        .ok_or_else(|| no_stat(response))?
        .map_err(|error| Error::decode(response.endpoint(), error))
        .map(Some)
}

/// JSON in Base64 with the alphabet for URLs.
fn decode_stat(header: &str) -> Option<serde_json::Result<ArchiveStat>> {
    let engine = base64::engine::general_purpose::URL_SAFE;
    let json = engine.decode(header).ok()?;
    Some(serde_json::from_slice(&json))
}

fn no_stat(response: &Response) -> Error {
    Error::protocol(
        response.endpoint(),
        "the answer does not say what the path is",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_in_the_alphabet_for_urls() {
        let json = r#"{"name":"?>?>~~","size":4096,"mode":2147484141,"mtime":"2026-01-01T00:00:00Z","isDir":true,"linkTarget":"/a/."}"#;
        let header = base64::engine::general_purpose::URL_SAFE.encode(json);
        assert!(header.contains(['-', '_']), "{header}");
        let stat = decode_stat(&header).unwrap().unwrap();
        assert_eq!(stat.name, "?>?>~~");
        assert_eq!(stat.link_target, "/a/.");
        assert!(stat.is_dir() && !stat.is_special());
        assert!(decode_stat("!").is_none());
        assert!(decode_stat("e30=").unwrap().is_err());
    }
}
