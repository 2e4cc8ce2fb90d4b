//! Whether the machine has slept: one of the kernel's clocks goes on meanwhile, the other does not.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Clocks that are read one after the other differ by less.
const NOISE: Duration = Duration::from_secs(1);

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    awake: Duration,
    all: Duration,
}

impl Moment {
    /// This one.
    pub(super) fn now() -> Self {
        Self {
            awake: read(ClockId::Monotonic),
            all: read(ClockId::Boottime),
        }
    }

    /// How long the machine has slept since; `None` if it has not.
    pub(super) fn slept_since(self) -> Option<Duration> {
        self.slept_until(Self::now())
    }

    fn slept_until(self, now: Self) -> Option<Duration> {
        let all = now.all.saturating_sub(self.all);
        let slept = all.saturating_sub(now.awake.saturating_sub(self.awake));
        (slept >= NOISE).then_some(slept)
    }
}

/// How long this machine was awake since it was booted.
pub(super) fn awake() -> Duration {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    let seconds = u64::try_from(tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_what_only_one_clock_has_counted() {
        let at = |awake, all| Moment {
            awake: Duration::from_secs(awake),
            all: Duration::from_secs(all),
        };
        assert_eq!(at(10, 10).slept_until(at(20, 20)), None);
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(at(10, 10).slept_until(at(20, 3620)), hour);
        assert_eq!(Moment::now().slept_since(), None);
    }
}
