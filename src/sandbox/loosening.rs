//! What a flag opened that is closed by default.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One loosening: shown by `--dry-run` and kept in the run's record. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "loosening", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Loosening {
    /// No isolation at all.
    Privileged,
    /// A capability is added.
    Capability {
        /// Such as `CAP_NET_RAW`.
        name: String,
    },
    /// Every capability is added.
    AllCapabilities,
    /// Programs inside may gain privileges, by setuid for instance.
    NewPrivileges,
    /// No system call filter.
    SeccompUnconfined,
    /// Another system call filter than podman's.
    SeccompProfile {
        /// The profile.
        path: String,
    },
    /// Another SELinux label, or none.
    SelinuxOption {
        /// Such as `disable`.
        option: String,
    },
    /// Another AppArmor profile, or none.
    ApparmorProfile {
        /// The profile.
        profile: String,
    },
    /// Kernel files that are hidden by default are shown.
    Unmasked {
        /// Paths inside, or `ALL`.
        path: String,
    },
    /// The host's network, its loopback services included.
    HostNetwork,
    /// An option of slirp4netns or pasta, which can open the host's loopback.
    NetworkOption {
        /// The option.
        option: String,
    },
    /// The sandbox can be reached from outside.
    PublishedPort {
        /// As podman writes it.
        port: String,
    },
    /// A mount on which devices can be opened, or programs gain privileges.
    MountOption {
        /// Where it is mounted.
        target: String,
        /// `dev` or `suid`.
        option: String,
    },
    /// A host device.
    Device {
        /// As given.
        device: String,
    },
    /// A socket of some host service.
    HostSocket {
        /// The socket.
        path: String,
    },
    /// User 0 in a rootless container: the caller, with capabilities over the container only.
    ContainerRoot,
    /// User 0 in a container of a rootful service: the host's root, less what is dropped.
    HostRoot,
    /// A limit is lifted.
    Unlimited {
        /// `memory`, `swap` or `pids`.
        limit: String,
    },
    /// The command itself is PID 1.
    NoInit,
    /// The person's own repository can be changed, what their git runs included.
    Repository,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privileged => f.write_str("privileged: no isolation"),
            Self::Capability { name } => write!(f, "capability {name}"),
            Self::AllCapabilities => f.write_str("every capability"),
            Self::NewPrivileges => f.write_str("programs may gain privileges"),
            Self::SeccompUnconfined => f.write_str("no system call filter"),
            Self::SeccompProfile { path } => write!(f, "system call filter {path}"),
            Self::SelinuxOption { option } => write!(f, "SELinux option {option}"),
            Self::ApparmorProfile { profile } => write!(f, "AppArmor profile {profile}"),
            Self::Unmasked { path } => write!(f, "kernel files shown: {path}"),
            Self::HostNetwork => f.write_str("the host's network"),
            Self::NetworkOption { option } => write!(f, "network option {option}"),
            Self::PublishedPort { port } => write!(f, "port {port} can be reached from outside"),
            Self::MountOption { target, option } => write!(f, "mount option {option} at {target}"),
            Self::Device { device } => write!(f, "device {device}"),
            Self::HostSocket { path } => write!(f, "host socket {path}"),
            Self::ContainerRoot => f.write_str("user 0 in the container"),
            Self::HostRoot => f.write_str("user 0 of the host in the container"),
            Self::Unlimited { limit } => write!(f, "no {limit} limit"),
            Self::NoInit => f.write_str("no init"),
            Self::Repository => {
                f.write_str("your repository can be changed, its hooks and configuration included")
            }
        }
    }
}
