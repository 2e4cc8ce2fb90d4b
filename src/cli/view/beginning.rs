//! A run's beginning, for whoever does not look on: what keeps its agent from working is told while there is somebody to
//! hear it.

use super::{gone, words};
use crate::cli::error::CliResult;
use crate::cli::signals::{Caught, Signals};
use crate::cli::ui::Ui;
use crate::cli::view::Interrupts;
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Follow, Run, Verdict};

/// How a run began.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Its agent is at work.
    AtWork,
    /// It has ended, and with it whatever had it in hand.
    Ended(Verdict, Interrupts),
    /// We are to end, and it goes on.
    Leaves(Caught),
}

/// Shows a run until its agent is at work. Ctrl-C ends it.
pub(crate) async fn beginning(run: &Run, signals: &mut Signals, ui: &Ui) -> CliResult<Beginning> {
    let record = run.record()?;
    let mut follow = Follow::new(run)?;
    let mut reader = Reader::default();
    let mut interrupts = Interrupts::default();
    ui.live("keeping the workspace as it is");
    loop {
        // Before the journal is read, so that what it says on leaving is not missed.
        let held = run.is_held();
        for entry in reader.more(&run.journal_path())? {
            ui.live_done();
            match &entry.event {
                Event::Iteration { .. } if interrupts.none() => return Ok(Beginning::AtWork),
                Event::Verdict { verdict } => {
                    while run.is_held() {
                        follow.changed().await;
                    }
                    return Ok(Beginning::Ended(verdict.clone(), interrupts));
                }
                // Said once it is at work.
                Event::Awake { .. } => {}
                event => {
                    if let Some(text) = words(event, &record) {
                        ui.status(&text);
                    }
                }
            }
        }
        if !held {
            return Err(gone(run));
        }
        tokio::select! {
            () = follow.changed() => {}
            caught = signals.next_end() => match caught {
                Caught::Interrupt => interrupts.again(run, ui)?,
                other => return Ok(Beginning::Leaves(other)),
            }
        }
    }
}
