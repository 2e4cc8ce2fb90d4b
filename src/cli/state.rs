//! Our state on disk, so far a key: by it we know our own containers again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::host;
use crate::sandbox::ownership::OwnershipKey;

/// The state directory, open and private.
#[derive(Debug)]
pub(crate) struct State {
    key: OwnershipKey,
}

impl State {
    /// Opens the directory, making it and the key where there are none.
    pub(crate) fn open() -> CliResult<Self> {
        let directory = host::state_directory()?;
        let key = OwnershipKey::open(&directory, host::random()?)
            .map_err(|error| unusable(&directory, &error))?;
        Ok(Self { key })
    }

    /// The labels that make a container of this name ours.
    pub(crate) fn labels(&self, name: &str) -> CliResult<BTreeMap<String, String>> {
        Ok(self.key.labels(name, host::random()?))
    }

    /// Whether a container of this name with these labels is ours.
    pub(crate) fn owns(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.key.owns(name, labels)
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
