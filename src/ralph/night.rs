//! The loop: one iteration after another, until the work is done or something has run out.

mod asking;
mod bounds;
mod checking;
mod keeping;
mod meanwhile;
mod patience;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

pub use self::asking::prompt;
pub(super) use self::meanwhile::{Enough, Meanwhile};
use super::asleep::{Moment, awake};
use super::checkpoints::Checkpoints;
use super::error::{Error, Result};
use super::event::{Entry, Event};
use super::growth::Looked;
use super::journal::Journal;
use super::life::{self, Evidence, Life, Stop};
use super::past::{Past, Progress, Step};
use super::promise::{Claim, LastWords};
use super::prompt::{Failure, Prompt};
use super::record::Record;
use super::repository::Quarantine;
use super::started::{End, Open, started_after, this_boot};
use super::store::Run;
use super::task::Task;
use super::transcript::Transcript;
use super::verdict::Verdict;
use super::verification::joined;
use crate::sandbox::Sandbox;

/// How much of the end of a check's output is kept for the agent, in bytes.
const FAILURE: u64 = 64 << 10;

/// What a night asks of the layer above, which knows what the person allows.
pub trait Gate {
    /// Why a container is not admitted, or not made.
    type Error;

    /// Looks at a prepared container before its first instruction.
    ///
    /// # Errors
    /// It must not be started.
    fn admit(
        &self,
        sandbox: &Sandbox,
    ) -> impl Future<Output = std::result::Result<(), Self::Error>>;

    /// Makes the container for a task's check: from the run's image, without a network and with
    /// nothing of the host in it. One that is `left` of an earlier attempt goes first, if it can be removed.
    ///
    /// # Errors
    /// It cannot be made.
    fn make_clean(
        &self,
        name: &str,
        task: &Task,
        left: Option<&str>,
    ) -> impl Future<Output = std::result::Result<Sandbox, Self::Error>>;
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
    /// One for each phase.
    prompts: Vec<Prompt>,
    journal: Journal,
    transcript: Transcript,
    checkpoints: Checkpoints,
    past: Past,
    /// Where the service keeps the container and its home, as far as that is known.
    storage: Vec<PathBuf>,
    /// Of the iteration that has begun last.
    evidence: Evidence,
    /// When it was last looked at how much the workspace has grown.
    looked: Option<Looked>,
}

impl Night {
    /// Opens the record of a run that is held.
    ///
    /// # Errors
    /// The record cannot be read, or is damaged.
    pub fn open(run: &Run) -> Result<(Self, Vec<Entry>)> {
        let (journal, entries) = Journal::open(&run.journal_path())?;
        let record = run.record()?;
        let night = Self {
            checkpoints: run.checkpoints(&record)?,
            prompts: run.prompts(record.phases())?,
            transcript: Transcript::open(
                &run.output_path(),
                record.output,
                record.voice.message.clone(),
            )?,
            record,
            run: run.clone(),
            journal,
            past: Past::of(&entries),
            storage: Vec::new(),
            evidence: Evidence::default(),
            looked: None,
        };
        Ok((night, entries))
    }

    /// What was asked for.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether the workspace is where it was: its file system may not be mounted yet.
    pub fn has_workspace(&self) -> bool {
        self.record.workspace.is_there()
    }

    /// How far the run has come.
    pub fn progress(&self) -> Progress {
        self.past.progress()
    }

    /// Whether there is a verdict.
    pub fn is_over(&self) -> bool {
        self.past.verdict.is_some()
    }

    /// Journals something that happened.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn note(&mut self, event: Event) -> Result<()> {
        let entry = self.journal.append(event)?;
        self.past.add(&entry);
        Ok(())
    }

    /// Moves away what has come to the workspace's top and would be obeyed there. A few renames: it
    /// blocks no longer than the journal does.
    ///
    /// # Errors
    /// The workspace is gone, or the journal cannot be written; or something has to stay as it is.
    pub fn clear_top(&mut self) -> Result<()> {
        let root = self.checkpoints.root()?;
        let cleared = Quarantine::of(&self.run, &self.record).clear(&root)?;
        for event in cleared.events {
            self.note(event)?;
        }
        if let Some(path) = cleared.stays.first() {
            let path = root.path().join(path);
            return Err(Error::Stays { path });
        }
        let modules = self
            .record
            .repository
            .iter()
            .flat_map(|known| &known.modules);
        match modules.into_iter().find(|module| module.is_lost(&root)) {
            Some(module) => Err(Error::Replaced {
                path: root.path().join(&module.path).join(".git"),
            }),
            None => Ok(()),
        }
    }

    /// What of the workspace would be obeyed, relative to it, whether it is there or not.
    pub fn obeyed(&self) -> Vec<PathBuf> {
        Quarantine::of(&self.run, &self.record).places()
    }

    /// As [`Self::clear_top`], of these places alone; what has to stay is said in the journal.
    ///
    /// # Errors
    /// The workspace is gone, or the journal cannot be written.
    pub fn clear_of(&mut self, places: &[PathBuf]) -> Result<()> {
        let root = self.checkpoints.root()?;
        let is_meant = |path: &Path| places.iter().any(|place| place == path);
        let quarantine = Quarantine::of(&self.run, &self.record);
        for event in quarantine.clear_of(&root, &is_meant)?.events {
            self.note(event)?;
        }
        Ok(())
    }

    /// Works until there is a verdict. The container stays.
    ///
    /// # Errors
    /// Without a verdict: the run can be taken up again.
    pub async fn work<G: Gate>(
        &mut self,
        sandbox: &Sandbox,
        gate: &G,
        mut stop: watch::Receiver<Stop>,
    ) -> std::result::Result<Verdict, Fault<G::Error>> {
        self.journal.keep_room();
        // Without an answer the rest is watched; a service that has gone is noticed next.
        self.storage = sandbox.storage().await.unwrap_or_default();
        loop {
            match self.step(sandbox, gate, &mut stop).await {
                Ok(None) => {}
                Ok(Some(verdict)) => return Ok(verdict),
                // The journal has room of its own, and with this the run ends.
                Err(Fault::Failed(error)) if error.is_full() && self.past.low.is_none() => {
                    let low = self.room().none();
                    self.note(Event::Disk { low })?;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Somebody has removed the sandbox: what its agent has done is kept, and there is no more to come.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn sandbox_removed(&mut self, stop: &mut watch::Receiver<Stop>) -> Result<Verdict> {
        let reason = "when the sandbox was removed";
        self.keep_last(reason, stop).await?;
        let reason = "the sandbox was removed".to_owned();
        let verdict = Verdict::Failed { reason };
        self.note(Event::Verdict {
            verdict: verdict.clone(),
        })?;
        Ok(verdict)
    }

    /// All of it is noted: gives back the room that the journal has for that.
    pub fn close(&mut self) {
        self.journal.give_back();
    }

    /// One step; a verdict, if it was the last one.
    async fn step<G: Gate>(
        &mut self,
        sandbox: &Sandbox,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> std::result::Result<Option<Verdict>, Fault<G::Error>> {
        let asked = *stop.borrow();
        match self.past.next(&self.record, asked) {
            Step::TakeUp(open) => self.take_up(sandbox, &open, stop).await?,
            Step::Checkpoint => self.checkpoint(stop).await?,
            Step::Verify(number) => self.verify(number, gate, stop).await?,
            Step::BackOff { why, time, most } => self.back_off(why, time, most)?,
            Step::Wait(until) => self.wait(&until, stop).await,
            Step::Iterate => self.iterate(sandbox, gate, stop).await?,
            Step::Ask => self.ask(gate, stop).await?,
            Step::Phase(verdict) => {
                let number = u32::try_from(self.past.phase + 2).unwrap_or(u32::MAX);
                self.note(Event::Phase { number, verdict })?;
            }
            Step::End(verdict) => {
                self.note(Event::Verdict {
                    verdict: verdict.clone(),
                })?;
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    async fn iterate<G: Gate>(
        &mut self,
        sandbox: &Sandbox,
        gate: &G,
        stop: &mut watch::Receiver<Stop>,
    ) -> std::result::Result<(), Fault<G::Error>> {
        let number = self.past.iterations + 1;
        if let Some(low) = self.room().low().await {
            return Ok(self.note(Event::Disk { low })?);
        }
        if let Some(grown) = self.has_grown().await? {
            return Ok(self.note(Event::Grown { grown })?);
        }
        self.hear()?;
        let prompt = self.compose();
        let promise = self.task().promise.as_ref();
        self.run.show_prompt(&prompt, promise)?;
        self.transcript.begin();
        let output = self.transcript.length();
        self.note(Event::Iteration {
            number,
            output,
            boot: this_boot(),
            awake: Some(millis(awake())),
        })?;
        let (begun, moment) = (Instant::now(), Moment::now());
        let bounds = self.bounds(begun, Duration::ZERO);
        let mut evidence = Evidence::default();
        let (transcript, meanwhile) = self.meanwhile(number);
        let meanwhile = Some(meanwhile);
        let life = life::live(
            sandbox,
            transcript,
            meanwhile,
            &bounds,
            stop,
            gate,
            &mut evidence,
        );
        let life = life.await;
        self.evidence = evidence;
        let life = life?;
        self.ended(number, &life, begun.elapsed(), &prompt)?;
        if let Some(slept) = moment.slept_since() {
            let minutes = slept.as_secs().div_ceil(60);
            let text = format!("the machine slept meanwhile, for {minutes} min: not counted");
            self.note(Event::Warning { text })?;
        }
        Ok(())
    }

    /// Goes on with an iteration that somebody else began: the service's log has all that the
    /// agent has said. One that never started is begun again.
    async fn take_up(
        &mut self,
        sandbox: &Sandbox,
        open: &Open,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<()> {
        meanwhile::take_over(&self.run, sandbox).await?;
        let container = sandbox.inspect().await?;
        let before = self.past.started.as_deref();
        let end = End::of(open.boot.as_deref(), this_boot().as_deref());
        let Some(started) = started_after(&container.state, &open.at, before, end) else {
            self.past.never_started();
            return Ok(());
        };
        let started = started.of(open);
        let prompt = self.compose();
        let heard = self.transcript.last_heard();
        self.transcript.rewind(open.output)?;
        let bounds = self.bounds(Instant::now(), started.elapsed(heard));
        let mut evidence = std::mem::take(&mut self.evidence);
        let (transcript, meanwhile) = self.meanwhile(open.number);
        let meanwhile = Some(meanwhile);
        let life = life::join(
            sandbox,
            &started,
            transcript,
            meanwhile,
            &bounds,
            stop,
            &mut evidence,
        );
        let life = life.await;
        self.evidence = evidence;
        let life = life?;
        let took = started.until_end(sandbox, heard).await;
        self.ended(open.number, &life, took, &prompt)
    }

    /// What the agent is told now.
    fn compose(&self) -> String {
        let promise = self.task().promise.as_ref();
        let failure = self.past.check_failed.map(|number| Failure {
            // Without it the agent still learns that the check failed.
            output: super::segments::read_end(&self.run.check_path(number), FAILURE)
                .unwrap_or_default(),
            put_back: &self.past.put_back,
        });
        let prompt = self.past.prompt(&self.prompts);
        prompt.compose(promise, &self.past.notes(), failure.as_ref())
    }

    /// The task of the phase that is worked on.
    pub fn task(&self) -> &Task {
        self.record.task(self.past.phase)
    }

    /// Journals what the person has said since.
    fn hear(&mut self) -> Result<()> {
        for waiting in self.run.waiting()? {
            if !self.past.has_heard(&waiting.id) {
                let (id, note) = (waiting.id.clone(), waiting.note.clone());
                let (text, always) = (note.text, note.always);
                self.note(Event::Told { id, text, always })?;
            }
            waiting.forget()?;
        }
        Ok(())
    }

    /// Notes how an iteration ended, and what the agent said in the end.
    fn ended(&mut self, number: u32, life: &Life, took: Duration, prompt: &str) -> Result<()> {
        let heard = self.transcript.heard();
        let (words, failure) = (heard.message(), heard.failure());
        let task = self.task();
        let extent = self.record.voice.message.extent();
        let last = LastWords::new(&words, extent, prompt);
        let claim = match life.cut {
            None => last.claim(task.promise.as_ref(), task.reading),
            Some(_) => Claim::None,
        };
        let echo = match (&claim, &task.promise) {
            (Claim::None, Some(promise)) => last.is_echo(promise).then_some(
                "the promise comes after the same line as in the prompt: taken for an echo of that",
            ),
            _ => None,
        };
        let refusal = match (&claim, life.cut) {
            (Claim::None, None) => self.refusal(&words, &failure, life.outcome.exit_code),
            _ => None,
        };
        let hash = |byte: &u8| format!("{byte:02x}");
        // One that only fails says the same again and again, too.
        let said = match words.trim() {
            "" => failure.trim(),
            said => said,
        };
        let words = match said {
            "" => String::new(),
            said => Sha256::digest(said).iter().map(hash).collect(),
        };
        let bytes = self.transcript.start();
        if bytes > self.past.not_kept {
            self.note(Event::OutputDropped { bytes })?;
        }
        if let Some(echo) = echo {
            let text = format!("iteration {number}: {echo}");
            self.note(Event::Warning { text })?;
        }
        if let Some(low) = life.low.clone() {
            self.note(Event::Disk { low })?;
        }
        if let Some(grown) = life.grown {
            self.note(Event::Grown { grown })?;
        }
        let evidence = std::mem::take(&mut self.evidence);
        self.note(Event::Ended {
            number,
            exit_code: life.outcome.exit_code,
            oom_killed: life.outcome.oom_killed || evidence.oom_killed,
            memory_limit: life.outcome.memory_limit,
            took: millis(took),
            output: self.transcript.length(),
            started: life.outcome.started_at.clone(),
            cut: life.cut,
            claim,
            words,
            refusal,
            missing: self.missing(life.outcome.exit_code),
            forks_refused: evidence.forks_refused,
            used: evidence.used,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
