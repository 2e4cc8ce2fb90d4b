//! What a run came to, from its journal: for the morning.

use std::time::Duration;

use super::event::{Entry, Event};
use super::life::Cut;
use super::promise::Claim;
use super::selection::Findings;
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
    /// The checkpoint that the person has accepted, and not gone back from.
    pub accepted: Option<u32>,
    /// The person has gone back, and not accepted it since.
    pub rolled_back: bool,
    /// What the last check found of the agent's changes.
    pub findings: Option<Findings>,
    /// What was moved out of the workspace.
    pub quarantined: Vec<SetAside>,
    /// So many of the first bytes of output are not kept.
    pub output_dropped: u64,
    /// What went wrong and ended nothing.
    pub warnings: Vec<String>,
    /// How often it was taken up again.
    pub resumed: u32,
    /// What iterations and checks took.
    pub spent: Duration,
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
    /// The exit code of its check; `None` without one.
    pub check: Option<i32>,
    /// What it used at most, as far as the kernel said.
    pub used: Usage,
}

impl Report {
    /// All that a journal says.
    pub fn of(entries: &[Entry]) -> Self {
        let mut report = Self::default();
        for entry in entries {
            report.add(&entry.event);
        }
        report
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::Resumed { .. } => self.resumed += 1,
            Event::Checkpoint {
                number, changed, ..
            } => {
                self.checkpoint = Some(*number);
                // Those that the person has taken since are none of the agent's.
                if self.verdict.is_none() {
                    self.result = Some(*number);
                    if let Some(last) = self.iterations.last_mut() {
                        last.changed = Some(*changed);
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
                ..
            } => {
                self.spent += Duration::from_millis(*took);
                self.iterations.push(Iteration {
                    number: *number,
                    exit_code: *exit_code,
                    took: Duration::from_millis(*took),
                    oom_killed: *oom_killed,
                    cut: *cut,
                    claim: claim.clone(),
                    changed: None,
                    check: None,
                    used: *used,
                });
            }
            Event::Checked {
                number,
                exit_code,
                took,
                findings,
                ..
            } => {
                self.spent += Duration::from_millis(*took);
                self.findings = Some(findings.clone());
                let checked = |iteration: &&mut Iteration| iteration.number == *number;
                if let Some(iteration) = self.iterations.iter_mut().rev().find(checked) {
                    iteration.check = Some(*exit_code);
                }
            }
            Event::Phase { verdict, .. } => self.phases.push(verdict.clone()),
            Event::Quarantined { path, to } => self.quarantined.push(SetAside {
                path: path.clone(),
                to: to.clone(),
            }),
            Event::OutputDropped { bytes } => self.output_dropped = *bytes,
            Event::Accepted { checkpoint, .. } => {
                self.accepted = Some(*checkpoint);
                self.rolled_back = false;
            }
            Event::RolledBack { .. } => {
                self.accepted = None;
                self.rolled_back = true;
            }
            Event::Warning { text } => self.warnings.push(text.clone()),
            Event::Verdict { verdict } => self.verdict = Some(verdict.clone()),
            _ => {}
        }
    }
}
