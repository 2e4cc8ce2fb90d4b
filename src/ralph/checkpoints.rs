//! The workspace, kept: checkpoint 0 before the agent's first instruction, and one after each
//! iteration, while nothing of the agent is alive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::error::{Error, Result};
use super::event::Event;
use super::record::Record;
use super::retention::{Retention, ranges};
use super::store::RunId;
use crate::workspace::{Checkpoint, LeaveOut, Policy, Repository, Root, Series};

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
}

impl Checkpoints {
    /// Those of a run, in a state directory.
    ///
    /// # Errors
    /// The run's id makes no series, which one of ours does.
    pub fn of(state: &Path, record: &Record, run: &RunId) -> Result<Self> {
        let workspace = &record.workspace;
        Ok(Self {
            repository: state
                .join("checkpoints")
                .join(format!("{}.git", workspace.id())),
            workspace: workspace.path.clone(),
            id: (workspace.device, workspace.inode),
            series: Series::new(run.as_str())?,
            leave_out: record.keep.leave_out(),
        })
    }

    /// Opens the repository. Blocks.
    ///
    /// # Errors
    /// It is damaged, or open to others.
    pub fn open(&self) -> Result<Repository> {
        if let Some(directory) = self.repository.parent() {
            super::files::private_directory(directory)?;
        }
        Ok(Repository::open(&self.repository)?)
    }

    /// Opens the workspace, which must be what it was. Blocks.
    ///
    /// # Errors
    /// It is gone, or another directory is in its place.
    pub fn root(&self) -> Result<Root> {
        let root = Root::open(&self.workspace)?;
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
        let begun = Instant::now();
        let mut repository = self.open()?;
        let before = repository.list(&self.series)?.pop();
        let policy = Policy {
            leave_out: self.leave_out.clone(),
            ..Policy::default()
        };
        let taken = repository.take(&self.root()?, &self.series, reason, &policy)?;
        let changed = match &before {
            Some(before) if before.tree() != taken.checkpoint.tree() => {
                repository.changes(before, &taken.checkpoint)?.len() as u64
            }
            _ => 0,
        };
        let event = Event::Checkpoint {
            number: taken.checkpoint.number(),
            files: taken.files,
            bytes: taken.bytes,
            changed,
            left_out: taken.left_out.len() as u64 + taken.left_out_more,
            took: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        Ok((taken.checkpoint, event))
    }

    /// Drops those that are more than enough; which they were. Blocks.
    ///
    /// # Errors
    /// The repository cannot be read or written.
    pub fn make_room(
        &self,
        retention: &Retention,
        checked: &BTreeSet<u32>,
    ) -> Result<BTreeSet<u32>> {
        let mut repository = self.open()?;
        let sizes = repository.sizes(&self.series)?;
        let keep = retention.keep(&sizes, checked);
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
