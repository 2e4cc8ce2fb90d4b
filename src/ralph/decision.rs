//! What the person has made of a run that has ended.

use super::event::Event;

/// Whether they took it, or went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decision {
    /// Neither: there is work, and what was before it, that nobody has looked after.
    #[default]
    Open,
    /// All of it was accepted.
    Accepted,
    /// The whole workspace is what it was before the run; that of the person, where the agent had a copy.
    RolledBack,
}

impl Decision {
    /// From a run's journal. What was done to some paths, or before the end, decides nothing.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut decision = Self::Open;
        for event in events {
            match event {
                Event::Verdict { .. } => decision = Self::Open,
                Event::Accepted { paths, .. } if is_all(paths) => decision = Self::Accepted,
                Event::RolledBack {
                    to, failed, paths, ..
                } if is_all(paths) => {
                    decision = match (to, failed) {
                        (0, 0) => Self::RolledBack,
                        _ => Self::Open,
                    }
                }
                _ => {}
            }
        }
        decision
    }
}

/// The workspace itself has an empty name in it.
fn is_all(paths: &[String]) -> bool {
    paths.is_empty() || paths.iter().any(String::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::Verdict;

    fn back(to: u32, failed: u64, paths: &[&str]) -> Event {
        Event::RolledBack {
            to,
            from: 9,
            restored: 1,
            removed: 0,
            failed,
            original: false,
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }
    }

    fn accepted(paths: &[&str]) -> Event {
        Event::Accepted {
            checkpoint: 1,
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
            commit: None,
        }
    }

    #[test]
    fn all_of_it_and_after_the_end_decides() {
        let of = |events: Vec<Event>| Decision::of(&events);
        let end = || Event::Verdict {
            verdict: Verdict::Stopped,
        };
        assert_eq!(of(vec![end()]), Decision::Open);
        assert_eq!(of(vec![end(), accepted(&[])]), Decision::Accepted);
        assert_eq!(of(vec![end(), back(0, 0, &[])]), Decision::RolledBack);
        assert_eq!(of(vec![end(), accepted(&["", "a"])]), Decision::Accepted);
        // Between two iterations it was a step of the work.
        assert_eq!(of(vec![back(0, 0, &[]), end()]), Decision::Open);
        for open in [
            accepted(&["a"]),
            back(0, 0, &["a"]),
            back(2, 0, &[]),
            back(0, 1, &[]),
        ] {
            assert_eq!(of(vec![end(), open]), Decision::Open);
        }
        // What was decided is, whatever becomes of single files; forward again is another matter.
        let taken = |then| of(vec![end(), accepted(&[]), then]);
        assert_eq!(taken(back(0, 0, &["a"])), Decision::Accepted);
        assert_eq!(taken(back(2, 0, &[])), Decision::Open);
        assert_eq!(taken(back(0, 0, &[])), Decision::RolledBack);
    }
}
