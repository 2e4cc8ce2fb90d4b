//! `stockade report`

mod advice;
mod next;
mod rows;

use clap::{Args, ValueEnum};

use self::next::next;
use self::rows::{at, iterations, row};
use crate::cli::argv::named;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::pager::{self, PagerArgs};
use crate::cli::sanitize::sanitize_line;
use crate::cli::trust;
use crate::cli::ui::Ui;
use crate::cli::view::left_out_words;
use crate::ralph::files::write_whole;
use crate::ralph::journal::Reader;
use crate::ralph::{Described, Findings, Record, Report, Run, RunId, ranges};
use crate::workspace::Concern;

/// Show what a run came to, and what to do next
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// As what
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    format: Format,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    pager: PagerArgs,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown, which reads as text
    Text,
    /// The same
    Markdown,
    /// JSON, with the advice and the run's exit code (null until it has ended)
    Json,
}

/// Runs the verb.
pub(crate) fn run(args: &ReportArgs, ui: &Ui) -> CliResult {
    pager::paged(args.pager, ui, |ui| written(args, ui))
}

fn written(args: &ReportArgs, ui: &Ui) -> CliResult {
    let run = night::find(args.run.as_deref())?;
    ui.data(&document(&run, args.format)?).doing("write")?;
    Ok(Exit::Done)
}

/// Keeps the report with the run, as it is now, in the room that is kept for it.
pub(crate) fn keep(run: &Run) -> CliResult<()> {
    let text = document(run, Format::Markdown)?;
    let json = document(run, Format::Json)?;
    run.give_room_back();
    for (name, document) in [("report.md", text), ("report.json", json)] {
        write_whole(&run.directory().join(name), document.as_bytes(), 0o600)?;
    }
    Ok(())
}

fn document(run: &Run, format: Format) -> CliResult<String> {
    let record = run.record()?;
    let (reader, entries) = Reader::open(&run.journal_path())?;
    let report = Report::of(&entries);
    let described = run.described();
    let told = Told {
        id: run.id(),
        concerns: concerns(run, &record, &report),
        unchecked: unchecked(run, &record, &report),
        advice: advice::advice(&record, &report, described.as_ref(), &run.last_words()),
        record: &record,
        report: &report,
        described: described.as_ref(),
        last_hash: reader.last_hash(),
    };
    match format {
        Format::Text | Format::Markdown => Ok(told.markdown()),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&told.json()).doing("describe the run")?;
            text.push('\n');
            Ok(text)
        }
    }
}

/// All that is told of a run.
struct Told<'a> {
    id: &'a RunId,
    record: &'a Record,
    report: &'a Report,
    described: Option<&'a Described>,
    concerns: Option<Vec<Concern>>,
    unchecked: Option<Findings>,
    advice: Vec<String>,
    last_hash: &'a str,
}

impl Told<'_> {
    fn json(&self) -> serde_json::Value {
        let verdict = self.report.verdict.as_ref();
        serde_json::json!({
            "run": self.id.as_str(),
            "asked": self.record,
            "sandbox": self.described,
            "report": self.report,
            "exit": verdict.map(|verdict| night::exit(verdict).code()),
            "advice": self.advice,
            "unchecked": self.unchecked,
            "trust": self.concerns.as_deref().map(trust::json),
            "last_hash": self.last_hash,
        })
    }

    fn markdown(&self) -> String {
        let Self {
            id, record, report, ..
        } = *self;
        let verdict = match &report.verdict {
            Some(verdict) => verdict.to_string(),
            None => report
                .needs_key
                .clone()
                .unwrap_or_else(|| "not ended".to_owned()),
        };
        let workspace = record.original().path.to_string_lossy();
        let mut lines = vec![
            format!("# Run {id}"),
            String::new(),
            format!("**{}**", escaped(&verdict)),
            String::new(),
            format!("- workspace: {}{}", code(&workspace), how(record)),
            format!("- image: {}", code(&record.image.name)),
            format!("- agent: {}", code(&record.command.join(" "))),
            format!("- began: {}", at(report.begun.as_deref())),
            format!("- ended: {}", at(report.ended.as_deref())),
            format!("- iterations: {}", iterations(record, report)),
        ];
        if let Some(words) = left_out_words(report.left_out, report.too_much) {
            lines.push(format!("- not in its last checkpoint: {words}"));
        }
        lines.extend(meanwhile(report));
        lines.extend(self.described.into_iter().flat_map(opened));
        if record.asked.unenforced {
            lines.push(
                "- limits: also where they are not in force (`--allow-unenforced-limits`)"
                    .to_owned(),
            );
        }
        for (phase, verdict) in report.phases.iter().enumerate() {
            let name = record.task(phase).phase.as_deref().unwrap_or("unnamed");
            let verdict = escaped(&verdict.to_string());
            lines.push(format!(
                "- phase {}, {}: {verdict}",
                phase + 1,
                escaped(name)
            ));
        }
        if report.resumed > 0 {
            lines.push(format!("- taken up again: {} times", report.resumed));
        }
        if report.output_dropped > 0 {
            lines.push(format!(
                "- the first {} bytes of the output are not kept",
                report.output_dropped
            ));
        }
        if let Some(checkpoint) = report.accepted {
            lines.push(format!("- accepted: checkpoint {checkpoint}"));
        }
        if report.rolled_back {
            lines.push("- rolled back".to_owned());
        }
        lines.extend([String::new(), "## Iterations".to_owned(), String::new()]);
        let heading = "| iteration | began | took | cpu time | memory | processes | exit code | changed | claim | check |";
        lines.push(heading.to_owned());
        lines.push("|---|---|---|---|---|---|---|---|---|---|".to_owned());
        lines.extend(report.iterations.iter().map(row));
        match (&self.unchecked, &report.findings) {
            (Some(findings), _) => {
                lines.extend(found(
                    findings,
                    "Steer tests, and were changed: a check has them as they were",
                ));
            }
            (None, Some(findings)) => {
                lines.extend(found(findings, "Put back or left out for the last check"));
            }
            (None, None) => {}
        }
        if !report.quarantined.is_empty() {
            let heading = "## Moved out of the workspace, since git or Stockade would obey it";
            lines.extend([String::new(), heading.to_owned(), String::new()]);
            let moved = report.quarantined.iter();
            lines
                .extend(moved.map(|moved| format!("- {}: {}", code(&moved.path), code(&moved.to))));
        }
        lines.extend(trusted(self.concerns.as_deref()));
        if !report.warnings.is_empty() {
            lines.extend([String::new(), "## Warnings".to_owned(), String::new()]);
            let warnings = report.warnings.iter();
            lines.extend(warnings.map(|text| format!("- {}", escaped(text))));
        }
        lines.extend([String::new(), "## What next".to_owned(), String::new()]);
        lines.extend(self.advice.iter().map(|line| format!("- {line}")));
        lines.extend(next(id, record, report));
        lines.extend([
            String::new(),
            format!("Last hash of the journal: `{}`", self.last_hash),
        ]);
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What of the result would run, or lead elsewhere; `None` where checkpoints are missing.
fn concerns(run: &Run, record: &Record, report: &Report) -> Option<Vec<Concern>> {
    let checkpoints = run.checkpoints(record).ok()?;
    let to = checkpoints.get(report.result?).ok()?;
    let from = checkpoints.get(0).ok()?;
    checkpoints.open().ok()?.concerns(&from, &to).ok()
}

/// What a check of the result would have found; `None` where the last check was made on it, or checkpoints are missing.
fn unchecked(run: &Run, record: &Record, report: &Report) -> Option<Findings> {
    let result = report.result.filter(|_| report.checked != report.result)?;
    let checkpoints = run.checkpoints(record).ok()?;
    let (base, at) = (checkpoints.get(0).ok()?, checkpoints.get(result).ok()?);
    let task = record.task(report.phases.len());
    crate::ralph::unchecked(&checkpoints, task, (&base, &at)).ok()
}

/// Checkpoints while the agent worked.
fn meanwhile(report: &Report) -> Option<String> {
    let all = match report.meanwhile.as_slice() {
        [] => return None,
        all => ranges(all),
    };
    let frozen = match report.unfrozen.as_slice() {
        [] => String::new(),
        some if some == report.meanwhile.as_slice() => ", not frozen".to_owned(),
        some => format!(", not frozen: {}", ranges(some)),
    };
    Some(format!(
        "- checkpoints while the agent worked, on which nothing rests: {all}{frozen}"
    ))
}

/// What its sandbox had beside the image.
fn opened(described: &Described) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, names: Vec<String>, as_it_is: fn(&str) -> String| {
        if !names.is_empty() {
            let names = names.iter().map(|name| as_it_is(name));
            let names = names.collect::<Vec<_>>().join(", ");
            lines.push(format!("- {what}: {names}"));
        }
    };
    say("loosened", described.loosenings().collect(), escaped);
    say("variables", described.variables(), code);
    say("secrets", described.secrets(), code);
    say("mounts", described.mounts(), code);
    lines
}

/// What was found of the agent's changes, and what is said of what is the person's for a check.
fn found(findings: &Findings, put_back: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (names, heading) in [
        (&findings.put_back, put_back),
        (
            &findings.agents_tests,
            "Decide the outcome, and are the agent's",
        ),
        (&findings.tests_gone, "Tests that are gone"),
        (
            &findings.weakened,
            "Tests that may have been weakened (fewer assertions, or more that skips)",
        ),
    ] {
        if !names.is_empty() {
            lines.extend([String::new(), format!("## {heading}"), String::new()]);
            lines.extend(names.iter().map(|name| format!("- {}", code(name))));
        }
    }
    lines
}

/// What to look at before anything runs it.
fn trusted(concerns: Option<&[Concern]>) -> Vec<String> {
    let told = match concerns {
        Some([]) => return Vec::new(),
        None => vec!["- checkpoints that would tell are missing".to_owned()],
        Some(concerns) => {
            let line = |cells: Vec<String>| match &cells[..] {
                [kind, what, path] if kind != " " => format!("- {kind} {what}: {}", code(path)),
                cells => format!("- {}", cells.join(" ").trim()),
            };
            trust::lines(concerns).into_iter().map(line).collect()
        }
    };
    let heading = "## Look at before anything runs it";
    [String::new(), heading.to_owned(), String::new()]
        .into_iter()
        .chain(told)
        .collect()
}

/// How the agent has it, if not as it is.
fn how(record: &Record) -> String {
    let mut how = String::new();
    if record.workspace.read_only {
        how.push_str(", only to be read");
    }
    if record.original.is_some() {
        let copy = record.workspace.path.to_string_lossy();
        how.push_str(&format!("; the work is in a copy, {}", code(&copy)));
    }
    how
}

/// Text of an agent's, as text.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in sanitize_line(text).chars() {
        if c.is_ascii_punctuation()
            && !matches!(c, '.' | ',' | ':' | ';' | '(' | ')' | '\'' | '/' | '-')
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The same as code: a backtick would end it.
fn code(text: &str) -> String {
    format!("`{}`", sanitize_line(text).replace('`', "'"))
}

#[cfg(test)]
mod tests;
