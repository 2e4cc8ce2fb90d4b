//! `stockade diff`

use clap::Args;

use crate::cli::argv::named;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::pager::{self, PagerArgs};
use crate::cli::sanitize::{sanitize, sanitize_line};
use crate::cli::table::Table;
use crate::cli::trust::{self, letter};
use crate::cli::ui::{Paint, Ui};
use crate::ralph::journal::Reader;
use crate::ralph::{Event, Follow, Run};
use crate::workspace::diff::Diff;
use crate::workspace::{self, Change, Concern, Entry, EntryKind, Repository};

/// Lines around a change.
const CONTEXT: usize = 3;
/// The largest file that is compared line by line, in bytes.
const MAX_TEXT: u64 = 8 << 20;

/// Show what changed in a run's workspace
///
/// From the first checkpoint to the last one, unless others are named. Of files that are no text, or
/// are larger than 8 MiB, only that they differ. At the end, what of it would run or lead elsewhere on
/// this machine: hooks, settings of editors, build scripts, executables, links that leave the workspace.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Only the names
    #[arg(long, conflicts_with = "name_status")]
    name_only: bool,
    /// Only the names and how: `A` is new, `M` other content, `D` gone, `T` another kind, `P` other
    /// permissions
    #[arg(long)]
    name_status: bool,
    /// Only how many lines of each file
    #[arg(long, conflicts_with_all = ["name_only", "name_status"])]
    stat: bool,
    /// Only what would run or lead elsewhere
    #[arg(long, conflicts_with_all = ["name_only", "name_status", "stat"])]
    trust: bool,
    /// Again with each checkpoint, until the run has ended
    #[arg(long)]
    watch: bool,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    /// Checkpoints, as in 0..3
    #[arg(value_name = "N..M", value_parser = parse_range)]
    range: Option<Range>,
    #[command(flatten)]
    pager: PagerArgs,
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
pub(crate) async fn run(args: &DiffArgs, ui: &Ui) -> CliResult {
    let (run, range) = meant(args)?;
    match args.watch {
        true => watch(args, (&run, range), ui).await,
        false => pager::paged(args.pager, ui, |ui| write(args, (&run, range), ui)),
    }
}

/// The run, and the range, which may be all that is said.
fn meant(args: &DiffArgs) -> CliResult<(Run, Option<Range>)> {
    match (args.run.as_deref(), args.range) {
        (Some(word), None) => match (night::find(Some(word)), parse_range(word)) {
            (Err(_), Ok(range)) => Ok((night::find(None)?, Some(range))),
            (run, _) => Ok((run?, None)),
        },
        (word, range) => Ok((night::find(word)?, range)),
    }
}

/// Shows it again with each checkpoint, until the run has ended.
async fn watch(args: &DiffArgs, (run, range): (&Run, Option<Range>), ui: &Ui) -> CliResult {
    if matches!(range, Some(Range(_, Some(_)))) {
        let error = CliError::usage("between two checkpoints nothing changes any more");
        return Err(error.hint("to watch what comes after the first of them: `N..`"));
    }
    let mut follow = Follow::new(run)?;
    let mut reader = Reader::default();
    loop {
        // Before the journal is read, so that what it says on leaving is not missed.
        let goes_on = run.is_held();
        let entries = reader.more(&run.journal_path())?;
        let is_checkpoint = |entry: &Event| matches!(entry, Event::Checkpoint { .. });
        if entries.iter().any(|entry| is_checkpoint(&entry.event)) {
            if ui.stdout_is_terminal() {
                ui.clear().doing("write")?;
            }
            write(args, (run, range), ui)?;
        }
        if !goes_on {
            return Ok(Exit::Done);
        }
        follow.changed().await;
    }
}

fn write(args: &DiffArgs, (run, range): (&Run, Option<Range>), ui: &Ui) -> CliResult {
    let record = run.record()?;
    let checkpoints = run.checkpoints(&record)?.but_for_own_git(run, &record);
    let failed = |e| CliError::from_source(Exit::Failed, &e);
    let repository = checkpoints.open()?;
    let Range(from, to) = range.unwrap_or(Range(0, None));
    let from = checkpoints.get(from)?;
    let to = match to {
        Some(number) => checkpoints.get(number)?,
        None => {
            let last = repository.list(checkpoints.series()).map_err(failed)?.pop();
            last.ok_or_else(|| CliError::new(Exit::Failed, "the run has no checkpoint yet"))?
        }
    };
    let mut written = Written::new(&repository, ui);
    let changes = match args.trust {
        true => Vec::new(),
        false => checkpoints.changes(&repository, &from, &to)?,
    };
    for change in changes {
        let done = if args.name_only || args.name_status {
            names(&change, args.name_only, ui)
        } else {
            written.change(&change, args.stat)
        };
        done?;
    }
    if args.stat {
        written.total()?;
    }
    if !args.name_only && !args.name_status {
        let concerns = repository.concerns(&from, &to).map_err(failed)?;
        shown(&concerns, args.trust, ui)?;
    }
    Ok(Exit::Done)
}

/// What to look at before it is trusted.
pub(super) fn shown(concerns: &[Concern], alone: bool, ui: &Ui) -> CliResult<()> {
    if concerns.is_empty() {
        return Ok(());
    }
    let mut table = Table::without_heading();
    for line in trust::lines(concerns) {
        table.row(line);
    }
    if !alone {
        ui.line("\nlook at these before anything runs them:")
            .doing("write")?;
    }
    ui.data(&table.render()).doing("write")
}

fn names(change: &Change, only: bool, ui: &Ui) -> CliResult<()> {
    let path = sanitize_line(&change.path.to_string_lossy());
    let line = match only {
        true => path,
        false => format!("{}\t{path}", letter(change.kind)),
    };
    ui.line(&line).doing("write")
}

/// A diff that is being written.
pub(super) struct Written<'a> {
    repository: &'a Repository,
    ui: &'a Ui,
    files: u64,
    added: usize,
    removed: usize,
}

impl<'a> Written<'a> {
    pub(super) fn new(repository: &'a Repository, ui: &'a Ui) -> Self {
        Self {
            repository,
            ui,
            files: 0,
            added: 0,
            removed: 0,
        }
    }

    /// How much it was.
    pub(super) fn total(&self) -> CliResult<()> {
        let Self {
            files,
            added,
            removed,
            ..
        } = self;
        let line = format!("{files} files, {added} lines added, {removed} removed");
        self.ui.line(&line).doing("write")
    }

    /// One name: what it was and is, and its lines. Everything is an agent's word, and made harmless.
    pub(super) fn change(&mut self, change: &Change, stat: bool) -> CliResult<()> {
        let path = sanitize_line(&change.path.to_string_lossy());
        let diff = match (self.text(change.before), self.text(change.after)) {
            (Ok(before), Ok(after)) => Diff::of(&before, &after, CONTEXT),
            _ => Diff::Large,
        };
        let (added, removed) = diff.counts();
        self.files += 1;
        self.added += added;
        self.removed += removed;
        let kind = letter(change.kind);
        if stat {
            let size = match diff {
                Diff::Binary => "binary".to_owned(),
                Diff::Large => "large".to_owned(),
                Diff::Same | Diff::Text(_) => format!("+{added} -{removed}"),
            };
            return self
                .ui
                .line(&format!("{kind}\t{size}\t{path}"))
                .doing("write");
        }
        let shown = |entry: Option<Entry>| match entry {
            None => "nothing".to_owned(),
            Some(entry) => {
                let kind = match entry.kind {
                    EntryKind::Directory => "directory",
                    EntryKind::File => "file",
                    EntryKind::Symlink => "link",
                    EntryKind::LeftOut(reason) => reason.as_str(),
                };
                format!("{kind} {:04o}", entry.mode)
            }
        };
        let (before, after) = (shown(change.before), shown(change.after));
        let heading = match before == after {
            true => format!("{kind} {path} ({after})"),
            false => format!("{kind} {path} ({before} -> {after})"),
        };
        self.ui.painted(Paint::Heading, &heading).doing("write")?;
        let text = match diff {
            Diff::Same => return Ok(()),
            Diff::Binary => return self.ui.line("  (no text)").doing("write"),
            Diff::Large => return self.ui.line("  (too large to be shown)").doing("write"),
            Diff::Text(_) => diff.unified(),
        };
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let line = sanitize(line.strip_suffix('\n').unwrap_or(&line));
            let paint = match line.as_bytes().first() {
                Some(b'+') => Paint::Added,
                Some(b'-') => Paint::Removed,
                Some(b'@') => Paint::Place,
                _ => {
                    self.ui.line(&line).doing("write")?;
                    continue;
                }
            };
            self.ui.painted(paint, &line).doing("write")?;
        }
        Ok(())
    }

    /// A file's content or a link's target.
    fn text(&self, entry: Option<Entry>) -> Result<Vec<u8>, workspace::Error> {
        match entry {
            Some(entry) if matches!(entry.kind, EntryKind::File | EntryKind::Symlink) => {
                self.repository.read_blob(entry.id, MAX_TEXT)
            }
            _ => Ok(Vec::new()),
        }
    }
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
