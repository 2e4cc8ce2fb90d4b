//! Capabilities, `--security-opt`, `--privileged`, `--read-only`.

use std::path::PathBuf;

use super::Invalid;
use super::name::GuestPath;

/// A Linux capability, by its kernel name (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(&'static str);

const CAPABILITIES: [&str; 41] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];

impl Capability {
    /// The name, with `CAP_`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// What `--as-root` adds, for apt and dpkg:
///
/// - `CHOWN`, `FOWNER`, `FSETID`: dpkg gives unpacked files their owner, then their mode, the
///   set-group-ID bit of a group that is not its own included;
/// - `DAC_OVERRIDE`: root writes into directories of `_apt` and of packages' users;
/// - `SETUID`, `SETGID`: apt downloads as `_apt`, maintainer scripts use `su` and `runuser`;
/// - `KILL`: apt ends its downloaders, which run as `_apt`, and scripts restart daemons;
/// - `SETFCAP`: packages such as iputils-ping set file capabilities. (Executing them gains
///   nothing: no-new-privileges stays.)
pub const AS_ROOT: [Capability; 8] = [
    Capability("CAP_CHOWN"),
    Capability("CAP_DAC_OVERRIDE"),
    Capability("CAP_FOWNER"),
    Capability("CAP_FSETID"),
    Capability("CAP_KILL"),
    Capability("CAP_SETFCAP"),
    Capability("CAP_SETGID"),
    Capability("CAP_SETUID"),
];

/// One `--cap-add` or `--cap-drop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapabilityArg {
    /// Every one.
    All,
    /// This one.
    One(Capability),
}

impl CapabilityArg {
    /// Reads a name, with or without `CAP_`, in any case, or `all`.
    ///
    /// # Errors
    /// If the kernel knows no such capability.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let upper = text.to_ascii_uppercase();
        if upper == "ALL" {
            return Ok(Self::All);
        }
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        CAPABILITIES
            .iter()
            .find(|known| known.strip_prefix("CAP_") == Some(bare))
            .map(|known| Self::One(Capability(known)))
            .ok_or_else(|| Invalid::new("capability", text, "it is not known"))
    }
}

/// Whether programs inside may gain privileges by executing others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NewPrivileges {
    /// They may not.
    #[default]
    Never,
    /// They may: a loosening.
    Allowed,
}

/// One `--security-opt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityOpt {
    /// `no-new-privileges[=true|false]`.
    NewPrivileges(NewPrivileges),
    /// `seccomp=unconfined`.
    SeccompUnconfined,
    /// `seccomp=PATH`, as typed.
    SeccompProfile(PathBuf),
    /// `label=disable`, `label=type:T`, …
    Selinux(String),
    /// `apparmor=PROFILE`.
    Apparmor(String),
    /// `mask=PATH[:PATH…]`.
    Mask(Vec<GuestPath>),
    /// `unmask=PATH[:PATH…]`, `unmask=ALL`, `systempaths=unconfined`.
    Unmask(Vec<String>),
}

impl SecurityOpt {
    /// Reads `KEY=VALUE`, or `KEY:VALUE` where there is no `=`, as podman does.
    ///
    /// # Errors
    /// If the key is unknown, or the value will not do.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("security option", text, why);
        let (key, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((_, "")) => return Err(invalid("it needs a value")),
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        let value = || value.ok_or_else(|| invalid("it needs a value"));
        match key {
            "no-new-privileges" => match value().unwrap_or("true") {
                "true" | "1" => Ok(Self::NewPrivileges(NewPrivileges::Never)),
                "false" | "0" => Ok(Self::NewPrivileges(NewPrivileges::Allowed)),
                _ => Err(invalid("it is neither true nor false")),
            },
            "seccomp" => match value()? {
                "unconfined" => Ok(Self::SeccompUnconfined),
                path => Ok(Self::SeccompProfile(path.into())),
            },
            "label" => match value()?.split_once(':') {
                None if value()? == "disable" => Ok(Self::Selinux("disable".to_owned())),
                Some(("user" | "role" | "type" | "level" | "filetype", rest))
                    if !rest.is_empty() =>
                {
                    Ok(Self::Selinux(value()?.to_owned()))
                }
                _ => Err(invalid("the label is not understood")),
            },
            "apparmor" => Ok(Self::Apparmor(value()?.to_owned())),
            "mask" => value()?
                .split(':')
                .map(GuestPath::parse)
                .collect::<Result<_, _>>()
                .map(Self::Mask),
            "unmask" => value()?
                .split(':')
                .map(|path| match path {
                    "ALL" | "all" => Ok("ALL".to_owned()),
                    path => Ok(GuestPath::parse(path)?.as_str().to_owned()),
                })
                .collect::<Result<_, _>>()
                .map(Self::Unmask),
            "systempaths" if value()? == "unconfined" => Ok(Self::Unmask(vec!["ALL".to_owned()])),
            "systempaths" => Err(invalid("it can only be unconfined")),
            _ => Err(invalid("it is not known")),
        }
    }
}

/// Whether there is a sandbox at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Isolation {
    /// There is.
    #[default]
    Sandbox,
    /// `--privileged --not-a-sandbox`: there is none, and the person has said so.
    NotASandbox,
}

/// Whether the root file system can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RootFs {
    /// It can; changes go with the container.
    #[default]
    Writable,
    /// Only mounts can, and a tmpfs at `/tmp`, `/run` and `/var/tmp`.
    ReadOnly,
}

/// What was asked of security.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityAsked {
    /// Every `--cap-add`.
    pub cap_add: Vec<CapabilityArg>,
    /// Every `--cap-drop`.
    pub cap_drop: Vec<CapabilityArg>,
    /// Every `--security-opt`.
    pub options: Vec<SecurityOpt>,
    /// `--privileged`.
    pub isolation: Isolation,
    /// `--read-only`.
    pub root_fs: RootFs,
}

impl Isolation {
    /// Joins `--privileged` and `--not-a-sandbox`.
    ///
    /// # Errors
    /// If the first is given without the second.
    pub fn from_flags(privileged: bool, not_a_sandbox: bool) -> Result<Self, Invalid> {
        match (privileged, not_a_sandbox) {
            (false, _) => Ok(Self::Sandbox),
            (true, true) => Ok(Self::NotASandbox),
            (true, false) => Err(Invalid::new(
                "flag",
                "--privileged",
                "a privileged container is not a sandbox",
            )),
        }
    }
}

impl SecurityAsked {
    /// Whether the capabilities fit each other.
    ///
    /// # Errors
    /// If one is both added and dropped.
    pub fn check(&self) -> Result<(), Invalid> {
        let both = self.cap_add.iter().find(|added| {
            // `--cap-drop all --cap-add X` is plain, and is what we do anyway.
            self.cap_drop.contains(added)
        });
        match both {
            None => Ok(()),
            Some(CapabilityArg::All) => Err(Invalid::new(
                "capability",
                "all",
                "it is both added and dropped",
            )),
            Some(CapabilityArg::One(name)) => Err(Invalid::new(
                "capability",
                name.as_str(),
                "it is both added and dropped",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities() {
        for text in ["NET_RAW", "net_raw", "CAP_NET_RAW", "cap_net_raw"] {
            let one = CapabilityArg::One(Capability("CAP_NET_RAW"));
            assert_eq!(CapabilityArg::parse(text), Ok(one), "{text}");
        }
        assert_eq!(CapabilityArg::parse("all"), Ok(CapabilityArg::All));
        for text in ["", "CAP_", "RAW", "CAP_CAP_KILL", "NET-RAW"] {
            assert!(CapabilityArg::parse(text).is_err(), "{text}");
        }
        for cap in AS_ROOT {
            assert_eq!(
                CapabilityArg::parse(cap.as_str()),
                Ok(CapabilityArg::One(cap))
            );
        }
    }

    #[test]
    fn options() {
        let option = |text| SecurityOpt::parse(text).unwrap();
        let never = SecurityOpt::NewPrivileges(NewPrivileges::Never);
        assert_eq!(option("no-new-privileges"), never);
        assert_eq!(option("no-new-privileges:true"), never);
        let allowed = SecurityOpt::NewPrivileges(NewPrivileges::Allowed);
        assert_eq!(option("no-new-privileges=false"), allowed);
        assert_eq!(option("seccomp=unconfined"), SecurityOpt::SeccompUnconfined);
        assert_eq!(
            option("label=type:spc_t"),
            SecurityOpt::Selinux("type:spc_t".into())
        );
        assert_eq!(
            option("label:disable"),
            SecurityOpt::Selinux("disable".into())
        );
        assert_eq!(
            option("systempaths=unconfined"),
            SecurityOpt::Unmask(vec!["ALL".into()])
        );
        assert_eq!(
            option("unmask=/proc/acpi:/sys/firmware"),
            SecurityOpt::Unmask(vec!["/proc/acpi".into(), "/sys/firmware".into()])
        );
        for text in [
            "",
            "x",
            "x=y",
            "seccomp",
            "seccomp=",
            "label=",
            "label=x",
            "label=type:",
            "mask=a",
            "systempaths=x",
            "no-new-privileges=maybe",
        ] {
            assert!(SecurityOpt::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conflicts() {
        let raw = CapabilityArg::parse("net_raw").unwrap();
        let asked = |add, drop| SecurityAsked {
            cap_add: add,
            cap_drop: drop,
            ..Default::default()
        };
        assert!(asked(vec![raw], vec![CapabilityArg::All]).check().is_ok());
        assert!(asked(vec![CapabilityArg::All], vec![raw]).check().is_ok());
        assert!(asked(vec![raw], vec![raw]).check().is_err());
        assert!(
            asked(vec![CapabilityArg::All], vec![CapabilityArg::All])
                .check()
                .is_err()
        );
        assert!(Isolation::from_flags(true, false).is_err());
    }
}
