//! The workspace, kept: checkpoint 0 before the agent's first instruction, and one after each
//! iteration, while nothing of the agent is alive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::difference::Difference;
use super::error::{Error, Result};
use super::event::{During, Event};
use super::newcomer::Newcomer;
use super::record::{Keep, Record, Workspace};
use super::retention::{Retention, Worth, ranges};
use super::store::{Run, RunId};
use crate::workspace::{
    Change, Checkpoint, Entry, EntryKind, LeaveOut, Patience, Policy, Repository, Root, Series,
    Taken, Withheld, Writer,
};

/// The checkpoints of one run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    repository: PathBuf,
    workspace: PathBuf,
    /// Device and inode: what was worked on, and nothing that has come in its place.
    id: (u64, u64),
    series: Series,
    /// For the first one; later ones do as it did.
    leave_out: LeaveOut,
    /// Somebody wants it to end.
    stop: Arc<AtomicBool>,
    /// With others that write to the repository: all runs on copies of one directory share it.
    patience: Patience,
    /// What is worked on is a copy of what the first one is of.
    is_copy: bool,
    git: Writer,
}

impl Checkpoints {
    /// Those of a run, in a state directory.
    ///
    /// # Errors
    /// The run's id makes no series, which one of ours does.
    pub fn of(state: &Path, record: &Record, run: &RunId) -> Result<Self> {
        let series = Series::new(run.as_str())?;
        Ok(Self::new(
            state,
            record.original(),
            &record.workspace,
            series,
            &record.keep,
        ))
    }

    /// Those of the person's own directory, which a copy of was worked on: as it was each time before it was
    /// changed.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_original(state: &Path, record: &Record, run: &RunId) -> Result<Self> {
        let series = Series::new(&format!("{run}-original"))?;
        let original = record.original();
        Ok(Self::new(state, original, original, series, &record.keep))
    }

    /// Those of a run that is to work on a copy of this directory.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn before_copy(
        state: &Path,
        original: &Workspace,
        keep: &Keep,
        run: &RunId,
    ) -> Result<Self> {
        let series = Series::new(run.as_str())?;
        Ok(Self::new(state, original, original, series, keep))
    }

    fn new(
        state: &Path,
        original: &Workspace,
        workspace: &Workspace,
        series: Series,
        keep: &Keep,
    ) -> Self {
        Self {
            repository: state
                .join("checkpoints")
                .join(format!("{}.git", original.id())),
            workspace: workspace.path.clone(),
            id: (workspace.device, workspace.inode),
            series,
            leave_out: keep.leave_out(),
            stop: Arc::default(),
            patience: Patience::default(),
            is_copy: original != workspace,
            git: Writer::AgentToo,
        }
    }

    /// A `.git` that was never the agent's, by no mount of its sandbox, is the person's own affair: it does not count as
    /// changed. Blocks.
    #[must_use]
    pub fn but_for_own_git(mut self, run: &Run, record: &Record) -> Self {
        let root = self.root();
        let is_out_of_reach = run
            .described()
            .is_some_and(|described| !described.writes_beside(&self.workspace, ".git"));
        let is_own = is_out_of_reach
            && record.repository.as_ref().is_some_and(|repository| {
                root.and_then(|root| {
                    repository.is_persons(&root, Newcomer::of_run(run, &self.workspace))
                })
                .unwrap_or(false)
            });
        if is_own {
            self.git = Writer::PersonAlone;
        }
        self
    }

    /// Whether what has changed there counts.
    pub fn counts(&self, path: &Path) -> bool {
        self.git == Writer::AgentToo || !path.starts_with(".git")
    }

    /// Whether what is worked on is a copy of what the first one is of.
    pub(super) fn is_copy(&self) -> bool {
        self.is_copy
    }

    /// Who may have written in the workspace's `.git` since the first of them.
    pub fn git(&self) -> Writer {
        self.git
    }

    /// Of the same directory, for a while: those that nobody goes back to.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn for_looking(&self) -> Result<Self> {
        let series = Series::new(&format!("{}-look", self.series))?;
        Ok(Self {
            series,
            ..self.clone()
        })
    }

    /// Taking one and copying one end soon after this becomes true.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// Taking one and dropping some wait for others that write to the repository, until this becomes true.
    #[must_use]
    pub fn patient_until(self, enough: Arc<AtomicBool>) -> Self {
        let patience = Patience::Until(enough);
        Self { patience, ..self }
    }

    /// Makes a copy of a checkpoint in an empty directory. Blocks.
    ///
    /// # Errors
    /// Something of it cannot be made.
    pub fn copy(&self, at: &Checkpoint, to: &Path) -> Result<Root> {
        let root = Root::open(to)?;
        let mut done = self.open()?.write_out(&root, at)?;
        match done.failed.is_empty() {
            true => Ok(root),
            false => Err(done.failed.swap_remove(0).error.into()),
        }
    }

    /// Opens the repository. Blocks.
    ///
    /// # Errors
    /// It is damaged, or open to others.
    pub fn open(&self) -> Result<Repository> {
        if let Some(directory) = self.repository.parent() {
            super::files::private_directory(directory)?;
        }
        let mut repository = Repository::open(&self.repository)?;
        repository.stop_by(Arc::clone(&self.stop));
        repository.wait_for_others(self.patience.clone());
        Ok(repository)
    }

    /// What differs between two of them. That something was not copied is no difference. Blocks.
    ///
    /// # Errors
    /// As [`Repository::changes`].
    pub fn changes(
        &self,
        repository: &Repository,
        from: &Checkpoint,
        to: &Checkpoint,
    ) -> Result<Vec<Change>> {
        let mut changes = repository.changes(from, to)?;
        changes.retain(|change| self.counts(&change.path));
        if self.is_copy && from.number() == 0 {
            let is_unknown = |entry: Entry| matches!(entry.kind, EntryKind::LeftOut(_));
            changes
                .retain(|change| change.after.is_some() || !change.before.is_some_and(is_unknown));
        }
        Ok(changes)
    }

    /// Opens the workspace, which must be what it was. Blocks.
    ///
    /// # Errors
    /// It is gone, or another directory is in its place.
    pub fn root(&self) -> Result<Root> {
        self.same(Root::open(&self.workspace)?)
    }

    /// The same, as the agent has it just now: what it has closed stays so. Blocks.
    pub(super) fn root_as_it_is(&self) -> Result<Root> {
        self.same(Root::open_as_it_is(&self.workspace)?)
    }

    fn same(&self, root: Root) -> Result<Root> {
        if root.id() != self.id {
            let path = self.workspace.clone();
            return Err(Error::Replaced { path });
        }
        Ok(root)
    }

    /// Takes the next checkpoint, and says so. Blocks.
    ///
    /// # Errors
    /// The workspace is gone, or the repository cannot be written.
    pub fn take(&self, reason: &str) -> Result<(Checkpoint, Event)> {
        self.take_since(None, reason)
    }

    /// The same; the tree of the checkpoint stays in memory with it, for what is done with it at once.
    ///
    /// # Errors
    /// As [`Checkpoints::take`].
    pub fn take_with_tree(&self, reason: &str) -> Result<(Checkpoint, Event)> {
        let snap = self.snap_since(None, reason)?;
        Ok((snap.taken.with_tree(), snap.told(None)?))
    }

    /// The same, where the last one that anybody was told of is known: a kill may have come between taking
    /// one and saying so, and what changed counts from before it.
    ///
    /// # Errors
    /// As [`Checkpoints::take`].
    pub fn take_since(&self, told: Option<u32>, reason: &str) -> Result<(Checkpoint, Event)> {
        let snap = self.snap_since(told, reason)?;
        Ok((snap.taken.checkpoint.clone(), snap.told(None)?))
    }

    fn snap_since(&self, told: Option<u32>, reason: &str) -> Result<Snap> {
        let begun = Instant::now();
        let mut repository = self.open()?;
        let mut all = repository.list(&self.series)?;
        let last = all
            .iter()
            .rposition(|one| told.is_none_or(|told| one.number() == told));
        let before = last.map(|last| all.swap_remove(last)).or_else(|| all.pop());
        let taken = repository.take(&self.root()?, &self.series, reason, &self.policy())?;
        Ok(self.snapped(begun, repository, before, taken))
    }

    /// Takes the next one while the agent works, unless nothing has changed; what is withheld is not in it. What there is to
    /// say of it is found out later. Blocks.
    pub(super) fn snap(&self, withheld: &Withheld, reason: &str) -> Result<Snap> {
        let begun = Instant::now();
        let mut repository = self.open()?;
        let before = repository.list(&self.series)?.pop();
        let (root, policy) = (self.root()?, self.policy());
        let taken = repository.take_meanwhile(&root, &self.series, reason, &policy, withheld)?;
        Ok(self.snapped(begun, repository, before, taken))
    }

    fn policy(&self) -> Policy {
        Policy {
            leave_out: self.leave_out.clone(),
            ..Policy::default()
        }
    }

    fn snapped(
        &self,
        begun: Instant,
        repository: Repository,
        before: Option<Checkpoint>,
        taken: Taken,
    ) -> Snap {
        Snap {
            checkpoints: self.clone(),
            repository,
            before,
            taken,
            took: begun.elapsed(),
        }
    }

    /// Bytes on disk that they have added.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn size(&self) -> Result<u64> {
        if !self.repository.exists() {
            return Ok(0);
        }
        let sizes = self.open()?.sizes(&self.series)?;
        Ok(sizes.into_iter().map(|(_, bytes)| bytes).sum())
    }

    /// Drops those that are more than enough; which they were. Blocks.
    ///
    /// # Errors
    /// The repository cannot be read or written.
    pub fn make_room(&self, retention: &Retention, worth: &Worth) -> Result<BTreeSet<u32>> {
        let mut repository = self.open()?;
        let sizes = repository.sizes(&self.series)?;
        let keep = retention.keep(&sizes, worth);
        if keep.len() == sizes.len() {
            return Ok(BTreeSet::new());
        }
        Ok(repository.prune(&self.series, &keep)?)
    }

    /// Drops all of them. Blocks.
    ///
    /// # Errors
    /// The repository cannot be read or written.
    pub fn drop_all(&self) -> Result<()> {
        if self.repository.exists() {
            self.open()?.prune(&self.series, &BTreeSet::new())?;
        }
        Ok(())
    }

    /// All of them. Blocks.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn list(&self) -> Result<Vec<Checkpoint>> {
        Ok(self.open()?.list(&self.series)?)
    }

    /// One of them. Blocks.
    ///
    /// # Errors
    /// There is none of that number, or it was dropped.
    pub fn get(&self, number: u32) -> Result<Checkpoint> {
        let repository = self.open()?;
        match repository.checkpoint(&self.series, number) {
            Err(error) if error.is_no_checkpoint() => {
                let all = repository.list(&self.series)?;
                let kept: Vec<u32> = all.iter().map(Checkpoint::number).collect();
                match kept.last() {
                    Some(last) if *last > number => Err(Error::Dropped {
                        number,
                        kept: ranges(&kept),
                    }),
                    _ => Err(error.into()),
                }
            }
            other => Ok(other?),
        }
    }

    /// The repository that they are in.
    pub fn place(&self) -> &Path {
        &self.repository
    }

    /// Their series.
    pub fn series(&self) -> &Series {
        &self.series
    }
}

/// One that was taken, and of which nothing was said yet.
pub(super) struct Snap {
    checkpoints: Checkpoints,
    repository: Repository,
    before: Option<Checkpoint>,
    taken: Taken,
    took: Duration,
}

impl Snap {
    /// What there is to say of it; nothing, if it is none. Blocks.
    pub(super) fn event(&self, during: During) -> Result<Option<Event>> {
        match self.taken.is_new {
            true => Ok(Some(self.told(Some(during))?)),
            false => Ok(None),
        }
    }

    fn told(&self, during: Option<During>) -> Result<Event> {
        let Self {
            repository, taken, ..
        } = self;
        let begun = Instant::now();
        let changes = match &self.before {
            Some(before) if before.tree() != taken.checkpoint.tree() => {
                let checkpoints = &self.checkpoints;
                checkpoints.changes(repository, before, &taken.with_tree())?
            }
            _ => Vec::new(),
        };
        let difference = self.before.as_ref();
        let difference = difference.map(|_| Difference::of(repository, &changes));
        let took = self.took + begun.elapsed();
        Ok(Event::Checkpoint {
            number: taken.checkpoint.number(),
            files: taken.files,
            bytes: taken.bytes,
            changed: changes.len() as u64,
            difference,
            left_out: taken.left_out.len() as u64 + taken.left_out_more,
            too_much: taken.over_caps,
            took: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            during,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::ralph::store::tests::run_in;

    /// Those of a new run in a directory.
    pub(in crate::ralph) fn of_directory(state: &Path, work: &Path) -> Checkpoints {
        let run = run_in(state);
        let mut record = run.record().unwrap();
        let found = std::fs::metadata(work).unwrap();
        record.workspace.path = work.canonicalize().unwrap();
        (record.workspace.device, record.workspace.inode) = (found.dev(), found.ino());
        run.checkpoints(&record).unwrap()
    }

    #[test]
    fn what_nobody_was_told_of_still_counts_as_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (state, work) = (dir.path().join("state"), dir.path().join("work"));
        std::fs::create_dir(&work).unwrap();
        let checkpoints = of_directory(&state, &work);
        let changed = |told: Option<u32>| {
            let (_, event) = checkpoints.take_since(told, "test").unwrap();
            match event {
                Event::Checkpoint {
                    number, changed, ..
                } => (number, changed),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(changed(None), (0, 0));
        std::fs::write(work.join("made"), "").unwrap();
        // Whoever took it was killed before it could say so.
        assert_eq!(changed(Some(0)), (1, 1));
        assert_eq!(changed(Some(0)), (2, 1));
        assert_eq!(changed(Some(2)), (3, 0));
        // One that was dropped meanwhile.
        assert_eq!(changed(Some(9)), (4, 0));
    }
}
