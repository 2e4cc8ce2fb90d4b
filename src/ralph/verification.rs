//! A claim, verified: the person's check in a new container, on the checkpoint's tree, without a
//! network and with nothing of the host in it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::checkpoints::Checkpoints;
use super::error::{Error, Result};
use super::life::{self, Bounds, Cut, Deadline, Evidence, Life, Stop};
use super::night::{Fault, Gate};
use super::room::{Low, Room};
use super::selection::{Findings, Selection};
use super::task::{Check, Task};
use super::transcript::Transcript;
use super::weakened::weakened;
use crate::libpod::TarBody;
use crate::sandbox::Sandbox;
use crate::workspace::{Checkpoint, Repository};

/// Chunks of a tree that may wait to be sent.
const DEPTH: usize = 4;

/// What is checked.
pub(super) struct Claimed<'a> {
    pub(super) checkpoints: &'a Checkpoints,
    /// The last checkpoint.
    pub(super) at: u32,
    /// Which paths are the person's.
    pub(super) protect: &'a [String],
    /// The check's command.
    pub(super) command: &'a str,
    /// Where the tree goes in the container.
    pub(super) target: &'a str,
    /// The longest that the check may take.
    pub(super) time: Duration,
    /// What has to stay free meanwhile.
    pub(super) room: Room,
}

/// How a check ended.
pub(super) struct Checked {
    pub(super) exit_code: i32,
    pub(super) cut: Option<Cut>,
    /// The disk that had too little room left.
    pub(super) low: Option<Low>,
    pub(super) took: Duration,
    pub(super) findings: Findings,
}

impl Claimed<'_> {
    /// Runs the check in a container that was made for it, and is not removed here.
    pub(super) async fn check<G: Gate>(
        &self,
        sandbox: &Sandbox,
        output: &mut Transcript,
        stop: &mut watch::Receiver<Stop>,
        gate: &G,
    ) -> std::result::Result<Checked, Fault<G::Error>> {
        let findings = self.send_tree(sandbox).await?;
        let begun = Instant::now();
        let bounds = Bounds {
            deadline: Deadline::earliest(begun, None, Some(self.time)),
            room: self.room.clone(),
            ..Bounds::default()
        };
        // What the kernel says of a check has no bearing on what becomes of the run.
        let mut evidence = Evidence::default();
        let life = life::live(sandbox, output, None, &bounds, stop, gate, &mut evidence);
        let Life {
            outcome, cut, low, ..
        } = life.await?;
        Ok(Checked {
            exit_code: outcome.exit_code,
            cut,
            low,
            took: begun.elapsed(),
            findings,
        })
    }

    /// Sends the tree, what is the person's taken from the first checkpoint.
    async fn send_tree(&self, sandbox: &Sandbox) -> Result<Findings> {
        let (checkpoints, at) = (self.checkpoints.clone(), self.at);
        let mut selection = Selection::new(self.protect, self.command);
        let found = tokio::task::spawn_blocking(move || {
            let repository = checkpoints.open()?;
            let base = repository.checkpoint(checkpoints.series(), 0)?;
            let at = repository.checkpoint(checkpoints.series(), at)?;
            let findings = find(&checkpoints, &repository, (&base, &at), &mut selection)?;
            Result::Ok((repository, base, at, selection, findings))
        });
        let (repository, base, at, selection, findings) = joined(found.await)?;
        // The directory first: it need not be in the image.
        let name = self.target.trim_matches('/').to_owned();
        let directory = upload(move |out| directory(&name, out));
        sandbox.unpack("/", directory).await?;
        let tree = upload(move |out| tree(&repository, &base, &at, &selection, out));
        sandbox.unpack(self.target, tree).await?;
        Ok(findings)
    }
}

/// What would matter for a check of a checkpoint, whether one is made or not. Blocks.
///
/// # Errors
/// The checkpoints cannot be read.
pub fn unchecked(
    checkpoints: &Checkpoints,
    task: &Task,
    (base, at): (&Checkpoint, &Checkpoint),
) -> Result<Findings> {
    let command = match &task.check {
        Check::Command(command) => command,
        Check::Waived | Check::Missing => "",
    };
    let mut selection = Selection::new(&task.protect, command);
    let repository = checkpoints.open()?;
    find(checkpoints, &repository, (base, at), &mut selection)
}

fn find(
    checkpoints: &Checkpoints,
    repository: &Repository,
    (base, at): (&Checkpoint, &Checkpoint),
    selection: &mut Selection,
) -> Result<Findings> {
    let changes = checkpoints.changes(repository, base, at)?;
    selection.mend(repository, &changes);
    selection.look_inside(repository, &changes);
    selection.follow(&repository.links(base)?);
    let mut findings = selection.findings(&changes);
    findings.weakened = weakened(repository, &changes, selection);
    Ok(findings)
}

fn tree(
    repository: &Repository,
    base: &Checkpoint,
    at: &Checkpoint,
    selection: &Selection,
    out: &mut dyn Write,
) -> io::Result<()> {
    let written = repository.write_tar_over(base, at, out, &mut |path| selection.select(path));
    written.map_err(io::Error::other)
}

/// A directory that whoever runs the check may write in.
fn directory(name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    let mut archive = tar::Builder::new(out);
    archive.append_data(&mut header, name, io::empty())?;
    archive.into_inner()?.flush()
}

/// A request body that a thread of its own writes; if it fails, the request is broken off.
fn upload(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> TarBody {
    let (mut writer, body) = TarBody::written(DEPTH);
    tokio::task::spawn_blocking(move || {
        let written = write(&mut writer);
        writer.finish(written);
    });
    body
}

/// What a blocking task returned.
pub(super) fn joined<T>(
    joined: std::result::Result<Result<T>, tokio::task::JoinError>,
) -> Result<T> {
    joined.unwrap_or_else(|error| {
        let path = std::path::Path::new("checkpoints");
        Err(Error::file("work on", path, io::Error::other(error)))
    })
}
