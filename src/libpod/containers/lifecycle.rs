//! From create to remove.

use std::time::Duration;

use serde::Deserialize;

use super::ContainerSpec;
use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::request::{Connection, Request};
use crate::libpod::{Client, ContainerId, null};

/// A container that was made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    /// Its identifier.
    pub id: ContainerId,
    /// What the service left out; the only place where a dropped limit is told (cgroups v1).
    #[serde(default, deserialize_with = "null::default")]
    pub warnings: Vec<String>,
}

/// What a call to stop found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was running and is not any more.
    Now,
    /// It was not running.
    Before,
}

/// How a container is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removal {
    /// Kill it first if it runs.
    pub force: bool,
    /// Remove its anonymous volumes too.
    pub volumes: bool,
    /// How long it may take to stop before it is killed, in seconds; with `force`.
    pub timeout: Option<u32>,
}

/// What a call to remove found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Now,
    /// There was none, or somebody else is removing it.
    Before,
}

impl Client {
    /// Makes a container. Never pulls: a missing image is an error ([`Error::is_not_found`]).
    ///
    /// Source: `POST /libpod/containers/create`.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<Created> {
        let request = Request::post(&["containers", "create"]);
        let endpoint = request.endpoint();
        let request = request
            .json(spec)
            .map_err(|source| Error::decode(&endpoint, source))?;
        self.send(request).await?.json().await
    }

    /// Prepares the OCI container without starting its process: namespaces and cgroup exist then.
    ///
    /// Source: `POST /libpod/containers/{id}/init`. Already prepared or running is no error.
    pub async fn init_container(&self, id: &ContainerId) -> Result<()> {
        self.act(id, "init").await
    }

    /// Starts the process. Already running is no error.
    ///
    /// Source: `POST /libpod/containers/{id}/start`.
    pub async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.act(id, "start").await
    }

    /// Freezes all processes. Needs a cgroup: rootless on cgroups v1 it fails.
    ///
    /// Source: `POST /libpod/containers/{id}/pause`.
    pub async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        self.act(id, "pause").await
    }

    /// Thaws what [`Client::pause_container`] froze.
    ///
    /// Source: `POST /libpod/containers/{id}/unpause`.
    pub async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        self.act(id, "unpause").await
    }

    async fn act(&self, id: &ContainerId, verb: &str) -> Result<()> {
        // An own connection: the service may be long in answering, and nothing else should wait.
        let request = Request::post(&["containers", id.as_str(), verb]);
        self.send(request).await?.done().await
    }

    /// Asks the process to end, and kills it after `timeout` seconds (the container's own
    /// `stop_timeout` if `None`).
    ///
    /// Source: `POST /libpod/containers/{id}/stop`.
    pub async fn stop_container(&self, id: &ContainerId, timeout: Option<u32>) -> Result<Stopped> {
        let mut request = Request::post(&["containers", id.as_str(), "stop"]).on(Connection::Own);
        if let Some(seconds) = timeout {
            request = request.number("timeout", seconds);
        }
        let response = self.send(request).await?;
        let stopped = match response.status() {
            304 => Stopped::Before,
            _ => Stopped::Now,
        };
        response.done().await?;
        Ok(stopped)
    }

    /// Sends a signal, by name or number. A container that does not run is an error.
    ///
    /// Source: `POST /libpod/containers/{id}/kill`.
    pub async fn kill_container(&self, id: &ContainerId, signal: &str) -> Result<()> {
        let request = Request::post(&["containers", id.as_str(), "kill"]).query("signal", signal);
        self.send(request).await?.done().await
    }

    /// Waits until the container has stopped, and returns its exit code: 0 to 255, or -1 when the
    /// service ended it at its `timeout`.
    ///
    /// On a container that was attached to and not yet started it waits for start and end; on one
    /// that was never prepared it answers 0 at once. `interval` is how often the service looks.
    ///
    /// Source: `POST /libpod/containers/{id}/wait`; always by the whole id and never with a
    /// condition, since later releases answer 0 to conditions they do not know.
    pub async fn wait_container(&self, id: &ContainerId, interval: Duration) -> Result<i32> {
        let request = Request::post(&["containers", id.as_str(), "wait"])
            .query("interval", format!("{}ms", interval.as_millis()))
            .on(Connection::Own);
        let endpoint = request.endpoint();
        let text = self.send(request).await?.text().await?;
        text.trim()
            .parse()
            .map_err(|_| Error::protocol(&endpoint, "the exit code is no number"))
    }

    /// Removes a container. That it is gone already, or being removed, is no error.
    ///
    /// Source: `DELETE /libpod/containers/{id}`.
    pub async fn remove_container(&self, id: &ContainerId, how: Removal) -> Result<Removed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Report {
            #[serde(default)]
            err: Option<String>,
        }
        let mut request = Request::delete(&["containers", id.as_str()])
            .flag("force", how.force)
            .flag("v", how.volumes)
            .flag("ignore", true)
            .on(Connection::Own);
        if let Some(seconds) = how.timeout {
            request = request.number("timeout", seconds);
        }
        let endpoint = request.endpoint();
        let response = match self.send(request).await {
            Ok(response) => response,
            Err(error) if error.is_not_found() || being_removed(&error) => {
                return Ok(Removed::Before);
            }
            Err(error) => return Err(error),
        };
        let reports: Vec<Report> = response.json().await?;
        if reports.is_empty() {
            return Ok(Removed::Before);
        }
        // A 200 is not success: the failure may stand in its list.
        match reports.into_iter().find_map(|report| report.err) {
            Some(message) if message.contains("no such container") => Ok(Removed::Before),
            Some(message) => Err(Error::new(Kind::Api(ApiError {
                status: 200,
                cause: String::new(),
                message,
                endpoint,
            }))),
            None => Ok(Removed::Now),
        }
    }

    /// Tells the container's terminal its size. Only after it was attached to or prepared.
    ///
    /// Source: `POST /libpod/containers/{id}/resize`.
    pub async fn resize_container(&self, id: &ContainerId, rows: u16, columns: u16) -> Result<()> {
        let request = Request::post(&["containers", id.as_str(), "resize"])
            .number("h", rows)
            .number("w", columns);
        self.send(request).await?.done().await
    }

    /// Whether a container of this name or id exists.
    ///
    /// Source: `GET /libpod/containers/{name}/exists`.
    pub async fn container_exists(&self, name: &str) -> Result<bool> {
        self.exists(&["containers", name, "exists"]).await
    }
}

/// Two removals that meet: the loser is told so in one of these words.
fn being_removed(error: &Error) -> bool {
    error.api().is_some_and(|api| {
        api.message.contains("is being removed") || api.message.contains("already being removed")
    })
}
