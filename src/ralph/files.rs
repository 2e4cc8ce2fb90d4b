//! Files of our state, which are ours alone.

use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::{self, Errno};

use super::error::{Error, Result};

/// Makes a directory that is ours alone, or makes sure that it is.
///
/// # Errors
/// It cannot be made, or is another's or open to others.
pub fn private_directory(path: &Path) -> Result<()> {
    let fault = |e| Error::file("use", path, e);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(fault)?;
    let found = fs::symlink_metadata(path).map_err(fault)?;
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if !ours || found.mode() & 0o077 != 0 {
        let text = "it must be a directory that is yours alone";
        return Err(fault(std::io::Error::other(text)));
    }
    Ok(())
}

/// Removes a directory with all that is in it, closed directories as well, however deep they are. Nobody else may be at
/// work in it.
///
/// # Errors
/// Something of it cannot be removed.
pub fn remove_all(path: &Path) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        let path_name = CString::new(path.as_os_str().as_bytes())?;
        empty(enter(CWD, &path_name)?)?;
        fs::remove_dir(path)
    };
    remove().map_err(|e| Error::file("remove", path, e))
}

/// How a directory is opened: what a link leads to is not.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens a directory, also one that its owner has closed.
fn enter(above: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    match rustix::fs::openat(&above, name, FLAGS, Mode::empty()) {
        Err(Errno::ACCESS) => {}
        other => return other,
    }
    let closed = rustix::fs::openat(&above, name, FLAGS | OFlags::PATH, Mode::empty())?;
    let by_descriptor = format!("/proc/self/fd/{}", closed.as_raw_fd());
    rustix::fs::chmod(by_descriptor, Mode::RWXU)?;
    rustix::fs::openat(above, name, FLAGS, Mode::empty())
}

/// A directory that is gone into.
struct Level {
    id: (u64, u64),
    /// The directories in it that are still there; the last one is at hand.
    rest: Vec<CString>,
}

/// Removes what is in a directory. One is open at a time: more may be in each other than can be open.
fn empty(top: OwnedFd) -> io::Result<()> {
    let mut here = top;
    let (device, _) = identity(&here)?;
    let mut levels = vec![Level::at(&here, device)?];
    while let Some(level) = levels.last() {
        if let Some(name) = level.rest.last() {
            here = enter(&here, name)?;
            levels.push(Level::at(&here, device)?);
            continue;
        }
        levels.pop();
        if let Some(above) = levels.last_mut()
            && let Some(name) = above.rest.pop()
        {
            here = rustix::fs::openat(&here, c"..", FLAGS, Mode::empty())?;
            if identity(&here)? != above.id {
                return Err(Errno::STALE);
            }
            rustix::fs::unlinkat(&here, &name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(())
}

fn identity(directory: &OwnedFd) -> io::Result<(u64, u64)> {
    rustix::fs::fstat(directory).map(|found| (found.st_dev, found.st_ino))
}

impl Level {
    /// Removes the files of a directory, and says which directories are in it. What is mounted there is nothing of it.
    fn at(here: &OwnedFd, device: u64) -> io::Result<Self> {
        let id = identity(here)?;
        if id.0 != device {
            return Err(Errno::XDEV);
        }
        // Nothing goes from one that cannot be written. If it is another's, the removal tells.
        let _ = rustix::fs::fchmod(here, Mode::RWXU);
        let mut rest = Vec::new();
        for entry in Dir::read_from(here)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match rustix::fs::unlinkat(here, name, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::ISDIR) => rest.push(name.to_owned()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self { id, rest })
    }
}

/// A file, up to `max` bytes of it.
///
/// # Errors
/// It cannot be read.
pub fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(max).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|e| Error::file("read", path, e))
}

/// Writes a file that is there whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        // Whatever the umask is.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| Error::file("write", path, e))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::mkdirat;

    use super::*;

    /// More directories in each other than a process can have open, closed ones, and links to what has to stay.
    #[test]
    fn whatever_an_agent_made_is_removed_and_nothing_else() {
        let scene = tempfile::tempdir().unwrap();
        let kept = scene.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "mine").unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o555)).unwrap();
        let top = scene.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut here = enter(CWD, &CString::new(top.as_os_str().as_bytes()).unwrap()).unwrap();
        for _ in 0..4000 {
            mkdirat(&here, c"d", Mode::RWXU).unwrap();
            here = enter(&here, c"d").unwrap();
        }
        rustix::fs::symlinkat(&kept, &here, c"link").unwrap();
        symlink(&kept, top.join("link")).unwrap();
        for name in ["closed", "with", "with/two", "with/three"] {
            fs::create_dir(top.join(name)).unwrap();
            fs::write(top.join(name).join("file"), "x").unwrap();
        }
        for (name, mode) in [("with/two", 0o555), ("closed", 0), ("with", 0)] {
            let closed = fs::Permissions::from_mode(mode);
            fs::set_permissions(top.join(name), closed).unwrap();
        }
        remove_all(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(fs::read(kept.join("file")).unwrap(), b"mine");
        assert_eq!(kept.metadata().unwrap().mode() & 0o777, 0o555);
        remove_all(&top).unwrap_err();
        symlink(&kept, &top).unwrap();
        remove_all(&top).unwrap_err();
        assert!(kept.join("file").exists());
    }
}
