//! Flags of a build, read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::BuildArgs;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sandbox_args::invalid;
use crate::context::Plan;
use crate::libpod::{
    BuildLimits, BuildNetwork, BuildOptions, Client, ImageFormat, Layers, PullPolicy,
};
use crate::sandbox::limits::{Bound, parse_memory, parse_memory_swap, parse_shm_size};

/// The longest secret or file of arguments that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// What RUN may use
#[derive(Debug, Clone, Args)]
pub(super) struct LimitArgs {
    /// Memory for RUN, as in 2g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory and swap together; -1 for no limit [default: as much as --memory]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Microseconds of cpu in each period
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// That period
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(i64).range(1..))]
    cpu_period: Option<i64>,
    /// Weight among others that want cpu
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(i64).range(0..))]
    cpu_shares: Option<i64>,
    /// Processors, as in 0-3,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Limit as of ulimit (can be repeated)
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Build even if the service cannot enforce these limits
    #[arg(long)]
    allow_unenforced_limits: bool,
}

impl LimitArgs {
    fn read(&self) -> CliResult<BuildLimits> {
        let memory = match &self.memory {
            Some(text) => match parse_memory(text).map_err(|e| invalid(&e))? {
                Bound::At(size) => Some(size.wire()),
                Bound::Unlimited => None,
            },
            None => None,
        };
        let memory_swap = match &self.memory_swap {
            Some(text) => match parse_memory_swap(text).map_err(|e| invalid(&e))? {
                Bound::At(size) => Some(size.wire()),
                Bound::Unlimited => Some(-1),
            },
            None => None,
        };
        if memory_swap.is_some() && memory.is_none() {
            return Err(CliError::usage("`--memory-swap` needs `--memory`"));
        }
        let shm_size = match &self.shm_size {
            Some(text) => Some(parse_shm_size(text).map_err(|e| invalid(&e))?.wire()),
            None => None,
        };
        Ok(BuildLimits {
            memory,
            memory_swap,
            cpu_quota: self.cpu_quota,
            cpu_period: self.cpu_period,
            cpu_shares: self.cpu_shares,
            cpuset_cpus: self.cpuset_cpus.clone(),
            cpuset_mems: self.cpuset_mems.clone(),
            shm_size,
            ulimits: self.ulimit.clone(),
        })
    }

    /// The controllers that these limits need.
    fn controllers(&self) -> Vec<&'static str> {
        let memory = self.memory.is_some() || self.memory_swap.is_some();
        let cpu =
            self.cpu_quota.is_some() || self.cpu_period.is_some() || self.cpu_shares.is_some();
        let cpuset = self.cpuset_cpus.is_some() || self.cpuset_mems.is_some();
        [(memory, "memory"), (cpu, "cpu"), (cpuset, "cpuset")]
            .into_iter()
            .filter_map(|(needed, name)| needed.then_some(name))
            .collect()
    }

    /// Refuses limits that the service has no controllers for: it would build without them.
    ///
    /// Not as sure as what `run` does: the containers of a build cannot be looked at before they
    /// start.
    pub(super) async fn check(&self, client: &Client) -> CliResult<Option<String>> {
        let needed = self.controllers();
        if needed.is_empty() {
            return Ok(None);
        }
        let there = client.info().await?.host.cgroup_controllers;
        let missing: Vec<&str> = needed
            .into_iter()
            .filter(|name| !there.iter().any(|there| there == name))
            .collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let text = format!(
            "limits of RUN are not in force: the service has no controller {}",
            missing.join(", ")
        );
        if self.allow_unenforced_limits {
            Ok(Some(text))
        } else {
            Err(CliError::new(Exit::Failed, text)
                .hint("to build without: `--allow-unenforced-limits`"))
        }
    }
}

/// Everything but what depends on the context.
pub(super) fn options(args: &BuildArgs) -> CliResult<BuildOptions> {
    Ok(BuildOptions {
        tags: args.tag.clone(),
        build_args: build_args(args)?,
        labels: args
            .label
            .iter()
            .map(|label| label.split_once('=').unwrap_or((label, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        target: args.target.clone(),
        platform: args.platform.clone(),
        network: match args.network.as_str() {
            "none" => BuildNetwork::None,
            "host" => BuildNetwork::Host,
            _ => BuildNetwork::Private,
        },
        pull: match args.pull.as_str() {
            "always" | "true" => PullPolicy::Always,
            "never" => PullPolicy::Never,
            "newer" => PullPolicy::Newer,
            _ => PullPolicy::Missing,
        },
        no_cache: args.no_cache,
        layers: match (args.squash_all, args.squash || !args.layers) {
            (true, _) => Layers::All,
            (false, true) => Layers::New,
            (false, false) => Layers::EachStep,
        },
        format: match args.format.as_str() {
            "docker" => ImageFormat::Docker,
            _ => ImageFormat::Oci,
        },
        limits: args.limits.read()?,
        extra_hosts: args.add_host.clone(),
        dns_servers: args.dns.clone(),
        ..BuildOptions::default()
    })
}

/// `NAME=VALUE` as it is, `NAME` from the environment, and nothing where that has none. Flags win
/// over files.
fn build_args(args: &BuildArgs) -> CliResult<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for path in &args.build_arg_file {
        let what = || format!("read the build arguments in `{}`", path.display());
        let text = String::from_utf8(read(path).doing(what())?).doing(what())?;
        let lines = text.lines().filter(|line| !line.is_empty());
        for line in lines.filter(|line| !line.starts_with('#')) {
            build_arg(line, &mut found);
        }
    }
    for arg in &args.build_arg {
        build_arg(arg, &mut found);
    }
    Ok(found)
}

fn build_arg(arg: &str, found: &mut BTreeMap<String, String>) {
    let (name, value) = match arg.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (arg, std::env::var(arg).ok()),
    };
    match value {
        Some(value) => found.insert(name.to_owned(), value),
        None => found.remove(name),
    };
}

/// Puts secrets into the archive; returns their ids with their paths there.
pub(super) fn add_secrets(given: &[String], plan: &mut Plan) -> CliResult<Vec<(String, String)>> {
    let mut secrets = Vec::new();
    for text in given {
        let secret = Secret::parse(text)?;
        let content = match &secret.from {
            SecretFrom::File(path) => {
                read(path).doing(format!("read the secret `{}`", path.display()))?
            }
            SecretFrom::Variable(name) => match std::env::var_os(name) {
                Some(value) => value.into_encoded_bytes(),
                None => {
                    return Err(CliError::new(
                        Exit::Failed,
                        format!("the variable `{name}` for the secret is not set"),
                    ));
                }
            },
        };
        secrets.push((secret.id, plan.add_secret(content)));
    }
    Ok(secrets)
}

#[derive(Debug, PartialEq, Eq)]
struct Secret {
    id: String,
    from: SecretFrom,
}

#[derive(Debug, PartialEq, Eq)]
enum SecretFrom {
    File(PathBuf),
    Variable(String),
}

impl Secret {
    fn parse(text: &str) -> CliResult<Self> {
        let mut id = None;
        let mut source = None;
        let mut kind = None;
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("id", value)) => id = Some(value),
                Some(("src" | "source", value)) => source = Some(value),
                Some(("env", value)) => {
                    source = Some(value);
                    kind = Some("env");
                }
                Some(("type", value @ ("file" | "env"))) => kind = Some(value),
                _ => {
                    return Err(CliError::usage(format!(
                        "`--secret {text}`: `{part}` is not understood"
                    ))
                    .hint("write `--secret id=NAME,src=PATH` or `--secret id=NAME,env=VARIABLE`"));
                }
            }
        }
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Err(CliError::usage(format!("`--secret {text}` needs an `id`")));
        };
        let source = source.unwrap_or(id);
        Ok(Self {
            id: id.to_owned(),
            from: match kind {
                Some("env") => SecretFrom::Variable(source.to_owned()),
                _ => SecretFrom::File(source.into()),
            },
        })
    }
}

/// Reads a small file whole.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_LIMIT + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        build: BuildArgs,
    }

    fn parse(flags: &[&str]) -> BuildArgs {
        Line::parse_from(["build"].iter().chain(flags)).build
    }

    #[test]
    fn secrets_come_from_files_and_variables() {
        let from = |text: &str| Secret::parse(text).unwrap().from;
        let file = |path: &str| SecretFrom::File(path.into());
        assert_eq!(from("id=a,src=b"), file("b"));
        assert_eq!(from("src=b,id=a,type=file"), file("b"));
        assert_eq!(from("id=a"), file("a"));
        let variable = |name: &str| SecretFrom::Variable(name.to_owned());
        assert_eq!(from("id=a,env=B"), variable("B"));
        assert_eq!(from("id=a,type=env"), variable("a"));
        for bad in ["", "src=b", "id=,src=b", "id=a,mode=1", "id=a,type=x", "a"] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arguments_come_from_files_flags_and_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("args");
        std::fs::write(&path, "# comment\nA=1\n\nB=x=y\nSTOCKADE_TEST_UNSET\n").unwrap();
        let args = parse(&[
            "--build-arg-file",
            path.to_str().unwrap(),
            "--build-arg",
            "A=2",
            "--build-arg",
            "B",
        ]);
        let found = build_args(&args).unwrap();
        assert_eq!(found, BTreeMap::from([("A".to_owned(), "2".to_owned())]));
    }

    #[test]
    fn squashing_and_pulling_as_podman_spells_them() {
        let of = |flags: &[&str]| {
            let options = options(&parse(flags)).unwrap();
            (options.layers, options.pull)
        };
        assert_eq!(of(&[]), (Layers::EachStep, PullPolicy::Missing));
        assert_eq!(of(&["--layers=false"]).0, Layers::New);
        assert_eq!(of(&["--squash"]).0, Layers::New);
        assert_eq!(of(&["--squash-all"]).0, Layers::All);
        assert_eq!(of(&["--pull"]).1, PullPolicy::Always);
        assert_eq!(of(&["--pull=never"]).1, PullPolicy::Never);
        assert_eq!(of(&["--pull=false"]).1, PullPolicy::Missing);
    }

    #[test]
    fn limits_are_read_as_podman_reads_them() {
        let args = parse(&["-m", "64m", "--memory-swap", "-1", "--cpu-quota", "-1"]);
        let limits = args.limits.read().unwrap();
        assert_eq!(limits.memory, Some(64 << 20));
        assert_eq!(limits.memory_swap, Some(-1));
        assert_eq!(args.limits.controllers(), ["memory", "cpu"]);
        assert!(parse(&["-m", "x"]).limits.read().is_err());
        assert!(parse(&["--memory-swap", "1g"]).limits.read().is_err());
    }
}
