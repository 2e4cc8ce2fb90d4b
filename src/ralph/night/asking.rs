//! What a run does between iterations when it goes on step by step.

use std::path::PathBuf;

use tokio::sync::watch;

use super::{Fault, Gate, Night, joined};
use crate::ralph::error::Result;
use crate::ralph::event::Event;
use crate::ralph::follow::Follow;
use crate::ralph::journal::Reader;
use crate::ralph::life::Stop;
use crate::ralph::newcomer::Newcomer;
use crate::ralph::pace::Answer;
use crate::ralph::past::Past;
use crate::ralph::prompt::Prompt;
use crate::ralph::record::Record;
use crate::ralph::store::Run;
use crate::ralph::task::Check;
use crate::ralph::theirs::Theirs;
use crate::ralph::way_back::{Spared, WayBack};
use crate::workspace::RolledBack;

/// So many names are said.
const NAMED: usize = 5;

/// The person's prompt for what a run works on now, as they have last written it.
///
/// # Errors
/// What is kept of the run cannot be read.
pub fn prompt(run: &Run, record: &Record) -> Result<Prompt> {
    let (_, entries) = Reader::open(&run.journal_path())?;
    Ok(Past::of(&entries).prompt(&run.prompts(record.phases())?))
}

impl Night {
    /// Asks what comes next, waits for the answer, and does it.
    pub(super) async fn ask<G: Gate>(
        &mut self,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> std::result::Result<(), Fault<G::Error>> {
        let after = self.past.iterations;
        let question = match self.past.asks {
            Some(question) => question,
            None => {
                self.note(Event::Asks { after })?;
                self.past.asks.unwrap_or_default()
            }
        };
        let mut follow = Follow::new(&self.run)?;
        let answer = loop {
            if let Some(answer) = self.run.answer_to(question)? {
                break answer;
            }
            tokio::select! {
                () = follow.changed() => {}
                Ok(_) = stop.wait_for(|asked| *asked != Stop::No) => return Ok(()),
            }
        };
        let failed = match answer {
            Answer::GoOn => return Ok(self.note(Event::GoesOn { after })?),
            Answer::Prompt(text) => {
                let noted = self.note(Event::Prompted { text });
                noted.err().map(|e| e.to_string())
            }
            Answer::Check if !matches!(self.task().check, Check::Command(_)) => {
                Some("the task has no check".to_owned())
            }
            Answer::Check => match self.check_again(None, None, gate, stop.clone()).await {
                Ok(_) => None,
                Err(Fault::Refused(error)) => return Err(Fault::Refused(error)),
                Err(Fault::Failed(error)) => Some(error.to_string()),
            },
            Answer::RollBack(to) => self.roll_back(to, stop).await.err().map(|e| e.to_string()),
        };
        if let Some(text) = failed {
            self.note(Event::Warning { text })?;
        }
        // And again: another answer may follow.
        Ok(self.note(Event::Asks { after })?)
    }

    /// The workspace as it was at a checkpoint; what it was before is one, too.
    async fn roll_back(&mut self, to: u32, stop: &mut watch::Receiver<Stop>) -> Result<()> {
        let checkpoints = self.checkpoints.clone();
        let repository = self.record.repository.clone();
        let done = tokio::task::spawn_blocking(move || {
            let spared = Spared::Persons(repository.as_ref(), Newcomer::Agents);
            let (way, event) = WayBack::begin(&checkpoints, to, spared)?;
            let mut done = way.go(&[])?;
            let theirs = Theirs::of(&checkpoints)?;
            let stays = theirs.spare(checkpoints.root()?.path(), &mut done);
            let mut events = vec![event, way.event(&done, &[])?];
            events.extend(unlike(&done, &stays));
            Result::Ok(events)
        });
        for event in joined(done.await)? {
            self.note(event)?;
        }
        self.checkpoint(stop).await
    }
}

/// What is not as it was at the checkpoint, in words.
fn unlike(done: &RolledBack, stays: &[PathBuf]) -> Vec<Event> {
    let failed: Vec<_> = done
        .failed
        .iter()
        .take(NAMED)
        .map(|one| one.error.to_string())
        .collect();
    // Without what a terminal would obey, as errors have it.
    let quoted = |path: &PathBuf| format!("{path:?}");
    let theirs: Vec<_> = stays.iter().take(NAMED).map(quoted).collect();
    let failures = done.failed.len() as u64 + done.failed_more;
    let of = |all: u64, what: &str, named: Vec<String>| {
        let more = match all.saturating_sub(named.len() as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let text = format!("{all} {what}: {}{more}", named.join("; "));
        (all > 0).then_some(Event::Warning { text })
    };
    let others =
        "names are not what they were, and left, since they were another user's before the run";
    [
        of(failures, "names are not what they were", failed),
        of(stays.len() as u64, others, theirs),
    ]
    .into_iter()
    .flatten()
    .collect()
}
