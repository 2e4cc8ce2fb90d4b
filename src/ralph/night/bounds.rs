//! What an iteration may use up.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Night;
use crate::ralph::life::{Bounds, Deadline};
use crate::ralph::room::Room;

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
            full: Some(self.transcript.full()),
        }
    }
}
