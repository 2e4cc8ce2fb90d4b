//! What comes next, by what has happened.

use std::time::Duration;

use super::{Last, Past, Step};
use crate::ralph::life::{Cut, Stop};
use crate::ralph::pace::Pace;
use crate::ralph::promise::Claim;
use crate::ralph::record::Record;
use crate::ralph::task::{Check, Task};
use crate::ralph::verdict::Verdict;

/// So many times in a row the agent may run out of memory.
const OUT_OF_MEMORY: u32 = 2;
/// So many times in a row it may be refused processes.
const FORKS_REFUSED: u32 = 2;

impl Past {
    /// What comes next.
    pub(in crate::ralph) fn next(&self, record: &Record, stop: Stop) -> Step {
        let left = record.time.map(|most| most.saturating_sub(self.spent));
        let used_up = left.is_some_and(|left| left.is_zero());
        match self.next_of(record, stop) {
            Step::End(verdict) if verdict.is_well() && self.verdict.is_none() => {
                if self.phase + 1 < record.phases() {
                    return Step::Phase(verdict);
                }
                Step::End(verdict.together(self.before.verdict.clone()))
            }
            Step::Iterate | Step::BackOff { .. } | Step::Verify(_) if used_up => {
                Step::End(Verdict::Time)
            }
            Step::Iterate if record.pace == Pace::Steps && self.must_ask() => Step::Ask,
            Step::BackOff { why, time, most } => Step::BackOff {
                why,
                time,
                most: left.map_or(most, |left| left.min(most)),
            },
            step => step,
        }
    }

    /// Whether nobody has said that the next iteration is wanted. The first one is.
    fn must_ask(&self) -> bool {
        self.iterations > 0 && self.gone_on != Some(self.iterations)
    }

    /// The same within a phase.
    fn next_of(&self, record: &Record, stop: Stop) -> Step {
        let task = record.task(self.phase);
        if let Some(verdict) = &self.verdict {
            return Step::End(verdict.clone());
        }
        if let Some(open) = &self.open {
            return Step::TakeUp(open.clone());
        }
        if self.stale {
            return Step::Checkpoint;
        }
        let refused = || {
            let patience = task.budget.api_patience;
            let next = self.refused.next(patience, self.left(task), &record.voice);
            next.filter(|_| stop == Stop::No)
        };
        if !self.refused.counts()
            && let Some(step) = refused()
        {
            return step;
        }
        if let Some(low) = self.low.clone()
            && stop == Stop::No
        {
            return Step::End(Verdict::Disk { low });
        }
        if let Some(grown) = self.grown
            && stop == Stop::No
        {
            return Step::End(Verdict::Grown { grown });
        }
        if let Some(reason) = self.never_ran() {
            return Step::End(Verdict::Failed { reason });
        }
        if let Some(step) = self
            .last
            .as_ref()
            .and_then(|last| self.judge(last, task, stop))
        {
            return step;
        }
        match self.used_up(task, stop, record.workspace.read_only) {
            Some(verdict) => Step::End(verdict),
            None => refused().unwrap_or(Step::Iterate),
        }
    }

    /// Why another iteration would be as vain as the first: there is nothing to run.
    fn never_ran(&self) -> Option<String> {
        let last = self.last.as_ref()?;
        let in_vain = last.number == 1 && self.same_tree > 0;
        let said_nothing = last.cut.is_none() && last.claim == Claim::None;
        let why = match (last.exit_code, &last.missing) {
            (126, _) => "cannot be run in the image".to_owned(),
            (127, _) => "was not found in the image".to_owned(),
            (_, Some(words)) => format!("found no file to run: {words}"),
            _ => return None,
        };
        (in_vain && said_nothing).then(|| {
            format!(
                "the agent's command {why} (it ended with {})",
                last.exit_code
            )
        })
    }

    /// What is left of the task's time.
    fn left(&self, task: &Task) -> Option<Duration> {
        let spent = self.spent.saturating_sub(self.before.spent);
        task.budget.time.map(|most| most.saturating_sub(spent))
    }

    /// What the last iteration means for the run.
    fn judge(&self, last: &Last, task: &Task, stop: Stop) -> Option<Step> {
        match last.cut {
            Some(Cut::Stopped) => return Some(Step::End(Verdict::Stopped)),
            // Where it was found nearly full is known, unless that was before the run was taken up.
            Some(Cut::Disk | Cut::Growth) => return None,
            Some(Cut::Time) => return Some(Step::End(Verdict::Time)),
            // Killed in mid-sentence: it claims nothing.
            Some(Cut::IterationTime | Cut::MachineDown | Cut::LostSight) => return None,
            None => {}
        }
        if self.forks_refused >= FORKS_REFUSED {
            return Some(Step::End(Verdict::Pids));
        }
        if self.out_of_memory >= OUT_OF_MEMORY {
            let limit = last.memory_limit;
            return Some(Step::End(Verdict::OutOfMemory { limit }));
        }
        match (&last.claim, &task.check) {
            (Claim::None, _) => None,
            (Claim::Blocked(reason), _) => Some(Step::End(Verdict::Blocked {
                reason: reason.clone(),
            })),
            (Claim::Complete, Check::Waived) => Some(Step::End(Verdict::Claimed)),
            (Claim::Complete, Check::Missing) => Some(Step::End(Verdict::Unchecked)),
            (Claim::Complete, Check::Command(_)) => match self.checked {
                Some((number, Some(grade))) if number == last.number => {
                    Some(Step::End(Verdict::Verified { grade }))
                }
                Some((number, None)) if number == last.number => None,
                _ if stop != Stop::No => Some(Step::End(Verdict::Stopped)),
                _ if self.left(task).is_some_and(|left| left.is_zero()) => {
                    Some(Step::End(Verdict::Time))
                }
                _ => Some(Step::Verify(last.number)),
            },
        }
    }

    /// What has run out before another iteration begins.
    fn used_up(&self, task: &Task, stop: Stop, read_only: bool) -> Option<Verdict> {
        let budget = &task.budget;
        if stop != Stop::No {
            return Some(Verdict::Stopped);
        }
        let failed = self.check_failed.is_some() && self.check_failed == Some(self.iterations);
        if self.left(task).is_some_and(|left| left.is_zero()) {
            return Some(Verdict::Time);
        }
        if self.iterations - self.before.iterations >= budget.iterations.get() {
            let died = self.last.as_ref().filter(|_| self.out_of_memory > 0);
            return Some(match (failed, died) {
                (true, _) => Verdict::CheckFailed,
                // There is no other one that could have dealt with it.
                (false, Some(last)) => Verdict::OutOfMemory {
                    limit: last.memory_limit,
                },
                (false, None) => Verdict::Iterations,
            });
        }
        // Where nothing can change, that nothing does is no sign of anything.
        let same_tree = if read_only { 0 } else { self.same_tree };
        let iterations = same_tree.max(self.same_words);
        if budget
            .no_progress
            .is_some_and(|most| iterations >= most.get())
        {
            return Some(Verdict::NoProgress { iterations });
        }
        None
    }
}
