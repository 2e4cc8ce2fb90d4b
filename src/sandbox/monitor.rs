//! The container's monitor, conmon: it ends when the service's own process has cleaned up behind the container. That may come
//! late where a life was cut short, since the service has cleaned up already: in the next life it would take that for the last.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::enforcement::ContainerProcess;
use super::proc_files::KernelFiles;

/// One that has not ended after so long stays.
const PATIENCE: Duration = Duration::from_secs(5);

/// The monitor of a container that is prepared or runs.
#[derive(Debug)]
pub struct Monitor(OwnedFd);

impl Monitor {
    /// `None` where the service's processes are not ours to see.
    pub(super) fn find(process: &ContainerProcess<'_>, files: &KernelFiles) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(process.conmon_pid).ok()?)?;
        let opened = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at after it was opened: by now the pid could be another's.
        process.is_visible(files).then_some(Self(opened))
    }

    /// Waits until it has ended, or for 5 s: it may have more to wait for than the container's end.
    pub async fn ended(self) {
        let waited = tokio::task::spawn_blocking(move || {
            let timeout = Timespec::try_from(PATIENCE).ok();
            let mut end = [PollFd::new(&self.0, PollFlags::IN)];
            // Readable at its end (pidfd_open(2)). Whatever else: the service is asked next.
            while let Err(Errno::INTR) = poll(&mut end, timeout.as_ref()) {}
        });
        let _ = waited.await;
    }
}
