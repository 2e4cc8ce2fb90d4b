//! Building an image from a tar stream.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::request::{Body, Connection, Request, TarBody};
use crate::libpod::response::ByteStream;
use crate::libpod::stream::JsonLines;
use crate::libpod::{Client, ImageId};

/// What a build's `RUN` steps can reach.
///
/// Without a word the service lets them into its own network namespace, the host's loopback
/// included; so something is always said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BuildNetwork {
    /// A namespace of its own with a way out (slirp4netns, pasta).
    #[default]
    Private,
    /// Loopback only.
    None,
    /// The service's own network: a loosening.
    Host,
}

/// When a base image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullPolicy {
    /// Only if it is not there.
    #[default]
    Missing,
    /// Every time.
    Always,
    /// Not at all.
    Never,
    /// If the registry has a newer one.
    Newer,
}

/// How the steps of a build become layers of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layers {
    /// One for each step, kept for later builds.
    #[default]
    EachStep,
    /// One for all steps, on top of those of the base image.
    New,
    /// One for everything, the base image included.
    All,
}

/// The image's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageFormat {
    /// Open Container Initiative.
    #[default]
    Oci,
    /// Docker's: the one that keeps `HEALTHCHECK` and `SHELL`.
    Docker,
}

impl ImageFormat {
    fn media_type(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }
}

/// Limits for `RUN` steps. Whether they are in force is up to the service's controllers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildLimits {
    /// Memory in bytes.
    pub memory: Option<i64>,
    /// Memory and swap together in bytes, -1 for no limit; without it as much as memory.
    pub memory_swap: Option<i64>,
    /// Microseconds of cpu per period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<i64>,
    /// Weight among others that want cpu.
    pub cpu_shares: Option<i64>,
    /// Processors, as in `0-3,5`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes.
    pub cpuset_mems: Option<String>,
    /// `/dev/shm` in bytes.
    pub shm_size: Option<i64>,
    /// `NAME=SOFT[:HARD]`.
    pub ulimits: Vec<String>,
}

impl BuildLimits {
    fn add(&self, mut request: Request) -> Request {
        // Memory without a word on swap would be doubled by it.
        let memory_swap = self.memory_swap.or(self.memory);
        for (key, value) in [
            ("memory", self.memory),
            ("memswap", memory_swap),
            ("cpuquota", self.cpu_quota),
            ("cpuperiod", self.cpu_period),
            ("cpushares", self.cpu_shares),
            ("shmsize", self.shm_size),
        ] {
            if let Some(value) = value {
                request = request.number(key, value);
            }
        }
        for (key, value) in [
            ("cpusetcpus", &self.cpuset_cpus),
            ("cpusetmems", &self.cpuset_mems),
        ] {
            if let Some(value) = value {
                request = request.query(key, value);
            }
        }
        request.json_query("ulimits", &self.ulimits)
    }
}

/// What to build. The context travels beside it.
#[derive(Clone, Default)]
pub struct BuildOptions {
    /// Names of the image; the first is the name, the others are further tags.
    pub tags: Vec<String>,
    /// The Containerfile's path within the context, never absolute: later releases would take an
    /// absolute one from their own file system. Without it `Containerfile`, else `Dockerfile`.
    pub containerfile: Option<String>,
    /// `ARG` values. May hold what should not be shown.
    pub build_args: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Stage to stop at.
    pub target: Option<String>,
    /// `os/arch[/variant]`.
    pub platform: Option<String>,
    /// What `RUN` reaches.
    pub network: BuildNetwork,
    /// When the base is fetched.
    pub pull: PullPolicy,
    /// Do not use layers of earlier builds.
    pub no_cache: bool,
    /// How steps become layers.
    pub layers: Layers,
    /// The image's format.
    pub format: ImageFormat,
    /// Ignore rules, in place of any ignore file in the context; `None` where there are none.
    pub excludes: Option<Vec<String>>,
    /// Secret files: (id, path within the context).
    pub secrets: Vec<(String, String)>,
    /// What `RUN` steps may use.
    pub limits: BuildLimits,
    /// `NAME:ADDRESS` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Name servers for `RUN` steps.
    pub dns_servers: Vec<String>,
}

impl fmt::Debug for BuildOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions")
            .field("tags", &self.tags)
            .field("containerfile", &self.containerfile)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NamespaceOption {
    name: &'static str,
    host: bool,
}

impl BuildOptions {
    fn request(&self) -> Request {
        let mut request = Request::post(&["build"])
            .flag("layers", self.layers == Layers::EachStep)
            .flag("squash", self.layers == Layers::All)
            .flag("nocache", self.no_cache)
            .flag("rm", true)
            .flag("forcerm", true)
            .flag("httpproxy", false)
            // Without a format the service finds none of its own layers again.
            .query("outputformat", self.format.media_type())
            .query(
                "pullpolicy",
                match self.pull {
                    PullPolicy::Missing => "missing",
                    PullPolicy::Always => "always",
                    PullPolicy::Never => "never",
                    PullPolicy::Newer => "ifnewer",
                },
            )
            .json_query("buildargs", &self.build_args)
            .json_query("labels", &self.labels)
            .json_query("extrahosts", &self.extra_hosts)
            .json_query("dnsservers", &self.dns_servers);
        for tag in &self.tags {
            request = request.query("t", tag);
        }
        for (key, value) in [
            ("dockerfile", &self.containerfile),
            ("target", &self.target),
            ("platform", &self.platform),
        ] {
            if let Some(value) = value {
                request = request.query(key, value);
            }
        }
        if let Some(excludes) = &self.excludes {
            // An empty list has to be sent as well: it says that no ignore file applies.
            request = request.query(
                "excludes",
                serde_json::Value::from(excludes.clone()).to_string(),
            );
        }
        let secrets: Vec<String> = self
            .secrets
            .iter()
            .map(|(id, path)| format!("id={id},src={path}"))
            .collect();
        request = request.json_query("secrets", &secrets);
        request = self.limits.add(request);
        let host = self.network == BuildNetwork::Host;
        if self.network == BuildNetwork::None {
            // The number: the word `none` is ignored, and the host's network given.
            request = request.number("networkmode", 1);
        }
        request.json_query(
            "nsoptions",
            &[NamespaceOption {
                name: "network",
                host,
            }],
        )
    }
}

/// What the service says while it builds.
#[derive(Debug)]
pub struct BuildStream {
    body: ByteStream,
    lines: JsonLines<Line>,
    last: String,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

impl Client {
    /// Builds an image. Drive the answer to its end, then ask for [`BuildStream::image`].
    ///
    /// Dropping it ends the request; a `RUN` step that is under way goes on at the service, which
    /// has no way to be told.
    ///
    /// Source: `POST /libpod/build`.
    pub async fn build_image(
        &self,
        options: &BuildOptions,
        context: TarBody,
    ) -> Result<BuildStream> {
        let request = options
            .request()
            .body(Body::Tar(context))
            .on(Connection::Own);
        let body = self.send(request).await?.stream();
        let lines = JsonLines::new(body.endpoint());
        Ok(BuildStream {
            body,
            lines,
            last: String::new(),
        })
    }
}

impl BuildStream {
    /// Whether a text of a build may be the id of what came out, which is its last one.
    pub fn is_id(text: &str) -> bool {
        let id = text.trim();
        id.len() >= 12 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
    }

    /// The next piece of text: a step, a line that `RUN` wrote, the result. `None` at the end.
    ///
    /// # Errors
    /// The build failed, or the service went away.
    pub async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let Some(line) = self.lines.next_from(&mut self.body).await? else {
                return Ok(None);
            };
            if let Some(message) = line.error {
                return Err(Error::new(Kind::Api(ApiError {
                    status: 200,
                    cause: String::new(),
                    message: message.trim_end().to_owned(),
                    endpoint: self.body.endpoint().to_owned(),
                })));
            }
            if let Some(text) = line.stream {
                self.last.clone_from(&text);
                return Ok(Some(text));
            }
        }
    }

    /// The image that came out, confirmed by inspect. Only after the end.
    ///
    /// The only sign of success is the last text: it is the image's id. A `RUN` step can write the
    /// same, but not after the end.
    ///
    /// # Errors
    /// The stream ended without an id, or with one that names no image.
    pub async fn image(self, client: &Client) -> Result<ImageId> {
        let id = self.last.trim();
        if !Self::is_id(id) {
            return Err(Error::protocol(
                self.body.endpoint(),
                "the build ended without an image and without an error",
            ));
        }
        Ok(client.inspect_image(id).await?.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(options: &BuildOptions) -> String {
        percent_encoding::percent_decode_str(&options.request().target())
            .decode_utf8()
            .unwrap()
            .into_owned()
    }

    #[test]
    fn a_network_is_always_chosen() {
        let of = |network| {
            target(&BuildOptions {
                network,
                ..BuildOptions::default()
            })
        };
        let own = r#"nsoptions=[{"Name":"network","Host":false}]"#;
        assert!(of(BuildNetwork::Private).contains(own));
        assert!(!of(BuildNetwork::Private).contains("networkmode"));
        assert!(of(BuildNetwork::None).contains(own));
        assert!(of(BuildNetwork::None).contains("networkmode=1&"));
        assert!(of(BuildNetwork::Host).contains(r#"[{"Name":"network","Host":true}]"#));
    }

    #[test]
    fn the_services_proxy_stays_outside_and_layers_are_kept() {
        let target = target(&BuildOptions::default());
        assert!(target.contains("httpproxy=false"), "{target}");
        assert!(target.contains("layers=true"), "{target}");
    }

    #[test]
    fn layers_are_squashed_as_podman_squashes_them() {
        let of = |layers| {
            target(&BuildOptions {
                layers,
                ..BuildOptions::default()
            })
        };
        assert!(of(Layers::EachStep).contains("layers=true&squash=false"));
        assert!(of(Layers::New).contains("layers=false&squash=false"));
        assert!(of(Layers::All).contains("layers=false&squash=true"));
    }

    #[test]
    fn memory_is_not_doubled_by_swap() {
        let of = |memory, memory_swap| {
            target(&BuildOptions {
                limits: BuildLimits {
                    memory,
                    memory_swap,
                    ..BuildLimits::default()
                },
                ..BuildOptions::default()
            })
        };
        assert!(of(Some(5), None).contains("memory=5&memswap=5"));
        assert!(of(Some(5), Some(-1)).contains("memory=5&memswap=-1"));
        assert!(!of(None, None).contains("mem"));
    }

    #[test]
    fn an_empty_list_of_excludes_is_sent() {
        let with = |excludes| {
            target(&BuildOptions {
                excludes,
                ..BuildOptions::default()
            })
        };
        assert!(with(Some(Vec::new())).contains("excludes=[]"));
        assert!(!with(None).contains("excludes"));
    }
}
