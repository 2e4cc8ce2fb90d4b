//! Exec sessions: further processes in a running container.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::request::{Connection, Request};
use super::stream::{Attached, Framing, hijack};
use super::{Client, ContainerId, ExecId};

/// What to run, in the words of the API.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecSpec {
    /// Program and arguments.
    pub cmd: Vec<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input can be written to.
    pub attach_stdin: bool,
    /// Whether its standard output is sent.
    pub attach_stdout: bool,
    /// Whether its standard error is sent.
    pub attach_stderr: bool,
    /// `NAME=value`, beside the container's own.
    pub env: Vec<String>,
    /// User, if not the container's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Working directory, if not the container's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// All capabilities: a loosening.
    pub privileged: bool,
}

impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment may hold secrets.
        f.debug_struct("ExecSpec")
            .field("cmd", &self.cmd)
            .field("tty", &self.tty)
            .finish_non_exhaustive()
    }
}

/// How an exec session stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ExecState {
    /// Whether its process runs.
    pub running: bool,
    /// Its exit code once it has ended: 127 not found, 126 not executable.
    #[serde(default)]
    pub exit_code: i32,
    /// Process id in the service's pid namespace.
    #[serde(default)]
    pub pid: u32,
}

#[derive(Serialize)]
struct Start {
    #[serde(rename = "Detach")]
    detach: bool,
    #[serde(rename = "Tty")]
    tty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    w: Option<u16>,
}

impl Client {
    /// Makes an exec session in a running container.
    ///
    /// Source: `POST /libpod/containers/{id}/exec`.
    pub async fn create_exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<ExecId> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: ExecId,
        }
        let request = json(Request::post(&["containers", id.as_str(), "exec"]), spec)?;
        let created: Created = self.send(request).await?.json().await?;
        Ok(created.id)
    }

    /// Starts an exec session and takes over its streams. `size` is rows and columns, in force
    /// before the process begins. A command that does not exist is told in the stream and by exit
    /// code 127.
    ///
    /// Source: `POST /libpod/exec/{id}/start`.
    pub async fn start_exec(
        &self,
        id: &ExecId,
        framing: Framing,
        size: Option<(u16, u16)>,
    ) -> Result<Attached> {
        let start = Start {
            detach: false,
            tty: framing == Framing::Raw,
            h: size.map(|(rows, _)| rows),
            w: size.map(|(_, columns)| columns),
        };
        let request = json(Request::post(&["exec", id.as_str(), "start"]), &start)?;
        let response = self.send(request.on(Connection::Hijacked)).await?;
        hijack(response, framing).await
    }

    /// Starts an exec session and leaves it alone.
    ///
    /// Source: `POST /libpod/exec/{id}/start` with `Detach`.
    pub async fn start_exec_detached(&self, id: &ExecId) -> Result<()> {
        let start = Start {
            detach: true,
            tty: false,
            h: None,
            w: None,
        };
        let request = json(Request::post(&["exec", id.as_str(), "start"]), &start)?;
        self.send(request).await?.done().await
    }

    /// Tells an exec session's terminal its size.
    ///
    /// Source: `POST /libpod/exec/{id}/resize`.
    pub async fn resize_exec(&self, id: &ExecId, rows: u16, columns: u16) -> Result<()> {
        let request = Request::post(&["exec", id.as_str(), "resize"])
            .number("h", rows)
            .number("w", columns)
            .flag("running", true);
        self.send(request).await?.done().await
    }

    /// How an exec session stands. Right after its stream has ended the exit code is there.
    ///
    /// Source: `GET /libpod/exec/{id}/json`.
    pub async fn inspect_exec(&self, id: &ExecId) -> Result<ExecState> {
        let request = Request::get(&["exec", id.as_str(), "json"]);
        self.send(request).await?.json().await
    }
}

fn json(request: Request, value: &impl Serialize) -> Result<Request> {
    let endpoint = request.endpoint();
    request
        .json(value)
        .map_err(|source| Error::decode(&endpoint, source))
}
