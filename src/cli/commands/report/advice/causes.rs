//! What iterations died of, as their table says it: what used them up may not be the work.

use super::reach::model_here;
use super::{FORKS, more_memory, refused};
use crate::cli::night;
use crate::ralph::{Cut, Iteration, Record, Report, Task, Trouble, Verdict};

/// A line for each, where a verdict names none of them.
pub(super) fn causes(
    verdict: &Verdict,
    record: &Record,
    task: &Task,
    report: &Report,
) -> Vec<String> {
    let mut causes = Vec::new();
    if !matches!(
        verdict,
        Verdict::CheckFailed | Verdict::Iterations | Verdict::Time | Verdict::NoProgress { .. }
    ) {
        return causes;
    }
    let times = |is: &dyn Fn(&Iteration) -> bool| {
        let many = report.iterations.iter().filter(|one| is(one)).count();
        match many {
            0 => None,
            1 => Some("1 iteration".to_owned()),
            many => Some(format!("{many} iterations")),
        }
    };
    if let Some(times) = times(&|one| one.oom_killed) {
        let more = more_memory(record.memory.unwrap_or_default());
        causes.push(format!(
            "in {times} something was killed for want of memory; {more}"
        ));
    }
    if let Some(times) = times(&|one| one.forks_refused) {
        causes.push(format!("in {times} it was refused processes: {FORKS}"));
    }
    if let Some(times) = times(&|one| one.cut == Some(Cut::IterationTime)) {
        // Each phase may have its own.
        let only = Some(task).filter(|_| record.phases() == 1);
        let after = only.and_then(|task| task.budget.iteration_time);
        let after = after.map(night::shown);
        let after = after.map_or(String::new(), |time| format!(" after {time}"));
        causes.push(format!(
            "cut short{after}: {times}; let it do less in each, or give them longer: `--iteration-timeout`"
        ));
    }
    for trouble in troubles(report) {
        let is_so = |one: &Iteration| one.refusal.as_ref().map(|it| it.trouble) == Some(trouble);
        if let Some(times) = times(&is_so) {
            let hint = hint(trouble);
            causes.push(format!(
                "in {times} its API kept it from its work, as far as its words tell ({trouble}): {hint}"
            ));
        }
        if trouble == Trouble::Unreachable {
            causes.extend(model_here(&record.network));
        }
    }
    causes
}

/// Each that there was, once.
fn troubles(report: &Report) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let refusals = report
        .iterations
        .iter()
        .filter_map(|one| one.refusal.as_ref());
    for refusal in refusals {
        if !troubles.contains(&refusal.trouble) {
            troubles.push(refusal.trouble);
        }
    }
    troubles
}

fn hint(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Quota | Trouble::Auth | Trouble::Model => refused(trouble),
        Trouble::RateLimit => {
            "another run, later, goes on with what there is; or an account that may ask for more"
        }
        Trouble::Overloaded => "another run, later, goes on with what there is",
        Trouble::Unreachable => "whether the sandbox has a way there is `--network`'s",
    }
}
