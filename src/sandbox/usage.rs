//! What one life of a container uses, as the kernel counts it in the files of its cgroup (cgroup v2).
//! They go with its last process: what is not read before is not known.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::enforcement::{ContainerProcess, own_cgroups};
use super::forks::ForkWatch;
use super::lifecycle::Sandbox;
use super::monitor::Monitor;
use super::oom::OomWatch;
use super::proc_files::{KernelFiles, read};

/// How often it is read while something happens.
const EVERY: Duration = Duration::from_secs(5);

/// What was used at most. What the kernel does not count is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Memory, in bytes, page cache included (`memory.peak`, Linux 5.19).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Time of processors, in microseconds (`cpu.stat`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// Processes at once (`pids.peak`, Linux 6.10; else those that there were when it was looked at).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
}

impl Usage {
    /// Nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// The more of both.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            cpu: self.cpu.max(other.cpu),
            pids: self.pids.max(other.pids),
        }
    }
}

/// A look at the kernel's files about one life, from when it was begun.
#[derive(Debug)]
pub struct LifeWatch {
    cgroups: Vec<PathBuf>,
    forks: Option<ForkWatch>,
    memory: OomWatch,
    usage: Usage,
    looked: Option<Instant>,
    monitor: Option<Monitor>,
}

impl Sandbox {
    /// Begins to watch its life. Where the kernel's files about it cannot be read, nothing is seen.
    pub async fn watch_life(&self, files: &KernelFiles) -> LifeWatch {
        let Ok(container) = self.inspect().await else {
            return LifeWatch::begin(Vec::new(), None);
        };
        let process = ContainerProcess {
            id: container.id.as_str(),
            pid: container.state.pid,
            conmon_pid: container.state.conmon_pid,
        };
        let monitor = Monitor::find(&process, files);
        LifeWatch::begin(own_cgroups(&process, files), monitor)
    }
}

impl LifeWatch {
    fn begin(cgroups: Vec<PathBuf>, monitor: Option<Monitor>) -> Self {
        Self {
            forks: ForkWatch::begin(&cgroups),
            memory: OomWatch::begin(&cgroups),
            cgroups,
            usage: Usage::default(),
            looked: None,
            monitor,
        }
    }

    /// Its monitor, if that can be seen: whoever takes it waits for it.
    pub fn take_monitor(&mut self) -> Option<Monitor> {
        self.monitor.take()
    }

    /// Reads what was used so far, if that is worth while again.
    pub fn look_at_times(&mut self) {
        if self.looked.is_none_or(|at| at.elapsed() >= EVERY) {
            self.look();
        }
    }

    /// Reads what was used so far. The counts may sit at any of the cgroups.
    pub fn look(&mut self) {
        self.looked = Some(Instant::now());
        for cgroup in &self.cgroups {
            let text = |name: &str| {
                let bytes = read(&cgroup.join(name)).ok()?;
                String::from_utf8(bytes).ok()
            };
            let number = |name: &str| text(name)?.trim().parse().ok();
            let cpu = text("cpu.stat").and_then(|text| {
                let line = text
                    .lines()
                    .find_map(|line| line.strip_prefix("usage_usec "));
                line?.trim().parse().ok()
            });
            self.usage = self.usage.or_more(Usage {
                memory: number("memory.peak"),
                cpu,
                pids: number("pids.peak").or_else(|| number("pids.current")),
            });
        }
    }

    /// What was used, as far as it was looked at.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether anything in it was killed for want of memory until now. It is not watched any more.
    pub fn had_an_oom_kill(self) -> bool {
        self.memory.end()
    }

    /// Whether anything in it was refused a process so far.
    pub fn forks_were_refused(&self) -> bool {
        self.forks.as_ref().is_some_and(ForkWatch::were_refused)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_most_is_kept_also_when_the_files_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let mut watch =
            LifeWatch::begin(vec![dir.path().join("none"), dir.path().to_owned()], None);
        watch.look();
        assert!(watch.usage().is_unknown());
        write("memory.peak", "4096\n");
        write("cpu.stat", "usage_usec 7\nuser_usec 5\n");
        write("pids.current", "3\n");
        // Too early to be worth while.
        watch.look_at_times();
        assert!(watch.usage().is_unknown());
        watch.look();
        write("pids.current", "1\n");
        write("memory.peak", "8192\n");
        watch.look();
        for name in ["memory.peak", "cpu.stat", "pids.current"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        watch.look();
        let most = Usage {
            memory: Some(8192),
            cpu: Some(7),
            pids: Some(3),
        };
        assert_eq!(watch.usage(), most);
        write("pids.peak", "9\n");
        watch.look();
        assert_eq!(watch.usage().pids, Some(9));
    }
}
