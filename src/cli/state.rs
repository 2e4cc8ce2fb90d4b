//! Our state on disk: a key, and which containers we made. By them we know our own again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use crate::libpod::ContainerId;
use crate::sandbox::ledger::Ledger;
use crate::sandbox::ownership::OwnershipKey;

/// The state directory, open and private.
#[derive(Debug)]
pub(crate) struct State {
    key: OwnershipKey,
    ledger: Ledger,
}

impl State {
    /// Opens the directory, making it and the key where there are none.
    pub(crate) fn open() -> CliResult<Self> {
        let directory = host::state_directory()?;
        let key = OwnershipKey::open(&directory, host::random()?)
            .map_err(|error| unusable(&directory, &error))?;
        let ledger = Ledger::open(&directory).map_err(|error| unusable(&directory, &error))?;
        Ok(Self { key, ledger })
    }

    /// The labels that make a container or volume of this name ours.
    pub(crate) fn labels(&self, name: &str) -> CliResult<BTreeMap<String, String>> {
        Ok(self.key.labels(name, host::random()?))
    }

    /// Whether a container of this name and id with these labels is ours.
    pub(crate) fn owns(
        &self,
        name: &str,
        id: &ContainerId,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        self.key.owns(name, labels) && self.ledger.allows(labels, id.as_str())
    }

    /// Whether a volume of this name with these labels is ours. It has no id that the ledger could know; no image and no
    /// container gives a volume labels.
    pub(crate) fn owns_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.key.owns(name, labels)
    }

    /// Notes that labels of ours belong to this container: on another one they are a copy.
    pub(crate) fn note(
        &self,
        id: &ContainerId,
        labels: &BTreeMap<String, String>,
    ) -> CliResult<()> {
        let noted = self.ledger.note(labels, id.as_str());
        noted.doing("note the container in the state directory")
    }
}

fn unusable(directory: &Path, error: &io::Error) -> CliError {
    let shown = directory.display();
    let cli = CliError::context(
        Exit::Failed,
        format!("cannot use the state directory `{shown}`"),
        error,
    );
    match error.kind() {
        // Found to be open to others, or another's.
        io::ErrorKind::Other => cli.hint(format!(
            "it must be yours alone: `chmod -R go= {shown}`, if nobody else has written there"
        )),
        _ => cli.hint("set XDG_STATE_HOME to a directory that you can write to"),
    }
}
