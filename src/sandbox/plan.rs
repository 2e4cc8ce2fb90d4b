//! From what was asked to what is sent. Pure: the same spec and service give the same plan.

mod fill;

use std::path::PathBuf;

use super::host_path::FileIdentity;
use super::limits::Limits;
use super::name::GuestPath;
use super::network::NetworkMode;
use super::size::ByteSize;
use super::spec::{Init, PullPolicy, Removal, SandboxSpec, Stdin, Terminal};
use super::user::{self, ServiceOwner, UserNs};
use super::{Loosening, Warning};
use crate::libpod::{ApiVersion, ContainerSpec, Namespace};

/// Where the agent's home is, unless the person says otherwise.
pub const HOME: &str = "/home/agent";
/// What the plan depends on, besides what was asked.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service's libpod version.
    pub version: ApiVersion,
    /// Whose it is.
    pub owner: ServiceOwner,
    /// The host's memory.
    pub ram: ByteSize,
    /// The image's variables, as `NAME=VALUE`.
    pub image_env: Vec<String>,
    /// The image's user; empty if it names none.
    pub image_user: String,
}

/// What is sent, and what is to be checked, shown and recorded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The body of the create request.
    pub container: ContainerSpec,
    /// Every cgroup limit, with who asked for it.
    pub limits: Limits,
    /// What was opened that is closed by default.
    pub loosenings: Vec<Loosening>,
    /// What should be said.
    pub warnings: Vec<Warning>,
    /// The host files and directories that are mounted.
    pub binds: Vec<BindSource>,
    /// The host directories under throw-away layers (`:O`).
    pub layers: Vec<BindSource>,
    /// Env files' paths inside, which are hidden.
    pub masks: Vec<GuestPath>,
    /// When the image is pulled.
    pub pull: PullPolicy,
    /// Who removes the container.
    pub removal: Removal,
}

/// A mounted host file or directory, to be compared once it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSource {
    /// The resolved path, as sent.
    pub path: PathBuf,
    /// Where it is mounted.
    pub target: GuestPath,
    /// Device and inode when it was resolved.
    pub identity: FileIdentity,
}

/// Why a spec cannot be had from this service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// This release cannot do it.
    #[error("{feature} needs podman {needs}, the service is {version}")]
    Version {
        /// What was asked for.
        feature: &'static str,
        /// Such as `4.4 or later`.
        needs: &'static str,
        /// What it is.
        version: ApiVersion,
    },
    /// A rootful service cannot do it.
    #[error("{feature} needs a rootless service")]
    NeedsRootless {
        /// What was asked for.
        feature: &'static str,
    },
}

/// Makes a plan.
///
/// # Errors
/// If the service is too old, too new or too privileged for what was asked. Such things are never
/// just sent: the service would drop or fail them in its own way.
pub fn plan(spec: &SandboxSpec, service: &Service) -> Result<Plan, PlanError> {
    check_service(spec, service)?;
    let request = &spec.request;
    let limits = request.limits.resolve(service.ram);
    let workspace = fill::workspace_owner(&spec.mounts);
    let mapping = user::decide(&request.user, service.owner, workspace, &service.image_user);
    let mut plan = Plan {
        container: ContainerSpec {
            name: request.name.as_ref().map(|name| name.as_str().to_owned()),
            image: request.image.clone(),
            command: request.command.clone(),
            entrypoint: request
                .entrypoint
                .as_ref()
                .map(|entry| entry.words().to_vec()),
            env_host: false,
            httpproxy: false,
            terminal: request.terminal == Terminal::Tty,
            stdin: request.stdin == Stdin::Open,
            stop_signal: request.stop_signal.map(super::signal::Signal::number),
            stop_timeout: request.stop_timeout,
            timeout: request.timeout,
            log_configuration: request.log.wire(),
            remove: request.removal == Removal::ByService,
            init: request.init == Init::Init,
            // Otherwise a command called `init` would get systemd's mounts.
            systemd: Some("false".to_owned()),
            // The service's configuration may have other defaults.
            pidns: Some(Namespace::new("private")),
            utsns: Some(Namespace::new("private")),
            ipcns: Some(Namespace::new("private")),
            cgroupns: Some(Namespace::new("private")),
            cgroups_mode: Some("enabled".to_owned()),
            work_dir: request
                .workdir
                .as_ref()
                .map(|path| path.as_str().to_owned()),
            shm_size: request.limits.shm_size.map(ByteSize::wire),
            resource_limits: limits.wire(),
            r_limits: request
                .limits
                .ulimits
                .iter()
                .map(super::limits::Ulimit::wire)
                .collect(),
            user: mapping.user.clone(),
            userns: mapping.userns.clone(),
            idmappings: mapping.idmappings.clone(),
            ..ContainerSpec::default()
        },
        limits,
        loosenings: Vec::new(),
        warnings: spec.warnings.clone(),
        binds: Vec::new(),
        layers: Vec::new(),
        masks: spec.masks.clone(),
        pull: request.pull,
        removal: request.removal,
    };
    plan.labels(spec);
    plan.security(spec);
    plan.network(spec);
    plan.mounts(spec);
    plan.environment(spec, service, &mapping);
    plan.secrets(spec);
    plan.other_loosenings(spec, &mapping);
    Ok(plan)
}

fn check_service(spec: &SandboxSpec, service: &Service) -> Result<(), PlanError> {
    let version = service.version;
    let needs = |feature, needs, met: bool| match met {
        true => Ok(()),
        false => Err(PlanError::Version {
            feature,
            needs,
            version,
        }),
    };
    let rootful = service.owner == ServiceOwner::Rootful;
    match &spec.request.network {
        NetworkMode::Slirp4netns(_) => needs(
            "slirp4netns",
            "before 6.0",
            version < ApiVersion::new(6, 0, 0),
        )?,
        NetworkMode::Pasta(_) => {
            needs("pasta", "4.4 or later", version >= ApiVersion::new(4, 4, 0))?;
            if rootful {
                return Err(PlanError::NeedsRootless { feature: "pasta" });
            }
        }
        _ => {}
    }
    match &spec.request.user.userns {
        Some(UserNs::KeepId { .. }) if rootful => {
            needs(
                "keep-id in a rootful service",
                "5.0 or later",
                version >= ApiVersion::new(5, 0, 0),
            )?;
        }
        Some(UserNs::NoMap) if rootful => {
            return Err(PlanError::NeedsRootless { feature: "nomap" });
        }
        _ => {}
    }
    if spec
        .request
        .limits
        .ulimits
        .iter()
        .any(super::limits::Ulimit::is_unlimited)
    {
        needs(
            "an unlimited ulimit",
            "5.5.1 or later",
            version >= ApiVersion::new(5, 5, 1),
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
