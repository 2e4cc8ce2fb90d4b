//! What becomes of a run in the background when its user logs out: systemd may end all that is the user's, or all that
//! was started in the session.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ui::Ui;

/// Where a distribution has it: never found through PATH.
const BUSCTL: &str = "/usr/bin/busctl";
/// logind as the bus knows it, and what it does to whom (org.freedesktop.login1(5)).
const LOGIND: [&str; 3] = [
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
];
const KILLS: [&str; 3] = ["KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"];

/// How long logind may take: a busy machine is slow to answer (sd-bus reads it from the environment).
const PATIENCE: (&str, &str) = ("SYSTEMD_BUS_TIMEOUT", "20s");

/// Whether what a user has started goes on when they have logged out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logout {
    /// It does.
    Survived,
    /// It does not, for each of these reasons.
    Ends(Vec<Why>),
    /// logind, which decides that, does not answer.
    Unknown,
}

/// Why it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// All that is this user's ends with their last session.
    NoLingering {
        /// The user's name.
        user: String,
    },
    /// What was started in this session ends with it.
    InSession,
}

/// Looks at what systemd does when we log out.
pub(crate) async fn logout() -> Logout {
    let (root, uid) = (Path::new("/"), rustix::process::geteuid().as_raw());
    let mut why = Vec::from_iter(unlingering(root, uid));
    if let Some(owner) = session_owner(root) {
        match ends_sessions(user(root, owner).unwrap_or_default()).await {
            Some(Ending::All) => why.push(Why::InSession),
            Some(Ending::Nothing) => {}
            None if why.is_empty() => return Logout::Unknown,
            None => {}
        }
    }
    match why.is_empty() {
        true => Logout::Survived,
        false => Logout::Ends(why),
    }
}

/// Says so, where what was begun ends with the session that we are in.
pub(crate) async fn warn(ui: &Ui) {
    if let Logout::Ends(_) = logout().await {
        ui.warning("the run ends when you log out");
    }
}

/// Why what runs of this user ends with their last session, below `root`.
fn unlingering(root: &Path, uid: u32) -> Option<Why> {
    // Nothing of root's that a system's service does is ended.
    if uid == 0 || !root.join("run/systemd/system").exists() {
        return None;
    }
    let user = user(root, uid)?;
    (!lingers(root, &user)).then_some(Why::NoLingering { user })
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

/// Whose session's scope we, and what we start, are in: that of who has logged in, whoever they have become since.
fn session_owner(root: &Path) -> Option<u32> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    groups.lines().find_map(|line| {
        let mut names = line
            .split('/')
            .skip_while(|name| !is_unit(name, "user-", ".slice"));
        let owner = names.next()?;
        let owner = owner.strip_prefix("user-")?.strip_suffix(".slice")?;
        is_unit(names.next()?, "session-", ".scope").then(|| owner.parse().ok())?
    })
}

fn is_unit(name: &str, prefix: &str, suffix: &str) -> bool {
    name.starts_with(prefix) && name.ends_with(suffix)
}

/// What logind does with what a session leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    All,
    Nothing,
}

/// What it does where the session was this user's; `None`: it does not say.
async fn ends_sessions(user: String) -> Option<Ending> {
    let mut command = Command::new(BUSCTL);
    command
        .args(["--system", "get-property"])
        .args(LOGIND.iter().chain(&KILLS))
        .current_dir("/")
        .env_clear()
        .env(PATIENCE.0, PATIENCE.1)
        // An interrupt from the terminal is for us.
        .process_group(0)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let said = tokio::task::spawn_blocking(move || command.output());
    let said = said.await.ok()?.ok()?;
    said_of(&String::from_utf8_lossy(&said.stdout), &user)
}

/// The same, of what `busctl` prints of the three: `b true`, and lists of names as `as 2 "ann" "bob"`. Either list goes
/// before the first (logind.conf(5)).
fn said_of(said: &str, user: &str) -> Option<Ending> {
    let mut said = said.lines();
    let usually = match said.next()? {
        "b true" => Ending::All,
        "b false" => Ending::Nothing,
        _ => return None,
    };
    let mut names = || -> Option<Vec<&str>> {
        let names = said.next()?.strip_prefix("as ")?.split_whitespace().skip(1);
        Some(names.map(|name| name.trim_matches('"')).collect())
    };
    let (only, never) = (names()?, names()?);
    // Where nobody is excepted, root is.
    let excepted = never.contains(&user) || (never.is_empty() && user == "root");
    Some(match (excepted, only.is_empty()) {
        (true, _) => Ending::Nothing,
        (false, true) => usually,
        (false, false) if only.contains(&user) => Ending::All,
        (false, false) => Ending::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_does_not_linger_loses_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let make = |path: &str| std::fs::create_dir_all(root.join(path)).unwrap();
        assert_eq!(unlingering(root, 1000), None);
        make("run/systemd/system");
        make("etc");
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), users).unwrap();
        let user = "ann".to_owned();
        assert_eq!(unlingering(root, 1000), Some(Why::NoLingering { user }));
        assert_eq!(unlingering(root, 0), None);
        make("var/lib/systemd/linger/ann");
        assert_eq!(unlingering(root, 1000), None);
    }

    #[test]
    fn what_is_started_in_a_session_is_in_its_owners_scope() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("proc/self")).unwrap();
        let owner = |groups: &str| {
            std::fs::write(dir.path().join("proc/self/cgroup"), groups).unwrap();
            session_owner(dir.path())
        };
        let of_ann = "0::/user.slice/user-1000.slice/session-4.scope\n";
        assert_eq!(owner(of_ann), Some(1000));
        let below = "0::/user.slice/user-1000.slice/session-c12.scope/below\n";
        assert_eq!(owner(below), Some(1000));
        let of_root =
            "4:memory:/user.slice\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n";
        assert_eq!(owner(of_root), Some(0));
        let outside = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope\n";
        assert_eq!(owner(outside), None);
        assert_eq!(owner("0::/system.slice/session-1.service\n"), None);
        assert_eq!(owner("0::/user.slice/user-1000.slice\n"), None);
        assert_eq!(owner(""), None);
    }

    #[test]
    fn logind_ends_what_whom_it_says() {
        let of_ann = |said: &str| said_of(said, "ann");
        let all = Some(Ending::All);
        let nothing = Some(Ending::Nothing);
        assert_eq!(of_ann("b false\nas 0\nas 0\n"), nothing);
        assert_eq!(of_ann("b true\nas 0\nas 0\n"), all);
        assert_eq!(of_ann("b true\nas 0\nas 2 \"root\" \"bob\"\n"), all);
        assert_eq!(of_ann("b true\nas 0\nas 2 \"root\" \"ann\"\n"), nothing);
        assert_eq!(of_ann("b true\nas 1 \"bob\"\nas 0\n"), nothing);
        assert_eq!(of_ann("b true\nas 2 \"bob\" \"ann\"\nas 0\n"), all);
        assert_eq!(of_ann("b false\nas 1 \"ann\"\nas 0\n"), all);
        assert_eq!(of_ann("b false\nas 1 \"ann\"\nas 1 \"ann\"\n"), nothing);
        assert_eq!(said_of("b true\nas 0\nas 0\n", "root"), nothing);
        assert_eq!(said_of("b true\nas 0\nas 1 \"bob\"\n", "root"), all);
        for unheard in [
            "",
            "b true\n",
            "b true\nas 0\n",
            "b yes\nas 0\nas 0\n",
            "Failed to get property",
        ] {
            assert_eq!(of_ann(unheard), None, "{unheard:?}");
        }
    }
}
