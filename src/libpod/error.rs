//! What can go wrong between us and the service. No advice: that belongs to whoever knows the user.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every call in this layer.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed exchange with the service.
///
/// Opaque, so that kinds can be added; ask it questions instead of matching.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("cannot connect to the Podman socket {}", path.display())]
    Connect {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the Podman service did not answer on {} within {seconds} s", path.display())]
    Silent { path: PathBuf, seconds: u64 },
    #[error("{endpoint}: the connection to the Podman service failed")]
    Exchange {
        endpoint: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{endpoint}: what we were sending could not be read")]
    Body {
        endpoint: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(transparent)]
    Api(ApiError),
    #[error("{endpoint}: cannot understand the answer of the Podman service")]
    Decode {
        endpoint: String,
        source: serde_json::Error,
    },
    #[error("{endpoint}: {what}")]
    Protocol { endpoint: String, what: String },
    #[error("{endpoint}: the answer is longer than {limit} bytes")]
    TooLong { endpoint: String, limit: usize },
    #[error("{endpoint}: the Podman service ended its answer in the middle of a value")]
    Cut { endpoint: String },
    #[error("Podman {found} is too old: {needed} or later is needed")]
    TooOld { found: String, needed: &'static str },
    #[error("cannot use the connection `{uri}`: {reason}")]
    Endpoint { uri: String, reason: String },
    #[error("cannot read {}", path.display())]
    Config {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{0}")]
    Failed(String),
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    pub(crate) fn protocol(endpoint: &str, what: impl Into<String>) -> Self {
        Self::new(Kind::Protocol {
            endpoint: endpoint.to_owned(),
            what: what.into(),
        })
    }

    pub(crate) fn cut(endpoint: &str) -> Self {
        Self::new(Kind::Cut {
            endpoint: endpoint.to_owned(),
        })
    }

    pub(crate) fn decode(endpoint: &str, source: serde_json::Error) -> Self {
        Self::new(Kind::Decode {
            endpoint: endpoint.to_owned(),
            source,
        })
    }

    /// What the service itself answered, if the failure is an answer.
    pub fn api(&self) -> Option<&ApiError> {
        match &*self.0 {
            Kind::Api(api) => Some(api),
            _ => None,
        }
    }

    /// The status of the service's answer, if the failure is an answer.
    pub fn status(&self) -> Option<u16> {
        self.api().map(|api| api.status)
    }

    /// No such container, image, volume, secret or exec session.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
            // 4.3 answers 500 where later releases answer 404.
            || self.api().is_some_and(|api| {
                matches!(
                    api.cause.as_str(),
                    "image not known" | "no such container" | "no such volume" | "no such secret"
                )
            })
    }

    /// A container cannot begin since a secret that its environment is made from is not there.
    pub fn is_no_secret(&self) -> bool {
        self.api().is_some_and(|api| api.cause == "no such secret")
    }

    /// A container is in another state than what was asked of it needs: it is paused already, or has ended.
    pub fn is_wrong_state(&self) -> bool {
        self.api()
            .is_some_and(|api| api.cause == "container state improper")
    }

    /// A container could not be made or prepared for a moment's reason, and nothing has begun: on a busy machine the
    /// kernel refuses crun a default of Podman's (`net.ipv4.ping_group_range`) now and then, though all the IDs in it are
    /// mapped; and Podman 4.3 may find no subordinate IDs where two requests read them at once.
    pub fn is_momentary(&self) -> bool {
        const MOMENTS: [&[&str]; 2] = [
            &["/ping_group_range", "Invalid argument"],
            &["keep-id requires additional UIDs or GIDs"],
        ];
        self.api().is_some_and(|api| {
            let says = |words: &&[&str]| words.iter().all(|word| api.message.contains(word));
            MOMENTS.iter().any(says)
        })
    }

    /// The socket that did not accept a connection, if that is what failed.
    pub fn unreachable_socket(&self) -> Option<&Path> {
        match &*self.0 {
            Kind::Connect { path, .. } | Kind::Silent { path, .. } => Some(path),
            _ => None,
        }
    }

    /// No service listens on the socket: it is missing, or was left behind.
    pub fn nobody_listens(&self) -> bool {
        self.refusal().is_some_and(|kind| {
            use std::io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
            matches!(kind, NotFound | NotADirectory | ConnectionRefused)
        })
    }

    /// The caller may not use the socket.
    pub fn is_denied(&self) -> bool {
        self.refusal() == Some(std::io::ErrorKind::PermissionDenied)
    }

    /// The socket took a connection, and no answer came.
    pub fn is_silent(&self) -> bool {
        matches!(&*self.0, Kind::Silent { .. })
    }

    fn refusal(&self) -> Option<std::io::ErrorKind> {
        match &*self.0 {
            Kind::Connect { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// The service went away in the middle of an exchange.
    pub fn is_disconnect(&self) -> bool {
        matches!(&*self.0, Kind::Exchange { .. } | Kind::Cut { .. })
    }

    /// The service is older than what this client supports.
    pub fn is_too_old(&self) -> bool {
        matches!(&*self.0, Kind::TooOld { .. })
    }

    /// The connection that was asked for is of a kind this client does not speak.
    pub fn is_unusable_endpoint(&self) -> bool {
        matches!(&*self.0, Kind::Endpoint { .. })
    }
}

/// A failure that the service reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status; 200 for a failure reported inside a stream that had begun well.
    pub status: u16,
    /// The root error's text, stable over releases for the common cases (`no such container`).
    pub cause: String,
    /// The whole wrapped text.
    pub message: String,
    /// Method and path, without the query (which may hold build arguments).
    pub endpoint: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            write!(f, "Podman answered {} to {}", self.status, self.endpoint)
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for ApiError {}
