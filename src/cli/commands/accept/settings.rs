//! What a person has set for git, for all of their repositories.

use std::env::VarError;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::cli::sanitize::sanitize_line;
use crate::workspace::{GitConfig, Personal};

/// The largest file of settings that is read, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;
/// Files that include each other, at most, as in git.
const MAX_DEPTH: u32 = 10;
/// What is asked of the settings, besides who the person is.
const ASKED: [&str; 7] = [
    "core.attributesfile",
    "core.autocrlf",
    "core.excludesfile",
    "core.ignorecase",
    "core.logallrefupdates",
    "core.symlinks",
    "commit.gpgsign",
];
/// What only git goes by, if it is set.
const ONLY_GIT: [&str; 4] = [
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
];
/// Settings by the environment.
const NAMES: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "author.name"),
    ("GIT_AUTHOR_EMAIL", "author.email"),
    ("GIT_COMMITTER_NAME", "committer.name"),
    ("GIT_COMMITTER_EMAIL", "committer.email"),
];

/// All that counts for the repository of a workspace.
pub(super) fn personal(workspace: &Path) -> CliResult<Personal> {
    let real = workspace.canonicalize();
    let real = real.unwrap_or_else(|_| workspace.to_owned());
    let mut places = vec![real.join(".git")];
    places.extend(by_link(&real).map(|place| place.join(".git")));
    for name in ONLY_GIT {
        if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            return Err(refused(&format!("`{name}` is set, which only git goes by")));
        }
    }
    let mut config = GitConfig::default();
    if let Some(email) = variable("EMAIL")? {
        config.set("user.email", &email);
    }
    for file in files() {
        config.extend(with_included(&file, &places, 0)?);
    }
    let mut environment = GitConfig::default();
    for (name, setting) in NAMES {
        if let Some(value) = variable(name)? {
            environment.set(setting, &value);
        }
    }
    let excludes = named(&config, "core.excludesfile", "git/ignore")?;
    let system = PathBuf::from("/etc/gitattributes");
    let system = (!is_on("GIT_ATTR_NOSYSTEM")).then_some(system);
    let own = named(&config, "core.attributesfile", "git/attributes")?;
    let mut attributes = Vec::new();
    for path in [system, own].into_iter().flatten() {
        attributes.extend(read(&path)?);
    }
    let excludes = excludes.map(|path| read(&path)).transpose()?;
    Ok(Personal {
        excludes: excludes.flatten().unwrap_or_default(),
        attributes,
        config,
        environment,
    })
}

/// The workspace by the way that the person went to it: git tries that, too.
fn by_link(workspace: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    let went = PathBuf::from(std::env::var_os("PWD")?);
    if !went.is_absolute() || went.canonicalize().ok()? != here {
        return None;
    }
    let below = here.strip_prefix(workspace).ok()?;
    let place = went.ancestors().nth(below.components().count())?;
    (place.canonicalize().ok()? == workspace).then(|| place.to_owned())
}

/// The files of settings, the system's first.
fn files() -> Vec<PathBuf> {
    let file = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let system = file("GIT_CONFIG_SYSTEM").unwrap_or_else(|| "/etc/gitconfig".into());
    let system = (!is_on("GIT_CONFIG_NOSYSTEM")).then_some(system);
    let own = match file("GIT_CONFIG_GLOBAL") {
        Some(file) => [Some(file), None],
        None => [
            host::config_home().map(|home| home.join("git/config")),
            host::home().map(|home| home.join(".gitconfig")),
        ],
    };
    system
        .into_iter()
        .chain(own.into_iter().flatten())
        .collect()
}

fn refused(why: &str) -> CliError {
    CliError::new(Exit::Failed, format!("nothing was committed: {why}"))
        .hint("without `--commit` the run is only marked, and git is yours to use")
}

fn fault_of(file: &Path) -> impl Fn(&str) -> CliError {
    let file = sanitize_line(&file.to_string_lossy());
    move |what| refused(&format!("{file} {what}"))
}

/// A file of settings; one that is not there is passed over.
fn with_included(file: &Path, places: &[PathBuf], depth: u32) -> CliResult<GitConfig> {
    let fault = fault_of(file);
    if depth > MAX_DEPTH {
        return Err(fault("is included by too many others"));
    }
    let config = match read(file)? {
        Some(text) => GitConfig::parse(&text).ok_or_else(|| fault("is not understood"))?,
        None => GitConfig::default(),
    };
    // A condition is of where the file really is, a path in it of where it was looked for.
    let real = file.canonicalize();
    let really = above(real.as_deref().unwrap_or(file));
    let above = above(file);
    let home = host::home();
    let home = home.map(|home| home.canonicalize().unwrap_or(home));
    config.with_included(&mut |include| {
        let counts = |place: &PathBuf| include.counts(place, really, home.as_deref());
        let mut counts = places.iter().map(counts);
        let counts = counts.try_fold(false, |any, one| Some(any | one?));
        if counts == Some(false) {
            return Ok(None);
        }
        if include.path.starts_with("%(")
            || include.path.starts_with('~') && !include.path.starts_with("~/")
        {
            let path = sanitize_line(include.path);
            return Err(fault(&format!("includes what only git can find: {path}")));
        }
        let path = include.file(above, home.as_deref());
        let included = with_included(&path, places, depth + 1)?;
        match counts {
            None if included.names().any(is_asked) => {
                let condition = sanitize_line(include.condition.unwrap_or_default());
                Err(fault(&format!(
                    "includes settings if `{condition}`, which only git can tell"
                )))
            }
            None => Ok(None),
            Some(_) => Ok(Some(included)),
        }
    })
}

fn above(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

fn is_asked(name: &str) -> bool {
    let section = name.split('.').next();
    matches!(section, Some("user" | "author" | "committer")) || ASKED.contains(&name)
}

/// The file that a setting names, or else one among the person's. An empty one names none.
fn named(config: &GitConfig, setting: &str, or_else: &str) -> CliResult<Option<PathBuf>> {
    let Some(name) = config.get(setting) else {
        return Ok(host::config_home().map(|home| home.join(or_else)));
    };
    let path = match name.strip_prefix("~/") {
        Some(below) => host::home().map(|home| home.join(below)),
        None => Some(PathBuf::from(name)),
    };
    match path {
        Some(path) if path.is_absolute() => Ok(Some(path)),
        Some(path) if path.as_os_str().is_empty() => Ok(None),
        _ => {
            let name = sanitize_line(name);
            Err(refused(&format!("`{setting}` is no whole path: {name}")))
        }
    }
}

/// What a variable says; an empty one says nothing.
fn variable(name: &str) -> CliResult<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(refused(&format!("`{name}` is not UTF-8"))),
    }
}

fn is_on(name: &str) -> bool {
    let off = ["", "0", "false", "no", "off"].map(OsStr::new);
    std::env::var_os(name).is_some_and(|value| !off.contains(&value.as_os_str()))
}

/// A file, if it is there.
fn read(path: &Path) -> CliResult<Option<Vec<u8>>> {
    use std::io::Read as _;
    let fault = fault_of(path);
    let mut text = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MAX_SETTINGS + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_SETTINGS => Err(fault("is too long")),
        Ok(_) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(fault(&format!("cannot be read: {error}"))),
    }
}
