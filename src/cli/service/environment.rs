//! What a service of ours gets of our environment: a closed list, since an agent's keys are in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::trust::Trust;

/// Where the person's and Podman's files are. A relative one has no meaning for a service.
const PATHS: [&str; 13] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "CONTAINERS_CONF",
    "CONTAINERS_CONF_OVERRIDE",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "REGISTRY_AUTH_FILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TMPDIR",
    // Set by us; see `passed`.
    "XDG_RUNTIME_DIR",
];
/// Other words that Podman goes by. Proxies are not among them: their addresses hold passwords.
const WORDS: [&str; 5] = [
    "USER",
    "LOGNAME",
    "DBUS_SESSION_BUS_ADDRESS",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
];
/// Where Podman's own helpers are (newuidmap, runc, iptables), even if the caller's `PATH` is short.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables, by name.
pub(super) type Environment = BTreeMap<OsString, OsString>;

/// The part of the caller's environment that a service gets. `PATH` keeps what only root can write,
/// and the runtime directory is the one that is really the caller's.
pub(super) fn passed(
    caller: impl IntoIterator<Item = (OsString, OsString)>,
    runtime: Option<&Path>,
    trust: &Trust<'_>,
) -> Environment {
    let mut search = OsString::new();
    let mut environment = Environment::new();
    for (name, value) in caller {
        if name == "PATH" {
            search = value;
        } else if is_passed(&name, &value) {
            environment.insert(name, value);
        }
    }
    environment.insert("PATH".into(), trusted_path(&search, trust));
    environment.remove(OsStr::new("XDG_RUNTIME_DIR"));
    if let Some(runtime) = runtime {
        environment.insert("XDG_RUNTIME_DIR".into(), runtime.into());
    }
    environment
}

/// Whether a variable is about language only: services that differ in it are the same.
pub(super) fn is_locale(name: &OsStr) -> bool {
    name == "LANG" || name.as_encoded_bytes().starts_with(b"LC_")
}

fn is_passed(name: &OsStr, value: &OsStr) -> bool {
    if value.is_empty() {
        return false;
    }
    let is = |known: &&str| name == OsStr::new(known);
    if PATHS.iter().any(is) {
        return Path::new(value).is_absolute();
    }
    WORDS.iter().any(is) || is_locale(name)
}

fn trusted_path(search: &OsStr, trust: &Trust<'_>) -> OsString {
    let mut entries: Vec<PathBuf> = Vec::new();
    let system = OsStr::new(SYSTEM_PATH);
    for entry in std::env::split_paths(search).chain(std::env::split_paths(system)) {
        let Ok((directory, metadata)) = trust.resolve(&entry) else {
            continue;
        };
        if metadata.is_dir() && !entries.contains(&directory) {
            entries.push(directory);
        }
    }
    // Only a colon in a name could be in the way.
    entries.retain(|entry| !entry.as_os_str().as_encoded_bytes().contains(&b':'));
    std::env::join_paths(entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn of(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let own = |(name, value): &(&str, &str)| (name.into(), value.into());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn only_the_list_gets_through() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().canonicalize().unwrap();
        let caller = of(&[
            ("ANTHROPIC_API_KEY", "sk-secret"),
            ("HOME", "/home/ann"),
            ("CONTAINERS_CONF", "relative.conf"),
            ("CONTAINERS_STORAGE_CONF", "/etc/storage.conf"),
            ("XDG_RUNTIME_DIR", "/run/user/somebody-else"),
            ("XDG_DATA_HOME", ""),
            ("USER", "ann"),
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C"),
            ("LCX", "1"),
            ("LD_PRELOAD", "/tmp/evil.so"),
            ("GODEBUG", "x=1"),
            ("CONTAINER_HOST", "unix:///elsewhere"),
            ("HTTPS_PROXY", "http://ann:password@proxy:3128"),
            ("_CONTAINERS_USERNS_CONFIGURED", "1"),
            ("LISTEN_FDS", "1"),
        ]);
        let passed = passed(
            caller,
            Some(Path::new("/run/user/7")),
            &Trust::in_tree(&root, None),
        );
        let names: Vec<_> = passed.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "CONTAINERS_STORAGE_CONF",
                "HOME",
                "LANG",
                "LC_ALL",
                "PATH",
                "USER",
                "XDG_RUNTIME_DIR"
            ]
        );
        assert_eq!(passed[OsStr::new("XDG_RUNTIME_DIR")], "/run/user/7");
    }

    #[test]
    fn no_runtime_directory_is_no_variable() {
        let tree = tempfile::tempdir().unwrap();
        let caller = of(&[("XDG_RUNTIME_DIR", "/run/user/7")]);
        let passed = passed(caller, None, &Trust::in_tree(tree.path(), None));
        assert!(!passed.contains_key(OsStr::new("XDG_RUNTIME_DIR")));
    }

    #[test]
    fn path_keeps_what_only_root_can_write() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path().canonicalize().unwrap();
        for directory in ["usr/bin", "usr/sbin", "open", "project/bin"] {
            fs::create_dir_all(root.join(directory)).unwrap();
            fs::set_permissions(root.join(directory), Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(root.join("open"), Permissions::from_mode(0o775)).unwrap();
        std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        let caller = of(&[(
            "PATH",
            "/project/bin::.:bin:/open:/missing:/file:/bin:/usr/bin",
        )]);
        let trust = Trust::in_tree(&root, Some(Path::new("/project")));
        let passed = passed(caller, None, &trust);
        assert_eq!(passed[OsStr::new("PATH")], "/usr/bin:/usr/sbin");
    }
}
