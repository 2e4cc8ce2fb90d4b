//! What a commit will hold, and the person's settings for it.

use std::path::{Path, PathBuf};

use super::SHOWN;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::workspace::{self, Checkpoint, GitConfig, Prepared, Repository, Writer};

/// The largest file of settings that is read, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;

/// Says how it differs from what was shown.
pub(super) fn tell(prepared: &Prepared, ui: &Ui) {
    let missing = [prepared.left_out(), prepared.missing()].concat();
    names("not in the commit", &missing, ui);
    names(
        "also in the commit, as you had not committed it",
        prepared.also(),
        ui,
    );
    if prepared.may_hold_more() {
        ui.warning(
            "also in the commit is what you may have added to the index: `git diff --cached` shows it",
        );
    }
}

fn names(what: &str, paths: &[PathBuf], ui: &Ui) {
    for path in paths.iter().take(SHOWN) {
        let path = sanitize_line(&path.to_string_lossy());
        ui.warning(&format!("{what}: {path}"));
    }
    if paths.len() > SHOWN {
        ui.warning(&format!("{what}: {} more", paths.len() - SHOWN));
    }
}

pub(super) fn prepare(
    repository: &Repository,
    base: &Checkpoint,
    now: (&Checkpoint, Writer),
    paths: &[PathBuf],
) -> CliResult<Prepared> {
    repository
        .prepare_commit(base, now, paths, &excludes()?)
        .map_err(|e| uncommitted(&e))
}

/// The person's ignore rules for all repositories.
pub(super) fn excludes() -> CliResult<Vec<u8>> {
    let settings = settings();
    let named = settings.get("core.excludesfile").and_then(|name| {
        let below = name.strip_prefix("~/");
        match below {
            Some(below) => Some(host::home()?.join(below)),
            None => Some(PathBuf::from(name)).filter(|path| path.is_absolute()),
        }
    });
    let excludes = named.or_else(|| Some(host::config_home()?.join("git/ignore")));
    Ok(excludes.and_then(|path| read(&path)).unwrap_or_default())
}

pub(super) fn uncommitted(error: &workspace::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "nothing was committed", error);
    match error.is_refused() {
        true => cli.hint("without `--commit` the run is only marked, and git is yours to use"),
        false => cli,
    }
}

/// The person's settings for git, the system's first. A file that git would not read is passed over.
pub(super) fn settings() -> GitConfig {
    let own = host::config_home().map(|home| home.join("git/config"));
    let old = host::home().map(|home| home.join(".gitconfig"));
    let files = [Some(PathBuf::from("/etc/gitconfig")), own, old];
    let mut settings = GitConfig::default();
    for text in files.into_iter().flatten().filter_map(|path| read(&path)) {
        settings.extend(GitConfig::parse(&text).unwrap_or_default());
    }
    settings
}

fn read(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).ok()?;
    let mut text = Vec::new();
    file.take(MAX_SETTINGS).read_to_end(&mut text).ok()?;
    Some(text)
}
