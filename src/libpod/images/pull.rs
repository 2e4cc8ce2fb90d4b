//! Fetching an image from a registry.

use serde::Deserialize;

use super::PullPolicy;
use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::request::{Connection, Request};
use crate::libpod::response::ByteStream;
use crate::libpod::stream::JsonLines;
use crate::libpod::{Client, ImageId};

/// What to fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// Name of the image.
    pub reference: String,
    /// When to fetch it.
    pub policy: PullPolicy,
    /// `os/arch[/variant]`.
    pub platform: Option<String>,
}

/// What the service says while it fetches.
#[derive(Debug)]
pub struct PullStream {
    body: ByteStream,
    lines: JsonLines<Line>,
    id: Option<ImageId>,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    id: Option<ImageId>,
}

impl Client {
    /// Fetches an image. Drive the answer to its end, then ask for [`PullStream::image`].
    ///
    /// Source: `POST /libpod/images/pull`.
    pub async fn pull_image(&self, options: &PullOptions) -> Result<PullStream> {
        let mut request = Request::post(&["images", "pull"])
            .query("reference", &options.reference)
            .query(
                "policy",
                match options.policy {
                    PullPolicy::Missing => "missing",
                    PullPolicy::Always => "always",
                    PullPolicy::Never => "never",
                    PullPolicy::Newer => "newer",
                },
            )
            .on(Connection::Own);
        if let Some(platform) = &options.platform {
            let keys = ["OS", "Arch", "Variant"];
            for (key, value) in keys.into_iter().zip(platform.splitn(3, '/')) {
                request = request.query(key, value);
            }
        }
        let body = self.send(request).await?.stream();
        let lines = JsonLines::new(body.endpoint());
        Ok(PullStream {
            body,
            lines,
            id: None,
        })
    }
}

impl PullStream {
    /// The next piece of text; `None` at the end.
    ///
    /// # Errors
    /// The fetch failed (up to 5.8 told inside a 200), or the service went away.
    pub async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let Some(line) = self.lines.next_from(&mut self.body).await? else {
                return Ok(None);
            };
            if let Some(message) = line.error {
                return Err(Error::new(Kind::Api(ApiError {
                    status: 200,
                    cause: String::new(),
                    message,
                    endpoint: self.body.endpoint().to_owned(),
                })));
            }
            if line.id.is_some() {
                self.id = line.id;
            }
            if let Some(text) = line.stream {
                return Ok(Some(text));
            }
        }
    }

    /// The image that was fetched. Only after the end.
    ///
    /// # Errors
    /// The stream ended without an id and without an error.
    pub fn image(self) -> Result<ImageId> {
        self.id.ok_or_else(|| {
            Error::protocol(
                self.body.endpoint(),
                "the fetch ended without an image and without an error",
            )
        })
    }
}
