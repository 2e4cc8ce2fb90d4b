//! What an agent writes: kept as it comes, both channels in one, and the end of what it says.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use crate::libpod::stream::{Channel, Chunk};

/// The most that is kept of one run's output, in bytes.
const MAX: u64 = 1 << 30;
/// How much of the end of an iteration's standard output is read for a claim, in bytes.
const LAST_WORDS: usize = 64 << 10;

/// The output of a run.
#[derive(Debug)]
pub(super) struct Transcript {
    path: PathBuf,
    file: File,
    length: u64,
    last_words: Vec<u8>,
    /// They begin in the middle of a line, for all we know.
    torn: bool,
}

impl Transcript {
    /// Opens or begins it.
    pub(super) fn open(path: &Path) -> Result<Self> {
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
            last_words: Vec::new(),
            torn: false,
        })
    }

    /// Begins it, whatever was there.
    pub(super) fn anew(path: &Path) -> Result<Self> {
        let mut transcript = Self::open(path)?;
        transcript.rewind(0)?;
        Ok(transcript)
    }

    /// An iteration begins: what was said before is not its last word.
    pub(super) fn begin(&mut self) {
        self.last_words.clear();
        self.torn = false;
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

    /// Keeps output; past a gigabyte, only the last words.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<()> {
        if self.length < MAX {
            let written = self.file.write_all(&chunk.bytes);
            written.map_err(|e| Error::file("write", &self.path, e))?;
            self.length += chunk.bytes.len() as u64;
        }
        if chunk.channel == Channel::Stdout {
            let words = &mut self.last_words;
            words.extend_from_slice(&chunk.bytes);
            let over = words.len().saturating_sub(LAST_WORDS);
            self.torn |= over > 0;
            words.drain(..over);
        }
        Ok(())
    }

    /// Bytes kept so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The end of what this iteration said on standard output, from the beginning of a line.
    pub(super) fn last_words(&self) -> String {
        let mut words = self.last_words.as_slice();
        if self.torn {
            // The rest of a line is no line: it could read as a claim.
            let end = words.iter().position(|byte| *byte == b'\n');
            words = end.and_then(|end| words.get(end..)).unwrap_or_default();
        }
        String::from_utf8_lossy(words).into_owned()
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
        let mut transcript = Transcript::open(&path).unwrap();
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
        assert_eq!(transcript.last_words(), "three\n");
        assert_eq!(Transcript::open(&path).unwrap().length(), 14);
    }

    #[test]
    fn the_rest_of_a_line_is_no_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let mut transcript = Transcript::open(&dir.path().join("output.log")).unwrap();
        let tag = "<promise>DONE</promise>";
        let said = format!("not {tag}{}", "\n".repeat(LAST_WORDS - tag.len()));
        let chunk = |bytes: String| Chunk {
            channel: Channel::Stdout,
            bytes: bytes.into(),
        };
        transcript.write(&chunk(said)).unwrap();
        assert_eq!(transcript.last_words().trim(), "");
        transcript.write(&chunk(format!("{tag}\n"))).unwrap();
        assert_eq!(transcript.last_words().trim(), tag);
        transcript.begin();
        transcript.write(&chunk(tag.to_owned())).unwrap();
        assert_eq!(transcript.last_words(), tag);
    }
}
