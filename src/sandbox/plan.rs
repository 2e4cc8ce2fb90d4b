//! From what was asked to what is sent. Pure: the same spec and service give the same plan.

use std::path::PathBuf;

use super::host_path::{FileIdentity, FileKind, Owner};
use super::limits::{Bound, Limits};
use super::name::GuestPath;
use super::network::NetworkMode;
use super::secret::SecretUse;
use super::security::{AS_ROOT, CapabilityArg, Isolation, NewPrivileges, RootFs, SecurityOpt};
use super::size::ByteSize;
use super::spec::{
    Init, PullPolicy, Removal, ResolvedMount, ResolvedSource, SandboxSpec, Stdin, Terminal,
};
use super::user::{self, Mapping, Role, RootInside, ServiceOwner, UserNs};
use super::{Loosening, Warning};
use crate::libpod::{
    ContainerSpec, Device, EnvMap, Mount, NamedVolume, Namespace, NetworkOptions, OverlayVolume,
    SecretMount,
};

/// Where the agent's home is, unless the person says otherwise.
pub const HOME: &str = "/home/agent";
/// What podman assumes of an image that sets no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A libpod version: major, minor, patch.
pub type Version = (u64, u64, u64);

/// What the plan depends on, besides what was asked.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service's libpod version.
    pub version: Version,
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
    #[error("{feature} needs podman {needs}, the service is {}.{}.{}", .version.0, .version.1, .version.2)]
    Version {
        /// What was asked for.
        feature: &'static str,
        /// Such as `4.4 or later`.
        needs: &'static str,
        /// What it is.
        version: Version,
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
    let workspace = workspace_owner(&spec.mounts);
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

impl Plan {
    fn labels(&mut self, spec: &SandboxSpec) {
        let given = spec.request.labels.iter();
        let given = given.map(|label| (label.key.clone(), label.value.clone()));
        let own = spec.request.own_labels.clone();
        self.container.labels = given.chain(own).collect();
    }

    fn security(&mut self, spec: &SandboxSpec) {
        let asked = &spec.request.security;
        let privileged = asked.isolation == Isolation::NotASandbox;
        self.container.privileged = privileged;
        self.container.read_only_filesystem = asked.root_fs == RootFs::ReadOnly;
        if privileged {
            self.loosenings.push(Loosening::Privileged);
        } else {
            self.capabilities(spec);
        }
        let mut new_privileges = if privileged {
            NewPrivileges::Allowed
        } else {
            NewPrivileges::Never
        };
        for option in &asked.options {
            match option {
                SecurityOpt::NewPrivileges(value) => new_privileges = *value,
                SecurityOpt::SeccompUnconfined => {
                    self.container.seccomp_profile_path = Some("unconfined".to_owned());
                }
                SecurityOpt::SeccompProfile(_) => {
                    self.container
                        .seccomp_profile_path
                        .clone_from(&spec.seccomp_profile);
                }
                SecurityOpt::Selinux(option) => {
                    self.container.selinux_opts.push(option.clone());
                    self.loosenings.push(Loosening::SelinuxOption {
                        option: option.clone(),
                    });
                }
                SecurityOpt::Apparmor(profile) => {
                    self.container.apparmor_profile = Some(profile.clone());
                    self.loosenings.push(Loosening::ApparmorProfile {
                        profile: profile.clone(),
                    });
                }
                SecurityOpt::Mask(paths) => {
                    self.container
                        .mask
                        .extend(paths.iter().map(|path| path.as_str().to_owned()));
                }
                SecurityOpt::Unmask(paths) => {
                    for path in paths {
                        self.container.unmask.push(path.clone());
                        self.loosenings
                            .push(Loosening::Unmasked { path: path.clone() });
                    }
                }
            }
        }
        self.container.no_new_privileges = new_privileges == NewPrivileges::Never;
        if new_privileges == NewPrivileges::Allowed && !privileged {
            self.loosenings.push(Loosening::NewPrivileges);
        }
        match self.container.seccomp_profile_path.as_deref() {
            None => {}
            Some("unconfined") => self.loosenings.push(Loosening::SeccompUnconfined),
            Some(path) => {
                self.loosenings.push(Loosening::SeccompProfile {
                    path: path.to_owned(),
                });
            }
        }
    }

    /// All are dropped, then those asked for added. With `--cap-add all` it is the other way round:
    /// the service refuses to drop and add all at once.
    fn capabilities(&mut self, spec: &SandboxSpec) {
        let asked = &spec.request.security;
        let names = |args: &[CapabilityArg]| -> Vec<String> {
            let one = |arg: &CapabilityArg| match arg {
                CapabilityArg::All => None,
                CapabilityArg::One(name) => Some(name.as_str().to_owned()),
            };
            args.iter().filter_map(one).collect()
        };
        if asked.cap_add.contains(&CapabilityArg::All) {
            self.container.cap_add = vec!["all".to_owned()];
            self.container.cap_drop = names(&asked.cap_drop);
            self.loosenings.push(Loosening::AllCapabilities);
            return;
        }
        let dropped = names(&asked.cap_drop);
        let mut added = names(&asked.cap_add);
        if spec.request.user.role == Role::Root {
            let role = AS_ROOT.iter().map(|cap| cap.as_str().to_owned());
            added.extend(role.filter(|cap| !dropped.contains(cap)));
        }
        added.sort();
        added.dedup();
        self.container.cap_drop = vec!["all".to_owned()];
        self.loosenings.extend(
            added
                .iter()
                .map(|name| Loosening::Capability { name: name.clone() }),
        );
        self.container.cap_add = added;
    }

    fn network(&mut self, spec: &SandboxSpec) {
        let request = &spec.request;
        let mode = |word| Some(Namespace::new(word));
        let container = &mut self.container;
        let mut options = |word: &str, given: &[String]| {
            if !given.is_empty() {
                container
                    .network_options
                    .insert(word.to_owned(), given.to_vec());
            }
            let option = |option: &String| Loosening::NetworkOption {
                option: format!("{word}:{option}"),
            };
            self.loosenings.extend(given.iter().map(option));
        };
        container.netns = match &request.network {
            NetworkMode::None => mode("none"),
            // The service's own default is always a private one; naming it is not the same on all
            // releases.
            NetworkMode::Full => None,
            NetworkMode::Host => {
                self.loosenings.push(Loosening::HostNetwork);
                mode("host")
            }
            NetworkMode::Slirp4netns(given) => {
                options("slirp4netns", given);
                mode("slirp4netns")
            }
            NetworkMode::Pasta(given) => {
                options("pasta", given);
                mode("pasta")
            }
            NetworkMode::Bridge => mode("bridge"),
            NetworkMode::Named(name) => {
                container.networks.insert(name.clone(), NetworkOptions {});
                mode("bridge")
            }
        };
        if request.network == NetworkMode::Host && !request.publish.is_empty() {
            self.warnings.push(Warning::PublishDiscarded);
        } else {
            container.portmappings = request.publish.iter().map(|port| port.wire()).collect();
            self.loosenings.extend(
                request
                    .publish
                    .iter()
                    .map(|port| Loosening::PublishedPort { port: port.shown() }),
            );
        }
        container.hostadd = request.add_host.iter().map(|entry| entry.wire()).collect();
        container.dns_server = request.dns.iter().map(ToString::to_string).collect();
    }

    fn mounts(&mut self, spec: &SandboxSpec) {
        for mount in &spec.mounts {
            self.mount(mount);
        }
        for device in &spec.request.devices {
            let path = device.as_str().to_owned();
            self.loosenings.push(Loosening::Device {
                device: path.clone(),
            });
            self.container.devices.push(Device { path });
        }
        if self.container.read_only_filesystem {
            let size = self.tmpfs_size();
            for (target, mode) in [("/run", "0755"), ("/tmp", "1777"), ("/var/tmp", "1777")] {
                if !spec
                    .mounts
                    .iter()
                    .any(|mount| mount.target.as_str() == target)
                {
                    self.container.mounts.push(tmpfs(target, mode, size));
                }
            }
        }
        let masks = self.masks.iter().map(|path| path.as_str().to_owned());
        self.container.mask.extend(masks);
    }

    fn mount(&mut self, mount: &ResolvedMount) {
        let destination = mount.target.as_str().to_owned();
        let container = &mut self.container;
        match &mount.source {
            ResolvedSource::Host { path, wire } => {
                self.binds.push(BindSource {
                    path: path.path().to_owned(),
                    target: mount.target.clone(),
                    identity: path.identity(),
                });
                let mut defaults = vec!["rw", "rbind", "nosuid", "nodev"];
                match path.kind() {
                    FileKind::Socket => {
                        self.loosenings
                            .push(Loosening::HostSocket { path: wire.clone() });
                    }
                    FileKind::Device => {
                        // Under `nodev` it could not be opened.
                        defaults.pop();
                        self.loosenings.push(Loosening::Device {
                            device: wire.clone(),
                        });
                    }
                    FileKind::Directory | FileKind::Regular | FileKind::Other => {}
                }
                let source = wire.clone();
                if mount.options.has("O") {
                    let options = mount.options.words().to_vec();
                    let overlay = OverlayVolume {
                        destination,
                        source,
                        options,
                    };
                    container.overlay_volumes.push(overlay);
                } else {
                    let options = mount.options.or(&defaults);
                    let kind = "bind".to_owned();
                    container.mounts.push(Mount {
                        destination,
                        kind,
                        source,
                        options,
                    });
                }
            }
            ResolvedSource::Volume(name) => container.volumes.push(NamedVolume {
                name: name.clone(),
                dest: destination,
                options: mount.options.or(&["rw", "nosuid", "nodev"]),
                is_anonymous: false,
            }),
            ResolvedSource::Anonymous => container.volumes.push(NamedVolume {
                name: String::new(),
                dest: destination,
                options: mount.options.or(&["rw", "nosuid", "nodev"]),
                is_anonymous: true,
            }),
            ResolvedSource::Tmpfs => container.mounts.push(Mount {
                destination,
                kind: "tmpfs".to_owned(),
                source: "tmpfs".to_owned(),
                options: mount.options.or(&["rw", "nosuid", "nodev"]),
            }),
        }
    }

    /// Half of the memory limit: a full tmpfs is then an error to the agent, not its end.
    fn tmpfs_size(&self) -> Option<u64> {
        self.limits
            .memory
            .bound
            .at()
            .map(|memory| memory.bytes() / 2)
    }

    fn environment(&mut self, spec: &SandboxSpec, service: &Service, mapping: &Mapping) {
        let asked = |name: &str| spec.env.get(name).map(|value| value.expose().to_owned());
        let in_image = |name: &str| {
            let of = |pair: &String| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned());
            service.image_env.iter().rev().find_map(of)
        };
        let mut env: EnvMap = (spec.env.iter())
            .map(|(name, value)| (name.as_str().to_owned(), value.expose().to_owned()))
            .collect();
        let home = match asked("HOME") {
            Some(home) => home,
            None => {
                self.home(spec);
                env.insert("HOME", HOME);
                HOME.to_owned()
            }
        };
        if asked("PATH").is_none() {
            let path = in_image("PATH").filter(|path| !path.is_empty());
            let path = path.unwrap_or_else(|| DEFAULT_PATH.to_owned());
            env.insert("PATH", format!("{home}/.local/bin:{path}"));
        }
        if self.container.terminal && asked("TERM").is_none() {
            let term = spec.term.clone().filter(|term| !term.is_empty());
            env.insert("TERM", term.unwrap_or_else(|| "xterm".to_owned()));
        }
        self.container.env = env;
        // Programs that ask /etc/passwd find the same home, and not the host's name for the user.
        if !home.contains([':', '\n', '$']) {
            let (uid, gid) = ids(mapping).unwrap_or(("$UID", "$GID"));
            self.container.passwd_entry = Some(format!("agent:*:{uid}:{gid}:agent:{home}:/bin/sh"));
        }
    }

    /// A home that belongs to the user, and goes with the container: caches and logins do not land
    /// in the workspace.
    fn home(&mut self, spec: &SandboxSpec) {
        let mut home = tmpfs(HOME, "0700", self.tmpfs_size());
        let Ok(target) = GuestPath::parse(HOME) else {
            return;
        };
        if spec.mounts.iter().any(|mount| mount.target.holds(&target)) {
            return;
        }
        // Installed programs are started from there.
        home.options.push("exec".to_owned());
        self.container.mounts.push(home);
    }

    fn secrets(&mut self, spec: &SandboxSpec) {
        for secret in &spec.request.secrets {
            match &secret.usage {
                SecretUse::Mount {
                    target,
                    uid,
                    gid,
                    mode,
                } => {
                    self.container.secrets.push(SecretMount {
                        source: secret.name.clone(),
                        target: target.clone(),
                        uid: *uid,
                        gid: *gid,
                        mode: *mode,
                    });
                }
                SecretUse::Env { target } => {
                    let target = target.as_str().to_owned();
                    self.container
                        .secret_env
                        .insert(target, secret.name.clone());
                }
            }
        }
    }

    fn other_loosenings(&mut self, spec: &SandboxSpec, mapping: &Mapping) {
        match mapping.root {
            RootInside::NotRoot => {}
            RootInside::OfNamespace => self.loosenings.push(Loosening::ContainerRoot),
            RootInside::OfHost => self.loosenings.push(Loosening::HostRoot),
        }
        if spec.request.init == Init::Command {
            self.loosenings.push(Loosening::NoInit);
        }
        let limits = &self.limits;
        let swap = limits.memory_swap.bound == Bound::Unlimited;
        let memory = limits.memory.bound == Bound::Unlimited;
        let pids = limits.pids.bound == Bound::Unlimited;
        for (lifted, limit) in [
            (memory, "memory"),
            (swap && !memory, "swap"),
            (pids, "pids"),
        ] {
            if lifted {
                self.loosenings.push(Loosening::Unlimited { limit });
            }
        }
    }
}

fn tmpfs(target: &str, mode: &str, size: Option<u64>) -> Mount {
    let plain = ["rw", "nosuid", "nodev", "U"].map(str::to_owned);
    let size = size.map(|size| format!("size={size}"));
    Mount {
        destination: target.to_owned(),
        kind: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        options: plain
            .into_iter()
            .chain([format!("mode={mode}")])
            .chain(size)
            .collect(),
    }
}

/// The user's numbers, where it has any.
fn ids(mapping: &Mapping) -> Option<(&str, &str)> {
    let (uid, gid) = mapping.user.as_deref()?.split_once(':')?;
    let number = |text: &str| text.parse::<u32>().is_ok();
    (number(uid) && number(gid)).then_some((uid, gid))
}

/// The owner of what is at `/workspace`, or else of the first directory mounted.
fn workspace_owner(mounts: &[ResolvedMount]) -> Option<Owner> {
    let directories = mounts.iter().filter_map(|mount| match &mount.source {
        ResolvedSource::Host { path, .. } if path.kind() == FileKind::Directory => {
            Some((mount.target.as_str(), path.owner()))
        }
        _ => None,
    });
    let mut directories: Vec<_> = directories.collect();
    directories.sort_by_key(|(target, _)| *target != "/workspace");
    directories.first().map(|(_, owner)| *owner)
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
        NetworkMode::Slirp4netns(_) => needs("slirp4netns", "before 6.0", version < (6, 0, 0))?,
        NetworkMode::Pasta(_) => {
            needs("pasta", "4.4 or later", version >= (4, 4, 0))?;
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
                version >= (5, 0, 0),
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
            version >= (5, 5, 1),
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
