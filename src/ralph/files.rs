//! Files of our state, which are ours alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

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

/// Removes a directory with all that is in it, closed directories as well. Nobody else may be at work in it.
///
/// # Errors
/// Something of it cannot be removed.
pub fn remove_all(path: &Path) -> Result<()> {
    let fault = |e| Error::file("remove", path, e);
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        other => return other.map_err(fault),
    }
    let mut pending = vec![path.to_owned()];
    while let Some(directory) = pending.pop() {
        // What cannot be opened up, the removal tells.
        let _ = fs::set_permissions(&directory, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(path).map_err(fault)
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
