//! What a person has set for git, for all of their repositories.

use std::ffi::OsStr;
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
const ASKED: [&str; 5] = [
    "core.attributesfile",
    "core.autocrlf",
    "core.excludesfile",
    "core.logallrefupdates",
    "commit.gpgsign",
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
    let place = workspace.canonicalize();
    let place = place.unwrap_or_else(|_| workspace.to_owned()).join(".git");
    let mut config = GitConfig::default();
    if let Some(email) = variable("EMAIL") {
        config.set("user.email", &email);
    }
    for file in files() {
        config.extend(with_included(&file, &place, 0)?);
    }
    let mut environment = GitConfig::default();
    for (name, setting) in NAMES {
        if let Some(value) = variable(name) {
            environment.set(setting, &value);
        }
    }
    let excludes = named(&config, "core.excludesfile", "git/ignore");
    let system = PathBuf::from("/etc/gitattributes");
    let system = (!is_on("GIT_ATTR_NOSYSTEM")).then_some(system);
    let own = named(&config, "core.attributesfile", "git/attributes");
    let attributes = [system, own].into_iter().flatten();
    Ok(Personal {
        excludes: excludes.and_then(|path| read(&path)).unwrap_or_default(),
        attributes: attributes.filter_map(|path| read(&path)).collect(),
        config,
        environment,
    })
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

/// A file of settings; one that is not there, or that git would not read, is passed over.
fn with_included(file: &Path, repository: &Path, depth: u32) -> CliResult<GitConfig> {
    let fault = |what: &str| {
        let file = sanitize_line(&file.to_string_lossy());
        CliError::new(
            Exit::Failed,
            format!("nothing was committed: {file} {what}"),
        )
        .hint("without `--commit` the run is only marked, and git is yours to use")
    };
    if depth > MAX_DEPTH {
        return Err(fault("is included by too many others"));
    }
    let config = read(file).and_then(|text| GitConfig::parse(&text));
    let above = file.parent().unwrap_or(Path::new("/"));
    let above = above.canonicalize().unwrap_or_else(|_| above.to_owned());
    let home = host::home();
    let home = home.map(|home| home.canonicalize().unwrap_or(home));
    config.unwrap_or_default().with_included(&mut |include| {
        let counts = include.counts(repository, &above, home.as_deref());
        if counts == Some(false) {
            return Ok(None);
        }
        let path = include.file(&above, home.as_deref());
        let included = with_included(&path, repository, depth + 1)?;
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

fn is_asked(name: &str) -> bool {
    let section = name.split('.').next();
    matches!(section, Some("user" | "author" | "committer")) || ASKED.contains(&name)
}

/// The file that a setting names, or else one among the person's.
fn named(config: &GitConfig, setting: &str, or_else: &str) -> Option<PathBuf> {
    let named = config
        .get(setting)
        .and_then(|name| match name.strip_prefix("~/") {
            Some(below) => Some(host::home()?.join(below)),
            None => Some(PathBuf::from(name)).filter(|path| path.is_absolute()),
        });
    named.or_else(|| Some(host::config_home()?.join(or_else)))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_on(name: &str) -> bool {
    let off = ["", "0", "false", "no", "off"].map(OsStr::new);
    std::env::var_os(name).is_some_and(|value| !off.contains(&value.as_os_str()))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).ok()?;
    let mut text = Vec::new();
    file.take(MAX_SETTINGS).read_to_end(&mut text).ok()?;
    Some(text)
}
