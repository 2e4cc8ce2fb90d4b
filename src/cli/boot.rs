//! What takes up runs again after a reboot: a unit of the person's own service manager, that calls
//! `resume --all` at boot. It is a file and a link: nothing has to be running, or told of it, now.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use super::args::Global;
use super::connect;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use super::logout;
use crate::libpod::Endpoint;
use crate::ralph::files::{read_bounded, write_whole};

/// The unit.
const UNIT: &str = "stockade-resume.service";
/// Its first line: no other file is ever replaced.
const MARK: &str = "# Written by `stockade ralph --survive-reboot`.";
/// The longest unit that is read, in bytes.
const MAX: u64 = 64 << 10;
/// What decides where our state and settings are. The service manager need not have them.
const PLACES: [&str; 3] = ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];
/// Characters that mean something in a unit even between quotes, and are not worth their rules.
const SPECIAL: &[char] = &['"', '\'', '\\', '$'];

/// The unit as it should be.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Where the service manager finds it.
    directory: PathBuf,
    program: PathBuf,
    text: String,
}

/// Whether a reboot ends a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reboot {
    /// It is taken up again, with what this may depend on.
    Survived(Option<String>),
    /// It stays as it was left, and why.
    Ends(String),
}

impl Unit {
    /// That for what runs with these flags and this environment.
    pub(crate) fn new(global: &Global) -> CliResult<Self> {
        let config = host::config_home().ok_or_else(|| {
            CliError::new(Exit::Failed, "cannot tell where the settings are")
                .hint("set HOME or XDG_CONFIG_HOME to an absolute path")
        })?;
        let program = program()?;
        let places = PLACES.iter().filter_map(|name| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some((*name, path))
        });
        let places: Vec<_> = places.collect();
        let chosen = connect::chosen(global)?;
        let manager = global.cgroup_manager.as_deref();
        let text = text(&program, &places, chosen.as_ref(), manager)?;
        Ok(Self {
            directory: config.join("systemd/user"),
            program,
            text,
        })
    }

    fn path(&self) -> PathBuf {
        self.directory.join(UNIT)
    }

    fn link(&self) -> PathBuf {
        self.directory.join("default.target.wants").join(UNIT)
    }

    /// What is started at boot, what says so, and what it reads then must not be an agent's to change.
    ///
    /// # Errors
    /// One of them lies in one of these directories.
    pub(crate) fn refuse_below(&self, writable: &[PathBuf]) -> CliResult<()> {
        let state = host::state_directory()?;
        for path in [&self.program, &self.path(), &self.link(), &state] {
            let real = existing(path);
            if writable.iter().any(|place| real.starts_with(place)) {
                let text = format!("an agent can write to `{}`", real.display());
                let mut error = CliError::new(Exit::Preflight, text);
                error
                    .causes
                    .push("`--survive-reboot` has it used at boot, outside of any sandbox".into());
                return Err(error.hint("mount a directory that does not hold it"));
            }
        }
        Ok(())
    }

    /// Puts it where the service manager finds it. Says whether another one of ours was there.
    ///
    /// # Errors
    /// It cannot be written, or something is there that is not ours.
    pub(crate) fn place(&self) -> CliResult<bool> {
        let path = self.path();
        let found = found(&path)?;
        let link = self.link();
        let linked = self.is_linked()?;
        if found.as_ref() != Some(&self.text) {
            fs::create_dir_all(&self.directory)
                .doing(format!("make `{}`", self.directory.display()))?;
            write_whole(&path, self.text.as_bytes(), 0o644)?;
        }
        if !linked {
            let wants = link.parent().unwrap_or(&link);
            fs::create_dir_all(wants)
                .and_then(|()| symlink(target(), &link))
                .doing(format!("make the link `{}`", link.display()))?;
        }
        Ok(found.is_some_and(|text| text != self.text))
    }

    /// Whether it is there, as it should be.
    pub(crate) fn is_placed(&self) -> bool {
        matches!(found(&self.path()), Ok(Some(text)) if text == self.text)
            && matches!(self.is_linked(), Ok(true))
    }

    fn is_linked(&self) -> CliResult<bool> {
        let link = self.link();
        match fs::read_link(&link) {
            Ok(to) if to == target() || to == self.path() => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            _ => Err(not_ours(&link)),
        }
    }
}

/// From the directory of what is wanted at boot.
fn target() -> PathBuf {
    Path::new("..").join(UNIT)
}

/// Our own program, where it will be at boot.
fn program() -> CliResult<PathBuf> {
    let path = std::env::current_exe().doing("find our own program")?;
    let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (id(&path), id(Path::new("/proc/self/exe"))) {
        (Ok(there), Ok(running)) if there == running => Ok(path),
        _ => Err(CliError::new(
            Exit::Preflight,
            format!("`{}` is not this program any more", path.display()),
        )
        .hint("start it once more from where it is now")),
    }
}

/// The path without links, as far as it is there.
fn existing(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(below)) = (above.canonicalize(), path.strip_prefix(above)) {
            return match below.as_os_str().is_empty() {
                true => real,
                false => real.join(below),
            };
        }
    }
    path.to_owned()
}

/// What an earlier one of us has written there.
fn found(path: &Path) -> CliResult<Option<String>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(there) if there.is_file() => {}
        _ => return Err(not_ours(path)),
    }
    let text = String::from_utf8(read_bounded(path, MAX)?).unwrap_or_default();
    match text.starts_with(MARK) {
        true => Ok(Some(text)),
        false => Err(not_ours(path)),
    }
}

fn not_ours(path: &Path) -> CliError {
    let text = format!("`{}` is not Stockade's: it stays", path.display());
    CliError::new(Exit::Preflight, text)
        .hint("move it away, or start without `--survive-reboot`: `stockade resume --all` does the same by hand")
}

fn text(
    program: &Path,
    places: &[(&str, PathBuf)],
    endpoint: Option<&Endpoint>,
    manager: Option<&str>,
) -> CliResult<String> {
    let mut lines = vec![
        MARK.to_owned(),
        format!("# To be rid of it, remove it and default.target.wants/{UNIT}."),
        "[Unit]".to_owned(),
        "Description=Take up the runs of Stockade that nobody has in hand".to_owned(),
        "Wants=podman.socket".to_owned(),
        "After=podman.socket".to_owned(),
        "StartLimitIntervalSec=3600".to_owned(),
        "StartLimitBurst=20".to_owned(),
        String::new(),
        "[Service]".to_owned(),
        "Type=oneshot".to_owned(),
        "RemainAfterExit=yes".to_owned(),
        // Those who have the runs in hand stay in its cgroup, and end when it is stopped: before their
        // agents, when the machine goes down. One of them that is killed for want of memory is one.
        "OOMPolicy=continue".to_owned(),
        // That a run cannot be taken up; what were the others to end for?
        "SuccessExitStatus=1".to_owned(),
        // Podman is not there yet.
        "Restart=on-failure".to_owned(),
        "RestartSec=10".to_owned(),
    ];
    for (name, path) in places {
        let word = format!("{name}={}", utf8(path)?);
        lines.push(format!("Environment={}", quoted(&word)?));
    }
    let mut words = vec![utf8(program)?.to_owned()];
    if let Some(endpoint) = endpoint {
        words.extend(["--url".to_owned(), endpoint.to_string()]);
    }
    if let Some(manager) = manager {
        words.extend(["--cgroup-manager".to_owned(), manager.to_owned()]);
    }
    words.extend(["resume", "--all"].map(str::to_owned));
    let words: CliResult<Vec<String>> = words.iter().map(|word| quoted(word)).collect();
    lines.push(format!("ExecStart={}", words?.join(" ")));
    lines.extend(["", "[Install]", "WantedBy=default.target", ""].map(str::to_owned));
    Ok(lines.join("\n"))
}

fn utf8(path: &Path) -> CliResult<&str> {
    let text = format!(
        "`{}` cannot be written into a unit: it is no plain text",
        path.display()
    );
    path.to_str()
        .ok_or_else(|| CliError::new(Exit::Preflight, text))
}

/// A word as systemd reads it again.
fn quoted(word: &str) -> CliResult<String> {
    if word.contains(SPECIAL) || word.contains(char::is_control) {
        let text = format!("{word:?} cannot be written into a unit: it has a special character");
        return Err(CliError::new(Exit::Preflight, text)
            .hint("start without `--survive-reboot`, or from a path without it"));
    }
    let word = word.replace('%', "%%");
    let plain = |c: char| c.is_alphanumeric() || "/._-+:=@%".contains(c);
    match word.chars().all(plain) {
        true => Ok(word),
        false => Ok(format!("\"{word}\"")),
    }
}

/// Whether a user's service manager starts at boot, below `root`; else why not.
pub(crate) fn starts_at_boot(root: &Path, uid: u32) -> Result<(), String> {
    if !root.join("run/systemd/system").exists() {
        return Err("there is no systemd to do it".to_owned());
    }
    match logout::user(root, uid) {
        Some(user) if logout::lingers(root, &user) => Ok(()),
        Some(user) => Err(format!(
            "only when you log in: `loginctl enable-linger {user}`"
        )),
        None => Err("only when you log in".to_owned()),
    }
}

/// Whether a run survives a reboot.
pub(crate) fn prospect(unit: CliResult<Unit>, uid: u32) -> Reboot {
    if !unit.is_ok_and(|unit| unit.is_placed()) {
        return Reboot::Ends("`--survive-reboot`".to_owned());
    }
    match starts_at_boot(Path::new("/"), uid) {
        Err(why) => Reboot::Ends(why),
        // The manager looks where its own environment says.
        Ok(()) => {
            Reboot::Survived(std::env::var_os("XDG_CONFIG_HOME").map(|_| {
                "if your service manager has this XDG_CONFIG_HOME at boot, too".to_owned()
            }))
        }
    }
}

impl std::fmt::Display for Reboot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Survived(None) => f.write_str("yes"),
            Self::Survived(Some(depends)) => write!(f, "yes ({depends})"),
            Self::Ends(why) => write!(f, "no ({why})"),
        }
    }
}
