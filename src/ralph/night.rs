//! The loop: one iteration after another, until the work is done or something has run out.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::error::{Error, Result};
use super::event::{Entry, Event};
use super::journal::Journal;
use super::life::{self, Cut, Deadline, Life, Stop};
use super::promise::Claim;
use super::prompt::Prompt;
use super::record::Record;
use super::store::Run;
use super::task::Check;
use super::transcript::Transcript;
use super::verdict::Verdict;
use crate::sandbox::Sandbox;

/// So many times in a row the agent may run out of memory.
const OUT_OF_MEMORY: u32 = 2;

/// What a night asks of the layer above, which knows what the person allows.
pub trait Gate {
    /// Why a container is not admitted.
    type Error;

    /// Looks at a prepared container before its first instruction.
    ///
    /// # Errors
    /// It must not be started.
    fn admit(
        &self,
        sandbox: &Sandbox,
    ) -> impl Future<Output = std::result::Result<(), Self::Error>>;
}

/// Why a night ended without a verdict of its own.
#[derive(Debug)]
pub enum Fault<E> {
    /// A container was not admitted.
    Refused(E),
    /// The service, or the record.
    Failed(Error),
}

impl<E> From<Error> for Fault<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A run in hand.
#[derive(Debug)]
pub struct Night {
    run: Run,
    record: Record,
    prompt: Prompt,
    journal: Journal,
    transcript: Transcript,
    past: Past,
}

/// What has happened so far, from the journal alone.
#[derive(Debug, Default)]
struct Past {
    iterations: u32,
    spent: Duration,
    idle: u32,
    out_of_memory: u32,
    said: Option<String>,
    check_failed: Option<u32>,
    open: Option<Open>,
    verdict: Option<Verdict>,
}

/// An iteration that began, and whose end nobody has seen.
#[derive(Debug, Clone)]
struct Open {
    number: u32,
    output: u64,
    at: String,
}

impl Past {
    fn add(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Iteration { number, output } => {
                self.open = Some(Open {
                    number: *number,
                    output: *output,
                    at: entry.at.clone(),
                });
            }
            Event::Ended { number, took, .. } => {
                self.open = None;
                self.iterations = *number;
                self.spent += Duration::from_millis(*took);
            }
            Event::Checked {
                number,
                exit_code,
                took,
                ..
            } => {
                self.spent += Duration::from_millis(*took);
                self.check_failed = (*exit_code != 0).then_some(*number);
            }
            Event::Verdict { verdict } => self.verdict = Some(verdict.clone()),
            _ => {}
        }
    }
}

impl Night {
    /// Opens the record of a run that is held.
    ///
    /// # Errors
    /// The record cannot be read, or is damaged.
    pub fn open(run: &Run) -> Result<(Self, Vec<Entry>)> {
        let (journal, entries) = Journal::open(&run.journal_path())?;
        let mut past = Past::default();
        for entry in &entries {
            past.add(entry);
        }
        let night = Self {
            record: run.record()?,
            prompt: Prompt::new(run.prompt()?),
            transcript: Transcript::open(&run.output_path())?,
            run: run.clone(),
            journal,
            past,
        };
        Ok((night, entries))
    }

    /// Journals something that happened elsewhere.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn note(&mut self, event: Event) -> Result<()> {
        let entry = self.journal.append(event)?;
        self.past.add(&entry);
        Ok(())
    }

    /// Works until there is a verdict, which is the journal's last event. The container stays.
    ///
    /// # Errors
    /// Without a verdict: the run can be taken up again.
    pub async fn work<G: Gate>(
        &mut self,
        sandbox: &Sandbox,
        gate: &G,
        mut stop: watch::Receiver<Stop>,
    ) -> std::result::Result<Verdict, Fault<G::Error>> {
        loop {
            let asked = *stop.borrow();
            let verdict = match (self.past.open.clone(), self.over(asked)) {
                (Some(open), _) => self.take_up(sandbox, &open, &mut stop).await?,
                (None, Some(verdict)) => Some(verdict),
                (None, None) => self.iterate(sandbox, gate, &mut stop).await?,
            };
            if let Some(verdict) = verdict {
                let event = Event::Verdict {
                    verdict: verdict.clone(),
                };
                self.note(event)?;
                return Ok(verdict);
            }
        }
    }

    /// Whether something has run out before another iteration begins.
    fn over(&self, stop: Stop) -> Option<Verdict> {
        let budget = &self.record.task.budget;
        if let Some(verdict) = &self.past.verdict {
            return Some(verdict.clone());
        }
        if stop != Stop::No {
            return Some(Verdict::Stopped);
        }
        if budget
            .no_progress
            .is_some_and(|most| self.past.idle >= most.get())
        {
            let iterations = self.past.idle;
            return Some(Verdict::NoProgress { iterations });
        }
        if budget.time.is_some_and(|most| self.past.spent >= most) {
            return Some(Verdict::Time);
        }
        if self.past.iterations >= budget.iterations.get() {
            let last = self.past.check_failed == Some(self.past.iterations);
            return Some(if last {
                Verdict::CheckFailed
            } else {
                Verdict::Iterations
            });
        }
        None
    }

    async fn iterate<G: Gate>(
        &mut self,
        sandbox: &Sandbox,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> std::result::Result<Option<Verdict>, Fault<G::Error>> {
        let number = self.past.iterations + 1;
        let prompt = self.compose();
        self.run.show_prompt(&prompt)?;
        self.transcript.begin();
        let output = self.transcript.length();
        self.note(Event::Iteration { number, output })?;
        let begun = Instant::now();
        let deadline = self.deadline(begun, Duration::ZERO);
        let transcript = &mut self.transcript;
        let life = life::live(sandbox, prompt.as_bytes(), transcript, deadline, stop, gate).await?;
        Ok(self.classify(number, &life, begun.elapsed(), &prompt)?)
    }

    /// Goes on with an iteration that somebody else began: the service's log has all that the
    /// agent has said. One that never started is begun again.
    async fn take_up<E>(
        &mut self,
        sandbox: &Sandbox,
        open: &Open,
        stop: &mut watch::Receiver<Stop>,
    ) -> std::result::Result<Option<Verdict>, Fault<E>> {
        let container = sandbox.inspect().await.map_err(Error::from)?;
        let Some(started) = life::started_after(&container, &open.at) else {
            self.past.open = None;
            return Ok(None);
        };
        let prompt = self.compose();
        self.transcript.rewind(open.output)?;
        let spent = started.elapsed();
        let deadline = self.deadline(Instant::now(), spent);
        let transcript = &mut self.transcript;
        let life = life::join(sandbox, &started, transcript, deadline, stop).await?;
        let took = started.until_end(sandbox).await;
        Ok(self.classify(open.number, &life, took, &prompt)?)
    }

    fn compose(&self) -> String {
        let promise = self.record.task.promise.as_ref();
        self.prompt.compose(promise, &[], None)
    }

    /// When an iteration that has taken `spent` so far has to be over.
    fn deadline(&self, now: Instant, spent: Duration) -> Option<Deadline> {
        let budget = &self.record.task.budget;
        let run = budget
            .time
            .map(|most| most.saturating_sub(self.past.spent + spent));
        let iteration = budget.iteration_time.map(|most| most.saturating_sub(spent));
        Deadline::earliest(now, run, iteration)
    }

    /// What an iteration that has ended means for the run.
    fn classify(
        &mut self,
        number: u32,
        life: &Life,
        took: Duration,
        prompt: &str,
    ) -> Result<Option<Verdict>> {
        self.note(Event::Ended {
            number,
            exit_code: life.outcome.exit_code,
            oom_killed: life.outcome.oom_killed,
            took: millis(took),
            output: self.transcript.length(),
            cut: life.cut,
        })?;
        match life.cut {
            Some(Cut::Stopped) => return Ok(Some(Verdict::Stopped)),
            Some(Cut::Time) => return Ok(Some(Verdict::Time)),
            // Killed in mid-sentence: it claims nothing.
            Some(Cut::IterationTime | Cut::Lost) => return Ok(None),
            None => {}
        }
        // A child's death is evidence, no verdict: the agent may have dealt with it.
        let died = life.outcome.oom_killed && life.outcome.exit_code == 137;
        self.past.out_of_memory = if died { self.past.out_of_memory + 1 } else { 0 };
        if self.past.out_of_memory >= OUT_OF_MEMORY {
            let limit = life.outcome.memory_limit;
            return Ok(Some(Verdict::OutOfMemory { limit }));
        }
        let words = self.transcript.last_words();
        let task = &self.record.task;
        let claim = task.promise.as_ref().map_or(Claim::None, |promise| {
            promise.claim(&words, prompt, task.reading)
        });
        self.progress(words);
        match claim {
            Claim::None => Ok(None),
            Claim::Blocked(reason) => Ok(Some(Verdict::Blocked { reason })),
            Claim::Complete => self.claimed(number),
        }
    }

    fn progress(&mut self, said: String) {
        let same = self.past.said.as_ref() == Some(&said);
        self.past.idle = if same { self.past.idle + 1 } else { 0 };
        self.past.said = Some(said);
    }

    fn claimed(&mut self, number: u32) -> Result<Option<Verdict>> {
        self.note(Event::Claimed { number })?;
        match &self.record.task.check {
            Check::Waived => Ok(Some(Verdict::Claimed)),
            Check::Missing => Ok(Some(Verdict::Unchecked)),
            Check::Command(_) => Ok(None),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
