//! Exit codes, in one place.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: Podman cannot be reached, for verbs that pass no code of a container on.
    Unreachable,
    /// The container's own code, passed on.
    Container(u8),
    /// 9: the agent claims completion, and the task has no check.
    Unchecked,
    /// 10: the agent claims completion, and the check failed.
    CheckFailed,
    /// 11: the iterations are used up.
    Iterations,
    /// 12: the time is used up.
    Time,
    /// 14: no progress.
    NoProgress,
    /// 15: the model's API refuses the agent.
    ApiRefused,
    /// 16: the model's API could not be used for too long.
    RateLimited,
    /// 17: the agent says that it cannot go on.
    Blocked,
    /// 20: the agent ran out of memory.
    OutOfMemory,
    /// 21: the agent ran into its limit of processes.
    Pids,
    /// 22: a disk is nearly full.
    Disk,
    /// 23: somebody stopped the run.
    Stopped,
    /// 30: a run could not begin.
    Preflight,
    /// 125: `run`, `exec` or `attach` failed, not the container.
    NotRun,
    /// 126: the container's command cannot be invoked.
    NotInvoked,
    /// 127: the container's command was not found.
    NotFound,
    /// 128 + n: ended by signal n.
    Signal(u8),
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Container(code) => code,
            Self::Unchecked => 9,
            Self::CheckFailed => 10,
            Self::Iterations => 11,
            Self::Time => 12,
            Self::NoProgress => 14,
            Self::ApiRefused => 15,
            Self::RateLimited => 16,
            Self::Blocked => 17,
            Self::OutOfMemory => 20,
            Self::Pids => 21,
            Self::Disk => 22,
            Self::Stopped => 23,
            Self::Preflight => 30,
            Self::NotRun => 125,
            Self::NotInvoked => 126,
            Self::NotFound => 127,
            Self::Signal(number) => 128u8.saturating_add(number),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
