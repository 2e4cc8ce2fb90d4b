//! A sandbox's life: create, attach, start, wait, harvest, remove. Evidence first, removal second.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::home::Home;
use crate::libpod::stream::{Attached, Framing};
use crate::libpod::{
    ArchiveWrite, AttachOptions, Client, Container, ContainerId, ContainerSpec, CopyOwnership,
    Error, EventOptions, LogOptions, LogStream, Removal, Removed, Result, Status, Stopped, TarBody,
};

/// How often the service looks whether a container has ended, while it is expected to run.
const WATCH: Duration = Duration::from_millis(250);
/// The same, while it cleans up behind it. Each look keeps that from the service's database: at 5 ms it takes half as long
/// again, with Podman 4.3.
const CLEAN_UP: Duration = Duration::from_millis(40);
/// A container behind which nobody has cleaned up for about so long is as it stays.
const NEGLECTED: Duration = Duration::from_secs(5);
/// How long a busy service may take to clean up.
const BUSY: Duration = Duration::from_secs(30);
/// So often it is made and prepared where that fails for a moment's reason, and how soon again.
const ATTEMPTS: u32 = 3;
const AGAIN: Duration = Duration::from_millis(100);
/// How soon we look again at a container whose output has ended, at first.
const SECOND_LOOK: Duration = Duration::from_millis(1);

/// A container that was made for us and has not been removed.
#[derive(Debug, Clone)]
pub struct Sandbox {
    client: Client,
    id: ContainerId,
    framing: Framing,
    home: Option<Home>,
}

/// How a container's life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code: 0 to 255, or -1 when the service ended it at its `timeout`.
    pub exit_code: i32,
    /// Something in it was ended for want of memory, perhaps not its main process.
    pub oom_killed: bool,
    /// Its memory limit in bytes, as the service has it; 0 is none.
    pub memory_limit: i64,
    /// When it began, as the service has it (RFC 3339); empty if it was removed meanwhile.
    pub started_at: String,
}

impl Outcome {
    fn of(exit_code: i32, container: Option<&Container>) -> Self {
        Self {
            exit_code,
            oom_killed: container.is_some_and(|c| c.state.oom_killed),
            memory_limit: container.map_or(0, |c| c.host_config.memory),
            started_at: container.map_or_else(String::new, |c| c.state.started_at.clone()),
        }
    }
}

/// Asks once more where the failure is a moment's.
async fn again<T, F: Future<Output = Result<T>>>(ask: impl Fn() -> F) -> Result<T> {
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(error) if error.is_momentary() => tokio::time::sleep(AGAIN).await,
            done => return done,
        }
    }
    ask().await
}

impl Sandbox {
    /// Makes the container. Returns what the service warned of.
    ///
    /// # Errors
    /// As [`Client::create_container`]; nothing is left behind then, nor is its home.
    pub async fn create(client: &Client, spec: &ContainerSpec) -> Result<(Self, Vec<String>)> {
        let home = Home::asked(spec);
        let created = match again(|| client.create_container(spec)).await {
            Ok(created) => created,
            Err(error) => {
                if let Some(home) = &home {
                    let _ = home.remove(client).await;
                }
                return Err(error);
            }
        };
        let framing = if spec.terminal {
            Framing::Raw
        } else {
            Framing::Multiplexed
        };
        let sandbox = Self {
            client: client.clone(),
            id: created.id,
            framing,
            home,
        };
        Ok((sandbox, created.warnings))
    }

    /// A container that is already there.
    pub fn adopt(client: &Client, container: &Container) -> Self {
        Self {
            client: client.clone(),
            id: container.id.clone(),
            framing: if container.config.tty {
                Framing::Raw
            } else {
                Framing::Multiplexed
            },
            home: Home::of(container),
        }
    }

    /// The container's identifier.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Attaches to its streams; one that does not run is prepared by it and can then be looked at
    /// before its first instruction.
    ///
    /// # Errors
    /// A command that does not exist fails here and not at start.
    pub async fn attach(&self, stdin: bool) -> Result<Attached> {
        let options = AttachOptions {
            stdin,
            framing: self.framing,
        };
        again(|| self.client.attach_container(&self.id, options)).await
    }

    /// Prepares it without attaching.
    pub async fn prepare(&self) -> Result<()> {
        again(|| self.client.init_container(&self.id)).await
    }

    /// What the service says of it now.
    pub async fn inspect(&self) -> Result<Container> {
        self.client.inspect_container(self.id.as_str()).await
    }

    /// Where the service keeps what is written in it: its own files and its volumes. Told by the container, since
    /// asking the service for its store takes old releases most of a second (they look up packages).
    pub async fn storage(&self) -> Result<Vec<PathBuf>> {
        let Container {
            static_dir, mounts, ..
        } = self.inspect().await?;
        let volumes = mounts.into_iter().filter(|mount| mount.kind == "volume");
        let places = volumes.map(|volume| volume.source).chain([static_dir]);
        let places = places.map(PathBuf::from);
        Ok(places.filter(|place| place.is_absolute()).collect())
    }

    /// Begins to wait for its end. Begun before the start, this survives that somebody else
    /// removes the container meanwhile.
    pub fn watch(&self) -> Watch {
        let client = self.client.clone();
        let id = self.id.clone();
        Watch(Some(tokio::spawn(async move {
            client.wait_container(&id, WATCH).await
        })))
    }

    /// Unpacks an archive into a directory of it; everything belongs to its user.
    pub async fn unpack(&self, directory: &str, archive: TarBody) -> Result<()> {
        let how = ArchiveWrite {
            ownership: CopyOwnership::Container,
            overwrite: false,
            rename: BTreeMap::new(),
        };
        self.client
            .write_archive(&self.id, directory, &how, archive)
            .await
    }

    /// Lets the process run.
    pub async fn start(&self) -> Result<()> {
        again(|| self.client.start_container(&self.id)).await
    }

    /// Sends a signal to the main process.
    pub async fn signal(&self, name: &str) -> Result<()> {
        self.client.kill_container(&self.id, name).await
    }

    /// Freezes all of its processes, if the service can.
    pub async fn pause(&self) -> Result<()> {
        self.client.pause_container(&self.id).await
    }

    /// Lets them go on.
    pub async fn unpause(&self) -> Result<()> {
        self.client.unpause_container(&self.id).await
    }

    /// Tells its terminal a size.
    pub async fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        self.client.resize_container(&self.id, rows, columns).await
    }

    /// Ends it: asked first, then killed after `timeout` seconds.
    pub async fn stop(&self, timeout: Option<u32>) -> Result<Stopped> {
        self.client.stop_container(&self.id, timeout).await
    }

    /// How its life ended. Returns once it has ended.
    ///
    /// # Errors
    /// The service went away, or the container did and nothing remembers its exit code.
    pub async fn outcome(&self, watch: Watch) -> Result<Outcome> {
        match self.watched(watch).await? {
            Some(outcome) => Ok(outcome),
            None => self.outcome_by_waiting().await,
        }
    }

    /// As [`Self::outcome`], of a life of which nothing may be missed: that the service was away is an error, too, where it is
    /// there again at once and the container lives on. What it says meanwhile is in the service's log alone.
    ///
    /// # Errors
    /// As [`Self::outcome`].
    pub async fn outcome_in_sight(&self, watch: Watch) -> Result<Outcome> {
        match self.watched(watch).await? {
            Some(outcome) => Ok(outcome),
            None if self.status().await.is_ok_and(Status::is_live) => {
                Err(Error::cut("containers/wait"))
            }
            None => self.outcome_by_waiting().await,
        }
    }

    /// `None` if the wait failed: the connection was lost, or the container is gone.
    async fn watched(&self, mut watch: Watch) -> Result<Option<Outcome>> {
        let exit_code = tokio::select! {
            Some(outcome) = self.ended_by_now() => {
                watch.leave();
                return Ok(Some(outcome));
            }
            exit_code = watch.exit_code() => exit_code,
        };
        match exit_code {
            Some(code) => self.outcome_of(code).await.map(Some),
            None => Ok(None),
        }
    }

    async fn outcome_by_waiting(&self) -> Result<Outcome> {
        let exit_code = match self.client.wait_container(&self.id, WATCH).await {
            Err(error) if error.is_not_found() => self.remembered_exit_code(error).await?,
            other => other?,
        };
        self.outcome_of(exit_code).await
    }

    async fn outcome_of(&self, exit_code: i32) -> Result<Outcome> {
        match self.inspect().await {
            Ok(container) => Ok(Outcome::of(exit_code, Some(&container))),
            // Somebody removed it: the exit code is all there is.
            Err(error) if error.is_not_found() => Ok(Outcome::of(exit_code, None)),
            Err(error) => Err(error),
        }
    }

    /// Its outcome, where its end is about to be known: its output has ended. To wait is to wait
    /// until a process of the service's has cleaned up, too; to look is not.
    async fn ended_by_now(&self) -> Option<Outcome> {
        let mut pause = SECOND_LOOK;
        while pause < WATCH {
            // What is wrong is for the wait to say.
            let container = self.inspect().await.ok()?;
            if matches!(container.state.status, Status::Stopped | Status::Exited) {
                return Some(Outcome::of(container.state.exit_code, Some(&container)));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        None
    }

    /// Waits until the service has cleaned up behind a container that has ended: not before can it
    /// be attached to for another life, nor be copied from. If the service never does, so much for
    /// that: the wait is bounded.
    ///
    /// # Errors
    /// The service went away, or somebody removed the container.
    pub async fn cleaned_up(&self) -> Result<()> {
        let wait = self.client.wait_container(&self.id, CLEAN_UP);
        if let Ok(waited) = tokio::time::timeout(BUSY, wait).await {
            waited?;
        }
        // 5.8 answers as soon as the exit code is known. To look takes the lock that the clean-up
        // holds, so that what is seen is before it or after it.
        let mut pause = SECOND_LOOK;
        while pause < NEGLECTED {
            if !matches!(self.status().await?, Status::Stopping | Status::Stopped) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    /// How it is.
    ///
    /// # Errors
    /// The service went away, or somebody removed the container.
    pub async fn status(&self) -> Result<Status> {
        Ok(self.inspect().await?.state.status)
    }

    /// What it has written since a moment (RFC 3339), and goes on to write in this life.
    ///
    /// # Errors
    /// The service's log driver keeps nothing that can be read.
    pub async fn log_since(&self, moment: &str) -> Result<LogStream> {
        let options = LogOptions {
            follow: true,
            since: Some(moment.to_owned()),
            ..LogOptions::default()
        };
        self.client.container_logs(&self.id, &options).await
    }

    /// The exit code in the service's event log: 4.3 forgets it with the container.
    async fn remembered_exit_code(&self, error: Error) -> Result<i32> {
        let options = EventOptions {
            filters: [
                ("container".to_owned(), vec![self.id.to_string()]),
                ("event".to_owned(), vec!["died".to_owned()]),
            ]
            .into(),
            ..EventOptions::default()
        };
        let mut events = self.client.events(&options).await?;
        let mut last = None;
        while let Some(event) = events.next().await? {
            last = event.exit_code().or(last);
        }
        last.ok_or(error)
    }

    /// Removes it, running or not, with its anonymous volumes and its home.
    pub async fn remove(&self) -> Result<Removed> {
        let removed = self.remove_container().await;
        let gone = removed.as_ref().is_err_and(Error::is_not_found) || removed.is_ok();
        if gone && let Some(home) = &self.home {
            home.remove(&self.client).await?;
        }
        removed
    }

    /// The same, but for its home.
    pub async fn remove_container(&self) -> Result<Removed> {
        let how = Removal {
            force: true,
            volumes: true,
            timeout: Some(0),
        };
        self.client.remove_container(&self.id, how).await
    }
}

/// A wait that is under way; dropping it ends it.
#[derive(Debug)]
pub struct Watch(Option<JoinHandle<Result<i32>>>);

impl Watch {
    /// Waits for the container's end; `None` if the wait failed.
    async fn exit_code(&mut self) -> Option<i32> {
        self.0.as_mut()?.await.ok()?.ok()
    }

    /// Lets it end by itself: a service that is hung up on logs an error.
    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
