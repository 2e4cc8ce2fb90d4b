//! `stockade supervise`: what has a run in hand. Not for people: `ralph` and `resume` start it.

use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio::time::Instant;

use super::report;
use crate::cli::admission::Admission;
use crate::cli::args::Global;
use crate::cli::connect::{Origin, Service};
use crate::cli::error::{CliError, CliResult, Outage};
use crate::cli::exit::Exit;
use crate::cli::night::Told;
use crate::cli::notify::{self, Notify};
use crate::cli::reclaim::reclaim_clear;
use crate::cli::ui::Ui;
use crate::cli::{awake, night};
use crate::ralph::journal::Reader;
use crate::ralph::{
    self, Entry, Event, Fault, Follow, Night, Progress, Report, Run, Sleep, Stop, Verdict,
};
use crate::sandbox::Sandbox;
use crate::sandbox::asked::Asked;

/// How long a service that has gone is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// One that was there for so long had come back.
const LASTING: Duration = Duration::from_secs(60);
/// So many times in a row it may fail at what it is asked for, each time twice as long after the last.
const FAILURES: u32 = 3;

/// Have a run in hand
#[derive(Debug, Args)]
pub(crate) struct SuperviseArgs {
    /// Use a Podman service of our own
    #[arg(long, conflicts_with = "url")]
    own_service: bool,
    /// Run
    run: String,
}

impl SuperviseArgs {
    fn origin(&self) -> Origin {
        match self.own_service {
            true => Origin::Ours,
            false => Origin::Found,
        }
    }
}

/// Runs the verb.
pub(crate) async fn run(args: &SuperviseArgs, global: &Global, ui: &Ui) -> CliResult {
    leave_terminal();
    // It was started by another name than its own.
    let _ = rustix::thread::set_name(c"stockade");
    let run = night::find(Some(&args.run))?;
    let _held = run.hold()?;
    let (mut night, entries) = Night::open(&run)?;
    if night::has_ended(&entries) {
        return Err(CliError::new(Exit::Failed, "the run has ended"));
    }
    let _awake = match night.record().sleep {
        Sleep::Allowed => None,
        Sleep::Inhibited => {
            let (awake, unless) = match awake::stay(run.id().as_str()).await {
                Ok(awake) => (Some(awake), None),
                Err(why) => (None, Some(why)),
            };
            night.note(Event::Awake { unless })?;
            awake
        }
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let begun = entries
        .iter()
        .any(|entry| matches!(entry.event, Event::Begun { .. }));
    night.note(if begun {
        Event::Resumed { version }
    } else {
        Event::Begun { version }
    })?;
    run.keep_room();
    let supervised = supervise(&run, &mut night, &entries, (args.origin(), global), ui).await;
    match &supervised {
        _ if night.is_over() => {
            // Whoever waits is told first: what an agent has left can make a long report.
            if let Err(error) = finish(&run, &mut night, Told::No).await {
                ui.warning(&format!("the end is not told of: {}", words(&error)));
            }
        }
        // Nobody would know before the morning that it waits to be taken up. Who wants its end looks.
        Err(error) if run.asked_to_stop() == Stop::No => {
            let left = format!("left alone: {}", words(error));
            // For the report; where a disk is full, that cannot be said either.
            let text = left.clone();
            let _ = night.note(Event::Warning { text });
            if let Some(Err(why)) = tell(&run, &night, Some(&left)).await? {
                let text = format!("nobody was told that it is left alone: {why}");
                night.note(Event::Warning { text })?;
            }
        }
        _ => {}
    }
    supervised.map(|verdict| night::exit(&verdict))
}

/// What is left to do for a run that has ended, if whoever had it in hand came no further; whether there was anything.
///
/// # Errors
/// Somebody has it in hand, or its journal cannot be written.
pub(super) async fn finish_late(run: &Run) -> CliResult<bool> {
    let _held = run.hold()?;
    let (mut night, entries) = Night::open(run)?;
    let told = night::told(&entries);
    let is_unfinished = night::is_unfinished(run, &entries);
    if is_unfinished {
        finish(run, &mut night, told).await?;
    }
    Ok(is_unfinished)
}

/// Tells of the end, and keeps the report: whoever waits is first, since what an agent has left can make a long one.
async fn finish(run: &Run, night: &mut Night, told: Told) -> CliResult<()> {
    let noted = match told {
        Told::Yes => Ok(()),
        Told::No => match tell(run, night, None).await {
            Ok(None) => Ok(()),
            // The verdict stands all the same.
            Ok(Some(told)) => {
                let noted = night.note(Event::Notified { unless: told.err() });
                noted.map_err(CliError::from)
            }
            Err(error) => Err(error),
        },
    };
    keep_report(run, night);
    night.close();
    noted
}

/// For the morning. The verdict stands whether that can be kept or not.
fn keep_report(run: &Run, night: &mut Night) {
    let kept = report::keep(run);
    run.needs_no_room();
    if let Err(error) = kept {
        let text = format!("the report is not kept with the run: {}", words(&error));
        // Where a disk is full, that cannot be said either.
        let _ = night.note(Event::Warning { text });
    }
}

/// An error and its causes.
fn words(error: &CliError) -> String {
    let all = std::iter::once(&error.message).chain(&error.causes);
    all.cloned().collect::<Vec<_>>().join(": ")
}

/// Tells whoever wants to know that it has ended, or why it is left alone without a verdict; `None` where nobody does.
async fn tell(
    run: &Run,
    night: &Night,
    left: Option<&str>,
) -> CliResult<Option<Result<(), String>>> {
    let Some(whom) = &night.record().notify else {
        return Ok(None);
    };
    let (_, entries) = Reader::open(&run.journal_path())?;
    let fields = notify::fields(run, night.record(), &Report::of(&entries), left);
    Ok(Some(match Notify::parse(whom) {
        Ok(notify) => notify.tell(&fields).await,
        Err(why) => Err(why),
    }))
}

/// Out of reach of the terminal that we were started from; a service manager has done so already.
fn leave_terminal() {
    use rustix::process::{getpgid, getppid, setpgid, setsid};
    if setsid().is_err()
        && let Ok(group) = getpgid(getppid())
    {
        // Who leads a group cannot begin a session.
        let _ = setpgid(None, Some(group));
        let _ = setsid();
    }
}

/// The run has ended without a verdict of its own: that is one.
fn give_up(night: &mut Night, error: CliError) -> CliError {
    let reason = words(&error);
    // There is no checkpoint any more that would do so. The reason matters more than why it cannot be done.
    let _ = night.clear_top();
    let noted = night.note(Event::Verdict {
        verdict: Verdict::Failed { reason },
    });
    match noted {
        Ok(()) => error,
        Err(unnoted) => unnoted.into(),
    }
}

/// What another user of the sandbox made is the person's from now on, and can be moved away.
async fn take_back(run: &Run, night: &mut Night, service: &Service, ui: &Ui) -> CliResult<()> {
    let record = night.record().clone();
    if let Err(error) = reclaim_clear(
        &record.workspace.path,
        (run, &mut *night),
        &record,
        service,
        ui,
    )
    .await
    {
        let why = words(&error);
        let text = format!("what belongs to other users of the sandbox stays theirs: {why}");
        night.note(Event::Warning { text })?;
    }
    Ok(())
}

/// The person's word, from the run's directory.
fn stop_of(run: &Run) -> CliResult<watch::Receiver<Stop>> {
    let (sender, receiver) = watch::channel(run.asked_to_stop());
    let mut follow = Follow::new(run)?;
    let run = run.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = follow.changed() => {}
                () = sender.closed() => return,
            }
            let asked = run.asked_to_stop();
            sender.send_if_modified(|now| std::mem::replace(now, asked) != asked);
        }
    });
    Ok(receiver)
}

/// Works until there is a verdict, whatever becomes of the service meanwhile.
async fn supervise(
    run: &Run,
    night: &mut Night,
    entries: &[Entry],
    (origin, global): (Origin, &Global),
    ui: &Ui,
) -> CliResult<Verdict> {
    let mut stop = stop_of(run)?;
    if !night.has_workspace() && *stop.borrow() == Stop::No {
        let place = night.record().workspace.path.display();
        let text = format!(
            "the workspace is not there: `{place}` is gone, or another directory (if for good: `stockade stop {}`)",
            run.id()
        );
        // No verdict: after a boot it may only not be mounted yet.
        return Err(CliError::new(Exit::Failed, text));
    }
    let container = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Created { container } => Some(container.clone()),
        _ => None,
    });
    let Some(container) = container else {
        let error = CliError::new(Exit::Failed, "the run has no container");
        return Err(give_up(night, error));
    };
    let mut outages = Outages::default();
    loop {
        let service = match Service::connect_again(origin, global, ui).await {
            Ok(service) => service,
            Err(error) => {
                outages.wait_for_service(&mut stop, error).await?;
                continue;
            }
        };
        let (sandbox, asked) = match service.client.inspect_container(&container).await {
            Ok(container) => (
                Sandbox::adopt(&service.client, &container),
                Asked::of(&container).unwrap_or_default(),
            ),
            Err(error) if error.is_not_found() => {
                leave_no_home(run, &service, ui).await;
                return Ok(night.sandbox_removed(&mut stop).await?);
            }
            Err(error) => {
                let error = CliError::from(error);
                match error.outage {
                    Some(Outage::Away) => outages.wait_for_service(&mut stop, error).await?,
                    Some(Outage::Failing) if outages.may_pass(night.progress()) => {
                        outages.wait(&mut stop).await;
                    }
                    _ => return Err(give_up(night, error)),
                }
                continue;
            }
        };
        outages.is_back();
        let admission = Admission {
            record: &night.record().clone(),
            service: &service,
            asked,
            ui,
        };
        match night.work(&sandbox, &admission, stop.clone()).await {
            Ok(verdict) => {
                // Everything worth keeping is kept by now.
                match sandbox.remove_container().await {
                    Err(error) if !error.is_not_found() => {
                        ui.warning(&format!(
                            "the container stays, and the agent's home: {error}"
                        ));
                    }
                    _ => leave_no_home(run, &service, ui).await,
                }
                for left in night::clear_cut_checks(run, &service.client).await? {
                    ui.warning(&left);
                }
                return Ok(verdict);
            }
            Err(Fault::Failed(error)) if error.is_full() => {
                // Neither the agent goes on, nor is anything lost: the run can be taken up again.
                let _ = sandbox.stop(None).await;
                return Err(error.into());
            }
            Err(Fault::Failed(ralph::Error::Podman(error))) if error.is_no_secret() => {
                // What the agent has done is kept: with the secret back, the run can be taken up.
                let cause = error.api().map(|api| api.message.clone());
                let text = cause.unwrap_or_default();
                night.note(Event::NeedsKey { text })?;
                return Err(error.into());
            }
            Err(fault) => {
                let stays = matches!(fault, Fault::Failed(ralph::Error::Stays { .. }));
                let error = match fault {
                    Fault::Refused(error) => error,
                    Fault::Failed(error) => error.into(),
                };
                match error.outage {
                    Some(Outage::Away) => {
                        let text = "Podman's service went away; waiting for it".to_owned();
                        night.note(Event::Warning { text })?;
                        outages.wait_for_service(&mut stop, error).await?;
                        continue;
                    }
                    Some(Outage::Failing) if outages.may_pass(night.progress()) => {
                        let text =
                            format!("Podman's service failed, trying again: {}", words(&error));
                        night.note(Event::Warning { text })?;
                        outages.wait(&mut stop).await;
                        continue;
                    }
                    _ => {}
                }
                // Whatever it was that could not be done: there is nothing left to do it with.
                let found = service.client.inspect_container(&container).await;
                if found.is_err_and(|error| error.is_not_found()) {
                    leave_no_home(run, &service, ui).await;
                    return Ok(night.sandbox_removed(&mut stop).await?);
                }
                // Nothing of the agent may be alive when its work is kept, and nothing is left behind by it afterwards.
                if sandbox.stop(None).await.is_err()
                    && let Err(why) = sandbox.remove_container().await
                    && !why.is_not_found()
                {
                    // It may live on: no verdict, and nothing is kept in its place. The run can be taken up again.
                    return Err(error.hint(format!(
                        "the agent may be at work still: when Podman is well again, `stockade resume {}`",
                        run.id()
                    )));
                }
                if stays {
                    take_back(run, night, &service, ui).await?;
                }
                let reason = "when the run was given up";
                night.keep_last(reason, &mut stop).await?;
                // What was said is kept, and that it has ended.
                let error = give_up(night, error);
                if night.is_over() {
                    let _ = sandbox.remove().await;
                }
                return Err(error);
            }
        }
    }
}

/// The container is gone.
async fn leave_no_home(run: &Run, service: &Service, ui: &Ui) {
    if let Err(error) = night::home(run).remove(&service.client).await {
        ui.warning(&format!(
            "the agent's home stays: {error} (`stockade runs prune` removes it)"
        ));
    }
}

/// What became of the service, again and again.
#[derive(Debug, Default)]
struct Outages {
    /// Since when it is away.
    since: Option<Instant>,
    /// How often it failed, and how far the run had come then.
    failures: u32,
    at: Option<Progress>,
    /// Since when it is there again.
    back: Option<Instant>,
}

impl Outages {
    /// It answers: whether that lasts is to be seen.
    fn is_back(&mut self) {
        self.back = Some(Instant::now());
    }

    /// Whether its failure is taken for one that passes: those before it count no more once the run has come further.
    fn may_pass(&mut self, at: Progress) -> bool {
        if self.at.replace(at) != Some(at) {
            self.failures = 0;
        }
        self.failures += 1;
        self.failures <= FAILURES
    }

    /// Waits before it is asked again, unless the person wants an end.
    async fn wait(&self, stop: &mut watch::Receiver<Stop>) {
        let time = LOOK * 2_u32.saturating_pow(self.failures);
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = stop.wait_for(|asked| *asked != Stop::No) => {}
        }
    }

    /// Waits a little, unless that was done often enough.
    async fn wait_for_service(
        &mut self,
        stop: &mut watch::Receiver<Stop>,
        error: CliError,
    ) -> CliResult<()> {
        // What was before it came back counts no more if it was there for long.
        if self
            .back
            .take()
            .is_some_and(|back| back.elapsed() >= LASTING)
        {
            self.since = None;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE {
            // No verdict: when the service is there again, the run can be taken up.
            return Err(error);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            // Nobody can stop it now: whoever asked is told so.
            Ok(_) = stop.wait_for(|asked| *asked != Stop::No) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_comes_and_goes_is_not_waited_for_for_ever() {
        let (_sender, mut stop) = watch::channel(Stop::No);
        let mut outages = Outages::default();
        let away = || CliError::new(Exit::Failed, "away");
        let mut times = 0;
        while outages.wait_for_service(&mut stop, away()).await.is_ok() {
            outages.is_back();
            times += 1;
        }
        assert_eq!(times, PATIENCE.as_secs() + 1);
        // Once it has lasted, it is given as long again.
        outages.is_back();
        tokio::time::advance(LASTING).await;
        assert!(outages.wait_for_service(&mut stop, away()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_again_and_again_does_not_pass() {
        let (_sender, mut stop) = watch::channel(Stop::No);
        let mut outages = Outages::default();
        let begun = Instant::now();
        let at = Progress::default();
        while outages.may_pass(at) {
            outages.wait(&mut stop).await;
            outages.is_back();
            // However long it was there.
            tokio::time::advance(LASTING).await;
        }
        assert_eq!(begun.elapsed(), LOOK * (2 + 4 + 8) + LASTING * 3);
        let further = Progress {
            spent: Duration::from_secs(1),
            ..at
        };
        assert!(outages.may_pass(further));
    }
}
