//! A container's own streams.

use crate::libpod::error::Result;
use crate::libpod::request::{Connection, Request};
use crate::libpod::stream::{Attached, Framing, hijack};
use crate::libpod::{Client, ContainerId};

/// What to attach to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachOptions {
    /// Write to standard input.
    pub stdin: bool,
    /// How output comes: raw exactly when inspect says that the container has a TTY.
    pub framing: Framing,
}

impl Client {
    /// Attaches to a container's streams.
    ///
    /// On a container that is not running this prepares it (state `initialized`), so that nothing
    /// is lost when it is started afterwards; a command that does not exist therefore fails here.
    /// On one that has exited it prepares a new life: look at the state first.
    ///
    /// The service's own detach keys are switched off, since it only sees them when each comes
    /// alone; whoever owns the terminal matches them.
    ///
    /// Source: `POST /libpod/containers/{id}/attach`.
    pub async fn attach_container(
        &self,
        id: &ContainerId,
        options: AttachOptions,
    ) -> Result<Attached> {
        let request = Request::post(&["containers", id.as_str(), "attach"])
            .flag("stream", true)
            .flag("stdin", options.stdin)
            .flag("stdout", true)
            .flag("stderr", true)
            .query("detachKeys", "")
            .on(Connection::Hijacked);
        let response = self.send(request).await?;
        hijack(response, options.framing).await
    }
}
