//! What a run came to, from its journal: for the morning.

use std::time::Duration;

use super::decision::Decision;
use super::difference::Difference;
use super::event::{During, Entry, Event};
use super::life::Cut;
use super::promise::Claim;
use super::selection::Findings;
use super::trouble::Refusal;
use super::verdict::Verdict;
use crate::sandbox::Usage;

/// A run in short. Names of files and an agent's reasons are its words: not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Report {
    /// How it ended; `None` while it has not.
    pub verdict: Option<Verdict>,
    /// How the phases before the last one ended.
    pub phases: Vec<Verdict>,
    /// Each iteration.
    pub iterations: Vec<Iteration>,
    /// The last checkpoint.
    pub checkpoint: Option<u32>,
    /// The last one before the run ended: what it came to.
    pub result: Option<u32>,
    /// What the run waits for, if that is a secret of its agent's.
    pub needs_key: Option<String>,
    /// Checkpoints that were taken while the agent worked.
    pub meanwhile: Vec<u32>,
    /// Those of them for which it was not paused.
    pub unfrozen: Vec<u32>,
    /// The checkpoint that the person has accepted, and not gone back from.
    pub accepted: Option<u32>,
    /// The person has gone back, and not accepted it since.
    pub rolled_back: bool,
    /// What the last check found of the agent's changes.
    pub findings: Option<Findings>,
    /// The checkpoint that it was made on.
    pub checked: Option<u32>,
    /// What was moved out of the workspace.
    pub quarantined: Vec<SetAside>,
    /// So many of the first bytes of output are not kept.
    pub output_dropped: u64,
    /// What went wrong and ended nothing.
    pub warnings: Vec<String>,
    /// How often it was taken up again.
    pub resumed: u32,
    /// What iterations, checks and waits took.
    pub spent: Duration,
    /// Of it, what the model's API was given.
    pub waited: Duration,
    /// When it began, as in RFC 3339, in UTC.
    pub begun: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// Entries that its result does not hold.
    pub left_out: u64,
    /// Those of them that it would hold if they, or all together, were less.
    pub too_much: u64,
    /// When the last iteration began.
    #[serde(skip)]
    iteration_begun: Option<String>,
    /// The checkpoint of the check that began last.
    #[serde(skip)]
    checking: Option<u32>,
}

/// Something that was moved out of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SetAside {
    /// Its name at the workspace's top.
    pub path: String,
    /// Where it is now.
    pub to: String,
}

/// An iteration that has ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Iteration {
    /// From 1.
    pub number: u32,
    /// When it began, as in RFC 3339, in UTC.
    pub begun: Option<String>,
    /// When its end was seen.
    pub ended: String,
    /// Its exit code.
    pub exit_code: i32,
    /// What it took.
    pub took: Duration,
    /// Something in it was killed for want of memory.
    pub oom_killed: bool,
    /// Why it was not left to end by itself.
    pub cut: Option<Cut>,
    /// What the agent claimed.
    pub claim: Claim,
    /// Names that differ from the checkpoint before.
    pub changed: Option<u64>,
    /// The same in files and lines.
    pub difference: Option<Difference>,
    /// Entries that the checkpoint after it does not hold.
    pub left_out: u64,
    /// What may have kept it from its model. Where nothing was changed it does not count, and was begun again.
    pub refusal: Option<Refusal>,
    /// It did not begin to work: its program had no file, in its words.
    pub missing: Option<String>,
    /// What the model's API was given after it.
    pub waited: Duration,
    /// Something in it was refused a process, at the limit.
    pub forks_refused: bool,
    /// The exit code of its check; `None` without one.
    pub check: Option<i32>,
    /// The check was ended, since it took too long: it has failed, whatever its exit code.
    pub check_timed_out: bool,
    /// What it used at most, as far as the kernel said.
    pub used: Usage,
}

impl Report {
    /// All that a journal says.
    pub fn of(entries: &[Entry]) -> Self {
        let mut report = Self::default();
        for entry in entries {
            report.add(entry);
        }
        let decision = Decision::of(entries.iter().map(|entry| &entry.event));
        report.rolled_back = decision == Decision::RolledBack;
        report.accepted = report.accepted.filter(|_| decision == Decision::Accepted);
        report
    }

    /// How many iterations counted.
    pub fn counted(&self) -> usize {
        let counts =
            |one: &&Iteration| one.refusal.is_none() || one.changed.is_some_and(|many| many > 0);
        self.iterations.iter().filter(counts).count()
    }

    fn add(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Begun { .. } => self.begun = Some(entry.at.clone()),
            Event::Iteration { .. } => self.iteration_begun = Some(entry.at.clone()),
            Event::Waiting { time, .. } => {
                let time = Duration::from_millis(*time);
                self.spent += time;
                self.waited += time;
                if let Some(last) = self.iterations.last_mut() {
                    last.waited += time;
                }
            }
            Event::Resumed { .. } => {
                self.resumed += 1;
                self.needs_key = None;
            }
            Event::NeedsKey { text } => self.needs_key = Some(format!("needs key: {text}")),
            Event::Checkpoint {
                number,
                during: Some(during),
                ..
            } => {
                self.checkpoint = Some(*number);
                self.meanwhile.push(*number);
                if *during == During::Unfrozen {
                    self.unfrozen.push(*number);
                }
            }
            Event::Checkpoint {
                number,
                changed,
                difference,
                left_out,
                too_much,
                ..
            } => {
                self.checkpoint = Some(*number);
                // Those that the person has taken since are none of the agent's.
                if self.verdict.is_none() {
                    self.result = Some(*number);
                    (self.left_out, self.too_much) = (*left_out, *too_much);
                    if let Some(last) = self.iterations.last_mut() {
                        last.changed = Some(*changed);
                        last.difference = *difference;
                        last.left_out = *left_out;
                    }
                }
            }
            Event::Ended {
                number,
                exit_code,
                oom_killed,
                took,
                cut,
                claim,
                used,
                refusal,
                missing,
                forks_refused,
                ..
            } => {
                self.spent += Duration::from_millis(*took);
                self.iterations.push(Iteration {
                    number: *number,
                    begun: self.iteration_begun.take(),
                    ended: entry.at.clone(),
                    exit_code: *exit_code,
                    took: Duration::from_millis(*took),
                    oom_killed: *oom_killed,
                    cut: *cut,
                    claim: claim.clone(),
                    changed: None,
                    difference: None,
                    left_out: 0,
                    refusal: refusal.clone(),
                    missing: missing.clone(),
                    waited: Duration::ZERO,
                    forks_refused: *forks_refused,
                    check: None,
                    check_timed_out: false,
                    used: *used,
                });
            }
            Event::Checking { checkpoint, .. } => self.checking = Some(*checkpoint),
            Event::Checked {
                number,
                exit_code,
                timed_out,
                took,
                findings,
            } => {
                self.spent += Duration::from_millis(*took);
                self.findings = Some(findings.clone());
                self.checked = self.checking.take();
                let checked = |iteration: &&mut Iteration| iteration.number == *number;
                if let Some(iteration) = self.iterations.iter_mut().rev().find(checked) {
                    iteration.check = Some(*exit_code);
                    iteration.check_timed_out = *timed_out;
                }
            }
            Event::Phase { verdict, .. } => self.phases.push(verdict.clone()),
            Event::Quarantined { path, to } => self.quarantined.push(SetAside {
                path: path.clone(),
                to: to.clone(),
            }),
            Event::OutputDropped { bytes } => self.output_dropped = *bytes,
            Event::Accepted { checkpoint, .. } => self.accepted = Some(*checkpoint),
            Event::Warning { text } => self.warnings.push(text.clone()),
            Event::Notified { unless: Some(why) } => {
                self.warnings
                    .push(format!("nobody was told of the end: {why}"));
            }
            Event::Verdict { verdict } => {
                self.verdict = Some(verdict.clone());
                self.ended = Some(entry.at.clone());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::trouble::Trouble;

    fn ended(number: u32, refusal: Option<Refusal>) -> Event {
        Event::Ended {
            number,
            exit_code: 1,
            oom_killed: false,
            memory_limit: 0,
            took: 1000,
            output: 0,
            started: String::new(),
            cut: None,
            claim: Claim::None,
            words: String::new(),
            refusal,
            missing: None,
            forks_refused: true,
            used: Usage::default(),
        }
    }

    fn kept(number: u32, changed: u64) -> Event {
        Event::Checkpoint {
            number,
            files: 1,
            bytes: 1,
            changed,
            difference: Some(Difference::default()),
            left_out: 2,
            too_much: 1,
            took: 1,
            during: None,
        }
    }

    #[test]
    fn a_night_of_waiting_is_told_as_one() {
        let refusal = || {
            Some(Refusal {
                trouble: Trouble::RateLimit,
                text: "429".into(),
            })
        };
        let begun = || Event::Iteration {
            number: 1,
            output: 0,
            boot: None,
            awake: None,
        };
        let waiting = || Event::Waiting {
            until: String::new(),
            time: 3_600_000,
            why: Trouble::RateLimit,
        };
        let mut events = vec![kept(0, 0)];
        for checkpoint in 1..=7 {
            events.extend([begun(), ended(1, refusal()), kept(checkpoint, 0), waiting()]);
        }
        events.extend([begun(), ended(1, refusal()), kept(8, 3)]);
        let entries = events.into_iter().enumerate();
        let entries: Vec<Entry> = entries
            .map(|(line, event)| Entry {
                line: line as u64,
                at: format!("2026-11-24T10:00:{line:02}Z"),
                before: String::new(),
                event,
            })
            .collect();
        let report = Report::of(&entries);
        assert_eq!(report.waited, Duration::from_secs(7 * 3600));
        assert_eq!(report.spent, report.waited + Duration::from_secs(8));
        // Only the last one has changed something.
        assert_eq!((report.iterations.len(), report.counted()), (8, 1));
        let first = &report.iterations[0];
        assert_eq!(first.waited, Duration::from_secs(3600));
        assert_eq!(first.begun.as_deref(), Some("2026-11-24T10:00:01Z"));
        assert_eq!(first.ended, "2026-11-24T10:00:02Z");
        assert!(first.forks_refused && first.refusal.is_some() && first.difference.is_some());
        assert_eq!((report.left_out, report.too_much), (2, 1));
    }
}
