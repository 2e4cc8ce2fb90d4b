//! What an agent writes: kept as it comes, both channels in one, and heard for what it means.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use super::error::Result;
use super::message::{Listener, Message, Tail};
use super::segments::Segments;
use crate::libpod::stream::{Channel, Chunk};

/// How much of the end of each channel is kept at hand, in bytes.
const END: usize = 4 << 10;

/// The output of a run.
#[derive(Debug)]
pub(super) struct Transcript {
    kept: Segments,
    /// There was no room for all of it.
    is_full: bool,
    full: Arc<Notify>,
    listener: Listener,
    /// The ends of standard output and standard error.
    ends: [Tail; 2],
}

impl Transcript {
    /// Opens or begins it; of more than `most` bytes the end is kept.
    pub(super) fn open(path: &Path, most: u64, message: Message) -> Result<Self> {
        Ok(Self {
            kept: Segments::open(path, most)?,
            is_full: false,
            full: Arc::default(),
            listener: Listener::new(message),
            ends: [Tail::new(END), Tail::new(END)],
        })
    }

    /// Begins it, whatever was there.
    pub(super) fn anew(path: &Path, most: u64) -> Result<Self> {
        let mut transcript = Self::open(path, most, Message::default())?;
        transcript.rewind(0)?;
        Ok(transcript)
    }

    /// An iteration begins: what was said before is not its last word.
    pub(super) fn begin(&mut self) {
        (self.is_full, self.full) = (false, Arc::default());
        self.forget();
    }

    fn forget(&mut self) {
        self.listener.begin();
        self.ends = [Tail::new(END), Tail::new(END)];
    }

    /// Forgets what came after so many bytes: it comes once more, from the service's log.
    pub(super) fn rewind(&mut self, length: u64) -> Result<()> {
        self.kept.rewind(length)?;
        self.is_full = false;
        self.forget();
        Ok(())
    }

    /// When something was kept last.
    pub(super) fn last_heard(&self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::try_from(self.kept.written()?).ok()
    }

    /// Keeps output, as long as there is room, and hears it.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<()> {
        if self.is_full {
            self.kept.skip(chunk.bytes.len());
        } else {
            match self.kept.write(&chunk.bytes) {
                // The agent can be ended in an orderly way, and what it means is known.
                Err(error) if error.is_full() => {
                    self.is_full = true;
                    self.full.notify_one();
                }
                written => written?,
            }
        }
        let [out, err] = &mut self.ends;
        if chunk.channel == Channel::Stdout {
            self.listener.hear(&chunk.bytes);
            out.push(&chunk.bytes);
        } else {
            err.push(&chunk.bytes);
        }
        Ok(())
    }

    /// Told when there is no room for what this iteration writes.
    pub(super) fn full(&self) -> Arc<Notify> {
        self.full.clone()
    }

    /// Bytes that have come so far.
    pub(super) fn length(&self) -> u64 {
        self.kept.end()
    }

    /// So many of the first ones are not kept.
    pub(super) fn start(&self) -> u64 {
        self.kept.start()
    }

    /// The ends of what this iteration wrote on standard output and on standard error.
    pub(super) fn ends(&self) -> [String; 2] {
        self.ends.each_ref().map(Tail::text)
    }

    /// What was heard of this iteration, which has ended.
    pub(super) fn heard(&mut self) -> &Listener {
        self.listener.finish();
        &self.listener
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_channels_are_kept_and_one_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut transcript = Transcript::open(&path, 1 << 20, Message::default()).unwrap();
        let chunk = |channel, text: &'static str| Chunk {
            channel,
            bytes: text.into(),
        };
        transcript.write(&chunk(Channel::Stdout, "one\n")).unwrap();
        transcript.begin();
        transcript.write(&chunk(Channel::Stderr, "two\n")).unwrap();
        transcript
            .write(&chunk(Channel::Stdout, "three\n"))
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(transcript.heard().message(), "three\n");
        assert_eq!(transcript.ends(), ["three\n", "two\n"]);
        assert_eq!(
            Transcript::open(&path, 1 << 20, Message::default())
                .unwrap()
                .length(),
            14
        );
    }
}
