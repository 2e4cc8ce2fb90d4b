//! Which run a person means.

use std::path::Path;

use super::{Run, Runs};
use crate::ralph::error::{Error, Result};

/// The shortest end of an id that stands for it, and the shortest beginning, which is a date.
const SHORTEST: (usize, usize) = (4, 8);

/// How a word names a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// By its id.
    Whole,
    /// By its name or a part of its id, which may have been meant for something else.
    Loosely,
}

impl Runs {
    /// The run that a person means by a word: its id, or the end or beginning of it, or its name.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn find(&self, word: &str) -> Result<(Run, Named)> {
        let runs = self.list()?;
        if let Some(run) = runs.iter().find(|run| run.id.as_str() == word) {
            return Ok((run.clone(), Named::Whole));
        }
        // Of those with one name the last: the person has used it again.
        let named = runs.iter().rev().find(|run| {
            let record = run.record();
            record.is_ok_and(|record| record.name.as_deref() == Some(word))
        });
        if let Some(run) = named {
            return Ok((run.clone(), Named::Loosely));
        }
        let (end, begin) = SHORTEST;
        let fits = |run: &&Run| {
            let id = run.id.as_str();
            (word.len() >= end && id.ends_with(word))
                || (word.len() >= begin && id.starts_with(word))
        };
        let mut fitting = runs.iter().filter(fits);
        let none = |text: String| Err(Error::NoSuchRun(text));
        match (fitting.next(), fitting.next()) {
            (Some(run), None) => Ok((run.clone(), Named::Loosely)),
            (Some(_), Some(_)) => none(format!("more than one run fits `{word}`")),
            _ => none(format!("there is no run `{word}`")),
        }
    }

    /// The last run.
    ///
    /// # Errors
    /// There is none.
    pub fn last(&self) -> Result<Run> {
        let last = self.list()?.pop();
        last.ok_or_else(|| Error::NoSuchRun("there are no runs".to_owned()))
    }

    /// The last run that works, or whose person does, in this directory or above it.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub fn last_at(&self, place: &Path) -> Result<Option<Run>> {
        let works = |run: &Run| {
            let record = run.record();
            record.is_ok_and(|record| {
                let own = &record.original().path;
                [own, &record.workspace.path]
                    .iter()
                    .any(|root| place.starts_with(root))
            })
        };
        Ok(self.list()?.into_iter().rev().find(works))
    }
}
