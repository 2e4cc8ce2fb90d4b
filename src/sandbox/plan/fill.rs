//! The parts of a plan, one step for each policy. No step fails.

use super::super::host_path::{FileKind, Owner};
use super::super::limits::Bound;
use super::super::name::GuestPath;
use super::super::network::NetworkMode;
use super::super::secret::SecretUse;
use super::super::security::{
    AS_ROOT, CapabilityArg, Isolation, NewPrivileges, RootFs, SecurityOpt,
};
use super::super::spec::{Init, ResolvedMount, ResolvedSource, SandboxSpec};
use super::super::user::{Mapping, Role, RootInside};
use super::super::{Loosening, Warning};
use super::{BindSource, HOME, Plan, Service};
use crate::libpod::{
    Device, EnvMap, Mount, NamedVolume, Namespace, NetworkOptions, OverlayVolume, SecretMount,
};

/// What podman assumes of an image that sets no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Plan {
    pub(super) fn labels(&mut self, spec: &SandboxSpec) {
        let given = spec.request.labels.iter();
        let given = given.map(|label| (label.key.clone(), label.value.clone()));
        let own = spec.request.own_labels.clone();
        self.container.labels = given.chain(own).collect();
    }

    pub(super) fn security(&mut self, spec: &SandboxSpec) {
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

    pub(super) fn network(&mut self, spec: &SandboxSpec) {
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

    pub(super) fn mounts(&mut self, spec: &SandboxSpec) {
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
                if !is_covered(spec, target) {
                    self.container.mounts.push(tmpfs(target, mode, size));
                }
            }
        }
        let masks = self.masks.iter().map(|path| path.as_str().to_owned());
        self.container.mask.extend(masks);
    }

    fn mount(&mut self, mount: &ResolvedMount) {
        let destination = mount.target.as_str().to_owned();
        if mount.source != ResolvedSource::Tmpfs {
            for option in ["dev", "suid"]
                .iter()
                .filter(|word| mount.options.has(word))
            {
                self.loosenings.push(Loosening::MountOption {
                    target: destination.clone(),
                    option: (*option).to_owned(),
                });
            }
        }
        let container = &mut self.container;
        match &mount.source {
            ResolvedSource::Host { path, wire } => {
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
                let bind = BindSource {
                    path: path.path().to_owned(),
                    target: mount.target.clone(),
                    identity: path.identity(),
                };
                if mount.options.has("O") {
                    let options = mount.options.words().to_vec();
                    let overlay = OverlayVolume {
                        destination,
                        source,
                        options,
                    };
                    container.overlay_volumes.push(overlay);
                    self.layers.push(bind);
                } else {
                    let options = mount.options.or(&defaults);
                    let kind = "bind".to_owned();
                    self.binds.push(bind);
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

    pub(super) fn environment(&mut self, spec: &SandboxSpec, service: &Service, mapping: &Mapping) {
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
        if is_covered(spec, HOME) {
            return;
        }
        if let Some(home) = &spec.request.home {
            self.container.volumes.push(home.mount());
            return;
        }
        let mut home = tmpfs(HOME, "0700", self.tmpfs_size());
        // Installed programs are started from there. What the image has there is not copied up: it
        // would keep its owner, who is not the user.
        home.options
            .extend(["exec", "notmpcopyup"].map(str::to_owned));
        self.container.mounts.push(home);
    }

    pub(super) fn secrets(&mut self, spec: &SandboxSpec) {
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

    pub(super) fn other_loosenings(&mut self, spec: &SandboxSpec, mapping: &Mapping) {
        match mapping.root {
            RootInside::NotRoot => {}
            RootInside::OfNamespace => self.loosenings.push(Loosening::ContainerRoot),
            RootInside::OfHost => self.loosenings.push(Loosening::HostRoot),
        }
        self.loosenings.extend_from_slice(&spec.request.loosenings);
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
                let limit = limit.to_owned();
                self.loosenings.push(Loosening::Unlimited { limit });
            }
        }
    }
}

/// Whether the person mounts there, or above it.
fn is_covered(spec: &SandboxSpec, target: &str) -> bool {
    GuestPath::parse(target)
        .is_ok_and(|target| spec.mounts.iter().any(|mount| mount.target.holds(&target)))
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
pub(super) fn workspace_owner(mounts: &[ResolvedMount]) -> Option<Owner> {
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
