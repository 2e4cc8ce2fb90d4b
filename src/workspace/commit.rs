//! The agent's work as a commit in the person's own repository. Written by hand: no `git` is run, no filter
//! and no hook. What is read of `.git` is read from a checkpoint, in which it is as it was before the agent.

mod attributes;
mod beside;
mod config;
mod ignore;
mod index;
mod objects;
mod personal;
mod place;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::workspace::disk::{self, Found, Root};
use crate::workspace::error::{Error, Result};
use crate::workspace::id::{Kind, ObjectId};
use crate::workspace::snapshot::{self, Snapshot};
use crate::workspace::store::Store;

use attributes::{Conversion, Counts};
use beside::Beside;
pub use config::GitConfig;
use index::{Entries, Stat};
use objects::{Id, Objects};
pub use personal::{Include, Personal};
use place::Place;
use plan::{Plan, Planned};
use state::State;

/// The longest message and name that are taken, in bytes.
const MAX_MESSAGE: usize = 1 << 20;
/// The longest file of git's that is read, in bytes.
const MAX_FILE: u64 = 512 << 20;

/// Who may have written in the person's repository since a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nobody else: what has changed is theirs.
    PersonAlone,
    /// The agent could.
    AgentToo,
}

/// A commit that could be made.
#[derive(Debug)]
pub struct Prepared {
    state: State,
    plan: Plan,
    beside: Beside,
}

/// What the person says with it.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// The message.
    pub message: &'a str,
    /// What they have set for all of their repositories.
    pub personal: &'a Personal,
    /// Seconds since 1970.
    pub seconds: i64,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// Its id.
    pub id: String,
    /// The branch that it is on; `None` if `HEAD` is detached.
    pub branch: Option<String>,
}

/// Looks whether the difference between two checkpoints can be committed.
pub(super) fn prepare(
    store: &Store,
    base: &Snapshot,
    (at, writer): (&Snapshot, Writer),
    paths: &[PathBuf],
    personal: &Personal,
) -> Result<Prepared> {
    let state = State::read(store, base, at, writer, personal)?;
    let plan = plan::plan(store, &state, base, at, paths, personal)?;
    unconverted(store, &state, &plan)?;
    let beside = beside::look(store, (&state, &plan), (base, at), at, paths)?;
    Ok(Prepared {
        state,
        plan,
        beside,
    })
}

/// The same for what is still to be made of the tree `there`, whose repository counts: what has changed in it
/// since `base` is the person's own. `work` is what the run came to.
pub(super) fn prepare_over(
    store: &Store,
    (base, work): (&Snapshot, &Snapshot),
    there: &Snapshot,
    at: &Snapshot,
    paths: &[PathBuf],
    personal: &Personal,
) -> Result<Prepared> {
    let state = State::read(store, there, at, Writer::AgentToo, personal)?;
    let plan = plan::plan(store, &state, base, at, paths, personal)?;
    unconverted(store, &state, &plan)?;
    let beside = beside::look(store, (&state, &plan), (base, there), work, paths)?;
    Ok(Prepared {
        state,
        plan,
        beside,
    })
}

/// The submodules in an index of git's; `None` if it cannot be told which they are.
pub(super) fn gitlinks(index: &[u8], is_sha256: bool) -> Option<index::Gitlinks> {
    let format = if is_sha256 {
        objects::Format::Sha256
    } else {
        objects::Format::Sha1
    };
    match index.is_empty() {
        true => Some(index::Gitlinks::default()),
        false => index::gitlinks(index, format),
    }
}

impl Prepared {
    /// Names that are not in it, though they are in the workspace: of repositories in it, and such that git
    /// does not take.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.plan.left_out
    }

    /// Of what the run has changed, what is not in it either: git ignores it, does not know it, or could not be
    /// given it.
    pub fn missing(&self) -> &[PathBuf] {
        &self.beside.missing
    }

    /// What is in it besides what the run has changed: what the person had changed, or added to the index,
    /// and not committed.
    pub fn also(&self) -> &[PathBuf] {
        &self.beside.also
    }

    /// Whether there may be more of that in the index: the branch's files could not be read.
    pub fn may_hold_more(&self) -> bool {
        self.beside.is_unsure
    }

    /// Whether it can be committed with these words.
    ///
    /// # Errors
    /// The message is empty, or git has no name for the person.
    pub fn signed(&self, words: &Words<'_>) -> Result<()> {
        signatures(&self.state, words)?;
        message(words.message)?;
        Ok(())
    }

    /// Whether git would sign it, which is not done here.
    pub fn is_to_be_signed(&self) -> bool {
        self.state.config.is_true("commit.gpgsign")
    }

    /// How many files that nobody had added before are in it.
    pub fn added(&self) -> u64 {
        self.plan.added
    }
}

/// Writes it. `HEAD`, the branch and the index must be what they were, and are changed as a whole.
pub(super) fn commit(
    store: &Store,
    root: &Root,
    prepared: &Prepared,
    words: &Words<'_>,
) -> Result<Committed> {
    let Prepared { state, plan, .. } = prepared;
    let (author, committer) = signatures(state, words)?;
    let message = message(words.message)?;
    let place = Place::open(root)?;
    let mut index_lock = place.lock(b"index")?;
    if place.read(b"index", MAX_FILE)?.unwrap_or_default() != state.index {
        return Err(changed("the index"));
    }
    let objects = Objects {
        format: state.format,
        directory: place.enter(b"objects", false)?,
        known: state.loose.clone(),
    };
    let entries = contents(store, root, plan, state, &objects)?;
    if entries.len() == state.entries.len()
        && entries
            .iter()
            .zip(&state.entries)
            .all(|(new, old)| new.0 == old.0 && (new.1.mode, &new.1.id) == (old.1.mode, &old.1.id))
    {
        return Err(Error::refused("there is nothing to commit"));
    }
    let tree = trees::write(&objects, &entries)?;
    let parent = state.parent.as_ref();
    let parents = parent
        .map(|id| format!("parent {id}\n"))
        .unwrap_or_default();
    let at = format!("{committer} {} +0000", words.seconds);
    let text = format!(
        "tree {tree}\n{parents}author {author} {} +0000\ncommitter {at}\n\n{message}",
        words.seconds
    );
    let id = objects.put("commit", text.as_bytes())?;
    objects.sync()?;
    let mut ref_lock = place.lock(&state.target)?;
    state.compare(&place)?;
    ref_lock.write(format!("{id}\n").as_bytes())?;
    index_lock.write(&index::encode(&entries, state.format))?;
    log(&place, state, &id, &at, &message)?;
    // Cut short between the two, the work is only added, and can be committed with git.
    index_lock.finish()?;
    ref_lock.finish()?;
    Ok(Committed {
        id: id.to_string(),
        branch: state.branch.clone(),
    })
}

fn changed(what: &str) -> Error {
    Error::refused(format!("{what} of the repository has changed meanwhile"))
}

/// Author and committer.
fn signatures(state: &State, words: &Words<'_>) -> Result<(String, String)> {
    let config = words.personal.with(&state.own);
    let signature = |role| personal::signature(&config, role);
    Ok((signature("author")?, signature("committer")?))
}

/// Refuses files that are not in a repository of git's as they are in the workspace.
fn unconverted(store: &Store, state: &State, plan: &Plan) -> Result<()> {
    for (path, planned) in &plan.files {
        let &Planned::Blob { id, mode, .. } = planned else {
            continue;
        };
        if mode == plan::LINK {
            continue;
        }
        let conversions = (state.attributes.each_ref()).map(|one| one.conversion(path));
        let other = conversions.into_iter().find_map(|one| match one {
            Conversion::Other(attribute) => Some(attribute),
            _ => None,
        });
        let why = match other {
            Some(attribute) => format!("`{attribute}` in the attributes"),
            None if conversions == [Conversion::None; 2] => continue,
            None => {
                let mut counts = Counts::default();
                piecewise(store, id, &mut |piece| {
                    counts.add(piece);
                    Ok(())
                })?;
                if !conversions.into_iter().any(|one| counts.is_changed_by(one)) {
                    continue;
                }
                "CR LF at the ends of lines, by the attributes or `core.autocrlf`".to_owned()
            }
        };
        return Err(Error::refused(format!(
            "git itself changes {:?} when it is added ({why})",
            snapshot::path(path)
        )));
    }
    Ok(())
}

/// As git cleans it.
fn message(text: &str) -> Result<String> {
    if text.len() > MAX_MESSAGE || text.contains('\0') {
        return Err(Error::refused("the message is too long, or holds a NUL"));
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    match text.trim_matches('\n') {
        "" => Err(Error::refused("the message is empty")),
        text => Ok(format!("{text}\n")),
    }
}

/// Writes what is new, and says what the index will be.
fn contents(
    store: &Store,
    root: &Root,
    plan: &Plan,
    state: &State,
    objects: &Objects,
) -> Result<Entries> {
    let mut entries: Entries = BTreeMap::new();
    for (path, planned) in &plan.files {
        store.go_on()?;
        let entry = match planned {
            Planned::Keep(entry) => entry.clone(),
            Planned::Blob {
                id,
                size,
                mode,
                mtime,
            } => {
                let blob = |out: &mut dyn FnMut(&[u8]) -> Result<()>| piecewise(store, *id, out);
                let name = objects::id_of(objects.format, "blob", *size, &blob)?;
                let old = state.entries.get(path);
                // Without it, the entry that was there before the agent would be of no use either.
                if old.is_none_or(|old| old.id != name || old.is_intent()) {
                    objects.write(&name, "blob", *size, &blob)?;
                }
                let found = find(root, path).filter(|found| {
                    let mtime = (mtime.seconds, mtime.nanoseconds);
                    (found.mtime.seconds, found.mtime.nanoseconds, found.size)
                        == (mtime.0, mtime.1, *size)
                });
                index::Entry::new(*mode, name, found.map(stat).unwrap_or_default())
            }
        };
        entries.insert(path.clone(), entry);
    }
    Ok(entries)
}

/// A blob from the checkpoints.
fn piecewise(store: &Store, id: ObjectId, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut object = store.object(id, Kind::Blob)?;
    let mut buffer = [0; 16 * 1024];
    loop {
        store.go_on()?;
        match object.read(&mut buffer)? {
            0 => return Ok(()),
            got => out(buffer.get(..got).unwrap_or_default())?,
        }
    }
}

/// Looks at a file of the workspace, without following anything.
fn find(root: &Root, path: &[u8]) -> Option<Found> {
    let mut names: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let last = place::c_name(names.pop()?);
    let mut here = root.reopen().ok()?;
    for name in names {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
        here = disk::open(&here, &place::c_name(name), flags).ok()?;
    }
    disk::find(&here, &last).ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the index has the lower 32 bits"
)]
fn stat(found: Found) -> Stat {
    Stat {
        ctime: (found.ctime.seconds as u32, found.ctime.nanoseconds),
        mtime: (found.mtime.seconds as u32, found.mtime.nanoseconds),
        dev: found.id.0 as u32,
        ino: found.id.1 as u32,
        owner: found.owner,
        size: found.size as u32,
    }
}

/// The lines in the logs of the branch and of `HEAD`.
fn log(place: &Place, state: &State, id: &Id, at: &str, message: &str) -> Result<()> {
    let off = ["false", "no", "off", "0"];
    let wish = state.config.get("core.logallrefupdates");
    if wish.is_some_and(|wish| off.contains(&wish.to_ascii_lowercase().as_str())) {
        return Ok(());
    }
    let subject = message.lines().next().unwrap_or_default();
    let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
    let none = Id::none(state.format);
    let (old, initial) = match &state.parent {
        Some(parent) => (parent, ""),
        None => (&none, " (initial)"),
    };
    let line = format!("{old} {id} {at}\tcommit{initial}: {subject}\n");
    let head = b"HEAD".to_vec();
    let mut names = vec![&state.target];
    if state.target != head {
        names.push(&head);
    }
    for name in names {
        place.append(&[b"logs/", name.as_slice()].concat(), line.as_bytes())?;
    }
    Ok(())
}

/// Whether a path, or a directory that it is in, is among some; all are in none.
fn is_among(paths: &[PathBuf], path: &[u8]) -> bool {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    paths.is_empty() || paths.iter().any(|one| path.starts_with(one))
}
