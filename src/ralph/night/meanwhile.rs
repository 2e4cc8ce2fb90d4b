//! Checkpoints while the agent works. It is paused for each, where the service can do that; where not, the
//! checkpoint is of a workspace that may have changed while it was read, and says so. Nothing rests on either: they are to look at,
//! and to go back to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::keeping::make_room;
use super::{Night, joined};
use crate::libpod::Status;
use crate::ralph::checkpoints::{Checkpoints, Snap};
use crate::ralph::error::Result;
use crate::ralph::event::{During, Event};
use crate::ralph::journal::Journal;
use crate::ralph::past::Past;
use crate::ralph::retention::{Retention, Worth};
use crate::ralph::store::Run;
use crate::ralph::transcript::Transcript;
use crate::ralph::withheld::withheld;
use crate::sandbox::Sandbox;
use crate::workspace::{Checkpoint, Withheld};

/// The longest that an agent is paused: its connections should outlive it.
const PAUSE: Duration = Duration::from_secs(20);
/// How long after an attempt to go on that failed there is another one.
const AGAIN: Duration = Duration::from_secs(1);
/// So many of them, while the service does not even say how the container is.
const ATTEMPTS: u32 = 10;

/// The end of the reason of a checkpoint that was taken so.
const NOT_FROZEN: &str = ", not frozen";

/// What keeps the workspace while the agent works.
pub(in crate::ralph) struct Meanwhile<'a> {
    every: Option<Duration>,
    iteration: u32,
    checkpoints: Checkpoints,
    withheld: Withheld,
    retention: Retention,
    /// It exists while the agent is paused by us.
    paused: PathBuf,
    journal: &'a mut Journal,
    past: &'a mut Past,
    enough: Enough,
    is_over: watch::Receiver<bool>,
    /// Why the agent is not paused any more.
    unpausable: Option<String>,
    /// It was said that there was none.
    failed: bool,
}

/// Ends it; one that is being taken comes to nothing.
#[derive(Debug, Clone)]
pub(in crate::ralph) struct Enough {
    over: watch::Sender<bool>,
    stop: Arc<AtomicBool>,
    paused: PathBuf,
}

impl Enough {
    pub(in crate::ralph) fn say(&self) {
        self.over.send_replace(true);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it is by us that the agent is paused, and goes on soon.
    pub(in crate::ralph) fn holds(&self) -> bool {
        self.paused.exists()
    }
}

/// Whoever does not wait for its end has it end all the same.
impl Drop for Meanwhile<'_> {
    fn drop(&mut self) {
        self.enough.say();
    }
}

impl Night {
    /// What keeps what is said and what is done in an iteration.
    pub(super) fn meanwhile(&mut self, iteration: u32) -> (&mut Transcript, Meanwhile<'_>) {
        let (over, is_over) = watch::channel(false);
        let stop = Arc::<AtomicBool>::default();
        let meanwhile = Meanwhile {
            every: match self.record.workspace.read_only {
                true => None,
                false => self.record.keep.every,
            },
            iteration,
            checkpoints: self.checkpoints.clone().stopped_by(Arc::clone(&stop)),
            withheld: withheld(self.record.repository.as_ref()),
            retention: self.record.keep.retention,
            paused: self.run.paused_path(),
            journal: &mut self.journal,
            past: &mut self.past,
            enough: Enough {
                over,
                stop,
                paused: self.run.paused_path(),
            },
            is_over,
            unpausable: None,
            failed: false,
        };
        (&mut self.transcript, meanwhile)
    }
}

/// How the agent is while a checkpoint is taken.
enum Agent {
    /// It does not work, or not for us to pause.
    Idle,
    Paused,
    Works,
}

impl Meanwhile<'_> {
    /// What ends it.
    pub(in crate::ralph) fn enough(&self) -> Enough {
        self.enough.clone()
    }

    /// Goes on until somebody has enough. The agent is not paused, then, nor after an error of ours.
    ///
    /// # Errors
    /// The journal cannot be written, or the service does not let the agent go on.
    pub(in crate::ralph) async fn go_on(&mut self, sandbox: &Sandbox) -> Result<()> {
        let mut is_over = self.is_over.clone();
        loop {
            let next = async {
                match self.every {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = next => {}
                // Nobody can drop the sender meanwhile.
                _ = is_over.wait_for(|over| *over) => return Ok(()),
            }
            self.keep(sandbox).await?;
        }
    }

    fn note(&mut self, event: Event) -> Result<()> {
        let entry = self.journal.append(event)?;
        self.past.add(&entry);
        Ok(())
    }

    fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }

    /// Takes one.
    async fn keep(&mut self, sandbox: &Sandbox) -> Result<()> {
        let mut during = match self.pause(sandbox).await? {
            Agent::Idle => return Ok(()),
            Agent::Paused => During::Frozen,
            Agent::Works => During::Unfrozen,
        };
        let mut snap = self.snap(during).await;
        if during == During::Frozen {
            if !thaw(sandbox, &self.paused).await? {
                during = During::Unfrozen;
                self.unpausable = Some("somebody let it go on".to_owned());
            }
            if snap.is_none() && !self.is_over() {
                let seconds = PAUSE.as_secs();
                self.unpausable = Some(format!("that takes longer than {seconds} s"));
                self.enough.stop.store(false, Ordering::Relaxed);
                during = During::Unfrozen;
                // Who had enough in between has said so.
                if !self.is_over() {
                    snap = self.snap(during).await;
                }
            }
        }
        // What could not be taken any more is taken afterwards.
        let Some(snap) = snap else {
            return Ok(());
        };
        let event = match snap {
            Ok(snap) => joined(tokio::task::spawn_blocking(move || snap.event(during)).await),
            Err(error) => Err(error),
        };
        match event {
            Ok(None) => return Ok(()),
            Ok(Some(event)) => {
                self.say_unfrozen(during)?;
                self.note(event)?;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    let text =
                        format!("no checkpoint could be taken while the agent worked: {error}");
                    self.note(Event::Warning { text })?;
                }
                return Ok(());
            }
        }
        let worth = worth(self.past);
        match make_room(&self.checkpoints, self.retention, worth).await {
            Some(event) => self.note(event),
            None => Ok(()),
        }
    }

    fn was_unfrozen(&self) -> bool {
        let mut all = self.past.meanwhile.values();
        all.any(|during| *during == During::Unfrozen)
    }

    /// Says once in a run why they are not frozen.
    fn say_unfrozen(&mut self, during: During) -> Result<()> {
        if during == During::Frozen || self.was_unfrozen() {
            return Ok(());
        }
        let why = self.unpausable.clone().unwrap_or_default();
        let text = format!(
            "checkpoints while the agent works are taken without pausing it, and no verdict rests on them: {why}"
        );
        self.note(Event::Warning { text })
    }

    /// Pauses the agent, if that can be done.
    async fn pause(&mut self, sandbox: &Sandbox) -> Result<Agent> {
        // What is wrong is for others to say.
        let Ok(container) = sandbox.inspect().await else {
            return Ok(Agent::Idle);
        };
        if container.state.status != Status::Running {
            return Ok(Agent::Idle);
        }
        if self.unpausable.is_some() {
            return Ok(Agent::Works);
        }
        // Who is killed in between is followed by another one, who has to know.
        if let Err(error) = std::fs::write(&self.paused, "") {
            self.unpausable = Some(error.to_string());
            return Ok(Agent::Works);
        }
        match sandbox.pause().await {
            Ok(()) => Ok(Agent::Paused),
            // It has ended since, or the person has paused it: that is theirs to undo.
            Err(error) if error.is_wrong_state() => {
                let _ = std::fs::remove_file(&self.paused);
                Ok(Agent::Idle)
            }
            Err(error) => {
                let was_paused = thaw(sandbox, &self.paused).await?;
                if was_paused || error.api().is_none() {
                    return Ok(Agent::Idle);
                }
                self.unpausable = Some(error.to_string());
                Ok(Agent::Works)
            }
        }
    }

    /// What the workspace is now; `None` if the agent would be paused for too long, or somebody had enough.
    async fn snap(&self, during: During) -> Option<Result<Snap>> {
        let (checkpoints, withheld) = (self.checkpoints.clone(), self.withheld.clone());
        let reason = match during {
            During::Frozen => format!("while iteration {} worked", self.iteration),
            During::Unfrozen => format!("while iteration {} worked{NOT_FROZEN}", self.iteration),
        };
        let taken = tokio::task::spawn_blocking(move || checkpoints.snap(&withheld, &reason));
        tokio::pin!(taken);
        let snap = tokio::select! {
            taken = &mut taken => joined(taken),
            () = tokio::time::sleep(PAUSE), if during == During::Frozen => {
                self.enough.stop.store(true, Ordering::Relaxed);
                joined(taken.await)
            }
        };
        match snap {
            Err(_) if self.enough.stop.load(Ordering::Relaxed) => None,
            snap => Some(snap),
        }
    }
}

/// What the run's checkpoints are worth: what the next one is compared with is needed too.
pub(super) fn worth(past: &Past) -> Worth {
    let checked = past.checked_on.iter().copied();
    Worth {
        needed: checked.chain(past.checkpoint).collect(),
        meanwhile: past.meanwhile.keys().copied().collect(),
    }
}

impl Night {
    /// Whether the agent worked while a checkpoint was taken, and was not paused; one that was taken and not told in the
    /// journal, by a supervisor that was killed, says so itself.
    pub fn is_unfrozen(&self, checkpoint: &Checkpoint) -> bool {
        let told = self.past.meanwhile.get(&checkpoint.number());
        told == Some(&During::Unfrozen) || checkpoint.reason().ends_with(NOT_FROZEN)
    }
}

/// Sees to it that an agent goes on that somebody has paused who was killed.
pub(super) async fn take_over(run: &Run, sandbox: &Sandbox) -> Result<()> {
    let paused = run.paused_path();
    if paused.exists() {
        thaw(sandbox, &paused).await?;
    }
    Ok(())
}

/// Lets an agent go on, however often it takes; whether it was paused.
async fn thaw(sandbox: &Sandbox, paused: &std::path::Path) -> Result<bool> {
    let mut attempts = 1;
    let was_paused = loop {
        if sandbox.unpause().await.is_ok() {
            break true;
        }
        match sandbox.inspect().await {
            Ok(container) if container.state.status == Status::Paused => {}
            Ok(_) => break false,
            Err(error) if error.is_not_found() => break false,
            Err(error) if attempts >= ATTEMPTS => return Err(error.into()),
            Err(_) => attempts += 1,
        }
        tokio::time::sleep(AGAIN).await;
    };
    // One that stays says only that somebody should look.
    let _ = std::fs::remove_file(paused);
    Ok(was_paused)
}
