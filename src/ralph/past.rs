//! What has happened in a run, from its journal alone, and what comes next. Pure: a run that was cut
//! off anywhere goes on as if it had not been.

mod next;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::event::{During, Entry, Event};
use super::growth::Grown;
use super::life::Cut;
use super::promise::Claim;
use super::prompt::Prompt;
use super::refused::Refused;
use super::room::Low;
use super::started::Open;
use super::trouble::{Refusal, Trouble};
use super::verdict::{Grade, Verdict};

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Iterations that have ended.
    pub(super) iterations: u32,
    /// What they and the checks took.
    pub(super) spent: Duration,
    /// The phase that is worked on, from 0.
    pub(super) phase: usize,
    /// What was used up before it.
    pub(super) before: Before,
    /// What the person has for the agent, and whether for good.
    notes: Vec<(String, bool)>,
    /// The line of the question that nobody has answered.
    pub(super) asks: Option<u64>,
    /// The iteration after which the person wanted the next.
    gone_on: Option<u32>,
    /// What the person has put in the prompt's place.
    pub(super) prompt: Option<String>,
    /// Those that were heard.
    heard: HashSet<String>,
    /// The iteration that began and whose end nobody has seen.
    pub(super) open: Option<Open>,
    /// The last iteration that has ended.
    last: Option<Last>,
    /// When the last life that has ended began, by the service's clock.
    pub(super) started: Option<String>,
    /// The number of the last checkpoint that was taken while nothing of the agent was alive.
    pub(super) checkpoint: Option<u32>,
    /// Those that were taken while it worked.
    pub(super) meanwhile: BTreeMap<u32, During>,
    /// Checkpoints that a check ran on.
    pub(super) checked_on: BTreeSet<u32>,
    /// Something has happened since.
    stale: bool,
    /// The last iteration whose claim did not pass its check.
    pub(super) check_failed: Option<u32>,
    /// What was put back for the last check.
    pub(super) put_back: Vec<String>,
    /// The last that was checked, and what it rests on if it passed.
    checked: Option<(u32, Option<Grade>)>,
    /// The container of a check that began and whose end nobody has seen.
    pub(super) checking: Option<String>,
    /// So many iterations in a row have changed nothing.
    same_tree: u32,
    /// So many messages in a row are the same.
    same_words: u32,
    out_of_memory: u32,
    forks_refused: u32,
    /// So many of the first bytes of output are known not to be kept.
    pub(super) not_kept: u64,
    /// A disk that was found nearly full.
    pub(super) low: Option<Low>,
    /// What the workspace took of its disk in the beginning.
    pub(super) measured: Option<u64>,
    /// It has grown by too much.
    grown: Option<Grown>,
    /// What was before the last iteration, if that may have come to nothing.
    undone: Option<Undone>,
    refused: Refused,
    pub(super) verdict: Option<Verdict>,
}

/// How far a run has come: it is another one once something has ended, was checked or was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What iterations, checks and waits took.
    pub spent: Duration,
    /// The last checkpoint with nothing of the agent alive.
    pub checkpoint: Option<u32>,
}

/// What phases before this one have used up, and come to.
#[derive(Debug, Default)]
pub(super) struct Before {
    iterations: u32,
    pub(super) spent: Duration,
    verdict: Option<Verdict>,
}

/// How things were before an iteration.
#[derive(Debug)]
struct Undone {
    refusal: Refusal,
    iterations: u32,
    last: Option<Last>,
    notes: Vec<(String, bool)>,
    same_words: u32,
    out_of_memory: u32,
}

#[derive(Debug, Clone)]
struct Last {
    number: u32,
    exit_code: i32,
    cut: Option<Cut>,
    claim: Claim,
    missing: Option<String>,
    words: String,
    memory_limit: i64,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An iteration that somebody else began is waited for.
    TakeUp(Open),
    /// The workspace is kept as it is.
    Checkpoint,
    /// The claim of this iteration is checked.
    Verify(u32),
    /// The model's API is given time: about so long, and not more than this.
    BackOff {
        why: Trouble,
        time: Duration,
        most: Duration,
    },
    /// It has time until then.
    Wait(String),
    /// The agent works.
    Iterate,
    /// The person is asked.
    Ask,
    /// The next phase, since this one has ended so.
    Phase(Verdict),
    /// Nothing.
    End(Verdict),
}

impl Past {
    /// All that a journal says.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut past = Self {
            stale: true,
            ..Self::default()
        };
        for entry in entries {
            past.add(entry);
        }
        past
    }

    /// One more thing.
    pub(super) fn add(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Iteration {
                number,
                output,
                boot,
                awake,
            } => {
                self.open = Some(Open {
                    number: *number,
                    output: *output,
                    at: entry.at.clone(),
                    boot: boot.clone(),
                    awake: awake.map(Duration::from_millis),
                });
                self.refused.waited();
            }
            Event::Ended {
                number,
                exit_code,
                oom_killed,
                took,
                cut,
                claim,
                words,
                memory_limit,
                refusal,
                missing,
                forks_refused,
                started,
                ..
            } => {
                self.started = Some(started.clone());
                // One that claims has dealt with it.
                let vain = *forks_refused && *claim == Claim::None;
                self.forks_refused = if vain { self.forks_refused + 1 } else { 0 };
                self.undone = refusal.clone().map(|refusal| self.before(refusal));
                self.refused.ended(Duration::from_millis(*took));
                let same = self.last.as_ref().is_some_and(|last| last.words == *words);
                // One alone repeats nothing.
                self.same_words = match same && !words.is_empty() {
                    true => self.same_words.max(1) + 1,
                    false => 0,
                };
                // A child's death is evidence, no more: the agent may have dealt with it.
                let died = *oom_killed && *exit_code == 137 && cut.is_none();
                self.out_of_memory = if died { self.out_of_memory + 1 } else { 0 };
                self.open = None;
                self.notes.retain(|(_, always)| *always);
                self.iterations = *number;
                self.spent += Duration::from_millis(*took);
                self.stale = true;
                self.last = Some(Last {
                    number: *number,
                    exit_code: *exit_code,
                    cut: *cut,
                    claim: claim.clone(),
                    missing: missing.clone(),
                    words: words.clone(),
                    memory_limit: *memory_limit,
                });
            }
            // What is to come does not depend on whether there are any of these.
            Event::Checkpoint {
                number,
                during: Some(during),
                ..
            } => {
                self.meanwhile.insert(*number, *during);
            }
            Event::Checkpoint {
                number, changed, ..
            } => {
                let same = self.checkpoint.is_some() && *changed == 0;
                match self.undone.take() {
                    Some(undone) if same => {
                        self.refused.forget_work();
                        self.undo(undone);
                    }
                    undone => {
                        self.same_tree = if same { self.same_tree + 1 } else { 0 };
                        let has_failed = self.last.as_ref().is_some_and(|last| last.exit_code != 0);
                        match undone.filter(|_| has_failed) {
                            Some(undone) if self.refused.at_work(&undone.refusal) => {
                                // What it says is why it was given time.
                                self.same_words = undone.same_words;
                            }
                            Some(_) => {}
                            None => self.refused = Refused::default(),
                        }
                    }
                }
                self.checkpoint = Some(*number);
                self.stale = false;
            }
            Event::Waiting { until, time, .. } => {
                let time = Duration::from_millis(*time);
                self.spent += time;
                self.refused.waits(until, time);
            }
            Event::Checking {
                container,
                checkpoint,
                ..
            }
            | Event::CheckingAgain {
                container,
                checkpoint,
            } => {
                self.checking = Some(container.clone());
                self.checked_on.insert(*checkpoint);
            }
            Event::CheckedAgain { checkpoint, .. } => {
                self.checking = None;
                self.checked_on.insert(*checkpoint);
            }
            Event::Checked {
                number,
                exit_code,
                timed_out,
                took,
                findings,
            } => {
                let passed = *exit_code == 0 && !timed_out;
                let grade = match findings.is_protected() {
                    true => Grade::Protected,
                    false => Grade::AgentsTests,
                };
                self.spent += Duration::from_millis(*took);
                self.checking = None;
                self.checked = Some((*number, passed.then_some(grade)));
                self.check_failed = (!passed).then_some(*number);
                self.put_back.clone_from(&findings.put_back);
            }
            Event::Told { id, text, always } => {
                self.heard.insert(id.clone());
                self.notes.push((text.clone(), *always));
            }
            Event::Asks { .. } => self.asks = Some(entry.line),
            Event::GoesOn { after } => {
                self.asks = None;
                self.gone_on = Some(*after);
            }
            Event::Prompted { text } => self.prompt = Some(text.clone()),
            // The person may have made room.
            Event::Resumed { .. } => (self.low, self.grown) = (None, None),
            Event::Disk { low } => self.low = Some(low.clone()),
            Event::Measured { bytes } => self.measured = Some(*bytes),
            Event::Grown { grown } => self.grown = Some(*grown),
            Event::OutputDropped { bytes } => self.not_kept = *bytes,
            Event::Phase { number, verdict } => self.begin_phase(*number, verdict),
            Event::Verdict { verdict } => self.verdict = Some(verdict.clone()),
            _ => {}
        }
    }

    fn before(&self, refusal: Refusal) -> Undone {
        Undone {
            refusal,
            iterations: self.iterations,
            last: self.last.clone(),
            notes: self.notes.clone(),
            same_words: self.same_words,
            out_of_memory: self.out_of_memory,
        }
    }

    /// As if the last iteration had not been, but for the time that it took.
    fn undo(&mut self, undone: Undone) {
        self.iterations = undone.iterations;
        self.last = undone.last;
        self.notes = undone.notes;
        self.same_words = undone.same_words;
        self.out_of_memory = undone.out_of_memory;
        self.refused.again(undone.refusal);
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            spent: self.spent,
            checkpoint: self.checkpoint,
        }
    }

    /// The model's API was given its time.
    pub(super) fn waited(&mut self) {
        self.refused.waited();
    }

    /// The workspace cannot be kept as it is.
    pub(super) fn not_kept(&mut self) {
        self.stale = false;
    }

    /// An iteration that never started is none.
    pub(super) fn never_started(&mut self) {
        self.open = None;
    }

    /// The prompt of the phase that is worked on: the person's last one.
    pub(super) fn prompt(&self, prompts: &[Prompt]) -> Prompt {
        let first = prompts.get(self.phase).or(prompts.last());
        match &self.prompt {
            Some(text) => Prompt::new(text.clone()),
            None => first.cloned().unwrap_or_default(),
        }
    }

    /// Nothing of the phase before counts for this one.
    fn begin_phase(&mut self, number: u32, verdict: &Verdict) {
        self.phase = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let so_far = self.before.verdict.take();
        self.before = Before {
            iterations: self.iterations,
            spent: self.spent,
            verdict: Some(verdict.clone().together(so_far)),
        };
        self.prompt = None;
        (self.last, self.checked, self.check_failed) = (None, None, None);
        (self.same_tree, self.same_words, self.out_of_memory) = (0, 0, 0);
    }

    /// Whether a note was heard.
    pub(super) fn has_heard(&self, id: &str) -> bool {
        self.heard.contains(id)
    }

    /// What the person has for the agent now.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.iter().map(|(text, _)| text.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
