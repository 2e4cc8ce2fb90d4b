//! Telling the person that a run has ended: what happened is data, never part of a command.

mod address;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use self::address::Address;
use super::night;
use crate::ralph::{Record, Report, Run};

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a file may have that says whom to tell, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// Whom to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notify {
    /// This shell command gets it on standard input.
    Command(String),
    /// It is sent there by POST.
    Address(Address),
    /// What this file says at the end: an address may be a secret by itself, and is not recorded then.
    File(PathBuf),
}

impl Notify {
    /// Reads a command, an `http://` or `https://` address, or `@FILE`.
    ///
    /// # Errors
    /// It is empty, an address that we cannot send to, or a path that is not absolute.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if let Some(path) = text.strip_prefix('@') {
            // It is read by another process, later; and no link on the way is an agent's then.
            let path = std::path::absolute(path).map_err(|e| e.to_string())?;
            let path = path.canonicalize().unwrap_or(path);
            return Ok(Self::File(path));
        }
        Ok(match Address::parse(text)? {
            Some(address) => Self::Address(address),
            None => Self::Command(text.to_owned()),
        })
    }

    /// Tells it.
    ///
    /// # Errors
    /// In words, why it could not be told.
    pub(crate) async fn tell(&self, fields: &serde_json::Value) -> Result<(), String> {
        let mut text = fields.to_string();
        text.push('\n');
        let late = || Err("it took longer than 30 s".to_owned());
        match self {
            Self::File(path) => Box::pin(said_by(path)?.tell(fields)).await,
            Self::Command(command) => run(command, text, PATIENCE).await.unwrap_or_else(late),
            Self::Address(address) => {
                let posted = async { address.post(text, address::roots(address)?).await };
                let told = tokio::time::timeout(PATIENCE, posted).await;
                told.unwrap_or_else(|_| late())
            }
        }
    }

    /// The same, as it is recorded.
    pub(crate) fn recorded(&self, typed: &str) -> String {
        match self {
            Self::File(path) => format!("@{}", path.display()),
            Self::Command(_) | Self::Address(_) => typed.to_owned(),
        }
    }
}

/// Whom this file says to tell.
///
/// # Errors
/// It cannot be read, is too large, or says nothing that can be told.
pub(crate) fn said_by(path: &Path) -> Result<Notify, String> {
    let words = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    // A pipe would be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|e| words(&e))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(words(&"it is no plain file"));
    }
    let mut text = String::new();
    let read = file.take(FILE_LIMIT + 1).read_to_string(&mut text);
    if read.map_err(|e| words(&e))? as u64 > FILE_LIMIT {
        return Err(words(&"it is no address, but larger than 64 KiB"));
    }
    match Notify::parse(&text).map_err(|e| words(&e))? {
        Notify::File(_) => Err(words(&"it names another file")),
        notify => Ok(notify),
    }
}

/// What is told of a run; `left` is why it goes on no more, without a verdict.
pub(crate) fn fields(
    run: &Run,
    record: &Record,
    report: &Report,
    left: Option<&str>,
) -> serde_json::Value {
    let verdict = report.verdict.as_ref();
    let summary = verdict.map(ToString::to_string);
    let summary = summary.or_else(|| report.needs_key.clone());
    serde_json::json!({
        "run": run.id().as_str(),
        "name": record.name,
        "workspace": record.original().path,
        "verdict": verdict,
        "summary": summary.or_else(|| left.map(str::to_owned)),
        "exit_code": verdict.map(|verdict| night::exit(verdict).code()),
        "iterations": report.counted(),
        "seconds": report.spent.as_secs(),
    })
}

/// Runs it, in a group of its own; `None` if it took too long and was killed.
async fn run(command: &str, text: String, patience: Duration) -> Option<Result<(), String>> {
    let spawned = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Some(Err(error.to_string())),
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ran = tokio::task::spawn_blocking(move || {
        if let Some(mut input) = child.stdin.take() {
            // It need not read it.
            let _ = input.write_all(text.as_bytes());
        }
        child.wait()
    });
    let Ok(ran) = tokio::time::timeout(patience, ran).await else {
        // Nobody has waited for it yet, so that the number is still its own.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        return None;
    };
    Some(match ran {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("its command ended with {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_addresses_and_files_are_told_apart() {
        let command = Ok(Notify::Command("mail -s x me".to_owned()));
        assert_eq!(Notify::parse(" mail -s x me"), command);
        let address = Notify::parse("https://h/a");
        assert!(matches!(address, Ok(Notify::Address(_))), "{address:?}");
        let file = Ok(Notify::File("/x y".into()));
        assert_eq!(Notify::parse("@/x y"), file);
        let relative = Notify::parse("@x").unwrap().recorded("@x");
        assert!(
            relative.starts_with("@/") && relative.ends_with("/x"),
            "{relative}"
        );
        for text in ["", " ", "@"] {
            assert!(Notify::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_file_says_whom_when_it_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, told) = (dir.path().join("whom"), dir.path().join("told"));
        let notify = Notify::parse(&format!("@{}", file.display())).unwrap();
        let fields = serde_json::json!({"a": 1});
        let missing = notify.tell(&fields).await.unwrap_err();
        assert!(missing.contains("whom: No such file"), "{missing}");
        std::fs::write(&file, format!("cat >'{}'\n", told.display())).unwrap();
        notify.tell(&fields).await.unwrap();
        assert_eq!(std::fs::read_to_string(&told).unwrap(), "{\"a\":1}\n");
        // A link is followed once, before the agent could change it.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let linked = Notify::parse(&format!("@{}", link.display())).unwrap();
        assert_eq!(linked, Notify::File(file.canonicalize().unwrap()));
        assert!(said_by(dir.path()).is_err());
        for bad in ["", "@/etc/hostname", "http://", &"x".repeat(70_000)] {
            std::fs::write(&file, bad).unwrap();
            let why = notify.tell(&fields).await.unwrap_err();
            assert!(why.contains("whom: "), "{why}");
        }
    }

    #[tokio::test]
    async fn a_command_gets_it_on_standard_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("told");
        let fields = serde_json::json!({"summary": "$(touch /tmp/x); `x`"});
        let command = Notify::Command(format!("cat >'{}'", path.display()));
        command.tell(&fields).await.unwrap();
        let told = std::fs::read_to_string(&path).unwrap();
        assert_eq!(told.trim(), fields.to_string());
        assert!(
            Notify::Command("exit 3".to_owned())
                .tell(&fields)
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed() {
        let begun = std::time::Instant::now();
        let short = Duration::from_millis(200);
        assert_eq!(run("sleep 600", String::new(), short).await, None);
        // Dropping the runtime waits for the thread that waits for the command.
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
