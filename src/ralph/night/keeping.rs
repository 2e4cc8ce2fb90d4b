//! How the workspace is kept, and room made for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::meanwhile::worth;
use super::{Night, joined};
use crate::ralph::checkpoints::Checkpoints;
use crate::ralph::error::{Error, Result};
use crate::ralph::event::Event;
use crate::ralph::life::Stop;
use crate::ralph::retention::{Retention, Worth};

/// How long others that write to the repository are waited for when the run is to be stopped.
const STOPPED: Duration = Duration::from_secs(30);
/// Whoever waits for longer says so: nothing else does.
const LONG: Duration = Duration::from_secs(300);

impl Night {
    /// Keeps what the agent has done last, of a run that ends otherwise than it should; or says why there is none of it.
    /// Nothing of the agent may be alive.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn keep_last(
        &mut self,
        reason: &str,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<()> {
        match self.keep(reason.to_owned(), stop).await {
            Err(error) => self.note(not_kept(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// Keeps the workspace as it is, less what may not stay in it.
    pub(super) async fn checkpoint(&mut self, stop: &mut watch::Receiver<Stop>) -> Result<()> {
        let reason = match self.past.iterations {
            0 => "before the agent".to_owned(),
            number => format!("after iteration {number}"),
        };
        self.keep(reason, stop).await
    }

    /// Other runs may share the repository: however long they write, that ends no night.
    async fn keep(&mut self, reason: String, stop: &mut watch::Receiver<Stop>) -> Result<()> {
        let enough = Arc::<AtomicBool>::default();
        let checkpoints = self.checkpoints.clone().patient_until(Arc::clone(&enough));
        let noted = self.past.checkpoint;
        self.clear_top()?;
        let taking = checkpoints.clone();
        let taken = tokio::task::spawn_blocking(move || taking.take_since(noted, &reason));
        match joined(self.heard(taken, &enough, stop).await) {
            Ok((_, event)) => self.note(event)?,
            // It is known why, and the run ends with that: a disk is full, or the person has stopped it.
            Err(error)
                if error.is_full() && self.past.low.is_some()
                    || error.is_busy() && enough.load(Ordering::Relaxed) =>
            {
                self.note(not_kept(&error))?;
                self.past.not_kept();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        // Drops those that are more than enough.
        let retention = self.record.keep.retention;
        let dropping = make_room(&checkpoints, retention, worth(&self.past));
        match self.heard(dropping, &enough, stop).await {
            Some(event) => self.note(event),
            None => Ok(()),
        }
    }

    /// What comes of it, which waits for others for only so long once the run is to be stopped.
    async fn heard<T>(
        &mut self,
        work: impl Future<Output = T>,
        enough: &AtomicBool,
        stop: &mut watch::Receiver<Stop>,
    ) -> T {
        let asked = async {
            if stop.wait_for(|asked| *asked != Stop::No).await.is_err() {
                // There is nobody any more who could ask.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STOPPED).await;
        };
        let long = tokio::time::sleep(LONG);
        tokio::pin!(work, asked, long);
        let mut said = false;
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = &mut asked, if !enough.load(Ordering::Relaxed) => {
                    enough.store(true, Ordering::Relaxed);
                }
                () = &mut long, if !said => {
                    said = true;
                    let text = "a checkpoint takes long: another run may be writing its own to the same place".to_owned();
                    // What matters is the checkpoint.
                    let _ = self.note(Event::Warning { text });
                }
            }
        }
    }
}

fn not_kept(error: &Error) -> Event {
    let text = format!("there is no checkpoint of what the agent did last: {error}");
    Event::Warning { text }
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::ralph::checkpoints::tests::of_directory;
    use crate::ralph::journal::Reader;
    use crate::ralph::store::tests::run_in;

    struct Scene {
        _dir: tempfile::TempDir,
        night: Night,
        /// As another run has it that writes.
        lock: File,
    }

    fn scene() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let (mut night, _) = Night::open(&run_in(&dir.path().join("run"))).unwrap();
        night.checkpoints = of_directory(&dir.path().join("state"), &work);
        drop(night.checkpoints.open().unwrap());
        let lock = File::open(night.checkpoints.place().join("stockade.lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        Scene {
            _dir: dir,
            night,
            lock,
        }
    }

    fn events(night: &Night) -> Vec<Event> {
        let (_, entries) = Reader::open(&night.run.journal_path()).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    #[tokio::test]
    async fn another_run_that_writes_is_waited_for() {
        let Scene {
            _dir,
            mut night,
            lock,
        } = scene();
        let (_sender, mut stop) = watch::channel(Stop::No);
        let free = async {
            // Longer than a person waits.
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(lock);
        };
        let (kept, ()) = tokio::join!(night.checkpoint(&mut stop), free);
        kept.unwrap();
        let is_kept = |event: &Event| matches!(event, Event::Checkpoint { .. });
        assert!(events(&night).iter().any(is_kept), "{:?}", events(&night));
    }

    #[tokio::test(start_paused = true)]
    async fn but_not_for_long_when_the_run_is_stopped() {
        let Scene {
            _dir,
            mut night,
            lock,
        } = scene();
        let (sender, mut stop) = watch::channel(Stop::No);
        let ask = async {
            sender.send(Stop::Gently).unwrap();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(STOPPED).await;
        };
        let (kept, ()) = tokio::join!(night.checkpoint(&mut stop), ask);
        kept.unwrap();
        let is_said = |event: &Event| matches!(event, Event::Warning { text } if text.contains("no checkpoint"));
        assert!(events(&night).iter().any(is_said), "{:?}", events(&night));
        drop(lock);
    }
}
