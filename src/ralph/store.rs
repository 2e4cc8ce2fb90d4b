//! Where runs are kept: a private directory each, one process at a time that may write in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::checkpoints::Checkpoints;
use super::error::{Error, Result};
use super::files::{private_directory, read_bounded, remove_all, write_whole};
use super::life::Stop;
use super::promise::Promise;
use super::prompt::Prompt;
use super::record::Record;
use super::started::this_boot;

/// How long a look at the lock may take, and how many there may be one after the other.
const GLANCE: Duration = Duration::from_millis(2);
const GLANCES: u32 = 20;
/// The longest `run.json` that is read, in bytes.
const MAX_RECORD: u64 = 1 << 20;

mod choice;
mod size;
mod spare;

pub use choice::Named;

/// The name of a run: when it began, and six hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// Makes one.
    pub fn new(now: jiff::Timestamp, random: [u8; 3]) -> Self {
        let [a, b, c] = random;
        let at = now.strftime("%Y%m%d-%H%M%S");
        Self(format!("{at}-{a:02x}{b:02x}{c:02x}"))
    }

    /// Reads one; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = "dddddddd-dddddd-xxxxxx";
        let fits = text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, kind)| match kind {
                    b'd' => byte.is_ascii_digit(),
                    b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                    _ => byte == kind,
                });
        fits.then(|| Self(text.to_owned()))
    }

    /// The second in which it was made.
    fn second(&self) -> &str {
        self.0.split_at_checked(15).map_or(&self.0, |(at, _)| at)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// All runs of this person on this machine.
#[derive(Debug, Clone)]
pub struct Runs {
    directory: PathBuf,
}

/// One run's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    id: RunId,
    directory: PathBuf,
}

/// As long as it lives, nobody else writes in the run's directory.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its lock")] File);

impl Runs {
    /// The runs in a state directory, which is there and private.
    ///
    /// # Errors
    /// The directory cannot be made, or others can get at it.
    pub fn open(state: &Path) -> Result<Self> {
        let directory = state.join("runs");
        private_directory(&directory)?;
        Ok(Self { directory })
    }

    /// Our turn to look at all runs and to begin one; blocks until whoever has it is done with that. What
    /// is left of one that was never written whole goes: nobody is writing it now.
    ///
    /// # Errors
    /// The directory cannot be locked.
    pub fn turn(&self) -> Result<Held> {
        let lock = || -> std::io::Result<File> {
            let directory = File::open(&self.directory)?;
            flock(&directory, FlockOperation::LockExclusive)?;
            Ok(directory)
        };
        let held = lock().map_err(|e| Error::file("lock", &self.directory, e))?;
        self.sweep();
        Ok(Held(held))
    }

    /// What stays is in nobody's way.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let is_run = entry.file_name().to_str().and_then(RunId::parse).is_some();
            let written = fs::symlink_metadata(entry.path().join("run.json"));
            if is_run && written.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                let _ = remove_all(&entry.path());
            }
        }
    }

    /// Begins one, with a prompt for each phase. What was asked for is on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&self, id: &RunId, record: &Record, prompts: &[String]) -> Result<Run> {
        let run = Run {
            id: id.clone(),
            directory: self.directory.join(id.as_str()),
        };
        private_directory(&run.directory)?;
        let shared = run.prompt_directory();
        // The sandbox's user reads it, and need not be ours.
        DirBuilder::new()
            .mode(0o755)
            .create(&shared)
            .and_then(|()| fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)))
            .map_err(|e| Error::file("make", &shared, e))?;
        for (phase, prompt) in prompts.iter().enumerate() {
            write_whole(&run.prompt_path(phase), prompt.as_bytes(), 0o600)?;
        }
        let path = run.record_path();
        let text =
            serde_json::to_vec_pretty(record).map_err(|e| Error::file("write", &path, e.into()))?;
        write_whole(&path, &text, 0o600)?;
        Ok(run)
    }

    /// All of them, the oldest first. What is no run is passed over.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Run>> {
        let fault = |e| Error::file("read", &self.directory, e);
        let mut runs = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let id = entry.file_name().to_str().and_then(RunId::parse);
            // One that was never written whole is none.
            if let Some(id) = id
                && let Ok(written) = fs::symlink_metadata(entry.path().join("run.json"))
            {
                let directory = entry.path();
                runs.push((written.modified().ok(), Run { id, directory }));
            }
        }
        // Ids know of seconds; the record is written once, when the run begins.
        runs.sort_by(|(at, a), (then, b)| {
            let seconds = a.id.second().cmp(b.id.second());
            seconds.then(at.cmp(then)).then(a.id.cmp(&b.id))
        });
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }
}

impl Run {
    /// Its id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// What was kept of its workspace.
    ///
    /// # Errors
    /// None that a run of ours would give.
    pub fn checkpoints(&self, record: &Record) -> Result<Checkpoints> {
        let state = self.directory.ancestors().nth(2);
        Checkpoints::of(state.unwrap_or(&self.directory), record, &self.id)
    }

    /// What was kept of the directory that its workspace is a copy of.
    ///
    /// # Errors
    /// None that a run of ours would give.
    pub fn original_checkpoints(&self, record: &Record) -> Result<Checkpoints> {
        let state = self.directory.ancestors().nth(2);
        Checkpoints::of_original(state.unwrap_or(&self.directory), record, &self.id)
    }

    /// Where it is kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its journal.
    pub fn journal_path(&self) -> PathBuf {
        self.directory.join("journal.jsonl")
    }

    /// What the agent has written, as it came.
    pub fn output_path(&self) -> PathBuf {
        self.directory.join("output.log")
    }

    /// What a check wrote.
    pub fn check_path(&self, iteration: u32) -> PathBuf {
        self.directory.join(format!("check-{iteration}.log"))
    }

    /// What the last check by hand wrote.
    pub fn check_again_path(&self) -> PathBuf {
        self.directory.join("check-again.log")
    }

    /// What is mounted in the sandbox.
    pub fn prompt_directory(&self) -> PathBuf {
        self.directory.join("prompt")
    }

    /// The agent's own repository, where it has one, or what hides the person's.
    pub fn git_directory(&self) -> PathBuf {
        self.directory.join("git")
    }

    /// The same for a submodule whose repository is in the workspace; these are numbered from 1.
    pub fn inside_git_directory(&self, number: usize) -> PathBuf {
        self.directory.join(format!("git-{number}"))
    }

    /// What the agent sees in the place of a file `.git`.
    pub fn git_file(&self) -> PathBuf {
        self.directory.join("git-file")
    }

    /// What may not stay in the workspace.
    pub(super) fn quarantine_directory(&self) -> PathBuf {
        self.directory.join("quarantine")
    }

    /// The submodule whose `.git` is being put back.
    pub(super) fn intent_path(&self) -> PathBuf {
        self.directory.join("put-back")
    }

    /// Exists while the agent is paused for a checkpoint.
    pub(super) fn paused_path(&self) -> PathBuf {
        self.directory.join("paused")
    }

    fn record_path(&self) -> PathBuf {
        self.directory.join("run.json")
    }

    /// Those that began after it.
    pub(super) fn later(&self) -> Result<Vec<Self>> {
        let directory = self.directory.parent().unwrap_or(&self.directory);
        let runs = Runs {
            directory: directory.to_owned(),
        };
        let mut all = runs.list()?;
        let at = all.iter().position(|run| run.id == self.id);
        Ok(all.split_off(at.map_or(0, |at| at + 1)))
    }

    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be read, or is not what we wrote.
    pub fn record(&self) -> Result<Record> {
        let path = self.record_path();
        let text = read_bounded(&path, MAX_RECORD)?;
        match serde_json::from_slice::<Record>(&text) {
            Ok(record) if record.version == Record::VERSION => {
                Ok(record.on_boot(this_boot().as_deref()))
            }
            Ok(record) => Err(self.not_read(format!("it has format {}", record.version))),
            Err(error) => Err(self.not_read(error.to_string())),
        }
    }

    /// Why the record cannot be read: it may be another version's.
    fn not_read(&self, what: String) -> Error {
        let ours = env!("CARGO_PKG_VERSION");
        let written_by = self.written_by().filter(|version| version != ours);
        Error::damaged(
            &self.record_path(),
            match written_by {
                Some(version) => {
                    format!("stockade {version} wrote it, and this is {ours}: {what}")
                }
                None => what,
            },
        )
    }

    /// The version that began the run. Of its journal no more is believed than that.
    fn written_by(&self) -> Option<String> {
        let text = read_bounded(&self.journal_path(), MAX_RECORD).ok()?;
        text.split(|byte| *byte == b'\n').find_map(|line| {
            let line: serde_json::Value = serde_json::from_slice(line).ok()?;
            let begun = line.get("event")? == "begun";
            begun.then(|| line.get("version")?.as_str().map(str::to_owned))?
        })
    }

    /// The person's prompts, one for each phase, as they were when the run began.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn prompts(&self, phases: usize) -> Result<Vec<Prompt>> {
        let read = |phase| {
            let path = self.prompt_path(phase);
            let text = read_bounded(&path, MAX_RECORD)?;
            let text = String::from_utf8(text);
            text.map(Prompt::new)
                .map_err(|e| Error::damaged(&path, e.to_string()))
        };
        (0..phases).map(read).collect()
    }

    fn prompt_path(&self, phase: usize) -> PathBuf {
        self.directory.join(match phase {
            0 => "prompt.md".to_owned(),
            later => format!("prompt-{}.md", later + 1),
        })
    }

    /// Gives the sandbox the prompt of its next iteration, and what is promised in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn show_prompt(&self, text: &str, promise: Option<&Promise>) -> Result<()> {
        let show = |name: &str, text: &str| {
            let path = self.prompt_directory().join(name);
            write_whole(&path, text.as_bytes(), 0o644)
        };
        if let Some(promise) = promise {
            show("promise", promise.text())?;
        }
        show("prompt.md", text)
    }

    /// Asks whoever has the run in hand to end it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn ask_to_stop(&self, how: Stop) -> Result<()> {
        let word = match how {
            Stop::No => return self.withdraw_stop(),
            Stop::Gently => "gently",
            Stop::Now => "now",
        };
        write_whole(&self.stop_path(), word.as_bytes(), 0o600)
    }

    /// What was asked for in that way.
    pub fn asked_to_stop(&self) -> Stop {
        match fs::read(self.stop_path()).as_deref() {
            Ok(b"now") => Stop::Now,
            Ok(_) => Stop::Gently,
            Err(_) => Stop::No,
        }
    }

    /// Takes it back, before the run is taken up again.
    ///
    /// # Errors
    /// It cannot be.
    pub fn withdraw_stop(&self) -> Result<()> {
        let path = self.stop_path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn stop_path(&self) -> PathBuf {
        self.directory.join("stop")
    }

    /// Forgets a run: one that never began, or that is of no more use.
    ///
    /// # Errors
    /// Something of it cannot be removed.
    pub fn discard(self) -> Result<()> {
        if let Ok(record) = self.record()
            && record.original.is_some()
            && record.workspace.is_there()
        {
            remove_all(&record.workspace.path)?;
        }
        // The record goes last: what is left of a run has to be found.
        let fault = |e| Error::file("remove", &self.directory, e);
        for entry in fs::read_dir(&self.directory).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            if entry.file_type().map_err(fault)?.is_dir() {
                remove_all(&entry.path())?;
            }
        }
        remove_all(&self.directory)
    }

    /// Whether a process has the run in hand.
    pub fn is_held(&self) -> bool {
        // Read-only: whoever watches the directory need not be told of us.
        let Ok(file) = File::open(self.lock_path()) else {
            return false;
        };
        flock(&file, FlockOperation::NonBlockingLockShared).is_err()
    }

    fn lock_path(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// Takes the run in hand; nobody else can then.
    ///
    /// # Errors
    /// Somebody has it.
    pub fn hold(&self) -> Result<Held> {
        let path = self.lock_path();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::file("open", &path, e))?;
        // Somebody who only looks has it for a moment.
        for _ in 0..GLANCES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Held(file)),
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(GLANCE),
                Err(errno) => return Err(Error::file("lock", &path, errno.into())),
            }
        }
        Err(Error::Busy {
            run: self.id.to_string(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
