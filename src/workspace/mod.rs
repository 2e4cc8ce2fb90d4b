//! Checkpoints of a directory that somebody else writes: taken, compared, sent on as a tar stream and
//! gone back to, without ever following a link in it or running a program on it.
//!
//! They are kept in a bare git repository of the SHA-256 format, which nobody can plant collisions in.
//! Stockade writes it by hand and any `git` can read it: each checkpoint is one pack without deltas,
//! and a ref `refs/checkpoints/SERIES/NUMBER` to a commit with the parts `workspace` (the tree, where
//! `.git` is a directory like any other), `metadata` (what git's trees do not know) and `policy` (what
//! is left out). A writer that is killed leaves a repository that can be read; the next one clears
//! what is incomplete.
//!
//! Not kept: extended attributes and access control lists, and times finer than a file system has.
//!
//! Everything here blocks.

mod changes;
mod commit;
mod contents;
mod descent;
pub mod diff;
mod disk;
mod error;
mod files;
pub mod git;
mod hidden;
mod id;
mod index;
mod measure;
mod merge;
mod metadata;
mod object;
mod pack;
mod policy;
mod preview;
mod prune;
mod quarantine;
mod rollback;
mod scan;
mod series;
mod snapshot;
mod store;
mod take;
mod tar;
#[cfg(test)]
mod tests;
mod trust;
mod walk;
mod withheld;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use changes::Change;
pub use changes::ChangeKind;
pub use changes::Entries;
pub use changes::Entry;
pub use commit::{Committed, GitConfig, Include, Personal, Prepared, Words, Writer};
pub use disk::Root;
#[cfg(test)]
pub(crate) use disk::SYNCED;
pub use error::Error;
pub use error::Result;
pub use hidden::Hidden;
pub use id::ObjectId;
pub use measure::Measured;
pub use merge::Merged;
pub use policy::Caps;
pub use policy::LeaveOut;
pub use policy::OnCap;
pub use policy::Pattern;
pub use policy::Policy;
pub use preview::Omitted;
pub use preview::Preview;
pub use rollback::Failed;
pub use rollback::Missing;
pub use rollback::RolledBack;
pub use series::Checkpoint;
pub use series::Series;
pub use snapshot::EntryKind;
pub use snapshot::Reason;
pub use store::Patience;
pub use take::LeftOut;
pub use take::Taken;
pub use tar::Selected;
pub use trust::Concern;
pub use trust::What;
pub use withheld::{Unless, Withheld};

use crate::workspace::id::Kind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::store::Store;

/// No target of a link is longer, in bytes.
const PATH_MAX: u64 = 4096;

/// A repository of checkpoints.
pub struct Repository {
    store: Store,
}

impl Repository {
    /// Opens a repository; it is made, for its owner alone, if nothing is there.
    ///
    /// # Errors
    ///
    /// It belongs to somebody else, is open to others, or is damaged.
    pub fn open(directory: &Path) -> Result<Self> {
        Store::open(directory).map(|store| Self { store })
    }

    /// Taking a checkpoint, writing one out and a commit end with an error soon after this becomes true.
    pub fn stop_by(&mut self, stop: Arc<AtomicBool>) {
        self.store.stop_by(stop);
    }

    /// Whoever is to write waits so long for another process that does.
    pub fn wait_for_others(&mut self, patience: Patience) {
        self.store.wait_for_others(patience);
    }

    /// Learns of checkpoints that another process took or removed meanwhile.
    ///
    /// # Errors
    ///
    /// The repository cannot be read.
    pub fn refresh(&mut self) -> Result<()> {
        self.store.load()
    }

    /// Takes a checkpoint. Files that did not change since the last one are not read.
    ///
    /// # Errors
    ///
    /// Another process writes to the repository, the root cannot be read, the repository cannot be
    /// written, or the caps are exceeded and the policy is to fail. What cannot be read below the
    /// root is no error: it is left out and listed.
    pub fn take(
        &mut self,
        root: &Root,
        series: &Series,
        reason: &str,
        policy: &Policy,
    ) -> Result<Taken> {
        let _lock = self.store.lock()?;
        take::take(&mut self.store, root, series, reason, policy, None)
    }

    /// The same while somebody writes, who may have put there what is withheld. Of what it has read nothing is remembered, so
    /// that it makes no difference to any later checkpoint. There is none of a tree that is as in the last one.
    ///
    /// # Errors
    ///
    /// As [`Repository::take`].
    pub fn take_meanwhile(
        &mut self,
        root: &Root,
        series: &Series,
        reason: &str,
        policy: &Policy,
        withheld: &Withheld,
    ) -> Result<Taken> {
        let _lock = self.store.lock()?;
        let withheld = Some(withheld);
        take::take(&mut self.store, root, series, reason, policy, withheld)
    }

    /// Drops the checkpoints of a series that are not to be kept; which they were. The last one goes only if
    /// none is kept. What the others need stays, and their ids; cut short, it can be done again.
    ///
    /// # Errors
    ///
    /// Another process writes to the repository, or it cannot be read or written.
    pub fn prune(&mut self, series: &Series, keep: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
        let _lock = self.store.lock()?;
        prune::prune(&mut self.store, series, keep)
    }

    /// Bytes on disk that each checkpoint of a series has added when it was taken, by number.
    ///
    /// # Errors
    ///
    /// The repository cannot be read.
    pub fn sizes(&self, series: &Series) -> Result<Vec<(u32, u64)>> {
        let refs = self.store.refs(series)?.into_iter();
        let size = |id: ObjectId| {
            let mut packs = self.store.packs().iter();
            packs
                .find(|pack| pack.find(&id).is_some())
                .map_or(0, |pack| pack.size())
        };
        Ok(refs.map(|(number, id)| (number, size(id))).collect())
    }

    /// All series that have checkpoints, by name.
    ///
    /// # Errors
    ///
    /// The repository cannot be read.
    pub fn series(&self) -> Result<Vec<Series>> {
        let mut series = self.store.series()?;
        series.sort();
        Ok(series)
    }

    /// The checkpoints of a series by number; none if there is no such series.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged.
    pub fn list(&self, series: &Series) -> Result<Vec<Checkpoint>> {
        let refs = self.store.refs(series)?.into_iter();
        refs.map(|(number, id)| Checkpoint::load(&self.store, series, number, id))
            .collect()
    }

    /// One checkpoint.
    ///
    /// # Errors
    ///
    /// There is none of that number, or the repository cannot be read or is damaged.
    pub fn checkpoint(&self, series: &Series, number: u32) -> Result<Checkpoint> {
        let refs = self.store.refs(series)?;
        let found = refs.into_iter().find(|(other, _)| *other == number);
        let (_, id) = found.ok_or_else(|| Error::no_checkpoint(series.as_str(), number))?;
        Checkpoint::load(&self.store, series, number, id)
    }

    /// What differs between two checkpoints, of any series, in the order of paths. Times alone are no
    /// difference.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged, or the paths alone are larger than what fits.
    pub fn changes(&self, from: &Checkpoint, to: &Checkpoint) -> Result<Vec<Change>> {
        let (from, to) = (from.snapshot(&self.store)?, to.snapshot(&self.store)?);
        changes::changes(&from, &to)
    }

    /// What of the difference between two checkpoints would run, or lead elsewhere, on the host of
    /// whoever takes it; by path. And what the later one does not hold.
    ///
    /// # Errors
    ///
    /// As [`Repository::changes`].
    pub fn concerns(&self, from: &Checkpoint, to: &Checkpoint) -> Result<Vec<Concern>> {
        let (from, to) = (from.snapshot(&self.store)?, to.snapshot(&self.store)?);
        trust::concerns(&self.store, &from, &to)
    }

    /// Looks, for not much longer than this, which repositories there are in what a checkpoint that was just taken
    /// does not hold.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged.
    pub fn hidden(
        &self,
        root: &Root,
        at: &Checkpoint,
        time: std::time::Duration,
    ) -> Result<Hidden> {
        let at = at.snapshot(&self.store)?;
        Ok(hidden::look(root, &at, time))
    }

    /// Everything in a checkpoint, what was left out included.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged.
    pub fn entries(&self, at: &Checkpoint) -> Result<Entries> {
        let tree = at.snapshot(&self.store)?;
        Ok(Entries::new(Arc::unwrap_or_clone(tree)))
    }

    /// Of these paths, relative to the tree, those that none of the checkpoints has.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged.
    pub fn lacks(&self, at: &[&Checkpoint], paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut unknown: Vec<_> = paths.to_vec();
        // The tree itself has no name.
        unknown.retain(|path| path.components().next().is_some());
        for checkpoint in at {
            if unknown.is_empty() {
                break;
            }
            for (path, _) in self.entries(checkpoint)? {
                unknown.retain(|wanted| *wanted != path);
            }
        }
        Ok(unknown)
    }

    /// The links in a checkpoint, and what each says; one of a target that nothing can be at is passed over.
    ///
    /// # Errors
    ///
    /// The repository cannot be read or is damaged.
    pub fn links(&self, at: &Checkpoint) -> Result<HashMap<PathBuf, PathBuf>> {
        let is_link = |(_, entry): &(PathBuf, Entry)| {
            entry.kind == EntryKind::Symlink && entry.size <= PATH_MAX
        };
        let links = self.entries(at)?.filter(is_link);
        let read = |(path, entry): (PathBuf, Entry)| {
            let target = self.read_blob(entry.id, PATH_MAX)?;
            Ok((path, snapshot::path(&target)))
        };
        links.map(read).collect()
    }

    /// The content of a file, or the target of a link.
    ///
    /// # Errors
    ///
    /// It has more bytes than `limit`, is not there, or is damaged.
    pub fn read_blob(&self, id: ObjectId, limit: u64) -> Result<Vec<u8>> {
        self.store.read(id, Kind::Blob, limit)
    }

    /// Writes the tree of a checkpoint as a tar stream; `select` is asked about every path.
    ///
    /// # Errors
    ///
    /// The repository is damaged or the sink refuses. The stream then has no end, so that no reader
    /// takes it for a whole one.
    pub fn write_tar(
        &self,
        at: &Checkpoint,
        out: &mut dyn Write,
        select: &mut dyn FnMut(&Path) -> Selected,
    ) -> Result<()> {
        let at = at.snapshot(&self.store)?;
        tar::write(&self.store, &at, None, out, select)
    }

    /// As [`Repository::write_tar`], and [`Selected::Base`] takes a path from a second checkpoint
    /// instead. Paths that only that one has are asked about too, and left out unless so selected.
    ///
    /// # Errors
    ///
    /// As [`Repository::write_tar`].
    pub fn write_tar_over(
        &self,
        base: &Checkpoint,
        at: &Checkpoint,
        out: &mut dyn Write,
        select: &mut dyn FnMut(&Path) -> Selected,
    ) -> Result<()> {
        let base = base.snapshot(&self.store)?;
        let at = at.snapshot(&self.store)?;
        tar::write(&self.store, &at, Some(&base), out, select)
    }

    /// Makes the tree what it was, given what it is: `now` is a checkpoint that was just taken. With
    /// `paths`, only these and what is below them; `spared` stays as it is, unless it, or something in it, is
    /// among these. What checkpoints do not know is left and listed; what `to` only names, and is another by now or `missing`, fails;
    /// where something fails, the rest goes on. Cut short, it can be done again.
    ///
    /// # Errors
    ///
    /// A checkpoint cannot be read, a path leads out of the root, or the root cannot be opened.
    pub fn rollback(
        &self,
        root: &Root,
        now: &Checkpoint,
        to: &Checkpoint,
        paths: &[PathBuf],
        spared: &[PathBuf],
        missing: Missing,
    ) -> Result<RolledBack> {
        let now = now.snapshot(&self.store)?;
        let to = to.snapshot(&self.store)?;
        rollback::rollback(&self.store, root, &now, &to, paths, spared, missing)
    }

    /// Puts together what `there` has and what `work` has changed since `base`; with `paths`, only these. Nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// A checkpoint cannot be read, or directories are too deep inside each other.
    pub fn merge(
        &self,
        base: &Checkpoint,
        there: &Checkpoint,
        work: &Checkpoint,
        paths: &[PathBuf],
    ) -> Result<Merged> {
        let read = |at: &Checkpoint| at.snapshot(&self.store);
        let (base, there, work) = (read(base)?, read(there)?, read(work)?);
        merge::merge(&base, &there, &work, paths)
    }

    /// Makes a tree that is as at `there`, which was just taken, what was put together, and waits until it is on disk. As
    /// with a rollback, where something fails, the rest goes on.
    ///
    /// # Errors
    ///
    /// As [`Repository::rollback`].
    pub fn apply(&self, root: &Root, there: &Checkpoint, merged: &Merged) -> Result<RolledBack> {
        let now = there.snapshot(&self.store)?;
        let spared = [PathBuf::from(".git")];
        let (to, missing) = (&merged.snapshot, Missing::Never);
        let done = rollback::rollback(&self.store, root, &now, to, &[], &spared, missing)?;
        root.sync()?;
        Ok(done)
    }

    /// Writes a checkpoint into an empty directory. Who is not root owns all of it.
    ///
    /// # Errors
    ///
    /// As [`Repository::rollback`].
    pub fn write_out(&self, root: &Root, at: &Checkpoint) -> Result<RolledBack> {
        let mut to = Arc::unwrap_or_clone(at.snapshot(&self.store)?);
        to.own_as_far_as_possible();
        let nothing = Snapshot::new(Node::new(EntryKind::Directory));
        rollback::rollback(&self.store, root, &nothing, &to, &[], &[], Missing::Never)
    }

    /// Looks whether what a checkpoint holds can be committed to the repository in the workspace, which has to
    /// be what it was at `base`. With `paths`, only these.
    ///
    /// # Errors
    ///
    /// It cannot, or a checkpoint cannot be read. Nothing has happened.
    pub fn prepare_commit(
        &self,
        base: &Checkpoint,
        (at, writer): (&Checkpoint, Writer),
        paths: &[PathBuf],
        personal: &Personal,
    ) -> Result<Prepared> {
        let base = base.snapshot(&self.store)?;
        let at = at.snapshot(&self.store)?;
        commit::prepare(&self.store, &base, (&at, writer), paths, personal)
    }

    /// The same for what was put together and is still to be applied to what is at `there`: all that `work` has
    /// changed since `base`, also what is there already.
    ///
    /// # Errors
    ///
    /// As [`Repository::prepare_commit`]; or nothing has changed.
    pub fn prepare_commit_over(
        &self,
        (base, work): (&Checkpoint, &Checkpoint),
        there: &Checkpoint,
        merged: &Merged,
        personal: &Personal,
    ) -> Result<Prepared> {
        let paths = [merged.taken.as_slice(), &merged.same].concat();
        if paths.is_empty() {
            return Err(Error::refused("the run has changed nothing here"));
        }
        let (base, there) = (base.snapshot(&self.store)?, there.snapshot(&self.store)?);
        let work = work.snapshot(&self.store)?;
        commit::prepare_over(
            &self.store,
            (&base, &work),
            &there,
            &merged.snapshot,
            &paths,
            personal,
        )
    }

    /// Commits it.
    ///
    /// # Errors
    ///
    /// The repository has changed meanwhile, or cannot be written. No ref has changed, then.
    pub fn commit(&self, root: &Root, prepared: &Prepared, words: &Words<'_>) -> Result<Committed> {
        commit::commit(&self.store, root, prepared, words)
    }
}
