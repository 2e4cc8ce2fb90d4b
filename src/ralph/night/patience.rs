//! What an agent was refused, and the time that its model's API is given.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{Night, millis};
use crate::ralph::agent::Said;
use crate::ralph::error::Result;
use crate::ralph::event::Event;
use crate::ralph::life::{self, Stop};
use crate::ralph::trouble::{Refusal, Trouble, excerpt};

/// The longest that a model's API is given at once.
const LONGEST: Duration = Duration::from_secs(400);

impl Night {
    /// What may have kept the agent from its model.
    pub(super) fn refusal(&self, message: &str, failure: &str, exit_code: i32) -> Option<Refusal> {
        let [out, err] = self.transcript.ends();
        let said = Said {
            message,
            failure,
            out: &out,
            err: &err,
            exit_code,
        };
        self.record.voice.refusal(said)
    }

    /// The file that the agent's interpreter did not find: shells and Python end with 2 then, and with that one line. An agent
    /// that has said anything else has run.
    pub(super) fn missing(&self, exit_code: i32) -> Option<String> {
        let said = self.transcript.ends();
        let mut lines = said.iter().flat_map(|text| text.lines());
        let mut lines = lines.by_ref().filter(|line| !line.trim().is_empty());
        let (line, more) = (lines.next()?, lines.next());
        let opens = ["can't open", "cannot open"];
        let is_missing =
            line.contains("No such file") && opens.iter().any(|words| line.contains(words));
        (exit_code == 2 && more.is_none() && is_missing).then(|| excerpt(line))
    }

    /// Gives the API time: not all who were refused at once come again at once.
    pub(super) fn back_off(&mut self, why: Trouble, time: Duration, most: Duration) -> Result<()> {
        let line = format!("{} {}", self.run.id(), self.journal.next());
        let [dice, ..] = <[u8; 32]>::from(Sha256::digest(line));
        let time = time.mul_f64(0.75 + f64::from(dice) / 512.0).min(most);
        let span = jiff::SignedDuration::try_from(time).unwrap_or_default();
        self.note(Event::Waiting {
            until: (jiff::Timestamp::now() + span).to_string(),
            // What is used up is used up.
            time: millis(time) + 1,
            why,
        })
    }

    /// Waits until then, unless the person wants the run to end.
    pub(super) async fn wait(&mut self, until: &str, stop: &mut watch::Receiver<Stop>) {
        let left = until.parse::<jiff::Timestamp>().ok().and_then(|until| {
            let left = until.duration_since(jiff::Timestamp::now());
            Duration::try_from(left).ok()
        });
        // A clock that was set back holds nobody up.
        let left = left.unwrap_or_default().min(LONGEST);
        tokio::select! {
            () = tokio::time::sleep(left) => self.past.waited(),
            _ = life::asked(stop, Stop::No) => {}
        }
    }
}
