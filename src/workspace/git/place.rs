//! Where the parts of a repository are. An agent may have written the file `.git`, or a whole directory
//! of that name, in an earlier run: what it names must lead back here, and have the layout that git
//! gives to worktrees and submodules. Nothing else on the host is then reached.

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::git::Directory;
use crate::workspace::git::Repository;
use crate::workspace::git::config::Config;

/// The longest file that holds one path or one name, in bytes.
pub(super) const MAX_LINE: u64 = 8 << 10;
/// Submodules, with the directories that they are in, and how deep these may be.
const MAX_MODULES: usize = 128;
const MAX_NAME: usize = 16;
/// The longest configuration.
const MAX_CONFIG: u64 = 1 << 20;

const ELSEWHERE: &str =
    "it names another repository for its objects, which only a file `.git` leads to";

pub(super) fn find(root: &Root) -> Result<Option<Repository>> {
    let path = root.path.join(".git");
    let found = match disk::find(&root.fd, c".git") {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Error::file("look at", &path)(errno)),
    };
    let top = disk::found(&root.fd).map_err(Error::file("look at", &root.path))?;
    let (own, common) = match found.kind {
        Type::Directory => {
            let fd = disk::open_directory(&root.fd, c".git", found.id);
            let fd = fd.map_err(Error::file("open", &path))?;
            let own = Directory { fd, path };
            if own.read(c"commondir", MAX_LINE)?.is_some() {
                return Err(Error::unsafe_at(&own.path, ELSEWHERE));
            }
            (own, None)
        }
        Type::File => named(root, &path)?,
        Type::Link | Type::Special => {
            return Err(Error::unsafe_at(&path, "it is no directory and no file"));
        }
    };
    let mut repository = Repository {
        own,
        common,
        is_file: found.kind == Type::File,
        owner: top.owner,
        modules: Vec::new(),
    };
    is_whole(repository.shared())?;
    // The files `.git` of a further worktree's submodules would not lead into the copy.
    if !repository.is_file
        && let Some(modules) = repository.own.directory_if_any(c"modules")?
    {
        let mut below = Modules::default();
        below.look(&modules, Path::new(""), MAX_NAME)?;
        let module = |(name, own)| {
            let module = Repository {
                own,
                common: None,
                is_file: false,
                owner: top.owner,
                modules: Vec::new(),
            };
            (name, module)
        };
        repository.modules = below.found.into_iter().map(module).collect();
    }
    Ok(Some(repository))
}

/// It has refs and objects, all of its own.
fn is_whole(shared: &Directory) -> Result<()> {
    shared.directory(c"refs")?;
    borrows_nothing(&shared.directory(c"objects")?)
}

/// The repositories of submodules, whose names may have slashes; also of submodules of submodules.
#[derive(Default)]
struct Modules {
    found: Vec<(PathBuf, Directory)>,
    /// Directories that were looked into.
    seen: usize,
}

impl Modules {
    fn look(&mut self, at: &Directory, name: &Path, depth: usize) -> Result<()> {
        for part in at.names(MAX_MODULES)? {
            let found = disk::find(&at.fd, &part);
            if depth == 0 || !found.is_ok_and(|found| found.kind == Type::Directory) {
                continue;
            }
            self.seen += 1;
            if self.seen > MAX_MODULES {
                let why = "there are more submodules than a copy is made of";
                return Err(Error::unsafe_at(&at.path, why));
            }
            let name = name.join(OsStr::from_bytes(part.to_bytes()));
            let below = at.directory(&part)?;
            if disk::find(&below.fd, c"HEAD").is_err() {
                self.look(&below, &name, depth - 1)?;
                continue;
            }
            if below.read(c"commondir", MAX_LINE)?.is_some() {
                return Err(Error::unsafe_at(&below.path, ELSEWHERE));
            }
            is_whole(&below)?;
            if let Some(modules) = below.directory_if_any(c"modules")? {
                self.look(&modules, &name.join("modules"), depth - 1)?;
            }
            self.found.push((name, below));
        }
        Ok(())
    }
}

/// What a file `.git` names: a further worktree's directory and its repository, or a submodule's.
fn named(root: &Root, path: &Path) -> Result<(Directory, Option<Directory>)> {
    let odd = |why| Error::unsafe_at(path, why);
    let fd = plain(&root.fd, c".git", path, MAX_LINE)?;
    let fd = fd.ok_or_else(|| Error::file("open", path)(Errno::STALE))?;
    let text = read(&fd, path, MAX_LINE)?;
    let named = text.strip_prefix(b"gitdir: ");
    let named = named.ok_or_else(|| odd("it does not name a repository"))?;
    let own = Directory::open(resolve(&root.path, line(named)))?;
    let Some(common) = own.read(c"commondir", MAX_LINE)? else {
        let config = own.config()?;
        let back = config.get("core", "worktree").unwrap_or_default();
        if back.is_empty() || resolve(&own.path, Path::new(back)) != root.path {
            return Err(odd("it names a repository that is not this directory's"));
        }
        return Ok((own, None));
    };
    let common = resolve(&own.path, line(&common));
    let mut above = own.path.ancestors().skip(1);
    let is_worktree = above.next().and_then(Path::file_name) == Some(OsStr::new("worktrees"))
        && above.next() == Some(&common);
    let back = own.read(c"gitdir", MAX_LINE)?;
    let back = back.map(|back| resolve(&own.path, line(&back)));
    if !is_worktree || back.as_deref() != Some(path) {
        return Err(odd("it names a worktree that is not this directory"));
    }
    let common = Directory::open(common)?;
    Ok((own, Some(common)))
}

/// Objects that are elsewhere are not given to an agent: who knows who named that place.
fn borrows_nothing(objects: &Directory) -> Result<()> {
    let Some(info) = objects.directory_if_any(c"info")? else {
        return Ok(());
    };
    for name in [c"alternates", c"http-alternates"] {
        let text = info.read(name, MAX_CONFIG)?.unwrap_or_default();
        let mut lines = text.split(|byte| *byte == b'\n');
        if lines.any(|line| !line.is_empty() && !line.starts_with(b"#")) {
            let why = "the repository borrows objects from another one";
            return Err(Error::unsafe_at(&info.child(name), why));
        }
    }
    Ok(())
}

impl Directory {
    /// Opens a directory by a path in which nothing is a link.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || -> Result<OwnedFd, Errno> {
            let mut fd = rustix::fs::open("/", step, Mode::empty())?;
            for part in path.components() {
                if let Component::Normal(name) = part {
                    fd = rustix::fs::openat(&fd, name, step, Mode::empty())?;
                }
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(&fd, c".", flags, Mode::empty())
        };
        let fd = open().map_err(Error::file("open", &path))?;
        Ok(Self { fd, path })
    }

    pub(super) fn child(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// A directory in it.
    pub(super) fn directory(&self, name: &CStr) -> Result<Self> {
        let found = self.directory_if_any(name)?;
        found.ok_or_else(|| Error::unsafe_at(&self.path, "it is not a whole repository"))
    }

    /// The same, or nothing.
    pub(super) fn directory_if_any(&self, name: &CStr) -> Result<Option<Self>> {
        let path = self.child(name);
        let found = match disk::find(&self.fd, name) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::file("look at", &path)(errno)),
        };
        if found.kind != Type::Directory {
            return Err(Error::unsafe_at(&path, "it is no directory"));
        }
        let fd = disk::open_directory(&self.fd, name, found.id);
        let fd = fd.map_err(Error::file("open", &path))?;
        Ok(Some(Self { fd, path }))
    }

    /// Opens a plain file in it, if there is one of that name, which has not more than so many bytes.
    pub(super) fn file(&self, name: &CStr, limit: u64) -> Result<Option<OwnedFd>> {
        plain(&self.fd, name, &self.child(name), limit)
    }

    /// What a plain file in it holds.
    pub(super) fn read(&self, name: &CStr, limit: u64) -> Result<Option<Vec<u8>>> {
        let fd = self.file(name, limit)?;
        let read = |fd: OwnedFd| read(fd, &self.child(name), limit);
        fd.map(read).transpose()
    }

    pub(super) fn config(&self) -> Result<Config> {
        let text = self.read(c"config", MAX_CONFIG)?.unwrap_or_default();
        let config = Config::parse(&String::from_utf8_lossy(&text));
        config.ok_or_else(|| Error::unsafe_at(&self.child(c"config"), "git would not read it"))
    }

    /// The names in it.
    pub(super) fn names(&self, limit: usize) -> Result<Vec<CString>> {
        let names = disk::list(&self.fd, limit).map_err(Error::file("read", &self.path))?;
        let names = names.map(|names| names.to_vec());
        names.ok_or_else(|| Error::unsafe_at(&self.path, "it has more names than git makes"))
    }
}

/// Opens a plain file, if there is one of that name, which has not more than so many bytes.
pub(super) fn plain(
    dir: &OwnedFd,
    name: &CStr,
    path: &Path,
    limit: u64,
) -> Result<Option<OwnedFd>> {
    // Looked at first: opening a device can have consequences.
    let found = match disk::find(dir, name) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Error::file("look at", path)(errno)),
    };
    if found.kind != Type::File {
        return Err(Error::unsafe_at(path, "it is no plain file"));
    }
    let fd = disk::open(dir, name, OFlags::RDONLY).map_err(Error::file("open", path))?;
    let opened = disk::found(&fd).map_err(Error::file("open", path))?;
    if opened.id != found.id {
        return Err(Error::file("open", path)(Errno::STALE));
    }
    if opened.size > limit {
        let why = "it is larger than any that git makes";
        return Err(Error::unsafe_at(path, why));
    }
    Ok(Some(fd))
}

pub(super) fn read(fd: impl AsFd, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let room = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut text = vec![0; room];
    let got = disk::read_full(fd, &mut text).map_err(Error::file("read", path))?;
    text.truncate(got);
    Ok(text)
}

/// One path, as git writes it into a file.
pub(super) fn line(text: &[u8]) -> &Path {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
    let text = end.and_then(|end| text.get(..=end)).unwrap_or_default();
    Path::new(OsStr::from_bytes(text))
}

/// A path from a directory on, by its words alone: there are no links on it, or it is not opened.
pub(super) fn resolve(base: &Path, path: &Path) -> PathBuf {
    let mut real = PathBuf::from("/");
    for part in base.join(path).components() {
        match part {
            Component::Normal(name) => real.push(name),
            Component::ParentDir => {
                real.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    real
}
