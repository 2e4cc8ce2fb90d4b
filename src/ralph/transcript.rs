//! What an agent writes: kept as it comes, both channels in one, and heard for what it means.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::message::{Listener, Message, Tail};
use crate::libpod::stream::{Channel, Chunk};

/// The most that is kept of one run's output, in bytes.
const MAX: u64 = 1 << 30;
/// How much of the end of each channel is kept at hand, in bytes.
const END: usize = 4 << 10;

/// The output of a run.
#[derive(Debug)]
pub(super) struct Transcript {
    path: PathBuf,
    file: File,
    length: u64,
    listener: Listener,
    /// The ends of standard output and standard error.
    ends: [Tail; 2],
}

impl Transcript {
    /// Opens or begins it.
    pub(super) fn open(path: &Path, message: Message) -> Result<Self> {
        let open = || -> std::io::Result<(File, u64)> {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
                .open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(|e| Error::file("open", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            listener: Listener::new(message),
            ends: [Tail::new(END), Tail::new(END)],
        })
    }

    /// Begins it, whatever was there.
    pub(super) fn anew(path: &Path) -> Result<Self> {
        let mut transcript = Self::open(path, Message::default())?;
        transcript.rewind(0)?;
        Ok(transcript)
    }

    /// An iteration begins: what was said before is not its last word.
    pub(super) fn begin(&mut self) {
        self.listener.begin();
        self.ends = [Tail::new(END), Tail::new(END)];
    }

    /// Forgets what came after so many bytes: it comes once more, from the service's log.
    pub(super) fn rewind(&mut self, length: u64) -> Result<()> {
        if length < self.length {
            let cut = self.file.set_len(length);
            cut.map_err(|e| Error::file("cut", &self.path, e))?;
            self.length = length;
        }
        self.begin();
        Ok(())
    }

    /// When something was kept last.
    pub(super) fn last_heard(&self) -> Option<jiff::Timestamp> {
        let written = self.file.metadata().and_then(|file| file.modified());
        jiff::Timestamp::try_from(written.ok()?).ok()
    }

    /// Keeps output; past a gigabyte, only what the agent means by it.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<()> {
        if self.length < MAX {
            let written = self.file.write_all(&chunk.bytes);
            written.map_err(|e| Error::file("write", &self.path, e))?;
            self.length += chunk.bytes.len() as u64;
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

    /// Bytes kept so far.
    pub(super) fn length(&self) -> u64 {
        self.length
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

/// The end of a file.
pub(super) fn read_end(path: &Path, most: u64) -> Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|e| Error::file("read", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_channels_are_kept_and_one_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut transcript = Transcript::open(&path, Message::default()).unwrap();
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
            Transcript::open(&path, Message::default())
                .unwrap()
                .length(),
            14
        );
    }
}
