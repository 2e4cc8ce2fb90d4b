//! Which configurations the person has accepted: the exact text, for one directory, in our state.

use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::Configuration;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::host;
use crate::ralph::files::{private_directory, read_bounded, write_whole};

/// The longest record that is read, in bytes.
const MAX: u64 = 1 << 20;

/// Where it is kept what was accepted.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
}

/// What was accepted for a directory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Accepted {
    /// The directory, for people.
    directory: PathBuf,
    device: u64,
    inode: u64,
    /// SHA-256 of the text.
    sha256: String,
    /// The text: the next one is compared with it.
    pub(crate) text: String,
}

impl Store {
    /// Opens it, making the directory where there is none.
    pub(crate) fn open() -> CliResult<Self> {
        let directory = host::state_directory()?.join("trust");
        private_directory(&directory)?;
        Ok(Self { directory })
    }

    /// What was accepted in the place of this one; `None` if nothing was.
    pub(crate) fn accepted(&self, configuration: &Configuration) -> CliResult<Option<Accepted>> {
        let path = self.path(configuration);
        let bytes = match read_bounded(&path, MAX) {
            Err(error) if error.is_missing() => return Ok(None),
            bytes => bytes?,
        };
        let accepted: Accepted =
            serde_json::from_slice(&bytes).doing(format!("read `{}`", path.display()))?;
        let identity = configuration.identity;
        let same = (accepted.device, accepted.inode) == (identity.device, identity.inode);
        Ok(Some(accepted).filter(|_| same))
    }

    /// From now on this one is trusted, as it is.
    pub(crate) fn accept(&self, configuration: &Configuration) -> CliResult<()> {
        let accepted = Accepted {
            directory: configuration.directory.clone(),
            device: configuration.identity.device,
            inode: configuration.identity.inode,
            sha256: sha256(configuration.text.as_bytes()),
            text: configuration.text.clone(),
        };
        let text = serde_json::to_vec_pretty(&accepted).doing("describe what is trusted")?;
        Ok(write_whole(&self.path(configuration), &text, 0o600)?)
    }

    /// Nothing is trusted there any more. Whether something was.
    pub(crate) fn forget(&self, configuration: &Configuration) -> CliResult<bool> {
        match std::fs::remove_file(self.path(configuration)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).doing("forget what was trusted"),
        }
    }

    fn path(&self, configuration: &Configuration) -> PathBuf {
        let directory = configuration.directory.as_os_str().as_encoded_bytes();
        let name = sha256(directory);
        self.directory
            .join(format!("{}.json", name.get(..32).unwrap_or(&name)))
    }
}

impl Accepted {
    /// Whether it is this very text.
    pub(crate) fn is(&self, configuration: &Configuration) -> bool {
        self.sha256 == sha256(configuration.text.as_bytes())
    }

    /// What it said.
    pub(crate) fn table(&self) -> toml::Table {
        self.text.parse().unwrap_or_default()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
