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
    /// Looks at all runs that somebody has in hand, or that are left alone.
    ///
    /// # Errors
    /// The runs cannot be listed.
    pub(crate) fn look() -> CliResult<Self> {
        let runs = night::runs()?.list()?.into_iter();
        let open = runs.filter(|run| run.is_held() || night::is_left_alone(run));
        let open = open.map(|run| {
            // Without them its agent's container is known all the same.
            let entries = Reader::open(&run.journal_path()).map(|(_, entries)| entries);
            let checks = entries.unwrap_or_default().into_iter();
            let checks = checks.filter_map(|entry| match entry.event {
                Event::Checking { container, .. } | Event::CheckingAgain { container, .. } => {
                    Some(container)
                }
                _ => None,
            });
            let checks = checks.collect();
            (run, checks)
        });
        Ok(Self(open.collect()))
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
