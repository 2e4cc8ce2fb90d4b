//! An address on the net that is told of a run's end, by POST.

use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Where it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: Scheme,
    /// As it was typed: an IPv6 address is in brackets.
    host: String,
    port: u16,
    /// With the query.
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Address {
    /// Reads an address; `None` if this is none at all.
    ///
    /// # Errors
    /// It is an address that we cannot send to.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Ok(None),
        };
        let uri: hyper::Uri = text.parse().map_err(|_| "it is no address".to_owned())?;
        let host = uri.host().filter(|_| !rest.contains('@'));
        let host = host.ok_or("it names no host, or a password")?.to_owned();
        let after = uri
            .authority()
            .and_then(|all| all.as_str().strip_prefix(&host));
        if after.is_some_and(|port| !port.is_empty()) && uri.port_u16().is_none() {
            return Err("its port is none".to_owned());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        Ok(Some(Self {
            scheme,
            host,
            port: uri.port_u16().unwrap_or(default),
            path: path.to_owned(),
        }))
    }

    /// Sends it, and hears that it was taken.
    ///
    /// # Errors
    /// In words, why that failed.
    pub(super) async fn post(&self, text: String, roots: RootCertStore) -> Result<(), String> {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((name, self.port)).await;
        let stream = stream.map_err(|e| e.to_string())?;
        match self.scheme {
            Scheme::Http => self.post_on(stream, text).await,
            Scheme::Https => {
                let server = ServerName::try_from(name.to_owned())
                    .map_err(|_| format!("{name} is no name that a certificate could have"))?;
                let connector = TlsConnector::from(Arc::new(tls(roots)?));
                let stream = connector.connect(server, stream).await;
                self.post_on(stream.map_err(|e| e.to_string())?, text).await
            }
        }
    }

    async fn post_on<S>(&self, stream: S, text: String) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let words = |error: &dyn std::error::Error| error.to_string();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| words(&e))?;
        tokio::spawn(connection);
        let request = Request::post(&self.path)
            .header("host", format!("{}:{}", self.host, self.port))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(text)))
            .map_err(|e| words(&e))?;
        let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(format!("the answer is {}", answer.status())),
        }
    }
}

/// Whom this machine trusts to name servers, or `SSL_CERT_FILE` and `SSL_CERT_DIR`; nobody where it is not asked.
///
/// # Errors
/// There is nobody.
pub(super) fn roots(address: &Address) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if address.scheme == Scheme::Http {
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    let _ = roots.add_parsable_certificates(found.certs);
    match (roots.is_empty(), found.errors.first()) {
        (false, _) => Ok(roots),
        (true, Some(why)) => Err(format!("no certificates of authorities: {why}")),
        (true, None) => Err("this machine has no certificates of authorities".to_owned()),
    }
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;
