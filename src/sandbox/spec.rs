//! A sandbox, as asked for: every word read, every host path resolved, every contradiction refused.
//! The only step here that looks at host files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entrypoint::Entrypoint;
use super::env::{CallerEnv, EnvArg, EnvVars};
use super::env_file::{EnvFileError, read_env_file};
use super::forbidden::{ForbiddenPath, ForbiddenPaths};
use super::home::Home;
use super::host_path::{FileKind, HostPath, HostPathError};
use super::limits::LimitsAsked;
use super::log::LogAsked;
use super::mounts::{DeviceArg, Mount, MountOptions, MountSource, OwnMount};
use super::name::{ContainerName, GuestPath, Label, OWN_LABELS};
use super::network::{HostEntry, NetworkMode, Publish};
use super::secret::SecretArg;
use super::security::{SecurityAsked, SecurityOpt};
use super::signal::Signal;
use super::user::UserAsked;
use super::{Invalid, Loosening, Warning};

/// Everything that can be asked for, one field for each flag. `Default` asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The image: a reference or an id.
    pub image: String,
    /// The command and its arguments; empty for the image's own.
    pub command: Vec<String>,
    /// `--entrypoint`.
    pub entrypoint: Option<Entrypoint>,
    /// `--name`.
    pub name: Option<ContainerName>,
    /// Every `--label`; of one key the last counts.
    pub labels: Vec<Label>,
    /// Stockade's own labels (`io.stockade.…`).
    pub own_labels: BTreeMap<String, String>,
    /// Every `--env-file`, as typed.
    pub env_files: Vec<PathBuf>,
    /// Every `--env`; they override the files.
    pub env: Vec<EnvArg>,
    /// Every `--volume`, `--mount` and `--tmpfs`.
    pub mounts: Vec<Mount>,
    /// What is Stockade's own, and among the forbidden for everybody else.
    pub own_mounts: Vec<OwnMount>,
    /// The volume that is the agent's home; without one it is in memory.
    pub home: Option<Home>,
    /// What the layer above opens, beside what is asked for here.
    pub loosenings: Vec<Loosening>,
    /// Every `--device`.
    pub devices: Vec<DeviceArg>,
    /// Every `--secret`.
    pub secrets: Vec<SecretArg>,
    /// Limits.
    pub limits: LimitsAsked,
    /// `--network`.
    pub network: NetworkMode,
    /// Every `--publish`.
    pub publish: Vec<Publish>,
    /// Every `--add-host`.
    pub add_host: Vec<HostEntry>,
    /// Every `--dns`.
    pub dns: Vec<std::net::IpAddr>,
    /// Capabilities and the like.
    pub security: SecurityAsked,
    /// Who the agent is.
    pub user: UserAsked,
    /// `--log-driver`, `--log-opt`.
    pub log: LogAsked,
    /// `--init`.
    pub init: Init,
    /// `--workdir`.
    pub workdir: Option<GuestPath>,
    /// `--stop-signal`.
    pub stop_signal: Option<Signal>,
    /// `--stop-timeout`, in seconds.
    pub stop_timeout: Option<u32>,
    /// `--timeout`, in seconds, after which the service kills the container.
    pub timeout: Option<u32>,
    /// `--pull`.
    pub pull: PullPolicy,
    /// `--rm`, and who does it.
    pub removal: Removal,
    /// `-t`.
    pub terminal: Terminal,
    /// `-i`.
    pub stdin: Stdin,
}

/// Who PID 1 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Init {
    /// A small init, which reaps.
    #[default]
    Init,
    /// The command itself.
    Command,
}

/// Whether there is a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Terminal {
    /// No: output and errors apart.
    #[default]
    None,
    /// Yes.
    Tty,
}

/// Whether standard input stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stdin {
    /// No.
    #[default]
    Closed,
    /// Yes.
    Open,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PullPolicy {
    /// Every time.
    Always,
    /// If it is not there.
    #[default]
    Missing,
    /// Not at all.
    Never,
    /// If the registry has a newer one.
    Newer,
}

impl PullPolicy {
    /// Reads `always`, `missing`, `never` or `newer`.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_lowercase().as_str() {
            "always" | "true" => Ok(Self::Always),
            "missing" | "ifmissing" | "ifnotpresent" | "false" => Ok(Self::Missing),
            "never" => Ok(Self::Never),
            "newer" | "ifnewer" => Ok(Self::Newer),
            _ => Err(Invalid::new("pull policy", text, "it is not known")),
        }
    }
}

/// Who removes the container, once it has exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Removal {
    /// Nobody.
    #[default]
    Kept,
    /// We do, once the evidence is harvested.
    ByUs,
    /// The service does: only for `run -d --rm`, where nobody waits.
    ByService,
}

/// What the host is like, for resolving a request.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// The working directory, absolute.
    pub cwd: &'a Path,
    /// The caller's environment.
    pub env: &'a CallerEnv,
    /// What no sandbox gets.
    pub forbidden: &'a ForbiddenPaths,
    /// Directories that an agent could have written, besides this request's own bind mounts.
    pub untrusted: &'a [PathBuf],
}

/// A mount with its host path resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedMount {
    pub(crate) source: ResolvedSource,
    pub(crate) target: GuestPath,
    pub(crate) options: MountOptions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResolvedSource {
    Host { path: HostPath, wire: String },
    Volume(String),
    Anonymous,
    Tmpfs,
}

/// A sandbox, as asked for, without contradictions.
#[derive(Clone, Debug)]
pub struct SandboxSpec {
    pub(crate) request: Request,
    pub(crate) env: EnvVars,
    pub(crate) mounts: Vec<ResolvedMount>,
    pub(crate) masks: Vec<GuestPath>,
    pub(crate) seccomp_profile: Option<String>,
    pub(crate) term: Option<String>,
    pub(crate) warnings: Vec<Warning>,
}

/// Why a request is no sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Parts contradict each other.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A host path will not do.
    #[error("cannot use {}", path.display())]
    HostPath {
        /// The path, as typed.
        path: PathBuf,
        /// Why.
        source: HostPathError,
    },
    /// A host path is out of bounds.
    #[error("cannot mount {}", path.display())]
    Forbidden {
        /// The path, as typed.
        path: PathBuf,
        /// Why.
        source: ForbiddenPath,
    },
    /// A host path is not UTF-8, which the wire cannot carry.
    #[error("{} is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// Two mounts have one target.
    #[error("{target} is mounted twice")]
    DuplicateTarget {
        /// The target.
        target: GuestPath,
    },
    /// An env file cannot be read.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    /// The seccomp profile lies where an agent could have written it.
    #[error("seccomp profile {} lies below {}", path.display(), root.display())]
    UntrustedProfile {
        /// The profile.
        path: PathBuf,
        /// The directory.
        root: PathBuf,
    },
}

impl SandboxSpec {
    /// Resolves host paths, reads env files and checks that everything fits.
    ///
    /// # Errors
    /// [`SpecError`]; nothing has been changed anywhere.
    pub fn new(request: Request, host: &Host<'_>) -> Result<Self, SpecError> {
        request.limits.check()?;
        request.security.check()?;
        request.user.check()?;
        check_rest(&request)?;
        let mut mounts = resolve_mounts(&request.mounts, host)?;
        let own = own_mounts(&request.own_mounts, host, &mounts)?;
        let roots: Vec<&Path> = untrusted_roots(&mounts, host);
        for mount in &mounts {
            if let ResolvedSource::Host { path, .. } = &mount.source {
                path.check_links(roots.iter().copied())
                    .map_err(|source| SpecError::HostPath {
                        path: path.path().to_owned(),
                        source,
                    })?;
            }
        }
        let mut env = EnvVars::default();
        let (mut masks, mut warnings) = (Vec::new(), linked_mounts(&request.mounts, &mounts));
        for file in &request.env_files {
            let read = read_env_file(file, host.cwd, roots.iter().copied())?;
            for arg in &read.args {
                env.apply(arg, host.env);
            }
            warnings.extend(read.warnings.into_iter().map(Warning::EnvFile));
            if let Some(path) = &read.path {
                let hidden = masks_of(path, &mounts)?;
                // Where the others are would be a search through all that is mounted, and one can
                // be made meanwhile.
                if !hidden.is_empty() && path.names() > 1 {
                    return Err(EnvFileError::OtherNames { path: file.clone() }.into());
                }
                masks.extend(hidden);
            }
        }
        for arg in &request.env {
            env.apply(arg, host.env);
        }
        masks.sort();
        masks.dedup();
        let seccomp_profile = seccomp_profile(&request.security, host, &roots)?;
        let term = host.env.get("TERM").map(str::to_owned);
        mounts.extend(own);
        Ok(Self {
            request,
            env,
            mounts,
            masks,
            seccomp_profile,
            term,
            warnings,
        })
    }

    /// What was asked for. Its `Debug` form shows no secret.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }
}

fn check_rest(request: &Request) -> Result<(), Invalid> {
    if request.image.is_empty() || request.image.contains(['\0', '\n', ' ']) {
        return Err(Invalid::new("image", &request.image, "it is no reference"));
    }
    if request.command.iter().any(|word| word.contains('\0')) {
        return Err(Invalid::concealed("command", "it has a NUL byte"));
    }
    if let Some(foreign) = request
        .own_labels
        .keys()
        .find(|key| !key.starts_with(OWN_LABELS))
    {
        return Err(Invalid::new("own label", foreign, "it is not one of ours"));
    }
    let reached = !matches!(request.network, NetworkMode::None);
    if !request.publish.is_empty() && !reached {
        return Err(Invalid::new(
            "network",
            "none",
            "ports cannot be published from it",
        ));
    }
    Ok(())
}

fn resolve_mounts(mounts: &[Mount], host: &Host<'_>) -> Result<Vec<ResolvedMount>, SpecError> {
    let mut resolved: Vec<ResolvedMount> = Vec::new();
    for mount in mounts {
        if resolved.iter().any(|other| other.target == mount.target) {
            return Err(SpecError::DuplicateTarget {
                target: mount.target.clone(),
            });
        }
        let source = match &mount.source {
            MountSource::Host(typed) => {
                let path =
                    HostPath::resolve(typed, host.cwd).map_err(|source| SpecError::HostPath {
                        path: typed.clone(),
                        source,
                    })?;
                host.forbidden
                    .check(&path)
                    .map_err(|source| SpecError::Forbidden {
                        path: typed.clone(),
                        source,
                    })?;
                let wire = utf8(path.path())?;
                ResolvedSource::Host { path, wire }
            }
            MountSource::Volume(name) => ResolvedSource::Volume(name.clone()),
            MountSource::Anonymous => ResolvedSource::Anonymous,
            MountSource::Tmpfs => ResolvedSource::Tmpfs,
        };
        let (target, options) = (mount.target.clone(), mount.options.clone());
        resolved.push(ResolvedMount {
            source,
            target,
            options,
        });
    }
    Ok(resolved)
}

/// What Stockade itself gives the sandbox.
fn own_mounts(
    own: &[OwnMount],
    host: &Host<'_>,
    mounts: &[ResolvedMount],
) -> Result<Vec<ResolvedMount>, SpecError> {
    let resolve = |own: &OwnMount| {
        let target = own.target.clone();
        if mounts.iter().any(|other| other.target == target) {
            return Err(SpecError::DuplicateTarget { target });
        }
        let resolved = HostPath::resolve(&own.source, host.cwd);
        let resolved = resolved.map_err(|source| SpecError::HostPath {
            path: own.source.clone(),
            source,
        })?;
        let wire = utf8(resolved.path())?;
        Ok(ResolvedMount {
            source: ResolvedSource::Host {
                path: resolved,
                wire,
            },
            target,
            options: MountOptions::own(own.access),
        })
    };
    own.iter().map(resolve).collect()
}

/// A workspace that is a link is resolved once, and shown.
fn linked_mounts(typed: &[Mount], resolved: &[ResolvedMount]) -> Vec<Warning> {
    let linked =
        |(typed, resolved): (&Mount, &ResolvedMount)| match (&typed.source, &resolved.source) {
            (MountSource::Host(typed), ResolvedSource::Host { path, .. })
                if path.was_link(typed) =>
            {
                let (typed, real) = (typed.clone(), path.path().to_owned());
                Some(Warning::LinkedMount { typed, real })
            }
            _ => None,
        };
    typed.iter().zip(resolved).filter_map(linked).collect()
}

/// What an agent could have written: what the caller says, and what it gets now.
fn untrusted_roots<'a>(mounts: &'a [ResolvedMount], host: &Host<'a>) -> Vec<&'a Path> {
    let mounted = mounts.iter().filter_map(|mount| match &mount.source {
        ResolvedSource::Host { path, .. } if path.kind() == FileKind::Directory => {
            Some(path.path())
        }
        _ => None,
    });
    host.untrusted
        .iter()
        .map(PathBuf::as_path)
        .chain(mounted)
        .collect()
}

/// Where in the sandbox an env file can be seen.
fn masks_of(file: &HostPath, mounts: &[ResolvedMount]) -> Result<Vec<GuestPath>, SpecError> {
    let mut masks = Vec::new();
    for mount in mounts {
        let ResolvedSource::Host { path, .. } = &mount.source else {
            continue;
        };
        // A mount of the file itself is the person's own wish.
        let Ok(below) = file.path().strip_prefix(path.path()) else {
            continue;
        };
        if below.as_os_str().is_empty() {
            continue;
        }
        masks.push(mount.target.join(&utf8(below)?));
    }
    Ok(masks)
}

fn seccomp_profile(
    security: &SecurityAsked,
    host: &Host<'_>,
    roots: &[&Path],
) -> Result<Option<String>, SpecError> {
    let typed = security
        .options
        .iter()
        .rev()
        .find_map(|option| match option {
            SecurityOpt::SeccompProfile(path) => Some(path),
            _ => None,
        });
    let Some(typed) = typed else { return Ok(None) };
    let path = HostPath::resolve(typed, host.cwd).map_err(|source| SpecError::HostPath {
        path: typed.clone(),
        source,
    })?;
    if let Some(root) = roots.iter().find(|root| path.path().starts_with(root)) {
        let (path, root) = (path.path().to_owned(), (*root).to_owned());
        return Err(SpecError::UntrustedProfile { path, root });
    }
    utf8(path.path()).map(Some)
}

fn utf8(path: &Path) -> Result<String, SpecError> {
    let text = path.to_str().ok_or_else(|| SpecError::NotUtf8 {
        path: path.to_owned(),
    })?;
    Ok(text.to_owned())
}
