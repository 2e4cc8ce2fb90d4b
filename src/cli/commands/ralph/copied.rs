//! `--workspace copy`: what the agent works on is made of a checkpoint of the person's directory.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::ralph::files::{private_directory, remove_all};
use crate::ralph::{Checkpoints, Copying, Keep, RunId, Workspace};
use crate::sandbox::Request;
use crate::sandbox::mounts::MountSource;

/// Where an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Place {
    /// In the directory itself.
    #[default]
    Here,
    /// On a copy.
    Copy,
}

/// The words of `--workspace`.
pub(super) fn parser() -> impl TypedValueParser<Value = Place> {
    PossibleValuesParser::new(["here", "copy"]).map(|word| match word.as_str() {
        "copy" => Place::Copy,
        _ => Place::Here,
    })
}

/// A copy, and the checkpoint that it was made of. Both go again unless the run has begun.
pub(super) struct Copied {
    pub(super) workspace: Workspace,
    checkpoints: Checkpoints,
    /// Until it is a run's.
    copying: Option<Copying>,
}

impl Copied {
    /// Makes one, unless that is to stop: then nothing of it is left.
    pub(super) async fn make(
        original: &Workspace,
        keep: Keep,
        id: &RunId,
        stop: &Arc<AtomicBool>,
    ) -> CliResult<Self> {
        let (original, id, stopped) = (original.clone(), id.clone(), Arc::clone(stop));
        let making =
            tokio::task::spawn_blocking(move || Self::copy(&original, &keep, &id, stopped));
        let made = making.await.doing("copy the workspace")??;
        match stop.load(Ordering::Relaxed) {
            true => Err(CliError::new(Exit::Failed, "interrupted")),
            false => Ok(made),
        }
    }

    fn copy(
        original: &Workspace,
        keep: &Keep,
        id: &RunId,
        stop: Arc<AtomicBool>,
    ) -> CliResult<Self> {
        let state = host::state_directory()?;
        let checkpoints = Checkpoints::before_copy(&state, original, keep, id)?;
        let working = checkpoints.clone().stopped_by(stop);
        let copies = host::copies_directory()?;
        private_directory(&copies)?;
        let path = copies.canonicalize().doing("find the copies")?;
        let path = path.join(id.as_str());
        let copying = Copying::begin(&state, id, original, &path)?;
        let made = DirBuilder::new().mode(0o700).create(&path);
        if let Err(error) = made {
            copying.end();
            return Err(error).doing(format!("make `{}`", path.display()));
        }
        let mut copied = Self {
            workspace: Workspace {
                path,
                ..original.clone()
            },
            checkpoints,
            copying: Some(copying),
        };
        let fill = || {
            let (at, _) = working.take("as it was when it was copied")?;
            working.copy(&at, &copied.workspace.path)
        };
        let heading = "the workspace cannot be copied";
        let root = fill().map_err(|e| CliError::context(Exit::Failed, heading, &e))?;
        (copied.workspace.device, copied.workspace.inode) = root.id();
        Ok(copied)
    }

    /// Has the sandbox get the copy, where it would get what was copied. The env files are not in it.
    pub(super) fn give(&self, request: &mut Request, original: &Workspace) {
        for mount in &mut request.mounts {
            if mount.target.as_str() == original.target {
                mount.source = MountSource::Host(self.workspace.path.clone());
            }
        }
    }

    /// The run has begun: both are its own now.
    pub(super) fn keep(mut self) {
        if let Some(copying) = self.copying.take() {
            copying.end();
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(copying) = self.copying.take() {
            // Whatever kept the run from beginning is told; this is not worth more words, and is tried again.
            let _ = self.checkpoints.drop_all();
            let path = &self.workspace.path;
            if remove_all(path).is_ok() || path.symlink_metadata().is_err() {
                copying.end();
            }
        }
    }
}
