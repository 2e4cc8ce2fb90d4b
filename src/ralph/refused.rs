//! Iterations that came to nothing, or again and again to no end, since the agent could not ask its model: what is made of them. Pure.

use std::time::Duration;

use super::agent::Voice;
use super::past::Step;
use super::trouble::Refusal;
use super::verdict::Verdict;

/// How long a model's API is first given, and at most.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// So many iterations in a row that did something, and failed with the same words: the words are the agent's own.
const BELIEVED: u32 = 5;

/// Such iterations, in a row.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// What is still to be made of the last one.
    now: Option<Refusal>,
    times: u32,
    /// What the last one was refused, if it did something all the same, and failed.
    at_work: Option<Refusal>,
    /// What those after the first, and the waiting between them, took.
    took: Duration,
    /// The API is given time until then.
    until: Option<String>,
}

impl Refused {
    /// An iteration has ended, whatever it came to. The first of a row may have worked for hours before its API had trouble.
    pub(super) fn ended(&mut self, took: Duration) {
        if self.times > 0 {
            self.took += took;
        }
    }

    /// It came to nothing.
    pub(super) fn again(&mut self, refusal: Refusal) {
        self.now = Some(refusal);
        self.times += 1;
    }

    /// It did something, and failed; whether its words are believed. An agent may work on such words: they are when the
    /// same come again. That there was no patience for its API is not said of one that gets on.
    pub(super) fn at_work(&mut self, refusal: &Refusal) -> bool {
        self.took = Duration::ZERO;
        let is_again = self
            .at_work
            .as_ref()
            .is_some_and(|last| last.is_like(refusal));
        match is_again {
            true => self.again(refusal.clone()),
            false => self.times = 0,
        }
        self.at_work = Some(refusal.clone());
        is_again
    }

    /// The last one did nothing.
    pub(super) fn forget_work(&mut self) {
        self.at_work = None;
    }

    /// The last one counts as any other.
    pub(super) fn counts(&self) -> bool {
        self.at_work.is_some()
    }

    /// The API is given time.
    pub(super) fn waits(&mut self, until: &str, time: Duration) {
        self.took += time;
        self.until = Some(until.to_owned());
    }

    /// It was given it.
    pub(super) fn waited(&mut self) {
        (self.now, self.until) = (None, None);
    }

    /// Whether words of the last one are the agent's own, not of what it works on.
    fn is_believed(&self, voice: &Voice) -> bool {
        !self.counts() || voice.tells_apart() || self.times + 1 >= BELIEVED
    }

    /// What comes next; `left` is of the task's time. One that did something ends the run only if its words are its own.
    pub(super) fn next(
        &self,
        patience: Duration,
        left: Option<Duration>,
        voice: &Voice,
    ) -> Option<Step> {
        let refusal = self.now.clone()?;
        if refusal.trouble.stays() && self.is_believed(voice) {
            return Some(Step::End(Verdict::ApiRefused { refusal }));
        }
        if let Some(until) = &self.until {
            return Some(Step::Wait(until.clone()));
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Some(Step::End(Verdict::Time));
        }
        let patience = patience.saturating_sub(self.took);
        if patience.is_zero() {
            return Some(Step::End(Verdict::RateLimited { refusal }));
        }
        let doubled = 1 << self.times.saturating_sub(1).min(16);
        Some(Step::BackOff {
            why: refusal.trouble,
            time: LONGEST.min(FIRST * doubled),
            most: left.map_or(patience, |left| left.min(patience)),
        })
    }
}
