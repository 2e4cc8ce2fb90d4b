//! What checkpoints hold, and what is kept of the output.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::task::parse_glob;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::night::parse_time;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::cli::units;
use crate::ralph::{Keep, Retention, Workspace};
use crate::sandbox::size::ByteSize;
use crate::workspace::{Caps, Omitted, Pattern, Preview, Root};

/// So many names are shown.
const SHOWN: usize = 10;
/// The longest that is looked at what is left out.
const LOOK: Duration = Duration::from_millis(300);

/// Flags that say what is kept
#[derive(Debug, Args)]
pub(super) struct KeptArgs {
    /// Keep also what a tool makes again, as node_modules, where .gitignore names it
    #[arg(long)]
    checkpoint_all: bool,
    /// Keep no paths that match: no checkpoint and no check has them, and a rollback leaves them (can be
    /// repeated)
    #[arg(long, value_name = "GLOB", value_parser = parse_glob)]
    checkpoint_skip: Vec<String>,
    /// Checkpoints to keep, the newest, besides the first, the last and those that a check ran on
    #[arg(long, value_name = "NUMBER", default_value = "50")]
    checkpoint_keep: usize,
    /// As long as they have not added more than this
    #[arg(long, value_name = "SIZE", default_value = "10g", value_parser = ByteSize::parse)]
    checkpoint_size: ByteSize,
    /// How often a checkpoint is taken while the agent works, too, paused for it where Podman can pause it; 0 for
    /// never
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_every)]
    checkpoint_every: Duration,
    /// The most that is kept of the agent's output, and of a check's; beyond it the oldest goes
    #[arg(long, value_name = "SIZE", default_value = "256m", value_parser = parse_output)]
    output_size: ByteSize,
}

/// The least that may be kept of the output: the last words of an agent.
const LEAST_OUTPUT: u64 = 64 << 10;

fn parse_output(text: &str) -> Result<ByteSize, String> {
    let size = ByteSize::parse(text).map_err(|e| e.to_string())?;
    match size.bytes() {
        0..LEAST_OUTPUT => Err("it is at least 64k".to_owned()),
        _ => Ok(size),
    }
}

fn parse_every(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => parse_time(text),
    }
}

impl KeptArgs {
    /// What is kept of a workspace in which these files are secret.
    pub(super) fn keep(&self, secret: &[PathBuf]) -> Keep {
        let secret = secret.iter().map(|path| Pattern::literal(path));
        Keep {
            all: self.checkpoint_all,
            skip: self.checkpoint_skip.iter().cloned().chain(secret).collect(),
            retention: Retention {
                count: self.checkpoint_keep,
                bytes: self.checkpoint_size.bytes(),
            },
            every: (!self.checkpoint_every.is_zero()).then_some(self.checkpoint_every),
        }
    }

    /// Bytes that are kept of the output.
    pub(super) fn output(&self) -> u64 {
        self.output_size.bytes()
    }

    /// Says what will be left out.
    pub(super) fn announce(
        &self,
        workspace: &Workspace,
        secret: &[PathBuf],
        ui: &Ui,
    ) -> CliResult<()> {
        let failed = |e| CliError::from_source(Exit::Failed, &e);
        let root = Root::open(&workspace.path).map_err(failed)?;
        let preview = Preview::of(
            &root,
            &self.keep(secret).leave_out(),
            &Caps::default(),
            LOOK,
        )
        .map_err(failed)?;
        if let Some(line) = line(&preview, secret) {
            ui.status(&line);
        }
        Ok(())
    }
}

/// First what is secret, whatever a short look has found.
fn line(preview: &Preview, secret: &[PathBuf]) -> Option<String> {
    let others = || {
        let others = preview.left_out.iter();
        others.filter(|one| !secret.contains(&one.path))
    };
    if secret.is_empty() && others().next().is_none() {
        return None;
    }
    let name = |path: &PathBuf| format!("{} (env file)", sanitize_line(&path.to_string_lossy()));
    let mut told: Vec<String> = secret.iter().map(name).collect();
    told.extend(others().take(SHOWN).map(one));
    let more = others().count().saturating_sub(SHOWN);
    match (more, preview.is_whole) {
        (0, true) => {}
        (0, false) => told.push("and perhaps more".to_owned()),
        (more, true) => told.push(format!("and {more} more")),
        (more, false) => told.push(format!("and at least {more} more")),
    }
    Some(format!("checkpoints leave out {}", told.join(", ")))
}

fn one(omitted: &Omitted) -> String {
    let path = sanitize_line(&omitted.path.to_string_lossy());
    let least = if omitted.is_whole { "" } else { "at least " };
    let size = units::size(omitted.bytes);
    match omitted.files {
        0 if !omitted.is_whole => path,
        1 => format!("{path} ({least}1 file, {size})"),
        files => format!("{path} ({least}{files} files, {size})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_a_line() {
        let omitted = |path: &str, files, is_whole| Omitted {
            path: path.into(),
            files,
            bytes: files * 1024,
            is_whole,
        };
        let mut preview = Preview {
            left_out: vec![
                omitted("target", 20, true),
                omitted("a\x1bb", 1, false),
                omitted("x", 0, false),
            ],
            is_whole: false,
        };
        assert_eq!(
            line(&preview, &[]).unwrap(),
            "checkpoints leave out target (20 files, 20KiB), a\\u{1b}b (at least 1 file, 1KiB), x, and perhaps more"
        );
        preview.left_out = vec![omitted("y", 2, true); 12];
        let told = line(&preview, &[]).unwrap();
        assert!(told.ends_with(", and at least 2 more"), "{told}");
        assert_eq!(line(&Preview::default(), &[]), None);
        let secret = ["conf/.env".into(), "y".into()];
        let mut preview = Preview {
            left_out: vec![omitted("target", 1, true), omitted("y", 1, true)],
            is_whole: true,
        };
        assert_eq!(
            line(&preview, &secret).unwrap(),
            "checkpoints leave out conf/.env (env file), y (env file), target (1 file, 1KiB)"
        );
        // A look that has seen nothing yet.
        preview = Preview::default();
        assert_eq!(
            line(&preview, &secret[..1]).unwrap(),
            "checkpoints leave out conf/.env (env file), and perhaps more"
        );
    }
}
