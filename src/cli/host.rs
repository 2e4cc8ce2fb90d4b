//! What this host is like: directories, memory, and what no sandbox may have.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use crate::libpod::{Endpoint, Info};
use crate::sandbox::env::CallerEnv;
use crate::sandbox::forbidden::{Forbidden, ForbiddenPaths};
use crate::sandbox::host_path::Owner;
use crate::sandbox::user::ServiceOwner;

/// The home directory, from `HOME` alone: a static binary must not ask the user database.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
}

/// Where our own state lies: `$XDG_STATE_HOME/stockade`, else `~/.local/state/stockade`.
pub fn state_directory() -> CliResult<PathBuf> {
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

/// The caller's environment.
pub fn environment() -> CallerEnv {
    std::env::vars_os().collect()
}

/// The working directory.
pub fn working_directory() -> CliResult<PathBuf> {
    std::env::current_dir().doing("find the working directory")
}

/// What no sandbox may have.
pub fn forbidden(endpoint: &Endpoint, info: &Info) -> CliResult<ForbiddenPaths> {
    let home = home().unwrap_or_else(|| PathBuf::from("/root"));
    let mut paths = ForbiddenPaths::new(&home)
        .with(Forbidden::PodmanSocket, endpoint.socket())
        .with(Forbidden::OwnState, &state_directory()?);
    for storage in [&info.store.graph_root, &info.store.run_root] {
        if !storage.is_empty() {
            paths = paths.with(Forbidden::PodmanStorage, Path::new(storage));
        }
    }
    Ok(paths)
}

/// Whose service it is: a rootless one belongs to the owner of its socket.
pub fn service_owner(endpoint: &Endpoint, info: &Info) -> CliResult<ServiceOwner> {
    use std::os::unix::fs::MetadataExt as _;
    if !info.host.security.rootless {
        return Ok(ServiceOwner::Rootful);
    }
    let socket = endpoint.socket();
    let metadata =
        std::fs::metadata(socket).doing(format!("look at `{}`", socket.display()))?;
    Ok(ServiceOwner::Rootless(Owner {
        uid: metadata.uid(),
        gid: metadata.gid(),
    }))
}

/// Bytes of random from the kernel.
pub fn random<const N: usize>() -> CliResult<[u8; N]> {
    let mut bytes = [0; N];
    let read = || -> io::Result<()> { std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes) };
    read().doing("read random bytes")?;
    Ok(bytes)
}
