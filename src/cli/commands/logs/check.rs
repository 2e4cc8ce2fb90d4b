//! `stockade logs --check`: what a check of a run has written.

use std::io;

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::terminal::{Output, Policy};
use crate::cli::ui::Ui;
use crate::cli::view;
use crate::ralph::journal::Reader;
use crate::ralph::{Entry, Event, Run};

/// Which check's output is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The last one's, that of `stockade check` too.
    Last,
    /// That of an iteration's claim.
    Of(u32),
}

impl Which {
    /// The last that is known of it; one that began may have been cut off.
    fn find(self, entries: &[Entry]) -> Option<&Event> {
        let mut events = entries.iter().rev().map(|entry| &entry.event);
        events.find(|event| match (self, event) {
            (Self::Last, Event::CheckingAgain { .. } | Event::CheckedAgain { .. }) => true,
            (Self::Last, Event::Checking { .. } | Event::Checked { .. }) => true,
            (Self::Of(wanted), Event::Checking { number, .. } | Event::Checked { number, .. }) => {
                wanted == *number
            }
            _ => false,
        })
    }
}

/// Shows it, and how it ended.
pub(super) async fn show(run: &Run, which: Which, ui: &Ui) -> CliResult {
    let (_, entries) = Reader::open(&run.journal_path())?;
    let found = which.find(&entries);
    let (event, path) = match found {
        Some(event @ (Event::Checking { number, .. } | Event::Checked { number, .. })) => {
            (event, run.check_path(*number))
        }
        Some(event) => (event, run.check_again_path()),
        None => return Err(none(run, which)),
    };
    let output = Output::start(Some(Policy::Text)).doing("start writing output")?;
    view::file(&path, &output, ui).await?;
    match output.finish().await {
        // Whoever read our output has had enough: that is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).doing("write the log");
        }
        _ => {}
    }
    if let Some(words) = view::words(event, &run.record()?) {
        ui.status(&words);
    }
    Ok(Exit::Done)
}

fn none(run: &Run, which: Which) -> CliError {
    let id = run.id();
    let text = match which {
        Which::Last => format!("nothing of the run {id} was checked"),
        Which::Of(number) => format!("no claim of iteration {number} of the run {id} was checked"),
    };
    CliError::new(Exit::Failed, text)
        .hint(format!("which were: `stockade report {id}`"))
        .hint(format!("to check what there is: `stockade check {id}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::Findings;

    #[test]
    fn a_check_is_found_by_its_iteration_and_else_the_last() {
        let checking = |number| Event::Checking {
            number,
            checkpoint: number,
            container: String::new(),
        };
        let checked = |number| Event::Checked {
            number,
            exit_code: 7,
            timed_out: false,
            took: 1,
            findings: Findings::default(),
        };
        let again = Event::CheckedAgain {
            checkpoint: 1,
            other: None,
            exit_code: 0,
            cut: None,
            took: 1,
            findings: Findings::default(),
        };
        let entries = |events: &[&Event]| {
            let entry = |event: &&Event| Entry {
                line: 0,
                at: String::new(),
                before: String::new(),
                event: (*event).clone(),
            };
            events.iter().map(entry).collect::<Vec<_>>()
        };
        let (first, second) = (checked(1), checked(3));
        let all = entries(&[&checking(1), &first, &checking(3), &second, &again]);
        assert_eq!(Which::Last.find(&all), Some(&again));
        assert_eq!(Which::Last.find(&all[..4]), Some(&second));
        assert_eq!(Which::Last.find(&all[..3]), Some(&checking(3)));
        assert_eq!(Which::Of(1).find(&all), Some(&first));
        assert_eq!(Which::Of(3).find(&all), Some(&second));
        assert_eq!(Which::Of(2).find(&all), None);
        assert_eq!(Which::Last.find(&[]), None);
    }
}
