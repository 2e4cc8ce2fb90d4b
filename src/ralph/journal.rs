//! The journal of a run: one event a line, append-only, each line with the hash of the one before,
//! so that damage is told from truth. A last line that a kill tore is cut off.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use sha2::{Digest as _, Sha256};

use super::error::{Error, Result};
use super::event::{Entry, Event};

/// The longest journal that is read, in bytes: an event is some hundred bytes, an iteration a few.
const MAX: u64 = 256 << 20;

/// Room beyond its end that a journal has on its disk while a run goes on, in bytes, and how much of it
/// there is at least: a line may hold a note of 64 KiB, with every character escaped.
const ROOM: u64 = 1 << 20;
const LEAST_ROOM: u64 = 512 << 10;

/// A journal that is written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Where the room ends that it has on the disk; `None` if it needs none.
    room: Option<u64>,
    next: u64,
    before: String,
}

impl Journal {
    /// Opens or begins one; returns what it holds. What a kill left of a last line is cut off.
    ///
    /// # Errors
    /// It cannot be read, or is damaged anywhere but at its end.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>)> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(|e| Error::file("open", path, e))?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            length: 0,
            room: None,
            next: 0,
            before: String::new(),
        };
        let mut reader = Reader::default();
        let bytes = journal.bytes()?;
        let entries = reader.feed(&bytes, path)?;
        let whole = reader.read;
        if whole < bytes.len() as u64 {
            journal
                .file
                .set_len(whole)
                .map_err(|e| Error::file("cut", path, e))?;
        }
        (journal.next, journal.before) = (reader.next, reader.before);
        journal.length = whole;
        Ok((journal, entries))
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            (&self.file).seek(SeekFrom::Start(0))?;
            (&self.file).take(MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e| Error::file("read", &self.path, e))
    }

    /// The number of the next line.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Sees to it that there is room for what ends a run, also once its disk is full.
    pub fn keep_room(&mut self) {
        self.room = Some(self.room.unwrap_or_default());
        self.extend_room();
    }

    fn extend_room(&mut self) {
        let Some(room) = self.room else { return };
        if room < self.length + LEAST_ROOM {
            // Where that cannot be, a full disk is told of later.
            let got = fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, ROOM);
            if got.is_ok() {
                self.room = Some(self.length + ROOM);
            }
        }
    }

    /// Gives back the room that was not needed.
    pub fn give_back(&mut self) {
        if self.room.take().is_some() {
            let _ = self.file.set_len(self.length);
        }
    }

    /// Appends an event; it is on disk when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, event: Event) -> Result<Entry> {
        let entry = Entry {
            line: self.next,
            at: jiff::Timestamp::now().to_string(),
            before: self.before.clone(),
            event,
        };
        let fault = |e| Error::file("write", &self.path, e);
        let mut line = serde_json::to_vec(&entry).map_err(|e| fault(e.into()))?;
        let hash = hash(&line);
        line.push(b'\n');
        let written = self.file.write_all(&line);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // Half a line, or one that was not reported, would spoil the next one.
            let _ = self.file.set_len(self.length);
            return Err(fault(error));
        }
        self.length += line.len() as u64;
        (self.next, self.before) = (self.next + 1, hash);
        self.extend_room();
        Ok(entry)
    }
}

/// Reads a journal, also one that is still being written.
#[derive(Debug, Default)]
pub struct Reader {
    next: u64,
    before: String,
    /// Bytes of whole lines so far.
    read: u64,
}

impl Reader {
    /// Reads the journal from the start.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>)> {
        let mut reader = Self::default();
        let entries = reader.more(path)?;
        Ok((reader, entries))
    }

    /// What has come since.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn more(&mut self, path: &Path) -> Result<Vec<Entry>> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.read))?;
            let mut bytes = Vec::new();
            file.take(MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|e| Error::file("read", path, e))?;
        self.feed(&bytes, path)
    }

    fn feed(&mut self, bytes: &[u8], path: &Path) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            let damaged =
                |what: &str| Error::damaged(path, format!("line {}: {what}", self.next + 1));
            let entry: Entry = serde_json::from_slice(text).map_err(|e| damaged(&e.to_string()))?;
            if entry.line != self.next {
                return Err(damaged("a line is missing or doubled"));
            }
            if entry.before != self.before {
                return Err(damaged("the line before was changed"));
            }
            self.next += 1;
            self.before = hash(text);
            self.read += line.len() as u64;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The hash of the last line: who has it can tell whether the journal was changed since.
    pub fn last_hash(&self) -> &str {
        &self.before
    }
}

fn hash(line: &[u8]) -> String {
    Sha256::digest(line)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Event {
        Event::Warning { text: text.into() }
    }

    fn three(dir: &Path) -> PathBuf {
        let path = dir.join("journal.jsonl");
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert!(entries.is_empty());
        for text in ["one", "two", "three"] {
            journal.append(warning(text)).unwrap();
        }
        path
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries.len(), 3);
        let (mut reader, _) = Reader::open(&path).unwrap();
        journal.append(warning("four")).unwrap();
        let more = reader.more(&path).unwrap();
        assert_eq!(more.len(), 1);
        assert_eq!(more[0].event, warning("four"));
        assert_eq!(more[0].line, 3);
    }

    #[test]
    fn a_torn_last_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let whole = std::fs::read(&path).unwrap();
        for end in 1..60 {
            std::fs::write(&path, &whole[..whole.len() - end]).unwrap();
            let (mut journal, entries) = Journal::open(&path).unwrap();
            assert_eq!(entries.len(), 2);
            journal.append(warning("again")).unwrap();
            assert_eq!(Reader::open(&path).unwrap().1.len(), 3);
        }
    }

    #[test]
    fn a_journal_has_room_on_its_disk_until_the_run_ends() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let length = std::fs::metadata(&path).unwrap().len();
        let (mut journal, _) = Journal::open(&path).unwrap();
        let on_disk = || std::fs::metadata(&path).unwrap().blocks() * 512;
        assert!(on_disk() < ROOM);
        journal.keep_room();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
        assert!(on_disk() >= ROOM);
        // It is used up, and renewed.
        let long = "x".repeat(40 << 10);
        for _ in 0..30 {
            journal.append(warning(&long)).unwrap();
            let length = std::fs::metadata(&path).unwrap().len();
            assert!(on_disk() >= length + LEAST_ROOM);
        }
        journal.give_back();
        assert!(on_disk() < std::fs::metadata(&path).unwrap().len() + LEAST_ROOM);
        assert_eq!(Reader::open(&path).unwrap().1.len(), 33);
    }

    #[test]
    fn damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let whole = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let changed = whole.replace("\"one\"", "\"eno\"");
        for text in [
            changed,
            format!("{}{}", lines[0], lines[2]),
            format!("{}{}{}", lines[0], lines[0], lines[1]),
            format!("{}nonsense\n{}", lines[0], lines[1]),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Journal::open(&path), Err(Error::Damaged { .. })));
        }
    }
}
