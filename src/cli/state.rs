//! Our state on disk, so far a key: by it we know our own containers again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::host;
use crate::sandbox::ownership::OwnershipKey;

/// The state directory, open and private.
#[derive(Debug)]
pub struct State {
    key: OwnershipKey,
}

impl State {
    /// Opens the directory, making it and the key where there are none.
    pub fn open() -> CliResult<Self> {
        let directory = host::state_directory()?;
        let failed = |error: &(dyn std::error::Error + 'static), path: &PathBuf| {
            CliError::context(
                Exit::Failed,
                format!("cannot use the state directory `{}`", path.display()),
                error,
            )
        };
        let key = OwnershipKey::open(&directory, host::random()?)
            .map_err(|error| failed(&error, &directory))?;
        Ok(Self { key })
    }

    /// The labels that make a container of this name ours.
    pub fn labels(&self, name: &str) -> CliResult<BTreeMap<String, String>> {
        Ok(self.key.labels(name, host::random()?))
    }

    /// Whether a container of this name with these labels is ours.
    pub fn owns(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.key.owns(name, labels)
    }
}
