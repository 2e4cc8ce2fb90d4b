//! Keeping the machine awake while a run is at work: an inhibitor of systemd-logind, held by its own
//! `systemd-inhibit` for as long as we live.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where a distribution has it: never found through PATH.
const INHIBIT: &str = "/usr/bin/systemd-inhibit";
/// Only where systemd is the init is there a logind.
const SYSTEMD: &str = "/run/systemd/system";
/// Ends when our end of its input is closed, however we end.
const HOLDER: &str = "/bin/cat";

/// How long logind may take: it could ask somebody who is not there, and a busy machine is slow to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Holds the machine awake until it is dropped.
#[derive(Debug)]
pub(crate) struct Awake(Child);

/// Asks that the machine does not sleep.
///
/// # Errors
/// In words, why it may.
pub(crate) async fn stay(run: &str) -> Result<Awake, String> {
    if !Path::new(SYSTEMD).exists() {
        return Err("there is no systemd to ask".to_owned());
    }
    if !Path::new(INHIBIT).exists() {
        return Err(format!("there is no `{INHIBIT}`"));
    }
    let child = Command::new(INHIBIT)
        .args(["--what=sleep:idle:handle-lid-switch", "--mode=block"])
        .args(["--who=stockade", &format!("--why=run {run}")])
        .args(["/bin/sh", "-c", &format!("echo; exec {HOLDER}")])
        .current_dir("/")
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "XDG_SESSION_ID"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("`{INHIBIT}` cannot be run: {error}"))?;
    let mut awake = Awake(child);
    // Its command runs once it has the inhibitor, and says so by a line.
    let Some(said) = awake.0.stdout.take() else {
        return Err("it cannot be heard".to_owned());
    };
    let heard = tokio::task::spawn_blocking(move || {
        use std::io::Read as _;
        let mut line = [0; 1];
        let mut said = said;
        said.read_exact(&mut line).is_ok()
    });
    match tokio::time::timeout(PATIENCE, heard).await {
        Ok(Ok(true)) => Ok(awake),
        Ok(_) => Err("systemd-logind does not let us".to_owned()),
        Err(_) => {
            // What it has begun may still ask.
            let _ = awake.0.kill();
            Err("systemd-logind does not answer".to_owned())
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
