//! The way back to a checkpoint: what a workspace is now is kept first, as another one. Blocks.

use std::path::PathBuf;

use super::checkpoints::Checkpoints;
use super::error::Result;
use super::event::Event;
use super::newcomer::Newcomer;
use super::repository::Repository;
use crate::workspace::{Checkpoint, Missing, RolledBack};

/// Whose `.git` is left as it is.
#[derive(Debug, Clone, Copy)]
pub enum Spared<'a> {
    /// That of the workspace, if the run knows it and it is the person's.
    Persons(Option<&'a Repository>, Newcomer),
    /// That of the person's own directory, which a copy of was worked on.
    Original,
}

/// A way back that was begun.
#[derive(Debug)]
pub struct WayBack<'a> {
    checkpoints: &'a Checkpoints,
    to: Checkpoint,
    /// As it was when the way was begun, and what is known of it by now.
    from: u32,
    now: Checkpoint,
    spared: Vec<PathBuf>,
    is_original: bool,
}

impl<'a> WayBack<'a> {
    /// Keeps what is there; with the event that says so.
    ///
    /// # Errors
    /// There is no such checkpoint, or none can be taken.
    pub fn begin(
        checkpoints: &'a Checkpoints,
        to: u32,
        spared: Spared<'_>,
    ) -> Result<(Self, Event)> {
        let to = checkpoints.get(to)?;
        // Nobody may have the workspace open when it is kept: it may be opened up as long.
        let is_spared = match spared {
            Spared::Original => true,
            Spared::Persons(Some(repository), newcomer) => {
                repository.is_persons(&checkpoints.root()?, newcomer)?
            }
            Spared::Persons(None, _) => false,
        };
        let (now, event) = checkpoints.take_with_tree(&reason(&to))?;
        let way = Self {
            checkpoints,
            to,
            from: now.number(),
            now,
            spared: is_spared.then(|| ".git".into()).into_iter().collect(),
            is_original: matches!(spared, Spared::Original),
        };
        Ok((way, event))
    }

    /// The checkpoint of what was there.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// Goes it, for these paths or all.
    ///
    /// # Errors
    /// As [`crate::workspace::Repository::rollback`].
    pub fn go(&self, paths: &[PathBuf]) -> Result<RolledBack> {
        let repository = self.checkpoints.open()?;
        let root = self.checkpoints.root()?;
        // The first one of a copy is that of what it is a copy of.
        let missing = match self.checkpoints.is_copy() && self.to.number() == 0 {
            true => Missing::Never,
            false => Missing::Lost,
        };
        let (now, to) = (&self.now, &self.to);
        Ok(repository.rollback(&root, now, to, paths, &self.spared, missing)?)
    }

    /// Keeps what is there once more, with what could not be read before: the number, and the event that says so.
    ///
    /// # Errors
    /// It cannot be taken.
    pub fn keep_again(&mut self) -> Result<(u32, Event)> {
        let (now, event) = self.checkpoints.take_with_tree(&reason(&self.to))?;
        self.now = now;
        Ok((self.now.number(), event))
    }

    /// Of these paths those that are neither in what there was nor in what is to be.
    ///
    /// # Errors
    /// A checkpoint cannot be read.
    pub fn lacks(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let repository = self.checkpoints.open()?;
        Ok(repository.lacks(&[&self.now, &self.to], paths)?)
    }

    /// What is journalled of it, for these paths or all, once it is on disk: after a power cut it counts as done.
    ///
    /// # Errors
    /// Some of it could not be written.
    pub fn event(&self, done: &RolledBack, paths: &[PathBuf]) -> Result<Event> {
        self.checkpoints.root()?.sync()?;
        Ok(Event::RolledBack {
            to: self.to.number(),
            from: self.from,
            restored: done.restored,
            removed: done.removed,
            failed: done.failed.len() as u64 + done.failed_more,
            original: self.is_original,
            paths: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        })
    }
}

fn reason(to: &Checkpoint) -> String {
    format!("before going back to {}", to.number())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ralph::checkpoints::tests::of_directory;
    use crate::ralph::repository::GitAccess;
    use crate::workspace::SYNCED;

    #[test]
    fn a_git_that_the_person_has_made_since_stays() {
        for (access, newcomer, stays) in [
            (GitAccess::Shadow, Newcomer::Persons, true),
            (GitAccess::None, Newcomer::Persons, true),
            (GitAccess::Ro, Newcomer::Persons, true),
            (GitAccess::Rw, Newcomer::Persons, false),
            // What it was cut off in may be the agent's.
            (GitAccess::Shadow, Newcomer::Agents, false),
        ] {
            for had_one in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let (state, work) = (dir.path().join("state"), dir.path().join("work"));
                let (git, file) = (work.join(".git"), work.join("file"));
                fs::create_dir(&work).unwrap();
                fs::write(&file, "one").unwrap();
                if had_one {
                    fs::create_dir(&git).unwrap();
                    fs::write(git.join("HEAD"), "old").unwrap();
                }
                let checkpoints = of_directory(&state, &work);
                let root = checkpoints.root().unwrap();
                let (repository, _) = Repository::of(&root, access).unwrap();
                let _ = checkpoints.take("before the agent").unwrap();
                fs::write(&file, "two").unwrap();
                let _ = checkpoints.take("after iteration 1").unwrap();
                // Never in the place of the old one's inode.
                fs::create_dir(work.join("clone")).unwrap();
                let _ = fs::remove_dir_all(&git);
                fs::rename(work.join("clone"), &git).unwrap();
                fs::write(git.join("HEAD"), "new").unwrap();
                let head = || fs::read_to_string(git.join("HEAD")).ok();
                let old = had_one.then(|| "old".to_owned());
                let spared = Spared::Persons(Some(&repository), newcomer);
                let (way, _) = WayBack::begin(&checkpoints, 0, spared).unwrap();
                let done = way.go(&[]).unwrap();
                assert!(done.failed.is_empty(), "{:?}", done.failed);
                assert_eq!(!done.spared.is_empty(), stays, "{access} {newcomer:?}");
                assert_eq!(fs::read_to_string(&file).unwrap(), "one");
                let expected = if stays {
                    Some("new".to_owned())
                } else {
                    old.clone()
                };
                assert_eq!(head(), expected, "{access} {newcomer:?}");
                // It is journalled when it is on disk.
                assert!(!SYNCED.with_borrow(|synced| synced.contains(&root.id())));
                let _ = way.event(&done, &[]).unwrap();
                assert!(SYNCED.with_borrow(|synced| synced.contains(&root.id())));
                SYNCED.with_borrow_mut(Vec::clear);
                // Who names it means it.
                let done = way.go(&[".git".into()]).unwrap();
                assert!(done.failed.is_empty(), "{:?}", done.failed);
                assert_eq!(head(), old, "{access} {newcomer:?}");
            }
        }
    }
}
