//! What a run takes of the disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Run;
use crate::ralph::error::{Error, Result};
use crate::ralph::record::Record;

/// A block as `stat` counts, in bytes.
const BLOCK: u64 = 512;

impl Run {
    /// Bytes on disk of its directory, and those that its checkpoints have added.
    ///
    /// # Errors
    /// Its directory or its checkpoints cannot be read.
    pub fn size(&self, record: &Record) -> Result<u64> {
        let own = below(&self.directory).map_err(|e| Error::file("measure", &self.directory, e))?;
        Ok(own + self.checkpoints(record)?.size()?)
    }
}

/// The directory is ours: no deeper than we have made it.
fn below(directory: &Path) -> std::io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        all += metadata.blocks() * BLOCK;
        if metadata.is_dir() {
            // What an agent's files in quarantine are is not ours to look into.
            all += below(&entry.path()).unwrap_or(0);
        }
    }
    Ok(all)
}
