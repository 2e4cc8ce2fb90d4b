//! The person's repository as it was before the agent, from a checkpoint; and why none is made in it.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;

use crate::workspace::changes::{changes, pairs};
use crate::workspace::disk::Time;
use crate::workspace::error::{Error, Result};
use crate::workspace::id::Kind;
use crate::workspace::snapshot::{self, At, EntryKind, Snapshot};
use crate::workspace::store::Store;

use super::attributes::Attributes;
use super::config::GitConfig;
use super::index::{self, Entries};
use super::objects::{Format, Id};
use super::place::Place;
use super::{Include, MAX_FILE, Personal, Writer, changed};

/// What git writes while something is not finished.
const UNFINISHED: &[(&str, &str)] = &[
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisection"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("sequencer", "a cherry-pick or revert"),
];
/// Extensions that change nothing of what is done here.
const EXTENSIONS: &[&str] = &[
    "noop",
    "objectformat",
    "partialclone",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "worktreeconfig",
];
/// What may change in `.git` without a harm: whatever else does, may be the agent's doing.
const HARMLESS: &[&str] = &[
    "objects",
    "logs",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "COMMIT_EDITMSG",
    "gc.log",
];

#[derive(Debug)]
pub(super) struct State {
    /// The repository's own settings.
    pub(super) own: GitConfig,
    /// All that count in it.
    pub(super) config: GitConfig,
    /// Of before the agent, and of now: git goes by those that are there, which are the agent's to write.
    pub(super) attributes: [Attributes; 2],
    pub(super) format: Format,
    /// Whether execute bits count.
    pub(super) modes: bool,
    /// `None` if `HEAD` is detached.
    pub(super) branch: Option<String>,
    /// What is changed: the branch's ref, or `HEAD`.
    pub(super) target: Vec<u8>,
    /// Before the first commit there is none.
    pub(super) parent: Option<Id>,
    pub(super) index: Vec<u8>,
    pub(super) index_time: Time,
    pub(super) entries: Entries,
    /// Loose objects of before the agent that are what they were, as `12/34…`.
    pub(super) loose: HashSet<String>,
    head: Vec<u8>,
}

/// A name in a directory of a tree.
pub(super) fn child(tree: &Snapshot, directory: At, name: &[u8]) -> Option<At> {
    let mut all = tree.children(directory);
    all.find(|at| tree.name(*at) == name)
}

/// A path in a tree.
pub(super) fn find(tree: &Snapshot, path: &str) -> Option<At> {
    path.split('/')
        .try_fold(0, |at, name| child(tree, at, name.as_bytes()))
}

/// A file's content in a tree.
pub(super) fn read(store: &Store, tree: &Snapshot, at: Option<At>) -> Result<Option<Vec<u8>>> {
    let node = at.and_then(|at| tree.node(at));
    match node.filter(|node| node.kind == EntryKind::File) {
        Some(node) => store.read(node.id, Kind::Blob, MAX_FILE).map(Some),
        None => Ok(None),
    }
}

impl State {
    pub(super) fn read(
        store: &Store,
        base: &Snapshot,
        at: &Snapshot,
        writer: Writer,
        personal: &Personal,
    ) -> Result<Self> {
        let refuse = |why: &str| Error::refused(why);
        let git = child(at, 0, b".git").and_then(|at_| at.node(at_));
        match git.map(|node| node.kind) {
            Some(EntryKind::Directory) => {}
            None => return Err(refuse("the workspace has no git repository of its own")),
            Some(EntryKind::File) => {
                return Err(refuse(
                    "`.git` is a file: the workspace is a worktree, or a submodule, of another repository",
                ));
            }
            Some(_) => return Err(refuse("`.git` is not a directory that a checkpoint knows")),
        }
        if writer == Writer::AgentToo {
            untouched(base, at)?;
        }
        let file = |path: &str| read(store, at, find(at, path));
        let parse = |text: Option<Vec<u8>>| {
            GitConfig::parse(&text.unwrap_or_default())
                .ok_or_else(|| refuse("the repository's configuration cannot be read"))
        };
        let mut own = parse(file(".git/config")?)?;
        if own.is_true("extensions.worktreeconfig") {
            own.extend(parse(file(".git/config.worktree")?)?);
        }
        let format = check(&own)?;
        let config = personal.with(&own);
        let has_no_links =
            config.get("core.symlinks").is_some() && !config.is_true("core.symlinks");
        for (name, counts) in [
            ("core.symlinks", has_no_links),
            ("core.ignorecase", config.is_true("core.ignorecase")),
        ] {
            if counts {
                let value = config.get(name).unwrap_or_default();
                return Err(Error::refused(format!("`{name}` is set to {value:?}")));
            }
        }
        for name in ["reftable", "commondir", "gitdir"] {
            if find(at, &format!(".git/{name}")).is_some() {
                return Err(refuse(
                    "the repository keeps its refs or objects in another way",
                ));
            }
        }
        for (name, what) in UNFINISHED {
            if find(at, &format!(".git/{name}")).is_some() {
                return Err(Error::refused(format!(
                    "{what} is not finished in the repository"
                )));
            }
        }
        let auto = (config.get("core.autocrlf")).is_some_and(|value| {
            value.eq_ignore_ascii_case("input") || config.is_true("core.autocrlf")
        });
        let attributes = [
            attributes(store, base, personal, auto)?,
            attributes(store, at, personal, auto)?,
        ];
        let head = file(".git/HEAD")?.unwrap_or_default();
        let packed = file(".git/packed-refs")?;
        let (branch, target) = target(&head)?;
        let value = match &branch {
            Some(_) => file(&format!(".git/{}", String::from_utf8_lossy(&target)))?,
            None => Some(head.clone()),
        };
        let parent = resolve(&target, value.as_deref(), packed.as_deref(), format)?;
        let index_at = find(at, ".git/index");
        let index = read(store, at, index_at)?.unwrap_or_default();
        let entries = match index.is_empty() {
            true => Entries::new(),
            false => index::parse(&index, format).map_err(refuse)?,
        };
        refuse_missing(&entries, at)?;
        let index_time = index_at.and_then(|at_| at.node(at_)).map(|node| node.mtime);
        Ok(Self {
            modes: own.get("core.filemode").is_none() || own.is_true("core.filemode"),
            own,
            config,
            attributes,
            format,
            branch,
            target,
            parent,
            index,
            index_time: index_time.unwrap_or_default(),
            entries,
            loose: loose(base, at),
            head,
        })
    }

    /// Makes sure, with the lock in hand, that nobody has moved `HEAD` or the branch.
    pub(super) fn compare(&self, place: &Place) -> Result<()> {
        if place.read(b"HEAD", MAX_FILE)?.unwrap_or_default() != self.head {
            return Err(changed("`HEAD`"));
        }
        if self.branch.is_none() {
            return Ok(());
        }
        let value = place.read(&self.target, MAX_FILE)?;
        let packed = place.read(b"packed-refs", MAX_FILE)?;
        let now = resolve(
            &self.target,
            value.as_deref(),
            packed.as_deref(),
            self.format,
        );
        match now {
            Ok(now) if now == self.parent => Ok(()),
            _ => Err(changed("the branch")),
        }
    }
}

/// Refuses if the agent may have had its hands in the repository.
fn untouched(base: &Snapshot, at: &Snapshot) -> Result<()> {
    for change in changes(base, at)? {
        let path = change.path.as_os_str().as_bytes();
        let Some(below) = path
            .strip_prefix(b".git")
            .filter(|rest| matches!(rest, [] | [b'/', ..]))
        else {
            continue;
        };
        let name = below.strip_prefix(b"/").unwrap_or(below);
        let first = name.split(|&byte| byte == b'/').next().unwrap_or_default();
        let harmless = HARMLESS.iter().any(|name| name.as_bytes() == first);
        // A link in the place of a directory leads git to what is named there.
        let is_led_away = matches!(name, b"objects" | b"objects/info" | b"objects/pack")
            && (change.after).is_some_and(|after| after.kind != EntryKind::Directory);
        // A pack counts more than what is written beside it, and git does not look whether it holds what it says.
        let is_pack = name.starts_with(b"objects/pack/") && change.after.is_some();
        if !harmless || is_led_away || is_pack || name.starts_with(b"objects/info/") {
            return Err(Error::refused(format!(
                "{:?} has changed since the run began, and the agent could write it",
                change.path
            )));
        }
    }
    Ok(())
}

/// Refuses where git would read the index's own copy of a file of rules.
fn refuse_missing(entries: &Entries, at: &Snapshot) -> Result<()> {
    let find = |path: &[u8]| {
        let mut names = path.split(|&byte| byte == b'/');
        names.try_fold(0, |directory, name| child(at, directory, name))
    };
    for (path, entry) in entries {
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let (above, name) = match slash {
            Some(slash) => path.split_at(slash),
            None => (&[][..], path.as_slice()),
        };
        let counts = match name.strip_prefix(b"/").unwrap_or(name) {
            b".gitattributes" => true,
            b".gitignore" => entry.is_skipped(),
            _ => false,
        };
        let is_there = above.is_empty() || find(above).is_some();
        let node = || find(path).and_then(|one| at.node(one));
        // It follows no link there.
        if counts && is_there && node().is_none_or(|node| node.kind != EntryKind::File) {
            let path = snapshot::path(path);
            return Err(Error::refused(format!(
                "git reads {path:?} from the index, since it is no file in the workspace"
            )));
        }
    }
    Ok(())
}

/// Refuses what is not understood; how objects are named.
fn check(config: &GitConfig) -> Result<Format> {
    let refuse = |why: String| Err(Error::refused(why));
    if let Some(name) = config
        .below("extensions")
        .find(|name| !EXTENSIONS.contains(name))
    {
        return refuse(format!(
            "the repository has an extension that is not known: {name:?}"
        ));
    }
    for name in config.names() {
        // Files outside of the repository, or that the agent can write.
        if Include::of(name, "").is_some()
            || matches!(name, "core.excludesfile" | "core.attributesfile")
        {
            return refuse(format!(
                "the repository's configuration goes on in another file: {name:?}"
            ));
        }
    }
    let version = config.get("core.repositoryformatversion").unwrap_or("0");
    if !matches!(version, "0" | "1") {
        return refuse(format!(
            "the repository is of a format that is not known: {version:?}"
        ));
    }
    if config.is_true("core.bare") || config.get("core.worktree").is_some() {
        return refuse("the repository is not that of the workspace alone".to_owned());
    }
    if config
        .get("extensions.refstorage")
        .is_some_and(|kind| kind != "files")
    {
        return refuse("the repository keeps its refs in another way than in files".to_owned());
    }
    match config.get("extensions.objectformat").unwrap_or("sha1") {
        "sha1" => Ok(Format::Sha1),
        "sha256" => Ok(Format::Sha256),
        other => refuse(format!(
            "the repository names objects in a way that is not known: {other:?}"
        )),
    }
}

/// What files are in the repository that are something else in the workspace, by what a tree says.
fn attributes(
    store: &Store,
    base: &Snapshot,
    personal: &Personal,
    auto: bool,
) -> Result<Attributes> {
    let mut files = Vec::new();
    base.walk(|directory, path| {
        if let Some(at) = child(base, directory, b".gitattributes") {
            files.push((path.to_vec(), at));
        }
    });
    // What is further down counts more.
    files.sort_by_key(|(path, _)| path.len());
    let mut attributes = Attributes::default();
    attributes.auto = auto;
    for text in &personal.attributes {
        attributes.add(b"", text)?;
    }
    for (directory, at) in files {
        if let Some(text) = read(store, base, Some(at))? {
            attributes.add(&directory, &text)?;
        }
    }
    let last = read(store, base, find(base, ".git/info/attributes"))?;
    attributes.add(b"", &last.unwrap_or_default())?;
    Ok(attributes)
}

/// The branch, and what is to be changed.
fn target(head: &[u8]) -> Result<(Option<String>, Vec<u8>)> {
    let Some(name) = head.strip_prefix(b"ref:") else {
        return Ok((None, b"HEAD".to_vec()));
    };
    let name = name.trim_ascii();
    let text = str::from_utf8(name).unwrap_or_default();
    let good = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.ends_with(".lock")
            && !part.contains("..")
            && !part.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c))
    };
    match text.strip_prefix("refs/heads/") {
        Some(branch) if branch.split('/').all(good) => Ok((Some(branch.to_owned()), name.to_vec())),
        _ => Err(Error::refused("`HEAD` names no branch")),
    }
}

/// What a ref stands for: its file, else its line in `packed-refs`.
fn resolve(
    name: &[u8],
    file: Option<&[u8]>,
    packed: Option<&[u8]>,
    format: Format,
) -> Result<Option<Id>> {
    let id = |text: &[u8]| {
        let id = Id::from_hex(text.trim_ascii(), format);
        id.ok_or_else(|| Error::refused("the branch stands for no commit, but for another name"))
    };
    if let Some(file) = file {
        return id(file).map(Some);
    }
    let lines = packed.unwrap_or_default().split(|&byte| byte == b'\n');
    for line in lines {
        let space = line.iter().position(|&byte| byte == b' ');
        let split = space.and_then(|space| line.split_at_checked(space));
        if let Some((hex, rest)) = split
            && rest.strip_prefix(b" ").map(<[u8]>::trim_ascii_end) == Some(name)
        {
            return id(hex).map(Some);
        }
    }
    Ok(None)
}

fn loose(base: &Snapshot, at: &Snapshot) -> HashSet<String> {
    let mut loose = HashSet::new();
    let directory = |tree| find(tree, ".git/objects");
    for (before, after) in pairs(base, directory(base), at, directory(at)) {
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let first = String::from_utf8_lossy(base.name(before));
        for (was, is) in pairs(base, Some(before), at, Some(after)) {
            let was = was.and_then(|one| Some((one, base.node(one)?)));
            if let (Some((one, was)), Some(is)) = (was, is.and_then(|is| at.node(is)))
                && (was.kind, was.id) == (is.kind, is.id)
            {
                let rest = String::from_utf8_lossy(base.name(one));
                loose.insert(format!("{first}/{rest}"));
            }
        }
    }
    loose
}
