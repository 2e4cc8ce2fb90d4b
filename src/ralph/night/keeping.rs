//! How the workspace is kept, and room made for that.

use super::meanwhile::worth;
use super::{Night, joined};
use crate::ralph::checkpoints::Checkpoints;
use crate::ralph::error::Result;
use crate::ralph::event::Event;
use crate::ralph::retention::{Retention, Worth};

impl Night {
    /// Keeps what the agent has done last, of a run that ends otherwise than it should; or says why there is none of it.
    /// Nothing of the agent may be alive.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn keep_last(&mut self, reason: &str) -> Result<()> {
        if let Err(error) = self.keep(reason.to_owned()).await {
            let text = format!("there is no checkpoint of what the agent did last: {error}");
            self.note(Event::Warning { text })?;
        }
        Ok(())
    }

    /// Keeps the workspace as it is, less what may not stay in it.
    pub(super) async fn checkpoint(&mut self) -> Result<()> {
        let reason = match self.past.iterations {
            0 => "before the agent".to_owned(),
            number => format!("after iteration {number}"),
        };
        self.keep(reason).await
    }

    async fn keep(&mut self, reason: String) -> Result<()> {
        let checkpoints = self.checkpoints.clone();
        let noted = self.past.checkpoint;
        self.clear_top()?;
        let taken = tokio::task::spawn_blocking(move || checkpoints.take_since(noted, &reason));
        match joined(taken.await) {
            Ok((_, event)) => self.note(event)?,
            // It is known why, and the run ends with that.
            Err(error) if error.is_full() && self.past.low.is_some() => {
                let text = format!("there is no checkpoint of what the agent did last: {error}");
                self.note(Event::Warning { text })?;
                self.past.not_kept();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.make_room().await
    }

    /// Drops checkpoints that are more than enough.
    async fn make_room(&mut self) -> Result<()> {
        let retention = self.record.keep.retention;
        match make_room(&self.checkpoints, retention, worth(&self.past)).await {
            Some(event) => self.note(event),
            None => Ok(()),
        }
    }
}

/// Drops checkpoints that are more than enough; with what there is to say of it. What cannot be dropped is no
/// reason to end.
pub(super) async fn make_room(
    checkpoints: &Checkpoints,
    retention: Retention,
    worth: Worth,
) -> Option<Event> {
    let checkpoints = checkpoints.clone();
    let dropped = tokio::task::spawn_blocking(move || checkpoints.make_room(&retention, &worth));
    match joined(dropped.await) {
        Ok(numbers) if numbers.is_empty() => None,
        Ok(numbers) => Some(Event::Dropped {
            numbers: numbers.into_iter().collect(),
        }),
        Err(error) => {
            let text = format!("no room was made for checkpoints: {error}");
            Some(Event::Warning { text })
        }
    }
}
