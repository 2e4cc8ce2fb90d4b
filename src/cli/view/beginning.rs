//! A run's beginning, for whoever does not look on: what keeps its agent from working is told while there is somebody to
//! hear it.

use super::{Interrupts, gone, words};
use crate::cli::error::CliResult;
use crate::cli::signals::{Caught, Signals};
use crate::cli::ui::Ui;
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Follow, Run, Verdict};

/// How a run began.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Its first iteration.
    Iteration,
    /// It has ended, and with it whatever had it in hand.
    Ended(Verdict, Interrupts),
    /// We are to end, and it goes on.
    Leaves(Caught),
}

/// Shows a run until its first iteration begins. Ctrl-C ends it.
pub(crate) async fn beginning(run: &Run, signals: &mut Signals, ui: &Ui) -> CliResult<Beginning> {
    let record = run.record()?;
    let mut follow = Follow::new(run)?;
    let mut reader = Reader::default();
    let mut interrupts = Interrupts::default();
    let mut ended = None;
    loop {
        // Before the journal is read, so that what it says on leaving is not missed.
        let held = run.is_held();
        for entry in reader.more(&run.journal_path())? {
            match &entry.event {
                Event::Iteration { .. } if interrupts.none() => return Ok(Beginning::Iteration),
                Event::Verdict { verdict } => ended = Some(verdict.clone()),
                // Said once it is at work.
                Event::Awake { .. } => {}
                event => {
                    if let Some(text) = words(event, &record) {
                        ui.status(&text);
                    }
                }
            }
        }
        match ended {
            // Until the container is gone, too.
            Some(verdict) if !held => return Ok(Beginning::Ended(verdict, interrupts)),
            None if !held => return Err(gone(run)),
            Some(_) => {}
            None => ui.live("keeping the workspace as it is"),
        }
        let caught = tokio::select! {
            () = follow.changed() => None,
            caught = signals.next_end() => Some(caught),
        };
        ui.live_done();
        match caught {
            None => {}
            Some(Caught::Interrupt) if ended.is_none() => interrupts.again(run, ui)?,
            Some(other) => return Ok(Beginning::Leaves(other)),
        }
    }
}
