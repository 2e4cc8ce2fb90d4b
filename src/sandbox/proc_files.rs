//! The kernel's files about a container's process: `/proc/<pid>` and the cgroup2 file system.
//! Every read is bounded. Where they are is a parameter, so that tests bring their own.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::host_path::FileIdentity;
use super::name::GuestPath;
use super::plan::BindSource;

/// Far more than any of these files has.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where the kernel's files are.
#[derive(Clone, Debug)]
pub struct KernelFiles {
    proc: PathBuf,
    root: PathBuf,
}

impl Default for KernelFiles {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            root: "/".into(),
        }
    }
}

/// A mounted cgroup2 file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CgroupMount {
    /// Where it is mounted.
    point: PathBuf,
    /// Which of its directories that is.
    root: PathBuf,
}

impl CgroupMount {
    /// The directory of a cgroup, if it can be seen from here.
    pub(crate) fn directory(&self, cgroup: &Path) -> Option<PathBuf> {
        let below = cgroup.strip_prefix(&self.root).ok()?;
        let plain = below
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.point.join(below))
    }
}

impl KernelFiles {
    /// Other places: `proc` stands for `/proc`, `root` for `/`.
    #[must_use]
    pub fn at(proc: &Path, root: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            root: root.to_owned(),
        }
    }

    /// Reads `/proc/<pid>/<name>`.
    pub(crate) fn of_process(&self, pid: u32, name: &str) -> io::Result<Vec<u8>> {
        read(&self.proc.join(pid.to_string()).join(name))
    }

    /// The parent's pid.
    pub(crate) fn parent(&self, pid: u32) -> io::Result<Option<u32>> {
        let status = self.of_process(pid, "status")?;
        let status = String::from_utf8_lossy(&status);
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        Ok(parent.and_then(|parent| parent.trim().parse().ok()))
    }

    /// Whether one of the process's arguments is exactly this.
    pub(crate) fn has_argument(&self, pid: u32, argument: &str) -> io::Result<bool> {
        let line = self.of_process(pid, "cmdline")?;
        Ok(line
            .split(|byte| *byte == 0)
            .any(|word| word == argument.as_bytes()))
    }

    /// Which user and group outside the process's user 0 is, if there is one.
    ///
    /// # Errors
    /// If the maps of its user namespace cannot be read.
    pub(crate) fn root_outside(&self, pid: u32) -> io::Result<Option<(u32, u32)>> {
        let user = outside_of_root(&self.of_process(pid, "uid_map")?);
        let group = outside_of_root(&self.of_process(pid, "gid_map")?);
        Ok(user.zip(group))
    }

    /// The first cgroup2 file system mounted (`/proc/self/mountinfo`, proc(5)).
    pub(crate) fn cgroup_mount(&self) -> io::Result<Option<CgroupMount>> {
        let mounts = read(&self.proc.join("self/mountinfo"))?;
        Ok(mounts.split(|byte| *byte == b'\n').find_map(|line| {
            let mount = MountLine::parse(line)?;
            let point = mount.point.strip_prefix("/").ok()?;
            let seen = CgroupMount {
                point: self.root.join(point),
                root: mount.root,
            };
            (mount.kind == b"cgroup2").then_some(seen)
        }))
    }

    /// Something that we see mounted below a directory.
    ///
    /// # Errors
    /// If `/proc/self/mountinfo` cannot be read.
    pub fn mounted_below(&self, directory: &Path) -> io::Result<Option<PathBuf>> {
        let mounts = read(&self.proc.join("self/mountinfo"))?;
        let mut lines = mounts.split(|byte| *byte == b'\n');
        Ok(lines.find_map(|line| {
            let point = MountLine::parse(line)?.point;
            (point != directory && point.starts_with(directory)).then_some(point)
        }))
    }

    /// Those of the paths that are no mount points of their own in the process's view: a mask that
    /// is not there. To be asked in state `initialized`, when every mount has been made.
    ///
    /// # Errors
    /// If `/proc/<pid>/mountinfo` cannot be read.
    pub fn unmasked(&self, pid: u32, masks: &[GuestPath]) -> io::Result<Vec<GuestPath>> {
        let mounts = self.of_process(pid, "mountinfo")?;
        let points: Vec<PathBuf> = mounts
            .split(|byte| *byte == b'\n')
            .filter_map(|line| MountLine::parse(line).map(|mount| mount.point))
            .collect();
        let bare =
            |mask: &&GuestPath| !points.iter().any(|point| point == Path::new(mask.as_str()));
        Ok(masks.iter().filter(bare).cloned().collect())
    }

    /// Whether what is mounted in the process's view is the very file that was resolved. To be
    /// asked in state `initialized`. A mount under a throw-away layer (`:O`) is another file.
    ///
    /// # Errors
    /// If `/proc/<pid>/root` cannot be searched (another user's process, or it has gone).
    pub fn is_mounted(&self, pid: u32, bind: &BindSource) -> io::Result<bool> {
        let step = OFlags::PATH | OFlags::CLOEXEC;
        let root = self.proc.join(pid.to_string()).join("root");
        let root = rustix::fs::open(&root, step | OFlags::DIRECTORY, Mode::empty())?;
        // Links in the image are followed as the runtime did: never out of the container.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let target = bind.target.as_str();
        let file = rustix::fs::openat2(&root, target, step, Mode::empty(), resolve)?;
        let stat = rustix::fs::fstat(&file)?;
        Ok(FileIdentity {
            device: stat.st_dev,
            inode: stat.st_ino,
        } == bind.identity)
    }
}

/// What an id outside is inside, by a map of ids (user_namespaces(7)): the one that 0 is.
fn outside_of_root(map: &[u8]) -> Option<u32> {
    let map = String::from_utf8_lossy(map);
    map.lines().find_map(|line| {
        let mut words = line.split_whitespace().map(str::parse::<u32>);
        match (words.next()?, words.next()?, words.next()?) {
            (Ok(0), Ok(outside), Ok(1..)) => Some(outside),
            _ => None,
        }
    })
}

/// Reads a small file whole.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

struct MountLine<'a> {
    root: PathBuf,
    point: PathBuf,
    kind: &'a [u8],
}

impl<'a> MountLine<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let (root, point) = (words.nth(3)?, words.next()?);
        words.find(|word| *word == b"-")?;
        Some(Self {
            root: unescaped(root),
            point: unescaped(point),
            kind: words.next()?,
        })
    }
}

/// Undoes the kernel's octal escapes: `\040` is a space.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        path.push(octal.unwrap_or(byte));
        rest = if octal.is_some() {
            after.get(3..).unwrap_or_default()
        } else {
            after
        };
    }
    std::ffi::OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MOUNTINFO: &str = "\
125 142 0:6 /null /workspace/.env.ralph rw,relatime - devtmpfs devtmpfs rw,size=12334492k
126 142 0:6 /null /work\\040space/a\\134b rw,relatime shared:1 master:2 - devtmpfs devtmpfs rw
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    fn files() -> (tempfile::TempDir, KernelFiles) {
        let dir = tempfile::tempdir().unwrap();
        for pid in ["self", "7"] {
            fs::create_dir_all(dir.path().join("proc").join(pid)).unwrap();
            fs::write(
                dir.path().join("proc").join(pid).join("mountinfo"),
                MOUNTINFO,
            )
            .unwrap();
        }
        let files = KernelFiles::at(&dir.path().join("proc"), dir.path());
        (dir, files)
    }

    #[test]
    fn what_is_mounted_below() {
        let (_dir, files) = files();
        let below = |path: &str| files.mounted_below(Path::new(path)).unwrap();
        assert_eq!(below("/workspace"), Some("/workspace/.env.ralph".into()));
        assert_eq!(below("/work space"), Some("/work space/a\\b".into()));
        assert_eq!(below("/work"), None);
        assert_eq!(below("/workspace/.env.ralph"), None);
    }

    #[test]
    fn who_root_is_outside() {
        let (dir, files) = files();
        let map =
            |name: &str, text: &str| fs::write(dir.path().join("proc/7").join(name), text).unwrap();
        map("gid_map", "         0       1001          1\n");
        for (text, root) in [
            (
                "         0       1000          1\n         1     100000      65536\n",
                Some((1000, 1001)),
            ),
            (
                "         1     100000      65536\n         0       1000          1\n",
                Some((1000, 1001)),
            ),
            ("         0     100000      65536\n", Some((100_000, 1001))),
            ("         1       1000          1\n", None),
            ("         0       1000          0\n", None),
            ("0 1000", None),
            ("", None),
        ] {
            map("uid_map", text);
            assert_eq!(files.root_outside(7).unwrap(), root, "{text}");
        }
        assert!(files.root_outside(8).is_err());
    }

    #[test]
    fn masks() {
        let (_dir, files) = files();
        let masks = [
            "/workspace/.env.ralph",
            "/work space/a\\b",
            "/workspace/other",
        ]
        .map(|path| GuestPath::parse(path).unwrap());
        let bare = files.unmasked(7, &masks).unwrap();
        assert_eq!(bare, [GuestPath::parse("/workspace/other").unwrap()]);
        assert!(files.unmasked(8, &masks).is_err());
    }

    #[test]
    fn the_cgroup2_mount() {
        let (dir, files) = files();
        let mount = files.cgroup_mount().unwrap().unwrap();
        assert_eq!(mount.point, dir.path().join("sys/fs/cgroup/unified"));
        assert!(mount.directory(Path::new("/a/b")).is_some());
        assert_eq!(mount.directory(Path::new("/../a")), None);
    }

    #[test]
    fn the_very_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("7/root");
        fs::create_dir_all(root.join("mnt/ws")).unwrap();
        fs::create_dir_all(root.join("other")).unwrap();
        std::os::unix::fs::symlink("/mnt/ws", root.join("workspace")).unwrap();
        let real = super::super::host_path::HostPath::resolve(&root.join("mnt/ws"), dir.path());
        let bind = |target: &str| BindSource {
            path: "/host/ws".into(),
            target: GuestPath::parse(target).unwrap(),
            identity: real.as_ref().unwrap().identity(),
        };
        let files = KernelFiles::at(dir.path(), dir.path());
        // An absolute link of the image stays in the container.
        assert!(files.is_mounted(7, &bind("/workspace")).unwrap());
        assert!(!files.is_mounted(7, &bind("/other")).unwrap());
        assert!(files.is_mounted(7, &bind("/none")).is_err());
    }
}
