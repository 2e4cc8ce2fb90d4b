//! HTTP/1.1 over the Unix socket: the only file that names hyper or hyperlocal's connector.
//!
//! One idle connection is kept for short exchanges. What may last (attach, wait, logs, build) has a
//! connection of its own, so that dropping the answer is how it is cancelled.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyperlocal::UnixConnector;
use tower_service::Service as _;

use super::error::{Error, Kind, Result};
use super::request::{Body, Connection, Method, Request, TarBody, TarChunk};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest path that fits a socket address (`sun_path` with its final NUL).
const SOCKET_PATH_LIMIT: usize = 107;

/// How long the service may take to say that it is there.
const PROBE_SECONDS: u64 = 30;

#[derive(Debug)]
pub(crate) struct Transport {
    socket: PathBuf,
    idle: Arc<Idle>,
}

/// The connection that is free for the next short exchange.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<Option<SendRequest<Outgoing>>>);

impl Idle {
    fn take(&self) -> Option<SendRequest<Outgoing>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|sender| !sender.is_closed())
    }

    fn put(&self, sender: SendRequest<Outgoing>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }
}

/// A connection on loan for one exchange; given back when the answer has been read whole.
#[derive(Debug)]
pub(crate) struct Loan {
    sender: SendRequest<Outgoing>,
    idle: Option<Arc<Idle>>,
}

impl Loan {
    pub(crate) fn give_back(self) {
        if let Some(idle) = self.idle {
            idle.put(self.sender);
        }
    }
}

/// A connection that has become a byte stream both ways.
pub(crate) type Duplex = TokioIo<Upgraded>;

/// The head of an answer, and its body that is still to come.
#[derive(Debug)]
pub(crate) struct Answer(hyper::Response<Incoming>);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// The next bytes of the body; `None` at the end that the service marked as such.
    pub(crate) async fn next_chunk(&mut self, endpoint: &str) -> Result<Option<Bytes>> {
        loop {
            match self.0.body_mut().frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    // Trailers carry nothing for us.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) if error.is_incomplete_message() => {
                    return Err(Error::cut(endpoint));
                }
                Some(Err(error)) => return Err(exchange_failed(endpoint, error)),
            }
        }
    }

    /// The connection itself, after a 101. Bytes that came with the head are still in it.
    pub(crate) async fn upgraded(self, endpoint: &str) -> Result<Duplex> {
        let status = self.0.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::protocol(
                endpoint,
                format!("status {} where 101 was expected", status.as_u16()),
            ));
        }
        hyper::upgrade::on(self.0)
            .await
            .map(TokioIo::new)
            .map_err(|error| exchange_failed(endpoint, error))
    }
}

impl Transport {
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            idle: Arc::default(),
        }
    }

    /// Sends a request and returns the head of the answer.
    ///
    /// Nothing is sent twice: a request goes to a second connection only when the first one was
    /// closed before any byte of it was taken.
    pub(crate) async fn exchange(&self, request: Request) -> Result<(Answer, Loan)> {
        let endpoint = request.endpoint();
        let connection = request.connection;
        let message = message(request).map_err(|source| {
            Error::new(Kind::Exchange {
                endpoint: endpoint.clone(),
                source: source.into(),
            })
        })?;
        let idle = (connection == Connection::Shared).then(|| Arc::clone(&self.idle));
        let message = match idle.as_ref().and_then(|idle| idle.take()) {
            None => message,
            Some(mut sender) => match sender.try_send_request(message).await {
                Ok(response) => return Ok((Answer(response), Loan { sender, idle })),
                Err(mut failed) => match failed.take_message() {
                    Some(message) => message,
                    None => return Err(exchange_failed(&endpoint, failed.into_error())),
                },
            },
        };
        let mut sender = self.open().await?;
        let response = sender
            .send_request(message)
            .await
            .map_err(|error| exchange_failed(&endpoint, error))?;
        Ok((Answer(response), Loan { sender, idle }))
    }

    /// Bounds the one question that has to be answered soon, its answer's body included.
    pub(crate) async fn soon<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = Duration::from_secs(PROBE_SECONDS);
        match tokio::time::timeout(limit, answer).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::new(Kind::Silent {
                path: self.socket.clone(),
                seconds: PROBE_SECONDS,
            })),
        }
    }

    async fn open(&self) -> Result<SendRequest<Outgoing>> {
        let refused = |source| {
            Error::new(Kind::Connect {
                path: self.socket.clone(),
                source,
            })
        };
        if self.socket.as_os_str().len() > SOCKET_PATH_LIMIT {
            return Err(refused(std::io::Error::other(format!(
                "the path is longer than the {SOCKET_PATH_LIMIT} bytes a socket address can hold"
            ))));
        }
        let uri = hyperlocal::Uri::new(&self.socket, "/").into();
        let stream = UnixConnector.call(uri).await.map_err(refused)?;
        let (sender, connection) = http1::handshake(stream)
            .await
            .map_err(|error| exchange_failed("connect", error))?;
        // The task ends with the connection: when the sender and the answer are both dropped.
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }
}

fn exchange_failed(endpoint: &str, error: hyper::Error) -> Error {
    let endpoint = endpoint.to_owned();
    match BodyFailed::of(&error) {
        Some(source) => Error::new(Kind::Body { endpoint, source }),
        None => Error::new(Kind::Exchange {
            endpoint,
            source: error.into(),
        }),
    }
}

fn message(request: Request) -> std::result::Result<hyper::Request<Outgoing>, hyper::http::Error> {
    let mut builder = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(request.target())
        .header(HOST, "d");
    if request.connection == Connection::Hijacked {
        builder = builder.header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
    }
    let (content_type, outgoing) = match request.body {
        Body::Empty => (None, Outgoing::Whole(None)),
        Body::Json(bytes) => (Some("application/json"), Outgoing::Whole(Some(bytes))),
        Body::Raw(bytes) => (
            Some("application/octet-stream"),
            Outgoing::Whole(Some(bytes)),
        ),
        Body::Tar(tar) => (Some("application/x-tar"), Outgoing::Tar(tar)),
    };
    if let Some(content_type) = content_type {
        builder = builder.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
    } else if request.method == Method::Post {
        builder = builder.header(CONTENT_LENGTH, 0);
    }
    builder.body(outgoing)
}

/// A request body on its way out.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Whole(Option<Bytes>),
    Tar(TarBody),
}

/// Why a tar body broke off; found again in hyper's error chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BodyFailed(Arc<BoxError>);

impl BodyFailed {
    fn of(error: &hyper::Error) -> Option<BoxError> {
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(failed) = inner.downcast_ref::<Self>() {
                return Some(Box::new(Self(Arc::clone(&failed.0))));
            }
            source = inner.source();
        }
        None
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Tar(tar) => tar.chunks.poll_recv(cx).map(|chunk| match chunk {
                Some(TarChunk::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(TarChunk::End) => None,
                Some(TarChunk::Failed(error)) => {
                    Some(Err(Box::new(BodyFailed(Arc::new(error))) as BoxError))
                }
                None => Some(Err("the writer of the archive went away".into())),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Tar(_) => SizeHint::default(),
        }
    }
}
