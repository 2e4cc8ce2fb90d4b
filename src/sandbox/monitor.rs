//! The container's monitor, conmon: it ends when the service's own process has cleaned up behind the container. That may come
//! late where a life was cut short, since the service has cleaned up already: in the next life it would take that for the last.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::enforcement::ContainerProcess;
use super::proc_files::KernelFiles;

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

    /// Waits until it has ended, or for so long.
    pub(super) async fn ended(self, patience: Duration) {
        let waited = tokio::task::spawn_blocking(move || {
            let timeout = Timespec::try_from(patience).ok();
            let mut end = [PollFd::new(&self.0, PollFlags::IN)];
            // Readable at its end (pidfd_open(2)). Whatever else: the service is asked next.
            while let Err(Errno::INTR) = poll(&mut end, timeout.as_ref()) {}
        });
        let _ = waited.await;
    }
}
