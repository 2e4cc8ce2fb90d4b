//! The iterations of a report: how many there were, and a line of the table for each.

use std::time::Duration;

use crate::cli::night;
use crate::ralph::{Claim, Cut, Difference, Iteration, Lines, Record, Report};

/// A time, as `show` has them.
pub(super) fn at(time: Option<&str>) -> String {
    let seconds = time.and_then(|time| time.get(..19));
    seconds.map_or("–".to_owned(), |seconds| format!("{seconds}Z"))
}

/// How many, and how long.
pub(super) fn iterations(record: &Record, report: &Report) -> String {
    let counted = report.counted();
    let (most, spent) = (record.iterations(), night::shown(report.spent));
    let mut text = format!("{counted} of {most}, in {spent}");
    if !report.waited.is_zero() {
        let waited = night::shown(report.waited);
        text.push_str(&format!(", {waited} of it waiting for the agent's API"));
    }
    match report.iterations.len() - counted {
        0 => {}
        vain => text.push_str(&format!("; {vain} more that came to nothing for its API")),
    }
    text
}

/// What differs from the checkpoint before.
fn changed(iteration: &Iteration) -> String {
    let Some(difference) = &iteration.difference else {
        return iteration.changed.map_or("–".to_owned(), |n| n.to_string());
    };
    let Difference {
        added,
        modified,
        removed,
        ..
    } = difference;
    let mut text = match difference.files() {
        0 => iteration.changed.unwrap_or_default().to_string(),
        1 => "1 file".to_owned(),
        many => format!("{many} files"),
    };
    match difference.lines {
        _ if difference.files() == 0 => {}
        Some(Lines { added, removed }) => text.push_str(&format!(", +{added} -{removed}")),
        None => {
            text.push_str(&format!(
                " ({added} new, {modified} changed, {removed} gone)"
            ));
        }
    }
    if iteration.left_out > 0 {
        text.push_str(&format!(", {} left out", iteration.left_out));
    }
    text
}

/// A line of the table.
pub(super) fn row(iteration: &Iteration) -> String {
    let mut exit = iteration.exit_code.to_string();
    if iteration.oom_killed {
        exit.push_str(", out of memory");
    }
    if iteration.forks_refused {
        exit.push_str(", out of processes");
    }
    match iteration.cut {
        Some(Cut::Stopped) => exit.push_str(", stopped"),
        Some(Cut::IterationTime) => exit.push_str(", too long"),
        Some(Cut::Disk) => exit.push_str(", disk nearly full"),
        Some(Cut::Growth) => exit.push_str(", workspace grown too much"),
        Some(Cut::Time) => exit.push_str(", time used up"),
        Some(Cut::MachineDown) => exit.push_str(", machine went down"),
        Some(Cut::LostSight) => exit.push_str(", lost sight of"),
        None => {}
    }
    if let Some(refusal) = &iteration.refusal {
        exit.push_str(&format!(", its API: {}", refusal.trouble));
    }
    if !iteration.waited.is_zero() {
        let waited = night::shown(iteration.waited);
        exit.push_str(&format!(", then waited for {waited}"));
    }
    let changed = changed(iteration);
    let began = at(iteration.begun.as_deref());
    let claim = match &iteration.claim {
        Claim::None => "–",
        Claim::Complete => "complete",
        Claim::Blocked(_) => "blocked",
    };
    let check = match iteration.check {
        None => "–".to_owned(),
        // Many commands end with 0 when they are asked to.
        Some(_) if iteration.check_timed_out => "took too long".to_owned(),
        Some(0) => "passed".to_owned(),
        Some(code) => format!("failed with {code}"),
    };
    let took = night::shown(iteration.took);
    let used = &iteration.used;
    let cpu = used
        .cpu
        .map(|time| night::shown(Duration::from_micros(time)));
    let memory = used
        .memory
        .map(|bytes| format!("{} MiB", bytes.div_ceil(1 << 20)));
    let processes = used.pids.map(|most| most.to_string());
    let [cpu, memory, processes] =
        [cpu, memory, processes].map(|known| known.unwrap_or("–".to_owned()));
    format!(
        "| {} | {began} | {took} | {cpu} | {memory} | {processes} | {exit} | {changed} | {claim} | {check} |",
        iteration.number
    )
}
