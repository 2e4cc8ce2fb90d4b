//! How a run ended, as advice: what was found, and what to do about it.

use crate::ralph::{Record, Report, Verdict};

/// What led to the verdict, and what is worth a try. In Markdown, and without a word of the agent's.
pub(super) fn advice(record: &Record, report: &Report) -> Vec<String> {
    match &report.verdict {
        Some(Verdict::NoProgress { iterations }) => vec![no_progress(record, report, *iterations)],
        _ => Vec::new(),
    }
}

fn no_progress(record: &Record, report: &Report, iterations: u32) -> String {
    let last = report.iterations.iter().rev();
    let mut last = last.take(usize::try_from(iterations).unwrap_or(usize::MAX));
    let found = match record.workspace.read_only {
        false if last.all(|iteration| iteration.changed == Some(0)) => "changed nothing",
        _ => "ended with the same message",
    };
    let phase = record.task(report.phases.len());
    let more = match phase.budget.no_progress {
        Some(most) => most.get().saturating_mul(2),
        None => 0,
    };
    format!(
        "the last {iterations} iterations {found}: the agent thinks that it is done, or does not know how to go on. \
         Say in the prompt what is left, and how it is told that it is done, and begin another run; \
         with more patience: `--no-progress {more}`"
    )
}
