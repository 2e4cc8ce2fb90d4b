//! `stockade diff`

use clap::Args;

use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::workspace::ChangeKind;

/// Show what changed in a run's workspace
///
/// From the first checkpoint to the last one, unless others are named. `A` is new, `M` other content,
/// `D` gone, `T` another kind, `P` other permissions.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Only the names
    #[arg(long)]
    name_only: bool,
    /// Run: its id, the end of it, or its name [default: the last one]
    run: Option<String>,
    /// Checkpoints, as in 0..3
    #[arg(value_name = "N..M", value_parser = parse_range)]
    range: Option<Range>,
}

/// From one checkpoint to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range(u32, Option<u32>);

fn parse_range(text: &str) -> Result<Range, String> {
    let wrong = || format!("`{text}` is no range of checkpoints, as 0..3, 2.. or 2 are");
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    match text.split_once("..") {
        Some((from, "")) => Ok(Range(number(from)?, None)),
        Some(("", to)) => Ok(Range(0, Some(number(to)?))),
        Some((from, to)) => Ok(Range(number(from)?, Some(number(to)?))),
        None => Ok(Range(number(text)?, None)),
    }
}

/// Runs the verb.
pub(crate) fn run(args: &DiffArgs, ui: &Ui) -> CliResult {
    let run = night::find(args.run.as_deref())?;
    let checkpoints = run.checkpoints(&run.record()?)?;
    let failed = |e| CliError::from_source(Exit::Failed, &e);
    let repository = checkpoints.open()?;
    let Range(from, to) = args.range.unwrap_or(Range(0, None));
    let from = checkpoints.get(from)?;
    let to = match to {
        Some(number) => checkpoints.get(number)?,
        None => {
            let last = repository.list(checkpoints.series()).map_err(failed)?.pop();
            last.ok_or_else(|| CliError::new(Exit::Failed, "the run has no checkpoint yet"))?
        }
    };
    for change in repository.changes(&from, &to).map_err(failed)? {
        let path = sanitize_line(&change.path.to_string_lossy());
        let line = match change.kind {
            _ if args.name_only => path,
            ChangeKind::Added => format!("A\t{path}"),
            ChangeKind::Removed => format!("D\t{path}"),
            ChangeKind::Type => format!("T\t{path}"),
            ChangeKind::Modified => format!("M\t{path}"),
            ChangeKind::Mode => format!("P\t{path}"),
        };
        ui.line(&line).doing("write")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_range("1..3"), Ok(Range(1, Some(3))));
        assert_eq!(parse_range("..3"), Ok(Range(0, Some(3))));
        assert_eq!(parse_range("2.."), Ok(Range(2, None)));
        assert_eq!(parse_range("2"), Ok(Range(2, None)));
        for text in ["", "..", "a", "1...2", "-1"] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }
}
