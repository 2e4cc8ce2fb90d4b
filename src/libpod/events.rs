//! What happens on the service, as it happens.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{ApiError, Error, Kind, Result};
use super::request::{Connection, Request};
use super::response::ByteStream;
use super::stream::JsonLines;
use super::{Client, null};

/// Something that happened.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// `container`, `image`, `volume`, …
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// What was done: `start`, `died`, …
    #[serde(rename = "Action", default)]
    pub action: String,
    /// To what.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "timeNano", default)]
    pub time_nanos: i64,
}

/// What an event is about.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// Identifier.
    #[serde(rename = "ID", default)]
    pub id: String,
    /// Name, image and, mixed among them, the container's own labels: an attacker's words.
    #[serde(rename = "Attributes", default, deserialize_with = "null::default")]
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    /// The exit code, on the two events where it can be trusted: 4.3 writes 0 on all others.
    pub fn exit_code(&self) -> Option<i32> {
        if !matches!(self.action.as_str(), "died" | "exec_died") {
            return None;
        }
        self.actor.attributes.get("containerExitCode")?.parse().ok()
    }
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventOptions {
    /// From this time on: Unix seconds or RFC 3339.
    pub since: Option<String>,
    /// Up to this time.
    pub until: Option<String>,
    /// Filters in podman's words, each with its values.
    pub filters: BTreeMap<String, Vec<String>>,
    /// Go on after what has happened so far.
    pub follow: bool,
}

/// Events as they come.
#[derive(Debug)]
pub struct EventStream {
    body: ByteStream,
    lines: JsonLines<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Event(Event),
    /// 4.3 writes its failure after a 200.
    Failure {
        message: String,
    },
}

impl Client {
    /// Listens to events.
    ///
    /// Source: `GET /libpod/events`.
    pub async fn events(&self, options: &EventOptions) -> Result<EventStream> {
        let mut request = Request::get(&["events"])
            .flag("stream", options.follow)
            .json_query("filters", &options.filters)
            .on(Connection::Own);
        for (key, value) in [("since", &options.since), ("until", &options.until)] {
            if let Some(value) = value {
                request = request.query(key, value);
            }
        }
        let body = self.send(request).await?.stream();
        let lines = JsonLines::new(body.endpoint());
        Ok(EventStream { body, lines })
    }
}

impl EventStream {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        match self.lines.next_from(&mut self.body).await? {
            None => Ok(None),
            Some(Line::Event(event)) => Ok(Some(event)),
            Some(Line::Failure { message }) => Err(Error::new(Kind::Api(ApiError {
                status: 200,
                cause: String::new(),
                message,
                endpoint: self.body.endpoint().to_owned(),
            }))),
        }
    }
}
