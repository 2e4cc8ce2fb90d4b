//! The command line of a service of ours.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::environment::{Environment, is_locale};

/// After how many seconds without a connection it ends. Long enough for a person who types one
/// command after another; containers go on without it, and an open connection (a terminal, `wait`,
/// `logs -f`) keeps it.
pub(super) const IDLE_SECONDS: u64 = 300;

/// How a service is started. Two that are started alike are one.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The program.
    pub(super) program: PathBuf,
    /// `--cgroup-manager`; `None` is what Podman is configured for.
    pub(super) cgroup_manager: Option<String>,
    /// All of its environment.
    pub(super) environment: Environment,
}

impl Invocation {
    /// A short name for all that makes this service another than the next.
    pub(super) fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &OsStr| {
            hash.update(part.as_encoded_bytes());
            hash.update([0]);
        };
        add(self.program.as_os_str());
        add(OsStr::new(self.cgroup_manager.as_deref().unwrap_or("")));
        for (name, value) in &self.environment {
            if !is_locale(name) {
                add(name);
                add(value);
            }
        }
        let digest = hash.finalize();
        digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    fn arguments(&self) -> Vec<String> {
        self.cgroup_manager
            .iter()
            .map(|manager| format!("--cgroup-manager={manager}"))
            .chain(["system".into(), "service".into()])
            .collect()
    }

    /// Starts it, out of reach of the keys of our terminal.
    pub(super) fn start(&self, socket: &Path, log: File) -> io::Result<Child> {
        Command::new(&self.program)
            .args(self.arguments())
            .arg(format!("--time={IDLE_SECONDS}"))
            .arg(format!("unix://{}", socket.display()))
            .env_clear()
            .envs(&self.environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display();
        write!(f, "`{program} {}`", self.arguments().join(" "))
    }
}

/// Who manages the cgroups: whom the flag names; `cgroupfs` where systemd has no session for this
/// user, as on WSL; else whom Podman is configured for.
pub(super) fn cgroup_manager(
    flag: Option<&str>,
    uid: u32,
    runtime: Option<&Path>,
    bus: Option<&OsStr>,
) -> Option<String> {
    match flag {
        Some(manager) => Some(manager.to_owned()),
        None if uid == 0 || has_session(runtime, bus) => None,
        None => Some("cgroupfs".to_owned()),
    }
}

/// Whether systemd's user instance and its bus are there.
fn has_session(runtime: Option<&Path>, bus: Option<&OsStr>) -> bool {
    let Some(runtime) = runtime else { return false };
    if !runtime.join("systemd/private").exists() {
        return false;
    }
    match bus.and_then(OsStr::to_str).filter(|bus| !bus.is_empty()) {
        None => runtime.join("bus").exists(),
        // A list of addresses, each a list of keys.
        Some(bus) => bus.split([';', ',']).any(|part| {
            part.strip_prefix("unix:path=")
                .is_some_and(|path| Path::new(path).exists())
                || part.starts_with("unix:abstract=")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn invocation(pairs: &[(&str, &str)]) -> Invocation {
        Invocation {
            program: "/usr/bin/podman".into(),
            cgroup_manager: None,
            environment: pairs.iter().map(|(n, v)| (n.into(), v.into())).collect(),
        }
    }

    #[test]
    fn alike_is_the_same_service() {
        let one = invocation(&[("HOME", "/a"), ("LANG", "C")]);
        assert_eq!(one.key(), invocation(&[("HOME", "/a")]).key());
        assert_eq!(one.key().len(), 16);
        for other in [
            invocation(&[("HOME", "/b")]),
            invocation(&[("HOM", "E/a")]),
            invocation(&[("HOME", "/a"), ("STORAGE_DRIVER", "vfs")]),
            Invocation {
                cgroup_manager: Some("cgroupfs".into()),
                ..invocation(&[("HOME", "/a")])
            },
        ] {
            assert_ne!(one.key(), other.key());
        }
    }

    #[test]
    fn shown_as_typed() {
        let mut invocation = invocation(&[]);
        assert_eq!(invocation.to_string(), "`/usr/bin/podman system service`");
        invocation.cgroup_manager = Some("cgroupfs".into());
        assert_eq!(
            invocation.to_string(),
            "`/usr/bin/podman --cgroup-manager=cgroupfs system service`"
        );
    }

    #[test]
    fn cgroupfs_where_there_is_no_session() {
        let cgroupfs = Some("cgroupfs".to_owned());
        let tree = tempfile::tempdir().unwrap();
        let runtime = Some(tree.path());
        let of =
            |runtime, bus: Option<&str>| cgroup_manager(None, 1000, runtime, bus.map(OsStr::new));
        assert_eq!(of(None, None), cgroupfs);
        assert_eq!(of(runtime, None), cgroupfs);
        fs::write(tree.path().join("bus"), "").unwrap();
        assert_eq!(of(runtime, None), cgroupfs);
        fs::create_dir(tree.path().join("systemd")).unwrap();
        fs::write(tree.path().join("systemd/private"), "").unwrap();
        assert_eq!(of(runtime, None), None);
        assert_eq!(of(runtime, Some("")), None);
        let bus = format!("unix:path={}/bus,guid=0123", tree.path().display());
        assert_eq!(of(runtime, Some(&bus)), None);
        assert_eq!(of(runtime, Some("unix:path=/missing/bus")), cgroupfs);
        // Without a bus there is no session either.
        fs::remove_file(tree.path().join("bus")).unwrap();
        assert_eq!(of(runtime, None), cgroupfs);
    }

    #[test]
    fn the_flag_decides_and_root_needs_no_session() {
        let of = |flag, uid| cgroup_manager(flag, uid, None, None);
        assert_eq!(of(Some("systemd"), 1000).as_deref(), Some("systemd"));
        assert_eq!(of(Some("cgroupfs"), 0).as_deref(), Some("cgroupfs"));
        assert_eq!(of(None, 0), None);
    }
}
