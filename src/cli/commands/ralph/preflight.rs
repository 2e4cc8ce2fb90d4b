//! What is looked at before anything starts: a night is long, and nobody is there to mend it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::RalphArgs;
use super::workspace::host_paths;
use crate::cli::args::Global;
use crate::cli::boot::{self, Unit};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::logout::{Logout, Why, logout, user};
use crate::cli::notify::{self, Notify};
use crate::cli::ui::Ui;
use crate::cli::{host, night};
use crate::libpod::{Client, Endpoint, EnvMap, Image, Mount};
use crate::ralph::{Low, Task};
use crate::sandbox::limits::Limits;
use crate::sandbox::mounts;
use crate::sandbox::network::NetworkMode;
use crate::sandbox::size::ByteSize;

/// Words that stand where a key should. None so short that a key could contain it by chance.
const PLACEHOLDERS: &[&str] = &[
    "your-",
    "your_",
    "yourapikey",
    "changeme",
    "change-me",
    "replace",
    "placeholder",
    "key-here",
    "insert-",
    "...",
];

/// A run in the background ends with the last session unless its user lingers, and where logind ends what is left of a
/// session with that.
pub(super) async fn survives_logout(args: &RalphArgs) -> CliResult<()> {
    if !args.sandbox.detach || args.no_linger_check {
        return Ok(());
    }
    let Logout::Ends(why) = logout().await else {
        return Ok(());
    };
    let mut error = CliError::new(Exit::Preflight, "the run would end when you log out");
    for why in why {
        error = error.hint(match why {
            Why::NoLingering { user } => {
                format!("let it go on: `loginctl enable-linger {user}`")
            }
            Why::InSession => {
                let of_whom = match rustix::process::geteuid().is_root() {
                    true => "",
                    false => " --user",
                };
                format!(
                    "start it outside of your session, whose processes logind ends with it: \
                     `systemd-run{of_whom} --scope stockade ralph ...`"
                )
            }
        });
    }
    Err(error.hint("or, if you stay logged in: `--no-linger-check`"))
}

/// A file that says whom to tell can be read, and is none that the agent could write: it may name a command.
pub(super) fn told(
    args: &RalphArgs,
    (workspace, cwd): (&Path, &Path),
    mounts: &[mounts::Mount],
) -> CliResult<()> {
    let notify = args.notify.as_deref().map(Notify::parse);
    let Some(Ok(Notify::File(file))) = notify else {
        return Ok(());
    };
    let refused = |why: String| CliError::new(Exit::Preflight, format!("--notify: {why}"));
    notify::said_by(&file).map_err(refused)?;
    let file = file.canonicalize().unwrap_or(file);
    match host_paths(mounts, cwd, |_| true)
        .chain([workspace.to_owned()])
        .find(|root| file.starts_with(root))
    {
        None => Ok(()),
        Some(root) => Err(refused(format!(
            "{} lies below {}, where the agent could change it",
            file.display(),
            root.display()
        ))),
    }
}

/// A night that would be ended for want of room is not begun.
pub(super) fn room(tasks: &[Task], workspace: &Path) -> CliResult<()> {
    let state = host::state_directory()?;
    // What is not made yet will be in the file system of what is.
    let state = state.ancestors().find(|path| path.exists());
    room_in([Some(workspace), state], tasks)
}

/// As [`room`], where Podman keeps the image, and will keep what is written in the sandbox. An image may not tell; to ask for
/// the store takes old releases most of a second.
pub(super) async fn room_of_podman(
    tasks: &[Task],
    image: &Image,
    client: &Client,
) -> CliResult<()> {
    match image.layer() {
        Some(layer) => room_in([Some(layer)], tasks),
        None => {
            let store = client.info().await?.store.graph_root;
            room_in([Some(Path::new(&store))], tasks)
        }
    }
}

fn room_in<'a>(
    places: impl IntoIterator<Item = Option<&'a Path>>,
    tasks: &[Task],
) -> CliResult<()> {
    let least = tasks.iter().map(|task| task.budget.least_free).max();
    let least = least.unwrap_or(0);
    let Some(low) = Low::find(places.into_iter().flatten(), least) else {
        return Ok(());
    };
    let text = match low.files {
        Some(_) => low.to_string(),
        None => format!("{low}, and {} MiB have to stay so", least >> 20),
    };
    Err(CliError::new(Exit::Preflight, text)
        .hint("make room; or say how much has to stay: `--min-free SIZE`, 0 for none"))
}

/// Files in the workspace belong to the person by way of subordinate ids: without any no container can be made.
pub(super) fn subordinate_ids(endpoint: &Endpoint) -> CliResult<()> {
    let uid = rustix::process::geteuid().as_raw();
    let ours = std::fs::metadata(endpoint.socket()).is_ok_and(|socket| socket.uid() == uid);
    match missing_subordinates(Path::new("/"), uid) {
        Some((user, file)) if ours && uid != 0 => Err(CliError::new(
            Exit::Preflight,
            format!("{user} has no subordinate ids in /{file}, which rootless containers need"),
        )
        .hint(format!(
            "`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`"
        ))
        .hint("and then, as you: `podman system migrate`")),
        _ => Ok(()),
    }
}

/// The file below `root` that gives a user none; who has them from elsewhere (subid in nsswitch.conf) lacks nothing.
fn missing_subordinates(root: &Path, uid: u32) -> Option<(String, &'static str)> {
    let read = |file: &str| std::fs::read_to_string(root.join(file));
    let elsewhere = read("etc/nsswitch.conf").unwrap_or_default();
    if elsewhere
        .lines()
        .any(|line| line.trim_start().starts_with("subid:"))
    {
        return None;
    }
    let (user, id) = (user(root, uid)?, uid.to_string());
    let gives = |line: &str| {
        let mut fields = line.split(':').map(str::trim);
        let whose = fields.next();
        let count = fields.nth(1).and_then(|count| count.parse::<u64>().ok());
        (whose == Some(user.as_str()) || whose == Some(id.as_str())) && count > Some(0)
    };
    let missing = ["etc/subuid", "etc/subgid"].into_iter().find(|file| {
        let text = read(file);
        // A file that cannot be read says nothing.
        text.map_or_else(
            |e| e.kind() == ErrorKind::NotFound,
            |text| !text.lines().any(gives),
        )
    })?;
    Some((user, missing))
}

/// What is to be taken up at boot needs somebody who does that.
pub(super) fn survives_reboot(args: &RalphArgs) -> CliResult<()> {
    if !args.survive_reboot || args.no_linger_check {
        return Ok(());
    }
    let uid = rustix::process::geteuid().as_raw();
    boot::starts_at_boot(Path::new("/"), uid).map_err(|why| {
        let mut error = CliError::new(Exit::Preflight, "the run would not be taken up at boot");
        error.causes.push(why);
        error.hint("start without `--survive-reboot`; or, if you mean it all the same: `--no-linger-check`")
    })
}

/// Has it taken up at boot, if that was asked for. The sandbox gets these mounts.
pub(super) fn at_boot(
    args: &RalphArgs,
    mounts: &[Mount],
    global: &Global,
    ui: &Ui,
) -> CliResult<()> {
    if !args.survive_reboot {
        return Ok(());
    }
    let unit = Unit::new(global)?;
    let writable =
        |mount: &&Mount| mount.kind == "bind" && !mount.options.iter().any(|o| o == "ro");
    let mounts = mounts.iter().filter(writable);
    let mut writable: Vec<PathBuf> = mounts.map(|mount| PathBuf::from(&mount.source)).collect();
    for run in night::runs()?.list()? {
        if (run.is_held() || night::is_left_alone(&run))
            && let Ok(record) = run.record()
        {
            writable.push(record.workspace.path);
        }
    }
    unit.refuse_below(&writable)?;
    if unit.place()? {
        ui.warning("what was called at boot was for another service, program or state directory: it is replaced");
    }
    Ok(())
}

/// Runs whose memory limits together are more than this machine has can end each other.
pub(super) fn memory(args: &RalphArgs, limits: &Limits) -> CliResult<()> {
    let (Some(mine), false) = (limits.memory.bound.at(), args.allow_overcommit) else {
        return Ok(());
    };
    let mut others = 0;
    for run in night::runs()?.list()? {
        // The agent of one that nobody has in hand may be at work all the same.
        if run.is_held() || night::is_left_alone(&run) {
            others += run
                .record()
                .ok()
                .and_then(|record| record.memory)
                .unwrap_or(0);
        }
    }
    let ram = host::memory()?;
    if others == 0 || mine.bytes().saturating_add(others) <= ram.bytes() {
        return Ok(());
    }
    let others = ByteSize::new(others);
    Err(CliError::new(
        Exit::Preflight,
        format!("other runs may use {others} of this machine's {ram}, and this one {mine} more"),
    )
    .hint("give it less: `--memory`; or let them share: `--allow-overcommit`"))
}

/// Without a key an agent could do nothing all night. Where it reaches no network, its model can only be one that it
/// has with it.
pub(super) fn key_present(
    args: &RalphArgs,
    network: &NetworkMode,
    agent: &str,
    missing: Option<&[String]>,
    ui: &Ui,
) -> CliResult<()> {
    let Some(keys) = missing else {
        return Ok(());
    };
    let text = format!("{agent} is given no key");
    let hint = format!(
        "`-e {}` passes yours on, `--env-file FILE` has it from a file",
        keys.join("`, `-e ")
    );
    if args.no_key_check || args.dry_run || *network == NetworkMode::None {
        ui.warning(&format!("{text}: {hint}"));
        return Ok(());
    }
    Err(CliError::new(Exit::Preflight, text)
        .hint(hint)
        .hint("or, if it needs none: `--no-key-check`"))
}

/// A key that nobody has filled in is found out at the first request: too late.
pub(super) fn keys(env: &EnvMap) -> CliResult<()> {
    for name in env.names() {
        let is_key = name.ends_with("_API_KEY") || name.ends_with("_TOKEN");
        if is_key && env.get(name).is_some_and(is_placeholder) {
            let text = format!("`{name}` is not filled in: what it has is a placeholder");
            return Err(CliError::new(Exit::Preflight, text)
                .hint("write your key where it is given: `--env-file`, `-e` or `--secret`"));
        }
    }
    Ok(())
}

fn is_placeholder(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    let key = value.strip_prefix("sk-").unwrap_or(&value);
    // Nothing, or crosses and stars in place of a key.
    key.chars().all(|c| matches!(c, 'x' | '*' | '-' | '_'))
        || key == "todo"
        || value.starts_with('<')
        || PLACEHOLDERS.iter().any(|word| value.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_subordinate_ids_is_told_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join("etc")).unwrap();
            std::fs::write(dir.path().join("etc").join(file), text).unwrap();
        };
        let missing = || missing_subordinates(dir.path(), 1000);
        write(
            "passwd",
            "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n",
        );
        assert_eq!(missing(), Some(("ann".to_owned(), "etc/subuid")));
        write("subuid", "ann:100000:65536\n");
        write("subgid", "anna:100000:65536\nann:100000:0\n");
        assert_eq!(missing(), Some(("ann".to_owned(), "etc/subgid")));
        write("subgid", "1000:100000:65536\n");
        assert_eq!(missing(), None);
        write("subuid", "");
        write("nsswitch.conf", "passwd: files\nsubid: sss\n");
        assert_eq!(missing(), None);
    }

    #[test]
    fn a_key_that_is_not_filled_in_is_told_without_its_value() {
        let keys = |name: &str, value: &str| {
            let mut env = EnvMap::default();
            env.insert(name, value);
            keys(&env)
        };
        for bad in [
            "",
            "your-api-key-here",
            "sk-...",
            "<key>",
            "YOUR_KEY",
            "xxxx",
            "sk-XXXX-xxxx",
            "todo",
        ] {
            let error = keys("ANTHROPIC_API_KEY", bad).unwrap_err();
            assert_eq!(error.exit, Exit::Preflight, "{bad}");
            assert!(bad.is_empty() || !error.message.contains(bad), "{bad}");
        }
        for good in [
            "sk-ant-api03-abcDEF",
            "sk-aXxXTodo-InsertZ",
            "dummy-key",
            "0",
        ] {
            assert!(keys("HOSTED_VLLM_API_KEY", good).is_ok(), "{good}");
        }
        assert!(keys("PATCHPAL_MODEL", "your-model").is_ok());
    }
}
