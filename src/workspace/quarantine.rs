//! What appeared at the top of a workspace and would be obeyed there, moved away. Only by renaming: that
//! is done at once or not at all, whatever it is and however much is in it, and no link is followed.

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Root;
use crate::workspace::error::Error;
use crate::workspace::error::Result;

/// Things of one name in one place that are numbered; further ones get a name that nobody could take.
const NUMBERED: u32 = 1000;
/// So often that is tried.
const TRIES: u32 = 100;

impl Root {
    /// Moves a name out of the directory, into the first of these places where that works: private
    /// directories, which are made if they are not there, on the same file system as what is moved.
    /// If it works nowhere, it gets another name where it is, which begins with `aside`.
    ///
    /// # Errors
    ///
    /// It cannot be moved or renamed, or is gone.
    pub fn set_aside(&self, name: &CStr, places: &[&Path], aside: &str) -> Result<PathBuf> {
        let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
        let found = disk::find(&self.fd, name).map_err(Error::file("move", &path))?;
        // A directory that nobody may write in cannot be moved into another one.
        let _opened = OpenedUp::new(&self.fd, name, &found);
        let _root = Writable::new(&self.fd);
        let plain = String::from_utf8_lossy(name.to_bytes());
        for place in places {
            let moved = private(place).and_then(|to| self.rename(name, &to, &plain));
            if let Ok(new) = moved {
                return Ok(place.join(new));
            }
        }
        let new = self.rename(name, &self.fd, &format!("{aside}{plain}"));
        new.map(|new| self.path.join(new))
            .map_err(Error::file("move", &path))
    }

    /// Until it is dropped, names can be made in the directory, if it is ours.
    pub(super) fn writable(&self) -> Writable<'_> {
        Writable::new(&self.fd)
    }

    /// Renames under the first name that is free, or one that nobody has thought of.
    fn rename(&self, name: &CStr, to: &OwnedFd, plain: &str) -> Result<String, Errno> {
        let numbers = (1..=NUMBERED).map(|number| Ok(number.to_string()));
        for end in numbers.chain((0..TRIES).map(|_| random())) {
            let new = format!("{plain}.{}", end?);
            let c_new = CString::new(new.as_str()).map_err(|_| Errno::INVAL)?;
            match self.rename_to(name, to, &c_new) {
                Ok(()) => return Ok(new),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::EXIST)
    }

    fn rename_to(&self, name: &CStr, to: &OwnedFd, new: &CStr) -> Result<(), Errno> {
        match rustix::fs::renameat_with(&self.fd, name, to, new, RenameFlags::NOREPLACE) {
            // Not every file system can be asked for that.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            result => return result,
        }
        match disk::find(to, new) {
            Err(Errno::NOENT) => rustix::fs::renameat(&self.fd, name, to, new),
            Ok(_) => Err(Errno::EXIST),
            Err(errno) => Err(errno),
        }
    }
}

/// The end of a name that is not there yet.
fn random() -> Result<String, Errno> {
    let mut bytes = [0; 16];
    let mut file = File::open("/dev/urandom").map_err(|_| Errno::IO)?;
    file.read_exact(&mut bytes).map_err(|_| Errno::IO)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A directory that is ours alone, made if it is not there.
fn private(path: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let found = disk::found(&fd)?;
    let us = rustix::process::geteuid().as_raw();
    if found.owner.0 != us || found.mode & 0o077 != 0 {
        return Err(Errno::PERM);
    }
    Ok(fd)
}

/// A directory is writable for as long as this lives, if it is ours.
pub(super) struct Writable<'a> {
    fd: &'a OwnedFd,
    /// As it was, if that was changed.
    mode: Option<u32>,
}

impl<'a> Writable<'a> {
    fn new(fd: &'a OwnedFd) -> Self {
        let mut writable = Self { fd, mode: None };
        if let Ok(found) = disk::found(fd)
            && found.mode & 0o300 != 0o300
        {
            let opened = rustix::fs::fchmod(fd, Mode::from_raw_mode(found.mode | 0o300));
            writable.mode = opened.is_ok().then_some(found.mode);
        }
        writable
    }
}

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        if let Some(mode) = self.mode {
            // It is there: it is open.
            let _ = rustix::fs::fchmod(self.fd, Mode::from_raw_mode(mode));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Scene {
        _directory: tempfile::TempDir,
        base: PathBuf,
        root: Root,
    }

    fn scene() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("work")).unwrap();
        let root = Root::open(&base.join("work")).unwrap();
        Scene {
            _directory: directory,
            base,
            root,
        }
    }

    #[test]
    fn whatever_it_is_it_is_moved() {
        let Scene { base, root, .. } = &scene();
        let (git, place) = (base.join("work/.git"), base.join("quarantine"));
        fs::write(base.join("mine"), "mine").unwrap();
        let make: [&dyn Fn(); 5] = [
            &|| {
                fs::create_dir(&git).unwrap();
                fs::write(git.join("config"), "x").unwrap();
                fs::set_permissions(&git, PermissionsExt::from_mode(0o0)).unwrap();
            },
            &|| fs::write(&git, "gitdir: /elsewhere").unwrap(),
            &|| symlink(base.join("mine"), &git).unwrap(),
            &|| symlink("nowhere", &git).unwrap(),
            &|| {
                let fifo = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, &git, fifo, Mode::RWXU, 0).unwrap();
            },
        ];
        for (number, make) in make.iter().enumerate() {
            make();
            let before = fs::symlink_metadata(&git).unwrap();
            let to = root.set_aside(c".git", &[&place], "x").unwrap();
            assert_eq!(to, place.join(format!(".git.{}", number + 1)));
            let after = fs::symlink_metadata(&to).unwrap();
            assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
            assert!(fs::symlink_metadata(&git).is_err());
        }
        assert_eq!(fs::read_to_string(base.join("mine")).unwrap(), "mine");
        assert!(
            root.set_aside(c".git", &[&place], "x").is_err(),
            "nothing there"
        );
        let first = place.join(".git.1");
        fs::set_permissions(&first, PermissionsExt::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_place_that_will_not_do_is_passed_over() {
        let Scene { base, root, .. } = &scene();
        let (open, link, good) = (base.join("open"), base.join("link"), base.join("good"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(&good).unwrap();
        fs::set_permissions(&good, PermissionsExt::from_mode(0o700)).unwrap();
        symlink("good", &link).unwrap();
        // Another file system.
        let other = Path::new("/proc/quarantine");
        let git = base.join("work/.git");
        fs::write(&git, "1").unwrap();
        let to = root
            .set_aside(c".git", &[other, &open, &link, &good], "x")
            .unwrap();
        assert_eq!(to, good.join(".git.1"));
        fs::write(&git, "2").unwrap();
        let aside = root
            .set_aside(c".git", &[other, &open, &link], ".aside")
            .unwrap();
        assert_eq!(aside, base.join("work/.aside.git.1"));
        assert_eq!(fs::read_to_string(aside).unwrap(), "2");
    }

    #[test]
    fn however_many_there_are_it_is_moved() {
        let Scene { base, root, .. } = &scene();
        let place = base.join("quarantine");
        for number in 0..=NUMBERED + 1 {
            fs::write(base.join("work/.git"), number.to_string()).unwrap();
            let to = root.set_aside(c".git", &[&place], "x").unwrap();
            assert_eq!(fs::read_to_string(to).unwrap(), number.to_string());
        }
        assert_eq!(fs::read_dir(&place).unwrap().count() as u32, NUMBERED + 2);
    }

    #[test]
    fn a_directory_that_was_closed_to_writing_keeps_its_mode() {
        let Scene { base, root, .. } = &scene();
        let work = base.join("work");
        fs::write(work.join(".git"), "").unwrap();
        fs::set_permissions(&work, PermissionsExt::from_mode(0o555)).unwrap();
        let place = base.join("quarantine");
        let to = root.set_aside(c".git", &[&place], "x").unwrap();
        assert!(to.exists() && !work.join(".git").exists());
        assert_eq!(fs::metadata(&work).unwrap().mode() & 0o777, 0o555);
    }
}
