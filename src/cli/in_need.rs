//! Containers that runs which have not ended cannot do without: between two iterations that of the agent looks like one
//! that is left over, and so it does while nobody has the run in hand.

use super::error::CliResult;
use super::night;
use crate::libpod::Container;
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Run};
use crate::sandbox::Home;

/// The runs that have not ended, each with the names of containers that it makes checks in.
#[derive(Debug)]
pub(crate) struct InNeed(Vec<(Run, Vec<String>)>);

impl InNeed {
    /// Looks at all runs. One that nobody has in hand and whose journal cannot be read gets no further, and needs nothing.
    ///
    /// # Errors
    /// The runs cannot be listed.
    pub(crate) fn look() -> CliResult<Self> {
        let runs = night::runs()?.list()?.into_iter();
        let runs = runs.filter_map(|run| {
            let entries = Reader::open(&run.journal_path()).map(|(_, entries)| entries);
            let is_open = entries
                .as_ref()
                .is_ok_and(|entries| !night::has_ended(entries));
            if !is_open && !run.is_held() {
                return None;
            }
            let checks = entries.unwrap_or_default().into_iter();
            let checks = checks.filter_map(|entry| match entry.event {
                Event::Checking { container, .. } | Event::CheckingAgain { container, .. } => {
                    Some(container)
                }
                _ => None,
            });
            Some((run, checks.collect()))
        });
        Ok(Self(runs.collect()))
    }

    /// The run that needs a container of ours.
    pub(crate) fn by(&self, container: &Container) -> Option<&Run> {
        let home = Home::of(container);
        let needs = |(run, checks): &&(Run, Vec<String>)| {
            home.as_ref()
                .is_some_and(|home| home.run() == run.id().as_str())
                || checks.contains(&container.name)
        };
        self.0.iter().find(needs).map(|(run, _)| run)
    }
}
