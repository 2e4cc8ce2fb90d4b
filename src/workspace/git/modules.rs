//! Which repositories below a workspace's top git consults by itself: those where an index has a submodule, that
//! of the workspace's repository or of one that it lies in, and where these have one. `git status` above them reads
//! their configuration, and runs what it names. Others inside are not looked into, unless somebody goes there or adds
//! them.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::workspace::commit;
use crate::workspace::disk;
use crate::workspace::disk::Found;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::git::Directory;
use crate::workspace::git::outer;
use crate::workspace::git::place::line;
use crate::workspace::git::place::plain;
use crate::workspace::git::place::read;
use crate::workspace::git::place::resolve;

/// The largest index that is read, in bytes.
const MAX_INDEX: u64 = 1 << 30;
/// The longest file `.git`, and how many bytes all submodules' may have with their paths.
const MAX_FILE: u64 = 8 << 10;
const MAX_TOTAL: usize = 256 << 10;
/// Names beside an index.
const MAX_NAMES: usize = 10_000;
/// Submodules inside each other.
const MAX_DEPTH: usize = 16;

/// Where git expects a submodule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Relative to the workspace. It is text.
    pub path: PathBuf,
    /// What is there.
    pub git: ModuleGit,
}

/// Those of a workspace.
#[derive(Debug, Default)]
pub struct Modules {
    /// Where git expects one.
    pub found: Vec<Module>,
    /// Repositories that the workspace lies in of which it cannot be told what they expect there.
    pub unknown: Vec<Error>,
}

/// What a submodule's `.git` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleGit {
    /// It is not there: the submodule is not initialized.
    Nothing,
    /// A file that names the place.
    File {
        /// What it holds.
        text: String,
        /// Its mode.
        mode: u32,
    },
    /// The repository itself, as old versions of git made it.
    Directory {
        /// Device and inode.
        id: (u64, u64),
    },
}

/// How far one comes on the way to a directory.
#[derive(Debug)]
pub enum Way {
    /// It is not there, or something else is that leads nowhere.
    Gone,
    /// There is a link on the way, or in its place: a name in this directory.
    Link(Below, CString),
    /// It is there.
    Whole(Below),
}

/// A directory in a workspace.
#[derive(Debug)]
pub struct Below {
    /// The directory.
    pub root: Root,
    /// Those on the way that were closed, for as long as this lives.
    opened: Vec<Arc<OpenedUp>>,
}

/// Every submodule in a workspace, as the index of its repository has them, or that of one which the workspace lies in;
/// and those in them.
///
/// # Errors
///
/// An index or a file `.git` in the workspace cannot be read, or a submodule is not as git makes it: it cannot be told then what git would
/// obey.
pub fn modules(root: &Root) -> Result<Modules> {
    let mut all = Search::default();
    // What is neither, git does not obey.
    let is_git = |found: Found| matches!(found.kind, Type::Directory | Type::File);
    if disk::find(&root.fd, c".git").is_ok_and(is_git)
        && let (_, Some(own)) = look(root)?
    {
        all.add(root, Path::new(""), &own, MAX_DEPTH)?;
    }
    let (below, unknown) = outer::below(root);
    for path in below {
        all.one(root, &path, MAX_DEPTH)?;
    }
    Ok(Modules {
        found: all.found,
        unknown,
    })
}

#[derive(Default)]
struct Search {
    found: Vec<Module>,
    seen: BTreeSet<PathBuf>,
    bytes: usize,
}

impl Search {
    fn add(&mut self, root: &Root, above: &Path, own: &Directory, depth: usize) -> Result<()> {
        for name in gitlinks(own)? {
            self.one(root, &above.join(OsStr::from_bytes(&name)), depth)?;
        }
        Ok(())
    }

    /// One, and those in it.
    fn one(&mut self, root: &Root, path: &Path, depth: usize) -> Result<()> {
        let whole = root.path.join(path);
        let odd = |why| Error::unsafe_at(&whole, why);
        let normal = |part| matches!(part, Component::Normal(_));
        if path.to_str().is_none() || !path.components().all(normal) {
            return Err(odd("a submodule has a name that is no plain text"));
        }
        if !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        let (git, inside) = match root.way(path)? {
            Way::Gone => (ModuleGit::Nothing, None),
            Way::Link(..) => {
                return Err(odd("a link leads to a submodule, or is in its place"));
            }
            Way::Whole(below) => look(&below.root)?,
        };
        let text = match &git {
            ModuleGit::File { text, .. } => text.len(),
            _ => 0,
        };
        self.bytes += path.as_os_str().len() + text + 32;
        if self.bytes > MAX_TOTAL || depth == 0 {
            return Err(odd("there are more submodules than are watched"));
        }
        self.found.push(Module {
            path: path.to_owned(),
            git,
        });
        match inside {
            Some(inside) => self.add(root, path, &inside, depth - 1),
            None => Ok(()),
        }
    }
}

/// What `.git` in a directory is, and the repository that it stands for.
fn look(root: &Root) -> Result<(ModuleGit, Option<Directory>)> {
    let path = root.path.join(".git");
    let found = match disk::find(&root.fd, c".git") {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok((ModuleGit::Nothing, None)),
        Err(errno) => return Err(Error::file("look at", &path)(errno)),
    };
    match found.kind {
        Type::Directory => {
            let fd = disk::open_directory(&root.fd, c".git", found.id);
            let fd = fd.map_err(Error::file("open", &path))?;
            let id = found.id;
            Ok((ModuleGit::Directory { id }, Some(Directory { fd, path })))
        }
        Type::File => {
            let text = root.git_file()?.unwrap_or_default();
            let inside = match text.strip_prefix("gitdir: ") {
                Some(named) => named_by(root, named)?,
                None => None,
            };
            let mode = found.mode;
            Ok((ModuleGit::File { text, mode }, inside))
        }
        Type::Link | Type::Special => {
            Err(Error::unsafe_at(&path, "it is no directory and no file"))
        }
    }
}

fn named_by(root: &Root, named: &str) -> Result<Option<Directory>> {
    let place = resolve(&root.path, line(named.as_bytes()));
    match std::fs::symlink_metadata(&place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => Directory::open(place).map(Some),
    }
}

/// The paths of submodules in a repository's index.
pub(super) fn gitlinks(own: &Directory) -> Result<BTreeSet<Vec<u8>>> {
    let common = match own.read(c"commondir", MAX_FILE)? {
        Some(common) => Some(Directory::open(resolve(&own.path, line(&common)))?),
        None => None,
    };
    let config = common.as_ref().unwrap_or(own).config()?;
    let is_sha256 = config.get("extensions", "objectformat") == Some("sha256");
    let mut all = BTreeSet::new();
    let mut files = vec![c"index".to_owned()];
    while let Some(name) = files.pop() {
        let Some(fd) = own.file(&name, MAX_INDEX)? else {
            continue;
        };
        let path = own.child(&name);
        let size = disk::found(&fd).map_err(Error::file("read", &path))?.size;
        let bytes = read(&fd, &path, size)?;
        let found = commit::gitlinks(&bytes, is_sha256);
        let found = found
            .ok_or_else(|| Error::unsafe_at(&path, "which submodules it has cannot be told"))?;
        all.extend(found.paths);
        if found.is_split && name.as_c_str() == c"index" {
            let names = own.names(MAX_NAMES)?.into_iter();
            files.extend(names.filter(|name| name.to_bytes().starts_with(b"sharedindex.")));
        }
    }
    Ok(all)
}

impl Root {
    /// Goes down to a directory, without following a link.
    ///
    /// # Errors
    ///
    /// One on the way cannot be opened.
    pub fn way(&self, path: &Path) -> Result<Way> {
        let failed = |errno, at: &Path| Error::file("open", at)(errno);
        let fd = self.reopen().map_err(|e| failed(e, &self.path))?;
        let mut below = Below {
            root: Self {
                fd,
                path: self.path.clone(),
                id: self.id,
                opened: None,
            },
            opened: self.opened.iter().cloned().collect(),
        };
        for part in path.components() {
            let Component::Normal(name) = part else {
                continue;
            };
            let here = below.root.path.join(name);
            let name = CString::new(name.as_bytes());
            let name = name.map_err(|_| failed(Errno::INVAL, &here))?;
            let found = match disk::find(&below.root.fd, &name) {
                Ok(found) => found,
                Err(Errno::NOENT) => return Ok(Way::Gone),
                Err(errno) => return Err(failed(errno, &here)),
            };
            match found.kind {
                Type::Directory => below.enter(&name, here, &found)?,
                Type::Link => return Ok(Way::Link(below, name)),
                Type::File | Type::Special => return Ok(Way::Gone),
            }
        }
        Ok(Way::Whole(below))
    }

    /// What a plain file `.git` in it holds: `None` if there is none, or no such that git makes.
    ///
    /// # Errors
    ///
    /// It cannot be read, is too long, or is no text.
    pub fn git_file(&self) -> Result<Option<String>> {
        let path = self.path.join(".git");
        let Some(fd) = plain(&self.fd, c".git", &path, MAX_FILE)? else {
            return Ok(None);
        };
        let text = String::from_utf8(read(&fd, &path, MAX_FILE)?);
        text.map(Some)
            .map_err(|_| Error::unsafe_at(&path, "it is no plain text"))
    }

    /// Makes a file `.git` in it, where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn put_git_file(&self, text: &str, mode: u32) -> Result<()> {
        let path = self.path.join(".git");
        let failed = |errno| Error::file("create", &path)(errno);
        let _writable = self.writable();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC;
        let new = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.fd, c".git", flags, new).map_err(failed)?;
        let mut file = std::fs::File::from(fd);
        std::io::Write::write_all(&mut file, text.as_bytes())
            .map_err(Error::file("write", &path))?;
        if rustix::process::geteuid().is_root() {
            let (user, group) = disk::found(&self.fd).map_err(failed)?.owner;
            std::os::unix::fs::fchown(&file, Some(user), Some(group))
                .map_err(Error::file("create", &path))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed)
    }
}

impl Below {
    fn enter(&mut self, name: &CString, path: PathBuf, found: &Found) -> Result<()> {
        let mut fd = disk::open_directory(&self.root.fd, name, found.id);
        let is_closed = match &fd {
            Ok(fd) => !disk::is_usable(fd, false),
            Err(errno) => *errno == Errno::ACCESS,
        };
        if is_closed && let Some(opened) = OpenedUp::new(&self.root.fd, name, found) {
            self.opened.push(Arc::new(opened));
            fd = disk::open_directory(&self.root.fd, name, found.id);
        }
        let fd = fd.map_err(Error::file("open", &path))?;
        let id = found.id;
        self.root = Root {
            fd,
            path,
            id,
            opened: None,
        };
        Ok(())
    }
}
