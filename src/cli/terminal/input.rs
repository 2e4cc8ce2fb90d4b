//! Standard input, by a thread that never reads what nobody will take.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

/// How much is read at once, in bytes.
const READ: usize = 32 << 10;

/// How long the thread may take to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// Standard input. Dropping it ends the reading at once: a key typed afterwards is the shell's.
#[derive(Debug)]
pub(crate) struct Input {
    chunks: Option<mpsc::Receiver<Bytes>>,
    /// Closed to wake the thread.
    wake: Option<OwnedFd>,
    ended: std::sync::mpsc::Receiver<()>,
}

impl Input {
    /// Begins to read.
    pub(crate) fn start() -> io::Result<Self> {
        let (woken, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // One chunk at most is read ahead.
        let (sender, chunks) = mpsc::channel(1);
        let (finished, ended) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                // An input that fails is one that has ended.
                let _ = read(io::stdin().as_fd(), &woken, &sender);
                let _ = finished.send(());
            })?;
        Ok(Self {
            chunks: Some(chunks),
            wake: Some(wake),
            ended,
        })
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.chunks.as_mut()?.recv().await
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.wake = None;
        self.chunks = None;
        // It is awake unless somebody else read what it was about to read.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// Reads when there is something to read, until the end or until woken. The descriptor stays
/// blocking, since it is shared with whoever started us.
fn read(stdin: BorrowedFd<'_>, woken: &OwnedFd, to: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let mut set = [
            PollFd::from_borrowed_fd(stdin, PollFlags::IN),
            PollFd::new(woken, PollFlags::IN),
        ];
        match poll(&mut set, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [stdin_ready, wake_ready] = &set;
        if !wake_ready.revents().is_empty() {
            return Ok(());
        }
        if stdin_ready.revents().is_empty() {
            continue;
        }
        match rustix::io::read(stdin, &mut *buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
                if to.blocking_send(bytes).is_err() {
                    return Ok(());
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
