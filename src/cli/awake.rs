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

/// How long logind may take: it could ask somebody who is not there.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Whether what a user has started goes on when they have logged out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logout {
    /// It does.
    Survived,
    /// It ends with the last session of this user.
    Ends {
        /// The user's name.
        user: String,
    },
}

/// Looks at what systemd does when this user logs out, below `root`.
pub(crate) fn logout(root: &Path, uid: u32) -> Logout {
    // Without a manager of its own nothing of the user is ended.
    if uid == 0 || !root.join("run/systemd/system").exists() {
        return Logout::Survived;
    }
    let Some(user) = user(root, uid) else {
        return Logout::Survived;
    };
    match lingers(root, &user) {
        true => Logout::Survived,
        false => Logout::Ends { user },
    }
}

/// A user's name, below `root`.
pub(crate) fn user(root: &Path, uid: u32) -> Option<String> {
    let users = std::fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    // One that is no local user, or a system without that file.
    name.or_else(|| std::env::var("USER").ok())
}

/// Whether this user's services run without a session, from the boot on, below `root`.
pub(crate) fn lingers(root: &Path, user: &str) -> bool {
    root.join("var/lib/systemd/linger").join(user).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_does_not_linger_loses_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let make = |path: &str| std::fs::create_dir_all(root.join(path)).unwrap();
        assert_eq!(logout(root, 1000), Logout::Survived);
        make("run/systemd/system");
        make("etc");
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), users).unwrap();
        let user = "ann".to_owned();
        assert_eq!(logout(root, 1000), Logout::Ends { user });
        assert_eq!(logout(root, 0), Logout::Survived);
        make("var/lib/systemd/linger/ann");
        assert_eq!(logout(root, 1000), Logout::Survived);
    }
}
