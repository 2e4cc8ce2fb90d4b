//! Standard output and error, written by a thread of their own, so that a reader that stalls stalls
//! neither signals nor input.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::thread;

use bytes::{Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{mpsc, oneshot};

use super::filter::{Filter, Policy};
use super::quoted::Quoted;
use crate::libpod::stream::{Channel, Chunk};

/// Chunks on their way to the terminal at most; each has 64 KiB or less, mostly 8.
const DEPTH: usize = 32;
/// So much is written at once, in bytes.
const BATCH: usize = 128 << 10;

/// The streams we write to, in the order in which chunks came.
#[derive(Debug)]
pub(crate) struct Output {
    items: mpsc::Sender<Item>,
    ended: oneshot::Receiver<io::Result<Asked>>,
}

/// What the writer gets.
#[derive(Debug)]
enum Item {
    Chunk(Channel, Bytes),
    /// Told when everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// Whether the terminal was asked something that it answers as if it were typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was, or it is not known.
    Perhaps,
    /// It was not.
    Never,
}

impl Output {
    /// Starts the writer. What goes to a terminal passes a filter of this policy, if there is one;
    /// pipes and files get every byte as it is.
    pub(crate) fn start(policy: Option<Policy>) -> io::Result<Self> {
        let (items, mut queue) = mpsc::channel::<Item>(DEPTH);
        let (finished, ended) = oneshot::channel();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let mut writer = Writer::new(policy);
                let mut result = Ok(());
                let mut next = queue.blocking_recv();
                while let Some(item) = next.take() {
                    let (channel, bytes) = match item {
                        Item::Chunk(channel, bytes) => (channel, bytes),
                        Item::Mark(written) => {
                            result = writer.flush();
                            // Whoever wanted to know may be gone.
                            let _ = written.send(());
                            next = queue.blocking_recv();
                            continue;
                        }
                    };
                    // What has come meanwhile is written with it: frames are small.
                    let mut bytes = BytesMut::from(bytes);
                    while next.is_none() && bytes.len() < BATCH {
                        match queue.try_recv() {
                            Ok(Item::Chunk(same, more)) if same == channel => {
                                bytes.extend_from_slice(&more);
                            }
                            Ok(other) => next = Some(other),
                            Err(_) => break,
                        }
                    }
                    result = writer.write(channel, &bytes);
                    if result.is_err() {
                        break;
                    }
                    next = next.or_else(|| queue.blocking_recv());
                }
                let result = result.and_then(|()| writer.reset());
                // Whoever asked may be gone.
                let _ = finished.send(result);
            })?;
        Ok(Self { items, ended })
    }

    /// Hands a chunk to the writer, waiting while it is behind.
    ///
    /// # Errors
    /// The writer has ended: the reader of our output is gone.
    pub(crate) async fn write(&self, chunk: Chunk) -> Result<(), Gone> {
        self.items
            .send(Item::Chunk(chunk.channel, chunk.bytes))
            .await
            .map_err(|_| Gone)
    }

    /// Waits until what was handed over is written: what is said elsewhere comes after it.
    pub(crate) async fn written(&self) {
        let (written, told) = oneshot::channel();
        if self.items.send(Item::Mark(written)).await.is_ok() {
            // An error is that the writer has ended.
            let _ = told.await;
        }
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(self) -> io::Result<Asked> {
        drop(self.items);
        self.ended.await.unwrap_or(Ok(Asked::Perhaps))
    }
}

/// Nobody reads our output any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Both streams, each with a filter if it is a terminal.
struct Writer {
    stdout: Option<Filter>,
    /// Of what has passed there, where others' words stand beside ours.
    quoted: Option<Quoted>,
    stderr: Option<Filter>,
}

impl Writer {
    fn new(policy: Option<Policy>) -> Self {
        let filter = |is_terminal: bool| policy.filter(|_| is_terminal).map(Filter::new);
        Self {
            stdout: filter(io::stdout().is_terminal()),
            stderr: filter(io::stderr().is_terminal()),
            quoted: (policy == Some(Policy::Quoted)).then(Quoted::default),
        }
    }

    fn write(&mut self, channel: Channel, bytes: &[u8]) -> io::Result<()> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (filter, fd) = match channel {
            Channel::Stdout => (&mut self.stdout, stdout.as_fd()),
            Channel::Stderr | Channel::ServiceError => (&mut self.stderr, stderr.as_fd()),
        };
        match filter {
            Some(filter) => {
                let passed = filter.feed(bytes);
                match &mut self.quoted {
                    Some(quoted) => write_all(fd, &quoted.feed(&passed)),
                    None => write_all(fd, &passed),
                }
            }
            None => write_all(fd, bytes),
        }
    }

    /// Writes what was held back: something else follows.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.quoted {
            Some(quoted) => write_all(io::stdout().as_fd(), &quoted.finish()),
            None => Ok(()),
        }
    }

    /// Puts the terminal back as it was before the stream.
    fn reset(&mut self) -> io::Result<Asked> {
        self.flush()?;
        let Some(filter) = &self.stdout else {
            return Ok(Asked::Perhaps);
        };
        write_all(io::stdout().as_fd(), &filter.reset())?;
        Ok(if filter.has_asked() {
            Asked::Perhaps
        } else {
            Asked::Never
        })
    }
}

/// Writes without the standard library's line buffer, which would split every chunk in two.
pub(super) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
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
