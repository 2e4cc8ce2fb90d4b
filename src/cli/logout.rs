//! What becomes of a run in the background when its user logs out: systemd may end all that is the user's, or all that
//! was started in the session.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where a distribution has it: never found through PATH.
const BUSCTL: &str = "/usr/bin/busctl";
/// logind as the bus knows it, and what it does to whom (org.freedesktop.login1(5)).
const LOGIND: [&str; 3] = [
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
];
const KILLS: [&str; 3] = ["KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"];

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
    /// It ends with the session that it was started in.
    EndsWithSession,
}

/// Looks at what systemd does when we log out.
pub(crate) fn logout() -> Logout {
    let (root, uid) = (Path::new("/"), rustix::process::geteuid().as_raw());
    match lingering(root, uid) {
        Logout::Survived if in_session(root) && kills(user(root, uid).as_deref()) => {
            Logout::EndsWithSession
        }
        found => found,
    }
}

/// What lingering makes of it, below `root`.
fn lingering(root: &Path, uid: u32) -> Logout {
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

/// Whether we, and what we start, are in a session's scope.
fn in_session(root: &Path) -> bool {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let scope = |name: &str| name.starts_with("session-") && name.ends_with(".scope");
    groups.lines().any(|line| line.split('/').any(scope))
}

/// Whether logind ends what this user's sessions leave. One that does not answer is taken to do what it does by default.
fn kills(user: Option<&str>) -> bool {
    let asked = Command::new(BUSCTL)
        .args(["--system", "--timeout=5", "get-property"])
        .args(LOGIND.iter().chain(&KILLS))
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    asked.is_ok_and(|said| ends_what(&String::from_utf8_lossy(&said.stdout), user.unwrap_or("")))
}

/// The same, of what `busctl` prints of the three: `b true`, and lists of names as `as 2 "ann" "bob"`.
fn ends_what(said: &str, user: &str) -> bool {
    let mut said = said.lines();
    let kills = said.next() == Some("b true");
    let mut names = || -> Vec<&str> {
        let line = said.next().unwrap_or_default();
        let names = line.split_whitespace().skip(2);
        names.map(|name| name.trim_matches('"')).collect()
    };
    let (only, never) = (names(), names());
    // Where nobody is excepted, root is.
    let excepted = never.contains(&user) || (never.is_empty() && user == "root");
    kills && !excepted && (only.is_empty() || only.contains(&user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_does_not_linger_loses_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let make = |path: &str| std::fs::create_dir_all(root.join(path)).unwrap();
        assert_eq!(lingering(root, 1000), Logout::Survived);
        make("run/systemd/system");
        make("etc");
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), users).unwrap();
        let user = "ann".to_owned();
        assert_eq!(lingering(root, 1000), Logout::Ends { user });
        assert_eq!(lingering(root, 0), Logout::Survived);
        make("var/lib/systemd/linger/ann");
        assert_eq!(lingering(root, 1000), Logout::Survived);
    }

    #[test]
    fn what_is_started_in_a_session_is_in_its_scope() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("proc/self")).unwrap();
        let held = |groups: &str| {
            std::fs::write(dir.path().join("proc/self/cgroup"), groups).unwrap();
            in_session(dir.path())
        };
        assert!(held("0::/user.slice/user-1000.slice/session-4.scope\n"));
        assert!(held(
            "0::/user.slice/user-1000.slice/session-c12.scope/below\n"
        ));
        assert!(held(
            "4:memory:/user.slice\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n"
        ));
        assert!(!held(
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope\n"
        ));
        assert!(!held("0::/system.slice/session-1.service\n"));
        assert!(!held(""));
    }

    #[test]
    fn logind_ends_what_whom_it_says() {
        let ends = |said: &str| ends_what(said, "ann");
        assert!(!ends("b false\nas 0\nas 0\n"));
        assert!(ends("b true\nas 0\nas 0\n"));
        assert!(ends("b true\nas 0\nas 2 \"root\" \"bob\"\n"));
        assert!(!ends("b true\nas 0\nas 2 \"root\" \"ann\"\n"));
        assert!(!ends("b true\nas 1 \"bob\"\nas 0\n"));
        assert!(ends("b true\nas 2 \"bob\" \"ann\"\nas 0\n"));
        assert!(!ends_what("b true\nas 0\nas 0\n", "root"));
        assert!(ends_what("b true\nas 0\nas 1 \"bob\"\n", "root"));
        assert!(!ends(""));
        assert!(!ends("Failed to get property: access denied"));
    }
}
