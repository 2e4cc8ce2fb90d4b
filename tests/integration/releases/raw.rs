//! A request as it goes over the wire: for what the client never sends, or never shows.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::capture::PATIENCE;
use crate::support::podman::Podman;

/// What every release takes, and the client sends.
pub(crate) const PREFIX: &str = "/v5.0.0/libpod";

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    /// The whole body, its chunks put together.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON documents of the body, one after the other.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<serde_json::Value> {
        // 6.1 quotes single bytes of what it was sent.
        serde_json::Deserializer::from_str(&self.text())
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The first of them.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        self.documents().swap_remove(0)
    }
}

/// A request to the service.
#[derive(Debug)]
pub(crate) struct Raw<'a> {
    podman: &'a Podman,
    head: String,
    body: Vec<u8>,
}

impl Podman {
    /// `METHOD TARGET`, the target without its prefix.
    pub(crate) fn raw(&self, method: &str, target: &str) -> Raw<'_> {
        Raw {
            podman: self,
            head: format!("{method} {PREFIX}{target} HTTP/1.1\r\nHost: d\r\n"),
            body: Vec::new(),
        }
    }
}

impl Raw<'_> {
    /// Sends this along.
    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.head
            .push_str(&format!("Content-Type: {content_type}\r\n"));
        self.body = body.into();
        self
    }

    /// Sends it and reads the head; the connection, for what comes after. `None` if no head comes
    /// within this time.
    #[track_caller]
    pub(crate) fn begin(mut self, patience: Duration) -> Option<(Answer, UnixStream)> {
        let length = self.body.len();
        self.head
            .push_str(&format!("Content-Length: {length}\r\n\r\n"));
        let mut stream = UnixStream::connect(&self.podman.socket).expect("the service listens");
        stream.set_read_timeout(Some(patience)).expect("a time");
        // At once: an answer that does not wait for the body would else be followed by a reset.
        // Some come before all of it is taken.
        let whole = [self.head.as_bytes(), &self.body].concat();
        let _ = stream.write_all(&whole);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read_exact(&mut byte) {
                Ok(()) => head.extend_from_slice(&byte),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) => panic!("the answer's head is cut: {error}, {head:?}"),
            }
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head}"));
        let body = Vec::new();
        Some((Answer { status, head, body }, stream))
    }

    /// Sends it and reads the whole answer.
    #[track_caller]
    pub(crate) fn send(mut self) -> Answer {
        self.head.push_str("Connection: close\r\n");
        let begun = self.begin(PATIENCE);
        let (mut answer, mut stream) = begun.expect("an answer in time");
        let mut body = Vec::new();
        match stream.read_to_end(&mut body) {
            // It had not taken all that was sent; what it said is there.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            read => drop(read.expect("the whole answer")),
        }
        answer.body = if answer.head.contains("transfer-encoding: chunked") {
            chunks(&body)
        } else {
            body
        };
        answer
    }

    /// The status of the answer.
    #[track_caller]
    pub(crate) fn status(self) -> u16 {
        self.send().status
    }
}

/// A value for a path or a query.
pub(crate) fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// What is in the chunks.
#[track_caller]
fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let (size, after) = rest.split_at(end.expect("a chunk's size"));
        let size = std::str::from_utf8(size).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&after[2..2 + size]);
        rest = &after[2 + size + 2..];
    }
}
