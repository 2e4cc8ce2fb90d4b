//! A sandbox's life: create, attach, start, wait, harvest, remove. Evidence first, removal second.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::libpod::stream::{Attached, Framing};
use crate::libpod::{
    AttachOptions, Client, Container, ContainerId, ContainerSpec, Error, EventOptions, Removal,
    Removed, Result,
};

/// How often the service looks whether a container has ended, while it is expected to run.
const WATCH: Duration = Duration::from_millis(250);
/// The same, once its output has ended and only the exit code is missing.
const HARVEST: Duration = Duration::from_millis(5);

/// A container that was made for us and has not been removed.
#[derive(Debug, Clone)]
pub struct Sandbox {
    client: Client,
    id: ContainerId,
    framing: Framing,
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
}

impl Sandbox {
    /// Makes the container. Returns what the service warned of.
    ///
    /// # Errors
    /// As [`Client::create_container`]; nothing is left behind then.
    pub async fn create(client: &Client, spec: &ContainerSpec) -> Result<(Self, Vec<String>)> {
        let created = client.create_container(spec).await?;
        let framing = if spec.terminal {
            Framing::Raw
        } else {
            Framing::Multiplexed
        };
        let sandbox = Self {
            client: client.clone(),
            id: created.id,
            framing,
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
        self.client.attach_container(&self.id, options).await
    }

    /// Prepares it without attaching.
    pub async fn prepare(&self) -> Result<()> {
        self.client.init_container(&self.id).await
    }

    /// What the service says of it now.
    pub async fn inspect(&self) -> Result<Container> {
        self.client.inspect_container(self.id.as_str()).await
    }

    /// Begins to wait for its end. Begun before the start, this survives that somebody else
    /// removes the container meanwhile.
    pub fn watch(&self) -> Watch {
        let client = self.client.clone();
        let id = self.id.clone();
        Watch(tokio::spawn(async move {
            client.wait_container(&id, WATCH).await
        }))
    }

    /// Lets the process run.
    pub async fn start(&self) -> Result<()> {
        self.client.start_container(&self.id).await
    }

    /// Sends a signal to the main process.
    pub async fn signal(&self, name: &str) -> Result<()> {
        self.client.kill_container(&self.id, name).await
    }

    /// Tells its terminal a size.
    pub async fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        self.client.resize_container(&self.id, rows, columns).await
    }

    /// Ends it: asked first, then killed after `timeout` seconds.
    pub async fn stop(&self, timeout: Option<u32>) -> Result<()> {
        self.client
            .stop_container(&self.id, timeout)
            .await
            .map(drop)
    }

    /// How its life ended. Returns once it has ended.
    ///
    /// # Errors
    /// The service went away, or the container did and nothing remembers its exit code.
    pub async fn outcome(&self, mut watch: Watch) -> Result<Outcome> {
        let quick = self.client.wait_container(&self.id, HARVEST);
        let exit_code = tokio::select! {
            code = &mut watch.0 => match code {
                Ok(code) => code,
                Err(_) => self.client.wait_container(&self.id, HARVEST).await,
            },
            Ok(code) = quick => Ok(code),
        };
        let exit_code = match exit_code {
            Err(error) if error.is_not_found() => self.remembered_exit_code(error).await?,
            other => other?,
        };
        let inspected = match self.inspect().await {
            Ok(container) => Some(container),
            // Somebody removed it: the exit code is all there is.
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(Outcome {
            exit_code,
            oom_killed: inspected.as_ref().is_some_and(|c| c.state.oom_killed),
            memory_limit: inspected.map_or(0, |c| c.host_config.memory),
        })
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

    /// Removes it, running or not, with its anonymous volumes.
    pub async fn remove(&self) -> Result<Removed> {
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
pub struct Watch(JoinHandle<Result<i32>>);

impl Watch {
    /// Waits for the container's end.
    ///
    /// # Errors
    /// The service went away.
    pub async fn ended(&mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
