//! The verbs to go on with.

use crate::ralph::{Check, Record, Report, RunId, Verdict};

/// Commands that fit how it ended, and what was made of it since.
pub(super) fn next(id: &RunId, record: &Record, report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |text: &str, verb: &str| lines.push(format!("- {text}: `stockade {verb} {id}`"));
    if report.verdict.is_none() {
        say("look at it", "watch");
        say("look inside, while its agent works", "shell");
        say("if nobody has it in hand", "resume");
    }
    say("what changed", "diff");
    say("what the agent wrote", "logs");
    say("what happened, and when", "show");
    if let Some(verdict) = &report.verdict {
        let has_check = matches!(record.task(report.phases.len()).check, Check::Command(_));
        if has_check && !matches!(verdict, Verdict::Verified { .. }) {
            say("have it checked, in a clean container", "check");
        }
        // What was gone back from is not there to be taken.
        if report.accepted.is_none() && !report.rolled_back {
            say("take it", "accept");
        }
    }
    if !report.rolled_back {
        say("the workspace as it was", "rollback");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, report};
    use super::*;
    use crate::ralph::Grade;

    /// The verbs that are told of.
    fn verbs(record: &Record, report: &Report) -> String {
        let id = RunId::parse("20261124-100000-abcdef").unwrap();
        let lines = next(&id, record, report);
        let verb = |line: &String| {
            let (_, verb) = line.split_once("`stockade ").unwrap();
            verb.strip_suffix(&format!(" {id}`")).unwrap().to_owned()
        };
        lines.iter().map(verb).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_done_or_cannot_be_is_not_advised() {
        let checked = record();
        let ended = report(Verdict::Iterations, Vec::new());
        let of = |report: &Report| verbs(&checked, report);
        assert_eq!(of(&ended), "diff logs show check accept rollback");
        let mut accepted = ended.clone();
        accepted.accepted = Some(2);
        assert_eq!(of(&accepted), "diff logs show check rollback");
        let mut back = ended.clone();
        back.rolled_back = true;
        assert_eq!(of(&back), "diff logs show check");
        let mut live = ended.clone();
        live.verdict = None;
        assert_eq!(of(&live), "watch shell resume diff logs show rollback");

        let grade = Grade::Protected;
        let verified = report(Verdict::Verified { grade }, Vec::new());
        assert_eq!(of(&verified), "diff logs show accept rollback");
        let mut unchecked = record();
        unchecked.task.check = Check::Missing;
        assert_eq!(verbs(&unchecked, &ended), "diff logs show accept rollback");
    }
}
