//! A request as data. Nothing here waits, connects or sends.

use std::fmt::Write as _;
use std::io;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tokio::sync::mpsc;

/// Everything but RFC 3986's unreserved characters is encoded, in paths and in queries.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The prefix for every release: it selects the v5 shape of inspect where a server has two.
const PREFIX: &str = "/v5.0.0/libpod";

/// One HTTP request to the service.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    path: String,
    query: String,
    pub(crate) body: Body,
    pub(crate) connection: Connection,
}

/// What is done, in HTTP's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What the exchange does to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// One bounded answer; the connection can serve the next request.
    Shared,
    /// An answer that may take or last for ever; the connection is closed with it.
    Own,
    /// The connection becomes a byte stream both ways (101).
    Hijacked,
}

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    /// Bytes as they are, for secrets. Never shown.
    Raw(Bytes),
    Tar(TarBody),
}

/// A tar archive that is still being written: the service reads while we walk.
///
/// An `Err` in the channel, or a sender that goes away without `TarEnd`, aborts the request
/// without the final chunk, so that the service cannot take a part for the whole.
#[derive(Debug)]
pub struct TarBody {
    pub(crate) chunks: mpsc::Receiver<TarChunk>,
}

/// What the writer of a [`TarBody`] sends.
#[derive(Debug)]
pub enum TarChunk {
    /// The next bytes.
    Bytes(Bytes),
    /// The archive is complete.
    End,
    /// The archive cannot be completed.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl TarBody {
    /// A body and the end that feeds it. `depth` is the number of chunks held at most.
    pub fn channel(depth: usize) -> (mpsc::Sender<TarChunk>, Self) {
        let (sender, chunks) = mpsc::channel(depth);
        (sender, Self { chunks })
    }

    /// The same, where what feeds it blocks while the service is behind.
    pub fn written(depth: usize) -> (TarWriter, Self) {
        let (chunks, body) = Self::channel(depth);
        (TarWriter(chunks), body)
    }
}

/// Writes a [`TarBody`]. Blocks; dropped before the end it breaks the request off.
#[derive(Debug)]
pub struct TarWriter(mpsc::Sender<TarChunk>);

impl TarWriter {
    /// Ends the archive, or breaks it off with what went wrong.
    pub fn finish(self, written: io::Result<()>) {
        let last = match written {
            Ok(()) => TarChunk::End,
            Err(error) => TarChunk::Failed(error.into()),
        };
        // The service may have answered before the end: then nobody listens any more.
        let _ = self.0.blocking_send(last);
    }
}

impl io::Write for TarWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(TarChunk::Bytes(bytes.to_vec().into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Request {
    fn new(method: Method, segments: &[&str]) -> Self {
        let mut path = String::from(PREFIX);
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, ENCODED));
        }
        Self {
            method,
            path,
            query: String::new(),
            body: Body::Empty,
            connection: Connection::Shared,
        }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::Get, segments)
    }

    pub(crate) fn head(segments: &[&str]) -> Self {
        Self::new(Method::Head, segments)
    }

    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::Post, segments)
    }

    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::Put, segments)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::Delete, segments)
    }

    /// Adds one query parameter. A key may be given again.
    pub(crate) fn query(mut self, key: &str, value: impl AsRef<str>) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(key);
        self.query.push('=');
        self.query
            .extend(utf8_percent_encode(value.as_ref(), ENCODED));
        self
    }

    pub(crate) fn flag(self, key: &str, value: bool) -> Self {
        self.query(key, if value { "true" } else { "false" })
    }

    pub(crate) fn number(self, key: &str, value: impl Into<i64>) -> Self {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", value.into());
        self.query(key, text)
    }

    /// Adds a parameter whose value is a JSON document, unless it is an empty list or map.
    pub(crate) fn json_query(self, key: &str, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) if !matches!(text.as_str(), "[]" | "{}" | "null") => self.query(key, text),
            // Lists and maps of strings always serialise.
            _ => self,
        }
    }

    pub(crate) fn json(mut self, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.body = Body::Json(serde_json::to_vec(value)?.into());
        Ok(self)
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn on(mut self, connection: Connection) -> Self {
        self.connection = connection;
        self
    }

    /// Method and path without prefix and query: for errors.
    pub(crate) fn endpoint(&self) -> String {
        let path = self.path.strip_prefix(PREFIX).unwrap_or(&self.path);
        format!("{} {path}", self.method.as_str())
    }

    /// The request target: path and query.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_segment() {
        let request = Request::get(&["containers", "../images?x=1#y", "json"]);
        assert_eq!(
            request.target(),
            "/v5.0.0/libpod/containers/..%2Fimages%3Fx%3D1%23y/json"
        );
        assert_eq!(
            request.endpoint(),
            "GET /containers/..%2Fimages%3Fx%3D1%23y/json"
        );
    }

    #[test]
    fn queries_are_encoded_once_and_may_repeat() {
        let request = Request::post(&["build"])
            .query("t", "localhost/a:1")
            .query("t", "b c&d")
            .flag("layers", true)
            .number("networkmode", 1)
            .json_query("buildargs", &Vec::<String>::new());
        assert_eq!(
            request.target(),
            "/v5.0.0/libpod/build?t=localhost%2Fa%3A1&t=b%20c%26d&layers=true&networkmode=1"
        );
        assert_eq!(request.endpoint(), "POST /build");
    }
}
