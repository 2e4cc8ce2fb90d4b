//! How a claim, or a checkpoint, is checked.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::{Fault, Gate, Night, millis};
use crate::ralph::event::Event;
use crate::ralph::life::{Cut, Stop};
use crate::ralph::room::Room;
use crate::ralph::task::{Check, Task};
use crate::ralph::transcript::Transcript;
use crate::ralph::verification::{Checked, Claimed};

impl Night {
    /// Checks the claim of an iteration.
    pub(super) async fn verify<G: Gate>(
        &mut self,
        number: u32,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<(), Fault<G::Error>> {
        let at = self.past.checkpoint.unwrap_or_default();
        // A name of its own for each attempt: on some releases one that was killed cannot be removed
        // at once.
        let container = format!("ralph-{}-check-{}", self.run.id(), self.journal.next());
        let left = self.past.checking.clone();
        self.note(Event::Checking {
            number,
            checkpoint: at,
            container: container.clone(),
        })?;
        let task = self.task().clone();
        let path = self.run.check_path(number);
        let most = task.budget.check_time;
        let made = Clean {
            container: &container,
            left: left.as_deref(),
            at,
            task: &task,
            output: &path,
            time: self
                .time_left(Duration::ZERO)
                .map_or(most, |left| left.min(most)),
            room: self.room(),
        };
        let checked = self.check(made, gate, stop).await?;
        if let Some(low) = checked.low {
            self.note(Event::Disk { low })?;
        }
        if matches!(checked.cut, Some(Cut::Stopped | Cut::Disk | Cut::LostSight)) {
            // Not said of the work: the claim stays unchecked.
            return Ok(());
        }
        Ok(self.note(Event::Checked {
            number,
            exit_code: checked.exit_code,
            timed_out: checked.cut.is_some(),
            took: millis(checked.took),
            findings: checked.findings,
        })?)
    }

    /// Checks a checkpoint once more, after the run, by its task's check or another one. What the check
    /// writes is in [`Run::check_again_path`](crate::ralph::Run::check_again_path).
    ///
    /// # Errors
    /// There is no such checkpoint or no check, or it could not be made.
    pub async fn check_again<G: Gate>(
        &mut self,
        at: Option<u32>,
        command: Option<&str>,
        gate: &G,
        mut stop: watch::Receiver<Stop>,
    ) -> Result<Event, Fault<G::Error>> {
        let at = at.or(self.past.checkpoint).unwrap_or_default();
        let mut task = self.task().clone();
        if let Some(command) = command {
            task.check = Check::Command(command.to_owned());
        }
        let container = format!("ralph-{}-check-{}", self.run.id(), self.journal.next());
        let left = self.past.checking.clone();
        self.note(Event::CheckingAgain {
            checkpoint: at,
            container: container.clone(),
        })?;
        let path = self.run.check_again_path();
        let made = Clean {
            container: &container,
            left: left.as_deref(),
            at,
            task: &task,
            output: &path,
            time: task.budget.check_time,
            // Whoever asks for it is there.
            room: Room::default(),
        };
        let checked = self.check(made, gate, &mut stop).await?;
        let event = Event::CheckedAgain {
            checkpoint: at,
            other: command.map(str::to_owned),
            exit_code: checked.exit_code,
            cut: checked.cut,
            took: millis(checked.took),
            findings: checked.findings,
        };
        self.note(event.clone())?;
        Ok(event)
    }

    /// Makes a clean container, checks a checkpoint in it, and removes it.
    async fn check<G: Gate>(
        &mut self,
        clean: Clean<'_>,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<Checked, Fault<G::Error>> {
        // Before anything is made that would have to be removed.
        let mut output = Transcript::anew(clean.output, self.record.output)?;
        let sandbox = gate
            .make_clean(clean.container, clean.task, clean.left)
            .await;
        let sandbox = sandbox.map_err(Fault::Refused)?;
        let claimed = Claimed {
            checkpoints: &self.checkpoints,
            at: clean.at,
            protect: &clean.task.protect,
            command: match &clean.task.check {
                Check::Command(command) => command,
                Check::Waived | Check::Missing => "",
            },
            target: &self.record.workspace.target,
            time: clean.time,
            room: clean.room,
        };
        let checked = claimed.check(&sandbox, &mut output, stop, gate).await;
        // Everything worth keeping is kept by now.
        if let Err(error) = sandbox.remove().await
            && !error.is_not_found()
        {
            let text = format!("the container of the check stays: {error}");
            self.note(Event::Warning { text })?;
        }
        checked
    }
}

/// What is checked, and where.
struct Clean<'a> {
    /// The name of the container.
    container: &'a str,
    /// That of one that an earlier attempt has left.
    left: Option<&'a str>,
    /// The checkpoint.
    at: u32,
    task: &'a Task,
    /// What the check writes goes there.
    output: &'a Path,
    /// The longest that it may take.
    time: Duration,
    /// What has to stay free meanwhile.
    room: Room,
}
