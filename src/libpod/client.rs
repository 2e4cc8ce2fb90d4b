//! The handle to a service. [`Client::send`] is the only door out.

use std::sync::Arc;

use super::error::{Error, Kind, Result};
use super::request::Request;
use super::response::Response;
use super::socket::Endpoint;
use super::transport::Transport;
use super::version::ApiVersion;

/// A connection to one Podman service. Cheap to clone.
///
/// Calls must be made within a Tokio runtime. No call has an overall time limit, since waiting,
/// following and building may take all night; dropping the future cancels it. Nothing is ever sent
/// twice.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    version: ApiVersion,
}

impl Client {
    /// Connects, asks the service for its version and refuses what is too old.
    ///
    /// Source: `GET /libpod/_ping`, header `Libpod-API-Version`.
    ///
    /// # Errors
    /// No socket, no permission, no answer, no Podman, or a release before
    /// [`ApiVersion::MINIMUM`].
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        let transport = Transport::new(endpoint.socket());
        let version = transport.soon(Self::release(&transport)).await?;
        if version < ApiVersion::MINIMUM {
            return Err(Error::new(Kind::TooOld {
                found: version.to_string(),
                needed: "4.3",
            }));
        }
        Ok(Self {
            transport: Arc::new(transport),
            version,
        })
    }

    async fn release(transport: &Transport) -> Result<ApiVersion> {
        let request = Request::get(&["_ping"]);
        let name = request.endpoint();
        let (response, loan) = transport.exchange(request).await?;
        let response = Response::check(name, response, loan).await?;
        let Some(text) = response.header("Libpod-API-Version").map(str::to_owned) else {
            return Err(Error::protocol(
                response.endpoint(),
                "what answers on the socket is not Podman (no Libpod-API-Version)",
            ));
        };
        let version: ApiVersion = text.parse().map_err(|()| {
            Error::protocol(
                response.endpoint(),
                format!("cannot read the version `{}`", text.escape_default()),
            )
        })?;
        response.done().await?;
        Ok(version)
    }

    /// The service's version, as read when connecting.
    pub fn version(&self) -> &ApiVersion {
        &self.version
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        let endpoint = request.endpoint();
        let (response, loan) = self.transport.exchange(request).await?;
        Response::check(endpoint, response, loan).await
    }

    /// As [`Client::send`], but a 404 is an answer: its headers may say more.
    pub(crate) async fn send_or_missing(&self, request: Request) -> Result<Response> {
        let endpoint = request.endpoint();
        let (response, loan) = self.transport.exchange(request).await?;
        if response.status() == 404 {
            return Ok(Response::new(endpoint, response, loan));
        }
        Response::check(endpoint, response, loan).await
    }

    /// Sends a request whose answer is 204/2xx where the thing exists and 404 where it does not.
    pub(crate) async fn exists(&self, segments: &[&str]) -> Result<bool> {
        match self.send(Request::get(segments)).await {
            Ok(response) => response.done().await.map(|()| true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the service still answers.
    ///
    /// Source: `GET /libpod/_ping`.
    pub async fn ping(&self) -> Result<()> {
        self.send(Request::get(&["_ping"])).await?.done().await
    }
}
