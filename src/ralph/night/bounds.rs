//! What an iteration may use up.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Night;
use crate::ralph::error::Result;
use crate::ralph::event::Event;
use crate::ralph::growth::{self, Grown, Growth, Looked};
use crate::ralph::life::{Bounds, Deadline};
use crate::ralph::room::Room;
use crate::workspace::Measured;

impl Night {
    /// What has to be left free, and where.
    pub(super) fn room(&self) -> Room {
        let places = [self.run.directory(), &self.record.workspace.path];
        let storage = self.storage.iter().map(PathBuf::as_path);
        Room::new(
            places.into_iter().chain(storage),
            self.task().budget.least_free,
        )
    }

    /// What the workspace may grow by, if that is bounded.
    fn growth(&self) -> Option<Growth> {
        let most = self.task().budget.most_growth;
        let from = self.past.measured.filter(|_| most > 0)?;
        Some(Growth {
            checkpoints: self.checkpoints.clone(),
            from,
            most,
        })
    }

    /// Whether it has grown by too much; measures it first, if nobody has. No more often than it is worth.
    pub(super) async fn has_grown(&mut self) -> Result<Option<Grown>> {
        let is_bounded = self.task().budget.most_growth > 0 && !self.record.workspace.read_only;
        let is_new = self.past.measured.is_none();
        let is_due = self.looked.as_ref().is_none_or(Looked::is_long_ago);
        if !is_bounded || !is_due {
            return Ok(None);
        }
        let begun = Instant::now();
        if is_new && self.past.iterations > 0 {
            // What the agent has made by now would be among it.
            return Ok(None);
        }
        if is_new {
            // Growth from what was counted in part would be none.
            match growth::measure(&self.checkpoints).await {
                Some(Measured { bytes, is_whole }) if is_whole => {
                    self.note(Event::Measured { bytes })?;
                }
                _ if self.looked.is_none() => {
                    let text = "the workspace cannot be measured: how much it grows is not watched"
                        .to_owned();
                    self.note(Event::Warning { text })?;
                }
                _ => {}
            }
        }
        let grown = match self.growth() {
            Some(growth) if !is_new => growth.look().await,
            _ => None,
        };
        self.looked = Some(Looked::since(begun));
        Ok(grown)
    }

    /// What is left of the run's time and the phase's, whichever is less, after `spent` more.
    pub(super) fn time_left(&self, spent: Duration) -> Option<Duration> {
        let all = self.past.spent + spent;
        let run = self.record.time.map(|most| most.saturating_sub(all));
        let in_phase = all.saturating_sub(self.past.before.spent);
        let phase = self.task().budget.time;
        let phase = phase.map(|most| most.saturating_sub(in_phase));
        run.into_iter().chain(phase).min()
    }

    /// What an iteration that has taken `spent` so far may still use up.
    pub(super) fn bounds(&self, now: Instant, spent: Duration) -> Bounds {
        let budget = &self.task().budget;
        let run = self.time_left(spent);
        let iteration = budget.iteration_time;
        let iteration = iteration.map(|most| most.saturating_sub(spent));
        Bounds {
            deadline: Deadline::earliest(now, run, iteration),
            room: self.room(),
            growth: self.growth(),
            full: Some(self.transcript.full()),
        }
    }
}
