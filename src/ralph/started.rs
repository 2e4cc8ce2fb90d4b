//! A life that another process began: whether it did begin, and how long it was.

use std::time::Duration;

use super::asleep::awake;
use crate::libpod::{State, Status};
use crate::sandbox::Sandbox;

/// How long a process may talk before the service has noted its start.
const BEFORE: Duration = Duration::from_secs(1);

/// An iteration whose end nobody has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) number: u32,
    /// Bytes of output before it.
    pub(super) output: u64,
    /// When it was about to begin (RFC 3339).
    pub(super) at: String,
    /// In which of the machine's boots.
    pub(super) boot: Option<String>,
    /// How long the machine was awake in it before.
    pub(super) awake: Option<Duration>,
}

impl Open {
    /// How long the machine was awake when it was about to begin, if that was in this boot.
    fn awake_here(&self) -> Option<Duration> {
        let is_here = self.boot.is_some() && self.boot == this_boot();
        self.awake.filter(|_| is_here)
    }
}

/// When a life began that we did not begin.
#[derive(Debug, Clone)]
pub(super) struct Started {
    noted: jiff::Timestamp,
    at: jiff::Timestamp,
    /// The service does not know of its end either.
    is_lost: bool,
    /// How long the machine was awake before it.
    awake: Option<Duration>,
}

/// What an end that nobody has seen can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The agent's own.
    Own,
    /// That of the machine: it was booted since. The service may have an exit code of that time, which says nothing.
    Machines,
}

impl End {
    /// Of a life that began in one boot of the machine and is asked for in another one, by their identifiers.
    pub(super) fn of(begun: Option<&str>, now: Option<&str>) -> Self {
        match (begun, now) {
            (Some(begun), Some(now)) if begun != now => Self::Machines,
            _ => Self::Own,
        }
    }
}

/// The identifier of this boot of the machine.
pub fn this_boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// When the container's last life began, if it is none that had ended before the moment that we noted.
/// The clock may have been set back since: where it is known when the life `before` began, that
/// decides.
pub(super) fn started_after(
    state: &State,
    noted: &str,
    before: Option<&str>,
    end: End,
) -> Option<Started> {
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let noted = moment(noted)?;
    // One that never began is of the year 1.
    let at = moment(&state.started_at).filter(|at| at.as_second() > 0)?;
    let is_new = match before.and_then(moment) {
        Some(before) => at != before,
        None => at >= noted || state.status.is_live(),
    };
    let began = is_new && state.status != Status::Initialized;
    // The service notes a start when it is told of it: a short life may be over by then.
    let is_others = |end: jiff::Timestamp| end < at && end < noted;
    began.then(|| Started {
        noted,
        at,
        // What it says of an end is that of another life.
        is_lost: !state.status.is_live()
            && (end == End::Machines || moment(&state.finished_at).is_none_or(is_others)),
        awake: None,
    })
}

impl Started {
    /// The same, of an iteration of which it is known how long the machine was awake before.
    pub(super) fn of(self, open: &Open) -> Self {
        let awake = open.awake_here();
        Self { awake, ..self }
    }

    /// So long by the clock, less what the machine is known to have slept.
    fn waking(&self, time: Duration) -> Duration {
        let most = self.awake.map(|before| awake().saturating_sub(before));
        most.map_or(time, |most| time.min(most))
    }

    /// How long ago; where the end was not seen, until the agent was last `heard`.
    pub(super) fn elapsed(&self, heard: Option<jiff::Timestamp>) -> Duration {
        let end = match (self.is_lost, heard) {
            (true, Some(heard)) => heard,
            _ => jiff::Timestamp::now(),
        };
        self.waking(end.duration_since(self.at).try_into().unwrap_or_default())
    }

    /// How long that life was, as the service has it.
    pub(super) async fn until_end(
        &self,
        sandbox: &Sandbox,
        heard: Option<jiff::Timestamp>,
    ) -> Duration {
        if self.is_lost {
            return self.elapsed(heard);
        }
        let ended = sandbox.inspect().await.ok();
        let ended = ended.and_then(|c| c.state.finished_at.parse::<jiff::Timestamp>().ok());
        // A short life may be over before its start is noted; another's end is none of it.
        let ended = ended.filter(|end| *end >= self.at || *end >= self.noted);
        let took = ended.map(|end| end.duration_since(self.at).try_into().unwrap_or_default());
        took.map_or_else(|| self.elapsed(heard), |took| self.waking(took))
    }

    /// Whether the machine went down in it.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Before anything was said in it, by the clock as it was then.
    pub(super) fn since(&self) -> jiff::Timestamp {
        match self.at < self.noted {
            true => self.at.checked_sub(BEFORE).unwrap_or(self.at),
            false => self.noted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "0001-01-01T00:00:00Z";
    const NOTED: &str = "2026-11-24T10:00:00Z";
    const FIRST: &str = "2026-11-24T09:50:00.5Z";

    fn state(status: &str, started: &str, finished: &str) -> State {
        let state = serde_json::json!({
            "Status": status, "StartedAt": started, "FinishedAt": finished
        });
        serde_json::from_value(state).unwrap()
    }

    fn begun(status: &str, started: &str, finished: &str, before: Option<&str>) -> Option<Started> {
        started_after(&state(status, started, finished), NOTED, before, End::Own)
    }

    #[test]
    fn a_life_is_new_if_it_is_not_the_last_that_is_known() {
        let after = "2026-11-24T10:00:00.2Z";
        let finished = "2026-11-24T09:55:00Z";
        assert!(begun("initialized", NEVER, NEVER, None).is_none());
        assert!(begun("created", NEVER, NEVER, None).is_none());
        assert!(begun("running", after, NEVER, None).is_some());
        assert!(begun("running", after, finished, Some(FIRST)).is_some());
        // Prepared for the next one, or ended as it was.
        assert!(begun("initialized", FIRST, finished, Some(FIRST)).is_none());
        assert!(begun("exited", FIRST, finished, Some(FIRST)).is_none());
        // The same moment in another zone, as after a journey.
        let elsewhere = "2026-11-24T10:50:00.5+01:00";
        assert!(begun("exited", elsewhere, finished, Some(FIRST)).is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_life() {
        let back = "2026-11-24T08:00:00Z";
        let end = "2026-11-24T08:01:00Z";
        for before in [None, Some("")] {
            assert!(begun("running", back, NEVER, before).is_some());
        }
        let started = begun("exited", back, end, Some(FIRST)).unwrap();
        assert!(!started.is_lost());
        assert_eq!(started.since().to_string(), "2026-11-24T07:59:59Z");
        let usual = begun(
            "exited",
            "2026-11-24T10:00:01Z",
            "2026-11-24T10:00:02Z",
            None,
        );
        assert_eq!(usual.unwrap().since().to_string(), NOTED);
    }

    #[test]
    fn an_end_before_the_machine_was_booted_is_the_machines() {
        assert_eq!(End::of(Some("a"), Some("b")), End::Machines);
        for (begun, now) in [(Some("a"), Some("a")), (None, Some("a")), (Some("a"), None)] {
            assert_eq!(End::of(begun, now), End::Own);
        }
        let (started, finished) = ("2026-11-24T10:00:01Z", "2026-11-24T10:00:05Z");
        let after = |status| {
            let state = state(status, started, finished);
            started_after(&state, NOTED, Some(FIRST), End::Machines).unwrap()
        };
        assert!(after("exited").is_lost());
        assert!(!after("running").is_lost());
        assert_eq!(this_boot(), this_boot());
        assert!(this_boot().is_some_and(|boot| boot.len() == 36));
    }

    #[test]
    fn an_end_that_is_another_lifes_is_none() {
        let started = "2026-11-24T10:00:01Z";
        let heard = "2026-11-24T10:00:31Z".parse().ok();
        for finished in [NEVER, "2026-11-24T09:55:00Z"] {
            let lost = begun("exited", started, finished, Some(FIRST)).unwrap();
            assert!(lost.is_lost());
            assert_eq!(lost.elapsed(heard), Duration::from_secs(30));
            // Nothing was said in it.
            assert_eq!(lost.elapsed(FIRST.parse().ok()), Duration::ZERO);
        }
        for (status, finished) in [("running", NEVER), ("exited", "2026-11-24T10:00:05Z")] {
            assert!(
                !begun(status, started, finished, Some(FIRST))
                    .unwrap()
                    .is_lost()
            );
        }
    }

    #[test]
    fn a_life_may_be_over_before_the_service_notes_its_start() {
        let (started, finished) = ("2026-11-24T10:00:01.5Z", "2026-11-24T10:00:01.2Z");
        let short = begun("exited", started, finished, Some(FIRST)).unwrap();
        assert!(!short.is_lost());
    }

    #[test]
    fn a_life_is_no_longer_than_the_machine_was_awake() {
        let started = begun("running", "2020-01-01T00:00:00Z", NEVER, None).unwrap();
        let years = started.elapsed(None);
        assert!(years > Duration::from_secs(1 << 27));
        let open = |boot: Option<String>, awake| Open {
            number: 1,
            output: 0,
            at: NOTED.to_owned(),
            boot,
            awake,
        };
        let now = awake();
        let known = started.clone().of(&open(this_boot(), Some(now)));
        assert!(known.elapsed(None) < Duration::from_secs(60));
        // Another boot's hours say nothing of this one's.
        for (boot, awake) in [
            (None, Some(now)),
            (Some("x".into()), Some(now)),
            (this_boot(), None),
        ] {
            let unknown = started.clone().of(&open(boot, awake));
            assert!(unknown.elapsed(None) >= years);
        }
    }
}
