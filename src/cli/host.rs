//! What this host is like: directories, memory, and what no sandbox may have.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::service;
use crate::libpod::Endpoint;
use crate::sandbox::env::CallerEnv;
use crate::sandbox::forbidden::{Forbidden, ForbiddenPaths};
use crate::sandbox::host_path::Owner;
use crate::sandbox::size::ByteSize;

/// The home directory, from `HOME` alone: a static binary must not ask the user database.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
}

/// Where programs keep their settings: `$XDG_CONFIG_HOME`, else `~/.config`.
pub(crate) fn config_home() -> Option<PathBuf> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(home()?.join(".config")))
}

/// Where our own state lies: `$XDG_STATE_HOME/stockade`, else `~/.local/state/stockade`.
pub(crate) fn state_directory() -> CliResult<PathBuf> {
    std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(home()?.join(".local/state")))
        .map(|state| state.join("stockade"))
        .ok_or_else(|| {
            CliError::new(Exit::Failed, "cannot tell where the state directory is")
                .hint("set HOME or XDG_STATE_HOME to an absolute path")
        })
}

/// Where the person's own settings lie: `$XDG_CONFIG_HOME/stockade`, else `~/.config/stockade`.
pub(crate) fn config_directory() -> Option<PathBuf> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(home()?.join(".config")))
        .map(|config| config.join("stockade"))
}

/// The caller's environment.
pub(crate) fn environment() -> CallerEnv {
    std::env::vars_os().collect()
}

/// The working directory.
pub(crate) fn working_directory() -> CliResult<PathBuf> {
    std::env::current_dir().doing("find the working directory")
}

fn data_home(home: &Path) -> PathBuf {
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| home.join(".local/share"))
}

/// Where copies of workspaces are. Not in our state: no sandbox may have any of that.
pub(crate) fn copies_directory() -> CliResult<PathBuf> {
    let home = home().ok_or_else(|| CliError::new(Exit::Failed, "$HOME is not set"))?;
    Ok(data_home(&home).join("stockade/copies"))
}

/// What no sandbox may have.
///
/// Podman's storage is looked for where it usually is: asking the service takes longer than all the
/// rest of a short run.
pub(crate) fn forbidden(endpoint: &Endpoint) -> CliResult<ForbiddenPaths> {
    let home = home().unwrap_or_else(|| PathBuf::from("/root"));
    let data = data_home(&home);
    // Also where sockets usually are: another service may answer there than the one we talk to.
    let uid = rustix::process::geteuid().as_raw();
    let runtime = PathBuf::from(format!("/run/user/{uid}"));
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtimes = [Some(runtime), named.filter(|path| path.is_absolute())];
    let mut paths = ForbiddenPaths::new(&home);
    for runtime in runtimes.into_iter().flatten() {
        paths = paths
            .with(Forbidden::PodmanSocket, &runtime.join("podman/podman.sock"))
            .with(Forbidden::Runtime, &runtime)
            .with(Forbidden::Runtime, &runtime.join("systemd"));
    }
    let own = service::places(std::env::var_os("XDG_RUNTIME_DIR"), uid);
    let paths = paths
        .with(Forbidden::PodmanSocket, endpoint.socket())
        .with(
            Forbidden::PodmanSocket,
            Path::new("/run/podman/podman.sock"),
        )
        .with(Forbidden::PodmanSocket, Path::new("/run/docker.sock"))
        .with(Forbidden::OwnState, &state_directory()?)
        .with(Forbidden::PodmanStorage, &data.join("containers"))
        .with(Forbidden::PodmanStorage, Path::new("/var/lib/containers"))
        .with(Forbidden::PodmanStorage, Path::new("/run/containers"));
    // What is written there says what runs in later sandboxes.
    let own = own.into_iter().chain(config_directory());
    Ok(own.fold(paths, |paths, place| {
        paths.with(Forbidden::OwnState, &place)
    }))
}

/// Who owns the socket: a rootless service's belongs to its user.
pub(crate) fn socket_owner(endpoint: &Endpoint) -> CliResult<Owner> {
    let socket = endpoint.socket();
    let metadata = std::fs::metadata(socket).doing(format!("look at `{}`", socket.display()))?;
    Ok(Owner {
        uid: metadata.uid(),
        gid: metadata.gid(),
    })
}

/// This machine's memory.
pub(crate) fn memory() -> CliResult<ByteSize> {
    let text = std::fs::read_to_string("/proc/meminfo").doing("read `/proc/meminfo`")?;
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    });
    let kib: u64 = kib.ok_or_else(|| {
        CliError::new(Exit::Failed, "cannot tell how much memory this machine has")
    })?;
    Ok(ByteSize::new(kib * 1024))
}

/// Bytes of random from the kernel.
pub(crate) fn random<const N: usize>() -> CliResult<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut device| device.read_exact(&mut bytes))
        .doing("read random bytes")?;
    Ok(bytes)
}
