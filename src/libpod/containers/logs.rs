//! What a container has written, as its log driver kept it.

use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::request::{Connection, Request};
use crate::libpod::response::ByteStream;
use crate::libpod::stream::{Channel, Frame, FrameDecoder};
use crate::libpod::{Client, ContainerId};

/// Which part of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the container ends.
    pub follow: bool,
    /// From this time on: Unix seconds, RFC 3339 or a Go duration.
    pub since: Option<String>,
    /// Up to this time.
    pub until: Option<String>,
    /// Only the last so many lines.
    pub tail: Option<u64>,
    /// Each line begins with its time: RFC 3339, in seconds before 5.8 and nanoseconds from then on.
    pub timestamps: bool,
}

/// A line of a log with its newline; the last one may have none.
pub type LogLine = Frame;

/// A log as it comes.
#[derive(Debug)]
pub struct LogStream {
    body: ByteStream,
    frames: FrameDecoder,
}

impl Client {
    /// Reads a container's log. Always framed, TTY or not.
    ///
    /// Source: `GET /libpod/containers/{id}/logs`.
    pub async fn container_logs(
        &self,
        id: &ContainerId,
        options: &LogOptions,
    ) -> Result<LogStream> {
        let mut request = Request::get(&["containers", id.as_str(), "logs"])
            .flag("stdout", true)
            .flag("stderr", true)
            .flag("follow", options.follow)
            .flag("timestamps", options.timestamps)
            .on(Connection::Own);
        for (key, value) in [("since", &options.since), ("until", &options.until)] {
            if let Some(value) = value {
                request = request.query(key, value);
            }
        }
        if let Some(lines) = options.tail {
            request = request.query("tail", lines.to_string());
        }
        let body = self.send(request).await?.stream();
        let frames = FrameDecoder::new(body.endpoint());
        Ok(LogStream { body, frames })
    }
}

impl LogStream {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// The service went away or reported a failure inside the stream.
    pub async fn next(&mut self) -> Result<Option<LogLine>> {
        loop {
            if let Some(frame) = self.frames.next_frame()? {
                if frame.channel == Channel::ServiceError {
                    return Err(Error::new(Kind::Api(ApiError {
                        status: 200,
                        cause: String::new(),
                        message: String::from_utf8_lossy(&frame.payload).trim().to_owned(),
                        endpoint: self.body.endpoint().to_owned(),
                    })));
                }
                return Ok(Some(frame));
            }
            match self.body.next().await? {
                Some(bytes) => self.frames.push(&bytes),
                None => return self.frames.finish().map(|()| None),
            }
        }
    }
}
