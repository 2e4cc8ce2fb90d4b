//! The agent's copy. What is copied are bytes: whether they make sense, the agent's git may find out.

use std::cell::Cell;
use std::ffi::CStr;
use std::fs::DirBuilder;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::workspace::disk;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::git::Directory;
use crate::workspace::git::Repository;
use crate::workspace::git::place::MAX_LINE;

/// The largest index or table that is copied, in bytes: that of millions of files has half of it.
const MAX_FILE: u64 = 1 << 30;
/// The longest list of refs, commits or patterns.
const MAX_LIST: u64 = 256 << 20;
/// Of all files.
const MAX_TOTAL: u64 = 2 << 30;
/// Loose refs, with the directories that they are in.
const MAX_REFS: usize = 200_000;
/// Directories of refs inside each other.
const MAX_DEPTH: usize = 64;
/// Names beside `HEAD`, and tables of refs.
const MAX_NAMES: usize = 10_000;
/// At once.
const CHUNK: usize = 128 << 10;

pub(super) fn copy(from: &Repository, to: &Path, objects: &[String]) -> Result<()> {
    let copy = Copy {
        owner: from.owner,
        is_root: rustix::process::geteuid().is_root(),
        left: Cell::new(MAX_TOTAL),
    };
    copy.directory(to)?;
    let mut objects = objects.iter().map(String::as_str);
    one(&copy, from, to, objects.next())?;
    for (name, module) in &from.modules {
        let mut at = to.to_owned();
        for part in Path::new("modules").join(name).components() {
            at.push(part);
            if !at.exists() {
                copy.directory(&at)?;
            }
        }
        one(&copy, module, &at, objects.next())?;
    }
    Ok(())
}

/// One repository, without its submodules', into a directory that is there.
fn one(copy: &Copy, from: &Repository, to: &Path, objects: Option<&str>) -> Result<()> {
    let (own, shared) = (&from.own, from.shared());
    let config = shared.config()?;
    let odd = |why| Error::unsafe_at(&shared.child(c"config"), why);
    let mut text = config.closed().map_err(odd)?;
    if config.has_reftable() && from.common.is_some() {
        return Err(odd(
            "of a worktree whose refs are in tables no copy is made",
        ));
    }
    if from.is_file && own.directory_if_any(c"modules")?.is_some() {
        // Their repositories are not there.
        text.push_str("[diff]\n\tignoreSubmodules = all\n");
    }
    match own.read(c"HEAD", MAX_LINE)? {
        Some(head) if is_head(&head) => copy.write(&to.join("HEAD"), &head)?,
        _ => return Err(Error::unsafe_at(&own.path, "it is not a whole repository")),
    }
    copy.write(&to.join("config"), text.as_bytes())?;
    copy.file(own, c"index", to, MAX_FILE)?;
    for name in own.names(MAX_NAMES)? {
        if name.to_bytes().starts_with(b"sharedindex.") {
            copy.file(own, &name, to, MAX_FILE)?;
        }
    }
    copy.file(shared, c"packed-refs", to, MAX_LIST)?;
    copy.file(shared, c"shallow", to, MAX_LIST)?;
    let mut loose = Refs {
        file: MAX_LINE,
        names: MAX_REFS,
        depth: MAX_DEPTH,
    };
    copy.refs(&shared.directory(c"refs")?, &to.join("refs"), &mut loose)?;
    if config.has_reftable() {
        let mut tables = Refs {
            file: MAX_FILE,
            names: MAX_NAMES,
            depth: 0,
        };
        let from = shared.directory(c"reftable")?;
        copy.refs(&from, &to.join("reftable"), &mut tables)?;
    }
    copy.directory(&to.join("info"))?;
    if let Some(info) = shared.directory_if_any(c"info")? {
        copy.file(&info, c"exclude", &to.join("info"), MAX_LIST)?;
    }
    for name in ["objects", "objects/info", "objects/pack"] {
        copy.directory(&to.join(name))?;
    }
    let alternates = to.join("objects/info/alternates");
    match objects {
        Some(objects) => copy.write(&alternates, format!("{objects}\n").as_bytes()),
        None => Ok(()),
    }
}

/// A branch, or a commit.
fn is_head(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    match text.strip_prefix(b"ref: ") {
        Some(branch) => branch.starts_with(b"refs/"),
        None => matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit),
    }
}

/// How much there may be.
struct Refs {
    /// Bytes in a file.
    file: u64,
    names: usize,
    /// Directories inside each other.
    depth: usize,
}

struct Copy {
    /// Who the workspace belongs to: the agent, in the sandbox.
    owner: (u32, u32),
    is_root: bool,
    /// Bytes that may still be copied.
    left: Cell<u64>,
}

impl Copy {
    fn directory(&self, path: &Path) -> Result<()> {
        let made = DirBuilder::new().mode(0o755).create(path);
        made.map_err(Error::file("create", path))?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> Result<()> {
        if !self.is_root {
            return Ok(());
        }
        let (user, group) = self.owner;
        let given = std::os::unix::fs::lchown(path, Some(user), Some(group));
        given.map_err(Error::file("create", path))
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.stream(path, |write| write(content))
    }

    fn stream(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path);
        let mut file = made.map_err(Error::file("create", path))?;
        fill(&mut |bytes| file.write_all(bytes).map_err(Error::file("write", path)))?;
        self.hand_over(path)
    }

    /// A plain file, if it is there.
    fn file(&self, from: &Directory, name: &CStr, to: &Path, limit: u64) -> Result<()> {
        let Some(fd) = from.file(name, limit)? else {
            return Ok(());
        };
        let path = from.child(name);
        let to = to.join(name.to_string_lossy().as_ref());
        self.stream(&to, |write| {
            let mut buffer = vec![0; CHUNK.min(usize::try_from(limit).unwrap_or(CHUNK))];
            let mut copied = 0;
            loop {
                let got = disk::read_full(&fd, &mut buffer).map_err(Error::file("read", &path))?;
                if got == 0 {
                    return Ok(());
                }
                copied += got as u64;
                // It may grow meanwhile.
                if copied > limit || got as u64 > self.left.get() {
                    return Err(Error::limit("what is copied of the repository", limit));
                }
                self.left.set(self.left.get() - got as u64);
                write(buffer.get(..got).unwrap_or_default())?;
            }
        })
    }

    /// Files and directories in a directory. What is neither is no ref, and is left behind.
    fn refs(&self, from: &Directory, to: &Path, most: &mut Refs) -> Result<()> {
        self.directory(to)?;
        let names = from.names(most.names)?;
        most.names -= names.len().min(most.names);
        for name in names {
            let Ok(text) = name.to_str() else { continue };
            let kind = disk::find(&from.fd, &name).map(|found| found.kind);
            match kind.map_err(Error::file("look at", &from.child(&name)))? {
                // Of a git that is at work, or was killed.
                Type::File if text.ends_with(".lock") => {}
                Type::File => self.file(from, &name, to, most.file)?,
                Type::Directory if most.depth > 0 => {
                    most.depth -= 1;
                    self.refs(&from.directory(&name)?, &to.join(text), most)?;
                    most.depth += 1;
                }
                Type::Directory | Type::Link | Type::Special => {}
            }
        }
        Ok(())
    }
}
