//! Whose a `.git` is that is not the one of the beginning, from the journals of a run and of those after it: a run that was
//! cut off, or that could not move away what its agent had made, leaves one that is not to be trusted.

use std::path::Path;

use super::event::{Entry, Event};
use super::journal::Reader;
use super::record::Record;
use super::repository::GitAccess;
use super::store::Run;

/// Whose it is, where the agent's own does not stay (all but `--git rw`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomer {
    /// The agent may have made it.
    Agents,
    /// What its agent had made was moved away before the run ended: whatever is there has come since.
    Persons,
}

impl Newcomer {
    /// As a journal tells. A checkpoint with nothing of the agent alive is taken only of a workspace that was cleared;
    /// what may bring back something of the agent's, or go on with it, has to be followed by another one.
    fn of(entries: &[Entry]) -> Self {
        let mut now = Self::Agents;
        for entry in entries {
            match &entry.event {
                Event::Checkpoint { during: None, .. } => now = Self::Persons,
                Event::Begun { .. }
                | Event::Resumed { .. }
                | Event::Iteration { .. }
                | Event::Ended { .. }
                | Event::RolledBack { .. } => now = Self::Agents,
                // What has happened since is the person's doing.
                Event::Verdict { .. } => return now,
                _ => {}
            }
        }
        Self::Agents
    }

    /// The same of a run, its journal read: one that cannot be read tells nothing, nor does one after which another agent
    /// may have left one there. Blocks.
    pub fn of_run(run: &Run, workspace: &Path) -> Self {
        match run.later() {
            Ok(later) if later.iter().all(|later| later.leaves_none(workspace)) => Self::read(run),
            _ => Self::Agents,
        }
    }

    fn read(run: &Run) -> Self {
        let read = Reader::open(&run.journal_path());
        read.map_or(Self::Agents, |(_, entries)| Self::of(&entries))
    }
}

impl Run {
    /// Whether its agent cannot have left a `.git` at the top of this directory.
    fn leaves_none(&self, workspace: &Path) -> bool {
        let Ok(Record {
            workspace: theirs,
            repository,
            ..
        }) = self.record()
        else {
            return false;
        };
        let reaches = workspace.starts_with(&theirs.path);
        let could_not = repository.is_some_and(|repository| repository.access != GitAccess::Rw);
        !reaches
            || could_not && theirs.path == workspace && Newcomer::read(self) == Newcomer::Persons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::event::During;
    use crate::ralph::journal::Journal;
    use crate::ralph::repository::Repository;
    use crate::ralph::store::tests::run_in;
    use crate::ralph::store::{RunId, Runs};
    use crate::ralph::verdict::Verdict;

    fn kept(during: Option<During>) -> Event {
        Event::Checkpoint {
            number: 1,
            files: 0,
            bytes: 0,
            changed: 0,
            difference: None,
            left_out: 0,
            too_much: 0,
            took: 0,
            during,
        }
    }

    fn of(events: &[Event]) -> Newcomer {
        let entry = |event: &Event| Entry {
            line: 0,
            at: String::new(),
            before: String::new(),
            event: event.clone(),
        };
        Newcomer::of(&events.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn what_another_agent_may_have_left_since_is_not_the_persons() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::open(dir.path()).unwrap();
        let mut record = run_in(&dir.path().join("other")).record().unwrap();
        let workspace = record.workspace.path.clone();
        let mut begin = |second: i64, access, events: &[Event]| {
            record.repository = Some(Repository {
                access,
                git: None,
                configured: false,
                bare: false,
                modules: Vec::new(),
            });
            let now = jiff::Timestamp::from_second(1_790_000_000 + second).unwrap();
            let run = runs
                .begin(&RunId::new(now, [1, 2, 3]), &record, &[String::new()])
                .unwrap();
            let mut journal = Journal::open(&run.journal_path()).unwrap().0;
            for event in events {
                let _ = journal.append(event.clone()).unwrap();
            }
            run
        };
        let verdict = Event::Verdict {
            verdict: Verdict::Stopped,
        };
        let whole = [kept(None), verdict];
        let first = begin(0, GitAccess::Shadow, &whole);
        let now = || Newcomer::of_run(&first, &workspace);
        assert_eq!(now(), Newcomer::Persons);
        let _ = begin(1, GitAccess::None, &whole);
        assert_eq!(now(), Newcomer::Persons);
        let _ = begin(2, GitAccess::Rw, &whole);
        assert_eq!(now(), Newcomer::Agents);
        // Elsewhere it is none of ours.
        let below = Newcomer::of_run(&first, Path::new("/elsewhere"));
        assert_eq!(below, Newcomer::Persons);
    }

    #[test]
    fn only_after_a_clean_end_it_is_the_persons() {
        let began = Event::Iteration {
            number: 1,
            output: 0,
            boot: None,
            awake: None,
        };
        let resumed = Event::Resumed {
            version: String::new(),
        };
        let back = |paths: &[&str]| Event::RolledBack {
            to: 0,
            from: 1,
            restored: 0,
            removed: 0,
            failed: 0,
            original: false,
            paths: paths.iter().map(|path| path.to_string()).collect(),
        };
        let verdict = Event::Verdict {
            verdict: Verdict::Stopped,
        };
        let text = "there is no checkpoint of what the agent did last".to_owned();
        let warning = Event::Warning { text };
        let cases: [(&[Event], Newcomer); 9] = [
            (&[], Newcomer::Agents),
            (
                &[kept(None), began.clone(), kept(None), verdict.clone()],
                Newcomer::Persons,
            ),
            // What the person does afterwards makes no difference.
            (
                &[
                    kept(None),
                    began.clone(),
                    kept(None),
                    verdict.clone(),
                    kept(None),
                    back(&[]),
                ],
                Newcomer::Persons,
            ),
            // Whoever had it in hand was killed before it had moved away what has come.
            (&[kept(None), began.clone()], Newcomer::Agents),
            (&[kept(None), began.clone(), kept(None)], Newcomer::Agents),
            // It could not be moved away.
            (
                &[
                    kept(None),
                    began.clone(),
                    warning.clone(),
                    verdict.clone(),
                    kept(None),
                ],
                Newcomer::Agents,
            ),
            (
                &[
                    kept(None),
                    began.clone(),
                    kept(Some(During::Frozen)),
                    verdict.clone(),
                ],
                Newcomer::Agents,
            ),
            // A way back keeps what is there as it is.
            (
                &[
                    began.clone(),
                    kept(None),
                    back(&["src"]),
                    resumed.clone(),
                    verdict.clone(),
                ],
                Newcomer::Agents,
            ),
            (
                &[
                    began,
                    kept(None),
                    back(&[]),
                    resumed,
                    kept(None),
                    verdict.clone(),
                ],
                Newcomer::Persons,
            ),
        ];
        for (events, whose) in cases {
            assert_eq!(of(events), whose, "{events:?}");
        }
    }
}
