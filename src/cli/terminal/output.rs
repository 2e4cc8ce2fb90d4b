//! Standard output and error, written by a thread of their own, so that a reader that stalls stalls
//! neither signals nor input.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::thread;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{mpsc, oneshot};

use crate::libpod::stream::{Channel, Chunk};

/// Chunks on their way to the terminal at most; each has 64 KiB or less.
const DEPTH: usize = 16;

/// The streams we write to, in the order in which chunks came.
#[derive(Debug)]
pub struct Output {
    chunks: mpsc::Sender<(Channel, Bytes)>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Starts the writer.
    pub fn start() -> io::Result<Self> {
        let (chunks, mut queue) = mpsc::channel::<(Channel, Bytes)>(DEPTH);
        let (finished, ended) = oneshot::channel();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let mut result = Ok(());
                while let Some((channel, bytes)) = queue.blocking_recv() {
                    result = write(channel, &bytes);
                    if result.is_err() {
                        break;
                    }
                }
                // Whoever asked may be gone.
                let _ = finished.send(result);
            })?;
        Ok(Self { chunks, ended })
    }

    /// Hands a chunk to the writer, waiting while it is behind.
    ///
    /// # Errors
    /// The writer has ended: the reader of our output is gone.
    pub async fn write(&self, chunk: Chunk) -> Result<(), Gone> {
        self.chunks
            .send((chunk.channel, chunk.bytes))
            .await
            .map_err(|_| Gone)
    }

    /// Waits until everything is written.
    pub async fn finish(self) -> io::Result<()> {
        drop(self.chunks);
        self.ended.await.unwrap_or(Ok(()))
    }
}

/// Nobody reads our output any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

fn write(channel: Channel, bytes: &[u8]) -> io::Result<()> {
    match channel {
        Channel::Stdout => write_all(io::stdout().as_fd(), bytes),
        Channel::Stderr | Channel::ServiceError => write_all(io::stderr().as_fd(), bytes),
    }
}

/// Writes without the standard library's line buffer, which would split every chunk in two.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            // Somebody made the descriptor non-blocking: wait as a blocking one would.
            Err(rustix::io::Errno::AGAIN) => {
                let mut set = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
                poll(&mut set, None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
