//! Where the service listens: podman-remote's own order, worked out from an environment that is
//! given, never read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{Error, Kind, Result};

/// The longest configuration file that is read, in bytes.
const CONFIG_LIMIT: usize = 1 << 20;

/// The address of a service: a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    socket: PathBuf,
}

impl Endpoint {
    /// The service at this socket.
    pub fn unix(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Reads `unix:///path`, `unix://path` (as podman mends it) and `unix:/path`.
    ///
    /// # Errors
    /// Every other scheme, naming it.
    pub fn parse(uri: &str) -> Result<Self> {
        let refuse = |reason: &str| {
            Err(Error::new(Kind::Endpoint {
                uri: without_password(uri),
                reason: reason.to_owned(),
            }))
        };
        let Some((scheme, rest)) = uri.split_once(':') else {
            return refuse("it has no scheme; only `unix:///path/to/podman.sock` is supported");
        };
        match scheme {
            "unix" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() {
                    return refuse("the path of the socket is missing");
                }
                let path = percent_encoding::percent_decode_str(path)
                    .decode_utf8()
                    .map(|path| path.into_owned());
                match path {
                    Ok(path) if path.starts_with('/') => Ok(Self::unix(path)),
                    Ok(path) => Ok(Self::unix(format!("/{path}"))),
                    Err(_) => refuse("the path of the socket is no UTF-8"),
                }
            }
            "ssh" | "tcp" | "http" | "https" | "npipe" | "fd" => refuse(&format!(
                "`{scheme}://` is not supported, only a Unix socket on this machine \
                 (`unix:///path/to/podman.sock`) is"
            )),
            _ => refuse("the scheme is unknown; only `unix:///path/to/podman.sock` is supported"),
        }
    }

    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.socket.display())
    }
}

/// A URI as it may be shown: `scheme://user:password@host` loses its password.
fn without_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    match rest.split_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => uri.to_owned(),
    }
}

/// What decided on the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `--url`.
    Url,
    /// `--connection`.
    Connection,
    /// This variable.
    Variable(&'static str),
    /// The default connection in this file.
    File(PathBuf),
    /// Nothing was configured: the usual place.
    Default,
}

/// The environment in which the service is looked for.
pub struct Discovery<'a> {
    /// `--url`.
    pub url: Option<&'a str>,
    /// `--connection`.
    pub connection: Option<&'a str>,
    /// The caller's user id.
    pub uid: u32,
    /// Environment variables.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Reads a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl fmt::Debug for Discovery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}

/// Connections that have names: name to URI, and which one is the default.
#[derive(Debug, Default)]
struct Named {
    default: Option<String>,
    uris: BTreeMap<String, String>,
    file: PathBuf,
}

impl Discovery<'_> {
    /// Decides where to connect: `--url`, `--connection`, `CONTAINER_CONNECTION`,
    /// `CONTAINER_HOST`, the default connection of `podman-connections.json` or
    /// `containers.conf`, else `$XDG_RUNTIME_DIR/podman/podman.sock` (or, for root,
    /// `/run/podman/podman.sock`).
    ///
    /// # Errors
    /// A connection that is unknown or not a Unix socket, or configuration that cannot be read.
    pub fn endpoint(&self) -> Result<(Endpoint, Source)> {
        if let Some(url) = self.url {
            return Ok((Endpoint::parse(url)?, Source::Url));
        }
        if let Some(name) = self.connection {
            return Ok((self.named(name)?, Source::Connection));
        }
        if let Some(name) = self.text("CONTAINER_CONNECTION") {
            let source = Source::Variable("CONTAINER_CONNECTION");
            return Ok((self.named(&name)?, source));
        }
        if let Some(url) = self.text("CONTAINER_HOST") {
            return Ok((Endpoint::parse(&url)?, Source::Variable("CONTAINER_HOST")));
        }
        for named in self.files()? {
            if let Some(uri) = named.default.as_ref().and_then(|d| named.uris.get(d)) {
                return Ok((Endpoint::parse(uri)?, Source::File(named.file)));
            }
        }
        Ok((Endpoint::unix(self.usual()), Source::Default))
    }

    /// Where the service listens when nothing says otherwise.
    fn usual(&self) -> PathBuf {
        if self.uid == 0 {
            return PathBuf::from("/run/podman/podman.sock");
        }
        let runtime = (self.variable)("XDG_RUNTIME_DIR")
            .filter(|dir| !dir.is_empty())
            .map_or_else(
                || PathBuf::from(format!("/run/user/{}", self.uid)),
                PathBuf::from,
            );
        runtime.join("podman/podman.sock")
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?.into_string().ok()?;
        (!value.is_empty()).then_some(value)
    }

    fn named(&self, name: &str) -> Result<Endpoint> {
        let files = self.files()?;
        if let Some(uri) = files.iter().find_map(|named| named.uris.get(name)) {
            return Endpoint::parse(uri);
        }
        let known: Vec<&str> = files
            .iter()
            .flat_map(|named| named.uris.keys().map(String::as_str))
            .collect();
        Err(Error::new(Kind::Endpoint {
            uri: name.to_owned(),
            reason: if known.is_empty() {
                "no connection is configured".to_owned()
            } else {
                format!("no such connection; known are {}", known.join(", "))
            },
        }))
    }

    fn config_home(&self) -> Option<PathBuf> {
        let of = |name| {
            (self.variable)(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")))
    }

    /// Files that name connections, the one that decides first.
    fn files(&self) -> Result<Vec<Named>> {
        let mut files = Vec::new();
        let connections = (self.variable)("PODMAN_CONNECTIONS_CONF")
            .map(PathBuf::from)
            .or_else(|| {
                Some(
                    self.config_home()?
                        .join("containers/podman-connections.json"),
                )
            });
        if let Some(file) = connections
            && let Some(bytes) = self.file(&file)?
        {
            files.push(connections_json(&bytes, file)?);
        }
        let configured = match (self.variable)("CONTAINERS_CONF") {
            Some(file) => vec![PathBuf::from(file)],
            None => self
                .config_home()
                .map(|home| home.join("containers/containers.conf"))
                .into_iter()
                .chain([
                    "/etc/containers/containers.conf".into(),
                    "/usr/share/containers/containers.conf".into(),
                ])
                .collect(),
        };
        for file in configured {
            if let Some(bytes) = self.file(&file)? {
                files.push(containers_conf(&bytes, file)?);
            }
        }
        Ok(files)
    }

    fn file(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match (self.read)(path) {
            Ok(bytes) if bytes.len() > CONFIG_LIMIT => Err(unreadable(
                path,
                format!("longer than {CONFIG_LIMIT} bytes"),
            )),
            Ok(bytes) => Ok(Some(bytes)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(unreadable(path, error)),
        }
    }
}

fn unreadable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Config {
        path: path.to_owned(),
        source: source.into(),
    })
}

fn connections_json(bytes: &[u8], file: PathBuf) -> Result<Named> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct File {
        connection: Connections,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Connections {
        default: Option<String>,
        #[serde(deserialize_with = "super::null::default")]
        connections: BTreeMap<String, Destination>,
    }
    #[derive(Deserialize)]
    struct Destination {
        #[serde(rename = "URI", default)]
        uri: String,
    }
    let parsed: File = serde_json::from_slice(bytes).map_err(|e| unreadable(&file, e))?;
    Ok(Named {
        default: parsed.connection.default,
        uris: parsed
            .connection
            .connections
            .into_iter()
            .map(|(name, destination)| (name, destination.uri))
            .collect(),
        file,
    })
}

fn containers_conf(bytes: &[u8], file: PathBuf) -> Result<Named> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct File {
        engine: Engine,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Engine {
        active_service: Option<String>,
        service_destinations: BTreeMap<String, Destination>,
    }
    #[derive(Deserialize)]
    struct Destination {
        #[serde(default)]
        uri: String,
    }
    let parsed: File = toml::from_slice(bytes).map_err(|e| unreadable(&file, e))?;
    Ok(Named {
        default: parsed.engine.active_service,
        uris: parsed
            .engine
            .service_destinations
            .into_iter()
            .map(|(name, destination)| (name, destination.uri))
            .collect(),
        file,
    })
}

#[cfg(test)]
mod tests;
