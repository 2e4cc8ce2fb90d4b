//! One iteration: a life of the sandbox's main process, from attach to clean-up.

mod ending;
mod evidence;

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use self::ending::{Effect, Ending};
pub(super) use self::evidence::Evidence;
use super::error::{Error, Result};
use super::growth::{Grown, Growth};
use super::night::{Enough, Fault, Gate, Meanwhile};
use super::room::{Low, Room};
use super::started::Started;
use super::transcript::Transcript;
use crate::libpod::stream::{Attached, Channel, Chunk};
use crate::libpod::{Status, Stopped};
use crate::sandbox::proc_files::KernelFiles;
use crate::sandbox::{LifeWatch, Monitor, Outcome, Sandbox, Watch};

/// How long after it was refused a life is tried to be begun again.
const AGAIN: Duration = Duration::from_secs(1);

/// The exit code of what was killed.
const KILLED: i32 = 137;

/// How often a life that the service refuses is tried to be begun.
const ATTEMPTS: u32 = 3;

/// Whether the person wants the run to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// No.
    No,
    /// The agent is asked first.
    Gently,
    /// At once.
    Now,
}

/// Why an iteration was not left to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// Somebody stopped the run.
    Stopped,
    /// The iteration took too long.
    IterationTime,
    /// The run took too long.
    Time,
    /// A disk that the run needs was nearly full.
    Disk,
    /// The workspace had grown by too much.
    Growth,
    /// The machine went down: nobody has seen its end.
    MachineDown,
    /// The service took it for over while it was at work.
    LostSight,
}

/// When an iteration has to be over, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) why: Cut,
}

impl Deadline {
    /// The earlier of both.
    pub(super) fn earliest(
        now: Instant,
        run: Option<Duration>,
        iteration: Option<Duration>,
    ) -> Option<Self> {
        let run = run
            .and_then(|left| now.checked_add(left))
            .map(|at| Self { at, why: Cut::Time });
        let iteration = iteration
            .and_then(|left| now.checked_add(left))
            .map(|at| Self {
                at,
                why: Cut::IterationTime,
            });
        [run, iteration]
            .into_iter()
            .flatten()
            .min_by_key(|deadline| deadline.at)
    }
}

/// What an iteration may not use up.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) deadline: Option<Deadline>,
    pub(super) room: Room,
    pub(super) growth: Option<Growth>,
    /// Tells that there was no room for what it writes.
    pub(super) full: Option<Arc<Notify>>,
}

impl Bounds {
    /// Waits until there is too little room somewhere, or was none.
    async fn until_low(&self) -> Low {
        let full = async {
            match &self.full {
                Some(full) => full.notified().await,
                None => pending().await,
            }
        };
        tokio::select! {
            low = self.room.until_low() => low,
            () = full => self.room.none(),
        }
    }
}

/// How an iteration ended.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) outcome: Outcome,
    pub(super) cut: Option<Cut>,
    /// Where there was too little room.
    pub(super) low: Option<Low>,
    /// By how much the workspace has grown, if that was too much.
    pub(super) grown: Option<Grown>,
}

/// Lets a container live once, keeping what it says and, if that is wanted, what it does; what is seen of it is
/// `evidence` also where sight is lost of it.
pub(super) async fn live<G: Gate>(
    sandbox: &Sandbox,
    transcript: &mut Transcript,
    meanwhile: Option<Meanwhile<'_>>,
    bounds: &Bounds,
    stop: &mut watch::Receiver<Stop>,
    gate: &G,
    evidence: &mut Evidence,
) -> std::result::Result<Life, Fault<G::Error>> {
    let before = transcript.length();
    let begun = jiff::Timestamp::now();
    let mut attempts = 1;
    let (attached, watch, mut seen) = loop {
        match begin(sandbox, gate).await {
            // The service refused: nothing has begun.
            Err(Fault::Failed(Error::Podman(error)))
                if error.api().is_some() && attempts < ATTEMPTS =>
            {
                attempts += 1;
                tokio::time::sleep(AGAIN).await;
            }
            begun => break begun?,
        }
    };
    let monitor = seen.take_monitor();
    let life = async {
        let Attached { input, mut output } = attached;
        let mut is_whole = true;
        let work = async {
            while let Some(chunk) = output.next().await? {
                if chunk.channel == Channel::ServiceError {
                    is_whole = false;
                } else {
                    transcript.write(&chunk)?;
                }
                seen.look_at_times();
            }
            // As a rule it is still there: the service cleans up after its last word.
            seen.look();
            Ok(sandbox.outcome_in_sight(watch).await?)
        };
        let life = until_over((sandbox, monitor), work, meanwhile, bounds, stop).await?;
        drop(input);
        if !is_whole {
            // The stream broke in the service's hands: its log has all of it.
            transcript.rewind(before)?;
            harvest(sandbox, begun, transcript, &mut seen).await?;
        }
        Ok::<_, Error>(life)
    };
    let life = life.await;
    evidence.add(seen);
    Ok(life?)
}

/// Attaches, has it looked at, and starts it. After a life that was cut short, the service's own
/// process for cleaning up may come late, and clean up this one.
async fn begin<G: Gate>(
    sandbox: &Sandbox,
    gate: &G,
) -> std::result::Result<(Attached, Watch, LifeWatch), Fault<G::Error>> {
    let attached = sandbox.attach(false).await.map_err(Error::from)?;
    gate.admit(sandbox).await.map_err(Fault::Refused)?;
    let seen = sandbox.watch_life(&KernelFiles::default()).await;
    let watch = sandbox.watch();
    sandbox.start().await.map_err(Error::from)?;
    Ok((attached, watch, seen))
}

/// Keeps what the service's log has of a life, and of what is still to come in it. `since` is before
/// its start as the service has it: that is noted when the process has begun to talk.
async fn harvest(
    sandbox: &Sandbox,
    since: jiff::Timestamp,
    transcript: &mut Transcript,
    seen: &mut LifeWatch,
) -> Result<()> {
    let mut log = sandbox.log_since(&since.to_string()).await?;
    while let Some(line) = log.next().await? {
        transcript.write(&Chunk {
            channel: line.channel,
            bytes: line.payload,
        })?;
        seen.look_at_times();
    }
    seen.look();
    Ok(())
}

/// Goes on with a life that we did not begin: all that was said in it comes from the service's log.
pub(super) async fn join(
    sandbox: &Sandbox,
    started: &Started,
    transcript: &mut Transcript,
    meanwhile: Option<Meanwhile<'_>>,
    bounds: &Bounds,
    stop: &mut watch::Receiver<Stop>,
    evidence: &mut Evidence,
) -> Result<Life> {
    let before = transcript.length();
    let mut seen = sandbox.watch_life(&KernelFiles::default()).await;
    let (watch, monitor) = (sandbox.watch(), seen.take_monitor());
    let life = async {
        // The log of a container that does not run is not followed: it ends with what is there.
        let is_paused = sandbox.status().await? == Status::Paused;
        let work = async {
            harvest(sandbox, started.since(), transcript, &mut seen).await?;
            Ok(sandbox.outcome_in_sight(watch).await?)
        };
        let mut life = until_over((sandbox, monitor), work, meanwhile, bounds, stop).await?;
        if is_paused {
            transcript.rewind(before)?;
            harvest(sandbox, started.since(), transcript, &mut seen).await?;
        }
        if started.is_lost() {
            // What the service says of its end was that of another life.
            life.cut = Some(Cut::MachineDown);
            (life.outcome.exit_code, life.outcome.oom_killed) = (KILLED, false);
        }
        Ok(life)
    };
    let life = life.await;
    evidence.add(seen);
    life
}

/// Lets it go on until it ends, or has to.
async fn until_over(
    (sandbox, monitor): (&Sandbox, Option<Monitor>),
    work: impl Future<Output = Result<Outcome>>,
    mut meanwhile: Option<Meanwhile<'_>>,
    bounds: &Bounds,
    stop: &mut watch::Receiver<Stop>,
) -> Result<Life> {
    tokio::pin!(work);
    let mut ending = Ending::new(sandbox, meanwhile.as_ref().map(Meanwhile::enough));
    let enough = ending.enough.clone();
    let keeping = async {
        match &mut meanwhile {
            Some(meanwhile) => meanwhile.go_on(sandbox).await,
            None => Ok(()),
        }
    };
    tokio::pin!(keeping);
    let mut kept = false;
    let (mut low, mut grown) = (None, None);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            done = &mut keeping, if !kept => {
                kept = true;
                done?;
            }
            why = over(bounds.deadline), if ending.cut.is_none() => ending.begin(why, Stop::Gently),
            found = bounds.until_low(), if ending.cut.is_none() => {
                low = Some(found);
                ending.begin(Cut::Disk, Stop::Gently);
            }
            found = Growth::until_too_much(bounds.growth.as_ref()), if ending.cut.is_none() => {
                grown = Some(found);
                ending.begin(Cut::Growth, Stop::Gently);
            }
            asked = asked(stop, ending.hardest) => ending.begin(Cut::Stopped, asked),
        }
    };
    // What is being taken would be in the way of the next one.
    enough.iter().for_each(Enough::say);
    if !kept {
        keeping.await?;
    }
    let mut outcome = outcome?;
    let effect = ending.done().await;
    let mut cut = ending.cut;
    if effect == Effect::None && matches!(cut, Some(Cut::Time | Cut::IterationTime)) {
        // It had ended by itself before: what came later was none of its time.
        cut = None;
    }
    // With it the service's own clean-up has ended, which to ask would only be in the way of.
    if let Some(monitor) = monitor {
        monitor.ended().await;
    }
    // Nothing of it may be alive when its work is kept. How it ended was another one's end, then.
    let mut status = sandbox.status().await?;
    for _ in 0..ATTEMPTS {
        if !status.is_live() {
            break;
        }
        if sandbox.stop(Some(0)).await? == Stopped::Now {
            cut = cut.or(Some(Cut::LostSight));
            (outcome.exit_code, outcome.oom_killed) = (KILLED, false);
        }
        status = sandbox.status().await?;
    }
    // Not before can it be attached to again.
    if status != Status::Exited {
        sandbox.cleaned_up().await?;
    }
    Ok(Life {
        outcome,
        cut,
        low,
        grown,
    })
}

async fn over(deadline: Option<Deadline>) -> Cut {
    match deadline {
        Some(Deadline { at, why }) => {
            tokio::time::sleep_until(at.into()).await;
            why
        }
        None => pending().await,
    }
}

/// The person's word, if it is harder than what was said before.
pub(super) async fn asked(stop: &mut watch::Receiver<Stop>, before: Stop) -> Stop {
    match stop.wait_for(|now| *now > before).await {
        Ok(now) => *now,
        Err(_) => pending().await,
    }
}
