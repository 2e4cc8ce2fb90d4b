//! The part of podman's `SpecGenerator` that we send to `POST /libpod/containers/create`.
//!
//! Field names are the wire's own, odd capitals included: the service drops a name that it does
//! not know in silence. Empty fields are left out, but whatever bears on isolation is always sent,
//! since an absent field means "as the service is configured". No policy belongs here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The body of `POST /libpod/containers/create` (podman `pkg/specgen`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerSpec {
    /// The container's name; the service makes one up if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image: a reference or an id. Create never pulls.
    pub image: String,
    /// Replaces the image's command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Replaces the image's entrypoint. `Some` of an empty list clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables, added to the image's own.
    #[serde(skip_serializing_if = "EnvMap::is_empty")]
    pub env: EnvMap,
    /// Whether the service's whole environment goes into the container.
    pub env_host: bool,
    /// Whether the service's proxy variables go into the container.
    pub httpproxy: bool,
    /// Whether the container has a terminal.
    pub terminal: bool,
    /// Whether the container's standard input is kept open.
    pub stdin: bool,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that `stop` sends, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<u8>,
    /// Seconds between the stop signal and SIGKILL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// Seconds after which conmon kills the container, whatever it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Where the log goes and how large it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
    /// Whether the service itself removes the container once it has exited.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Whether a small init is PID 1. The service needs catatonit for it.
    pub init: bool,
    /// `"true"`, `"false"` or `"always"`: mounts and signals for a systemd inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systemd: Option<String>,
    /// Secrets given as variables: variable name to secret name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, String>,
    /// The line that is added to `/etc/passwd` for a user that the image does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwd_entry: Option<String>,
    /// The PID namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pidns: Option<Namespace>,
    /// The host name namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utsns: Option<Namespace>,
    /// The IPC namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipcns: Option<Namespace>,

    /// Bind mounts and tmpfs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Named and anonymous volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<NamedVolume>,
    /// Host directories whose changes go to a throw-away layer (`:O`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlay_volumes: Vec<OverlayVolume>,
    /// Host devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Size of `/dev/shm` in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<i64>,
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
    /// Secrets given as files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretMount>,

    /// Whether the container gets everything that the service has.
    pub privileged: bool,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Capabilities to add, as `CAP_NAME` or `all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities to drop, as `CAP_NAME` or `all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// SELinux options: `disable`, `type:…`, `level:…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selinux_opts: Vec<String>,
    /// The AppArmor profile's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// A seccomp profile on the service's side, or `unconfined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_profile_path: Option<String>,
    /// Whether programs inside can gain no privileges by executing others.
    pub no_new_privileges: bool,
    /// The user namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userns: Option<Namespace>,
    /// Details of the user namespace; `userns: auto` does nothing without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idmappings: Option<IdMappings>,
    /// Whether the root file system is read-only.
    pub read_only_filesystem: bool,
    /// Whether the service adds tmpfs mounts to a read-only root (5.0 and later).
    pub read_write_tmpfs: bool,
    /// Paths inside that are hidden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<String>,
    /// Paths inside that the runtime would hide, and shall not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmask: Vec<String>,

    /// The cgroup namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroupns: Option<Namespace>,
    /// `enabled`, `disabled`, `no-conmon` or `split`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups_mode: Option<String>,

    /// The network namespace. Left out, the service's default is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<Namespace>,
    /// Published ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub portmappings: Vec<PortMapping>,
    /// Networks to join, by name.
    #[serde(rename = "Networks", skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, NetworkOptions>,
    /// Options for slirp4netns or pasta, by the mode's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub network_options: BTreeMap<String, Vec<String>>,
    /// DNS servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_server: Vec<String>,
    /// Extra lines for `/etc/hosts`, as `name:address`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostadd: Vec<String>,

    /// Memory, process and processor limits.
    #[serde(skip_serializing_if = "LinuxResources::is_empty")]
    pub resource_limits: LinuxResources,
    /// Limits of single processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub r_limits: Vec<Rlimit>,
}

impl ContainerSpec {
    /// The same request with every environment value replaced by `…`: for showing and recording.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut shown = self.clone();
        for value in shown.env.0.values_mut() {
            "…".clone_into(value);
        }
        shown
    }
}

/// Environment variables. `Debug` shows names only: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EnvMap(BTreeMap<String, String>);

impl EnvMap {
    /// Whether there is no variable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets a variable.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }
}

impl fmt::Debug for EnvMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.keys().map(|name| (name, format_args!("…"))))
            .finish()
    }
}

impl FromIterator<(String, String)> for EnvMap {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// A namespace: a mode and, for some modes, a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// `none`, `host`, `private`, `bridge`, `keep-id`, `auto`, …
    pub nsmode: String,
    /// What the mode needs: a container's id, a path, options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Namespace {
    /// A mode without a value.
    #[must_use]
    pub fn new(nsmode: &str) -> Self {
        Self {
            nsmode: nsmode.to_owned(),
            value: None,
        }
    }
}

/// A bind mount or a tmpfs (OCI runtime specification, `mounts`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// The absolute path inside.
    pub destination: String,
    /// `bind` or `tmpfs`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The path on the service's side, or `tmpfs`.
    pub source: String,
    /// Options, podman's additions (`Z`, `U`, …) included.
    pub options: Vec<String>,
}

/// A named volume; without a name, an anonymous one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedVolume {
    /// The volume's name; empty for an anonymous volume.
    pub name: String,
    /// The absolute path inside.
    pub dest: String,
    /// Options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether the volume has no name, so that it is removed with the container.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_anonymous: bool,
}

/// A host directory under a throw-away layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverlayVolume {
    /// The absolute path inside.
    pub destination: String,
    /// The directory on the service's side.
    pub source: String,
    /// Options, `O` among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A host device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// `host`, `host:inside` or `host:inside:permissions`, which the service parses.
    pub path: String,
}

/// A secret as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretMount {
    /// The secret's name.
    #[serde(rename = "Source")]
    pub source: String,
    /// A file name below `/run/secrets`, or an absolute path.
    #[serde(rename = "Target")]
    pub target: String,
    /// The file's owner inside.
    #[serde(rename = "UID")]
    pub uid: u32,
    /// The file's group inside.
    #[serde(rename = "GID")]
    pub gid: u32,
    /// The file's mode; on the wire a plain (decimal) number.
    #[serde(rename = "Mode")]
    pub mode: u32,
}

/// Where the log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogConfiguration {
    /// `k8s-file`, `journald`, `none`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Largest size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// The driver's own options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A published port or range of ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortMapping {
    /// The host's address; empty for all of them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_ip: String,
    /// The first port inside.
    pub container_port: u16,
    /// The first port on the host; 0 lets the service choose.
    pub host_port: u16,
    /// How many ports from there on.
    pub range: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// How a network is joined; nothing that we set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkOptions {}

/// A limit of single processes, by its lower-case name without `RLIMIT_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rlimit {
    /// `nofile`, `nproc`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The limit that holds; `u64::MAX` for none.
    pub soft: u64,
    /// How far the process may raise it.
    pub hard: u64,
}

/// Details of a user namespace (containers/storage `IDMappingOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdMappings {
    /// Whether the service chooses the ranges.
    #[serde(rename = "AutoUserNs")]
    pub auto_user_ns: bool,
    /// What the ranges must hold.
    #[serde(rename = "AutoUserNsOpts")]
    pub auto_user_ns_opts: AutoUserNsOpts,
}

/// What an automatic user namespace must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AutoUserNsOpts {
    /// How many ids; 0 lets the service choose.
    #[serde(rename = "Size")]
    pub size: u32,
}

/// cgroup limits (OCI runtime specification, `linux.resources`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinuxResources {
    /// Memory and swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<LinuxMemory>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<LinuxPids>,
    /// Processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<LinuxCpu>,
}

impl LinuxResources {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_none() && self.pids.is_none() && self.cpu.is_none()
    }
}

/// Memory limits in bytes; -1 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinuxMemory {
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Memory and swap together. Left out, the service sets twice the memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<i64>,
}

/// The process limit; -1 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinuxPids {
    /// How many processes and threads.
    pub limit: i64,
}

/// Processor time: `quota` out of every `period`, both in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinuxCpu {
    /// Microseconds of processor time.
    pub quota: i64,
    /// Microseconds of wall time.
    pub period: u64,
}

#[cfg(test)]
mod tests;
