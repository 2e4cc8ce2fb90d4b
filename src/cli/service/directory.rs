//! The private directory in which a service of ours has its socket.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

/// Its name in the runtime directory.
const NAME: &str = "stockade";
/// The longest path that fits a socket address.
const SOCKET_PATH_LIMIT: usize = 107;
/// Bytes that a path in it may get: the longest name of ours.
const NAME_LIMIT: usize = 40;
/// The permission to make files in a directory that is everybody's, without touching each other's.
const STICKY: u32 = 0o1000;

/// The caller's runtime directory: `$XDG_RUNTIME_DIR`, else `/run/user/UID`; root's is `/run`. Only
/// one that is really the caller's, and nobody else's, counts.
pub(super) fn runtime(variable: Option<OsString>, uid: u32) -> Option<PathBuf> {
    runtime_candidates(variable, uid)
        .into_iter()
        .find_map(|path| own(&path, uid))
}

fn runtime_candidates(variable: Option<OsString>, uid: u32) -> Vec<PathBuf> {
    if uid == 0 {
        return vec!["/run".into()];
    }
    variable
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from(format!("/run/user/{uid}"))])
        .collect()
}

/// Where it lies for this caller, or may lie while a sandbox runs: no sandbox gets these.
pub(crate) fn places(variable: Option<OsString>, uid: u32) -> Vec<PathBuf> {
    let usual = place(runtime(variable.clone(), uid).as_deref(), uid);
    let tmp = in_tmp(uid);
    // Else people could not mount `/tmp`, for a directory that is never made.
    let tmp = (usual == tmp || tmp.exists()).then_some(tmp);
    runtime_candidates(variable, uid)
        .into_iter()
        .filter(|path| path.is_absolute())
        .map(|path| path.join(NAME))
        .chain(tmp)
        .collect()
}

/// In the runtime directory, or in `/tmp` where there is none or its name is of no use for a socket.
fn place(runtime: Option<&Path>, uid: u32) -> PathBuf {
    runtime
        .map(|runtime| runtime.join(NAME))
        .filter(|path| can_hold_sockets(path))
        .unwrap_or_else(|| in_tmp(uid))
}

fn in_tmp(uid: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/{NAME}-{uid}"))
}

/// The path without links, if it is a directory of this user that nobody else can put files in or
/// exchange for another.
fn own(path: &Path, uid: u32) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let real = path.canonicalize().ok()?;
    let metadata = real.symlink_metadata().ok()?;
    let is_own = metadata.is_dir() && metadata.uid() == uid && metadata.mode() & 0o022 == 0;
    (is_own && is_kept(&real, uid)).then_some(real)
}

/// Whether nobody else can take a path's directories away.
fn is_kept(real: &Path, uid: u32) -> bool {
    real.ancestors().skip(1).all(|up| {
        up.symlink_metadata().is_ok_and(|metadata| {
            let mode = metadata.mode();
            [0, uid].contains(&metadata.uid()) && (mode & 0o022 == 0 || mode & STICKY != 0)
        })
    })
}

/// The directory, made and checked.
#[derive(Debug)]
pub(super) struct PrivateDirectory {
    path: PathBuf,
}

/// Why there is no private directory.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the directory `{}` for a socket", path.display())]
pub(super) struct NotPrivate {
    path: PathBuf,
    source: io::Error,
}

impl PrivateDirectory {
    /// Opens the directory in the runtime directory or in `/tmp`; makes it with mode 0700 if it is
    /// missing.
    pub(super) fn open(runtime: Option<&Path>, uid: u32) -> Result<Self, NotPrivate> {
        let path = place(runtime, uid);
        match make(&path, uid) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(NotPrivate { path, source }),
        }
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes a lock if nobody has it. It ends with the file, and with the process.
    pub(super) fn try_lock(&self, name: &str) -> io::Result<Option<File>> {
        let file = private_file().open(self.file(name))?;
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An empty file for appending, mode 0600.
    pub(super) fn empty_file(&self, name: &str) -> io::Result<File> {
        let file = private_file().append(true).open(self.file(name))?;
        file.set_len(0)?;
        Ok(file)
    }

    /// The socket that a name stands for: a file in this directory that is ours. `None` where there
    /// is no such name.
    pub(super) fn socket(&self, name: &str) -> io::Result<Option<PathBuf>> {
        let target = match std::fs::read_link(self.file(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            target => target?,
        };
        let elsewhere = || io::Error::other(format!("`{name}` leads elsewhere"));
        let target = target.to_str().filter(|target| !target.contains('/'));
        let socket = self.file(target.ok_or_else(elsewhere)?);
        match socket.symlink_metadata() {
            Ok(metadata) if !metadata.file_type().is_socket() => Err(elsewhere()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Some(socket)),
        }
    }

    /// Makes a name stand for a socket that will be made.
    pub(super) fn point(&self, name: &str, socket: &str) -> io::Result<()> {
        let new = self.file(&format!("{socket}.new"));
        symlink(socket, &new)?;
        std::fs::rename(new, self.file(name))
    }
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Podman takes an address, in which some characters mean something.
fn can_hold_sockets(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
    bytes.len() + 1 + NAME_LIMIT <= SOCKET_PATH_LIMIT && bytes.iter().all(is_plain)
}

fn make(path: &Path, uid: u32) -> io::Result<()> {
    if !is_kept(path, uid) {
        return Err(io::Error::other("others could put another in its place"));
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed())
        .open(path)?;
    is_private(&directory.metadata()?, uid)
}

fn is_private(metadata: &Metadata, uid: u32) -> io::Result<()> {
    if metadata.uid() != uid {
        return Err(io::Error::other("it belongs to another user"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o777 != 0o700 {
        return Err(io::Error::other(format!(
            "its mode is {mode:04o} in place of 0700"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
