//! Told when something in a run's directory changes, so that nobody has to look again and again.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::Notify;

use super::error::{Error, Result};
use super::store::Run;

/// A watch on a run's directory: a thread that sleeps until the kernel has something to tell.
#[derive(Debug)]
pub struct Follow {
    changes: Arc<Notify>,
    /// Its end ends the thread.
    _leash: OwnedFd,
}

impl Follow {
    /// Begins to watch: a change from now on is told, also one before the first call.
    ///
    /// # Errors
    /// The directory is gone, or there are too many watches.
    pub fn new(run: &Run) -> Result<Self> {
        let path = run.directory();
        let watch = || -> std::io::Result<Self> {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let flags = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DELETE_SELF;
            inotify::add_watch(&fd, path, flags)?;
            let (end, leash) = pipe_with(PipeFlags::CLOEXEC)?;
            let changes = Arc::new(Notify::new());
            let told = changes.clone();
            thread::Builder::new()
                .name("follow".to_owned())
                .spawn(move || tell(&fd, &end, &told))?;
            Ok(Self {
                changes,
                _leash: leash,
            })
        };
        watch().map_err(|e| Error::file("watch", path, e))
    }

    /// Waits for a change. Many changes may be told as one; dropping the future loses none.
    pub async fn changed(&mut self) {
        self.changes.notified().await;
    }
}

/// Tells of changes until nobody wants to know.
fn tell(fd: &OwnedFd, end: &OwnedFd, changes: &Notify) {
    loop {
        let mut set = [
            PollFd::new(fd, PollFlags::IN),
            PollFd::new(end, PollFlags::IN),
        ];
        match poll(&mut set, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let [_, end] = set;
        if !end.revents().is_empty() {
            return;
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(fd, &mut buffer);
        // What they are is seen in the directory itself.
        loop {
            match events.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return,
            }
        }
        changes.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::store::tests::run_in;

    #[tokio::test]
    async fn a_change_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let run = run_in(dir.path());
        let mut follow = Follow::new(&run).unwrap();
        std::fs::write(run.output_path(), "x").unwrap();
        follow.changed().await;
        // It may have been told in two parts: made, and written.
        let short = std::time::Duration::from_millis(50);
        while tokio::time::timeout(short, follow.changed()).await.is_ok() {}
        std::fs::write(run.output_path(), "xy").unwrap();
        follow.changed().await;
    }
}
