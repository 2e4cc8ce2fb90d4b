//! A log of which the end is kept, up to a size: in segments, the oldest of which go. An offset counts
//! from the very first byte, kept or not; a segment's name says where it begins, so that whoever is
//! killed between two steps leaves nothing that has to be put right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};

/// So many segments there are at most.
const SEGMENTS: u64 = 4;

/// A piece of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins: later than was asked for if what was there is not kept.
    pub at: u64,
    /// Empty at the end of the log.
    pub bytes: Vec<u8>,
}

/// Where a segment is that begins there; the first has the log's own name.
fn segment(path: &Path, start: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if start > 0 {
        name.push(format!(".{start:016}"));
    }
    PathBuf::from(name)
}

/// Where each segment begins, the oldest first.
fn starts(path: &Path) -> io::Result<Vec<u64>> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut starts = Vec::new();
    for entry in fs::read_dir(directory)? {
        let found = entry?.file_name();
        let start = match found.as_encoded_bytes().strip_prefix(name) {
            Some(b"") => Some(0),
            Some([b'.', digits @ ..]) if digits.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| digits.parse().ok())
            }
            _ => None,
        };
        starts.extend(start);
    }
    starts.sort_unstable();
    Ok(starts)
}

/// What a log has from there on, at most so many bytes; also one that is still being written.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, from: u64, most: u64) -> io::Result<Piece> {
    'again: loop {
        let all = starts(path)?;
        let before = all.iter().rposition(|start| *start <= from).unwrap_or(0);
        for start in all.iter().skip(before) {
            let mut file = match File::open(segment(path, *start)) {
                // It has gone since.
                Err(error) if error.kind() == ErrorKind::NotFound => continue 'again,
                file => file?,
            };
            let at = from.max(*start);
            file.seek(SeekFrom::Start(at - start))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            if !bytes.is_empty() {
                return Ok(Piece { at, bytes });
            }
        }
        let bytes = Vec::new();
        return Ok(Piece { at: from, bytes });
    }
}

/// The end of a log.
pub(super) fn read_end(path: &Path, most: u64) -> Result<Vec<u8>> {
    let read_end = || -> io::Result<Vec<u8>> {
        let Some(last) = starts(path)?.pop() else {
            return Err(ErrorKind::NotFound.into());
        };
        let end = last + fs::metadata(segment(path, last))?.len();
        let mut all = Vec::new();
        let mut from = end.saturating_sub(most);
        while from < end {
            let piece = read(path, from, end - from)?;
            if piece.bytes.is_empty() {
                break;
            }
            from = piece.at + piece.bytes.len() as u64;
            all.extend(piece.bytes);
        }
        Ok(all)
    };
    read_end().map_err(|e| Error::file("read", path, e))
}

/// A log that is written.
#[derive(Debug)]
pub(super) struct Segments {
    path: PathBuf,
    /// The last segment.
    file: File,
    /// Where each begins; there is one.
    starts: Vec<u64>,
    /// Where the log ends.
    end: u64,
    /// Bytes before `end` are missing in the last segment.
    torn: bool,
    /// The most that is kept, in bytes.
    most: u64,
}

impl Segments {
    /// When something was kept last.
    pub(super) fn written(&self) -> Option<std::time::SystemTime> {
        self.file.metadata().ok()?.modified().ok()
    }

    /// Opens or begins it.
    pub(super) fn open(path: &Path, most: u64) -> Result<Self> {
        let open = || -> io::Result<Self> {
            let starts = match starts(path)? {
                none if none.is_empty() => vec![0],
                starts => starts,
            };
            let last = starts.last().copied().unwrap_or_default();
            let file = append(&segment(path, last))?;
            Ok(Self {
                path: path.to_owned(),
                end: last + file.metadata()?.len(),
                file,
                starts,
                torn: false,
                most,
            })
        };
        open().map_err(|e| Error::file("open", path, e))
    }

    /// Where it begins: what was before is not kept.
    pub(super) fn start(&self) -> u64 {
        self.starts.first().copied().unwrap_or_default()
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Where the last segment begins.
    fn last(&self) -> u64 {
        self.starts.last().copied().unwrap_or_default()
    }

    /// Appends bytes. Where that fails, they count as if they had been kept.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.end + bytes.len() as u64;
        let written = self.append(bytes);
        if written.is_err() {
            (self.end, self.torn) = (end, true);
        }
        written.map_err(|e| Error::file("write", &self.path, e))
    }

    /// So many bytes are not kept.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.end += bytes as u64;
        self.torn |= bytes > 0;
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let size = (self.most / SEGMENTS).max(1);
        while !bytes.is_empty() {
            let room = size.saturating_sub(self.end - self.last());
            if room == 0 || self.torn {
                self.begin(self.end)?;
                continue;
            }
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.file.write_all(now)?;
            self.end += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Begins a segment there. Only then do the oldest go.
    fn begin(&mut self, start: u64) -> io::Result<()> {
        self.file = append(&segment(&self.path, start))?;
        self.starts.push(start);
        (self.end, self.torn) = (start, false);
        while self.starts.len() as u64 > SEGMENTS {
            self.drop_segment(0)?;
        }
        Ok(())
    }

    fn drop_segment(&mut self, at: usize) -> io::Result<()> {
        let start = self.starts.get(at).copied().unwrap_or_default();
        match fs::remove_file(segment(&self.path, start)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => {
                self.starts.remove(at);
                Ok(())
            }
        }
    }

    /// Forgets what came after so many bytes. It ends there, also where it was not so long, or where
    /// what was there is not kept.
    pub(super) fn rewind(&mut self, end: u64) -> Result<()> {
        let rewind = |this: &mut Self| -> io::Result<()> {
            let kept = this.starts.iter().rposition(|start| *start <= end);
            let start = match kept.and_then(|at| this.starts.get(at)) {
                Some(start) if *start == this.last() && this.end < end => end,
                Some(start) => *start,
                None => end,
            };
            // One that a full disk has torn is shorter than where the next one begins.
            let length = fs::metadata(segment(&this.path, start)).map_or(0, |found| found.len());
            let start = match start + length < end {
                true => end,
                false => start,
            };
            // Whoever is killed here begins with the same again.
            let file = append(&segment(&this.path, start))?;
            if !this.starts.contains(&start) {
                this.starts.push(start);
                this.starts.sort_unstable();
            }
            while this.last() > start {
                this.drop_segment(this.starts.len() - 1)?;
            }
            file.set_len(end - start)?;
            (this.file, this.end, this.torn) = (file, end, false);
            Ok(())
        };
        rewind(self).map_err(|e| Error::file("cut", &self.path, e))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a reader finds, with dots for what is not kept.
    fn all(path: &Path) -> String {
        let mut text = String::new();
        loop {
            let piece = read(path, text.len() as u64, 3).unwrap();
            if piece.bytes.is_empty() {
                return text;
            }
            text.push_str(&".".repeat(usize::try_from(piece.at).unwrap() - text.len()));
            text.push_str(std::str::from_utf8(&piece.bytes).unwrap());
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_and_offsets_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(dir.path().join("log.txt"), "another's").unwrap();
        let mut log = Segments::open(&path, 16).unwrap();
        log.write(b"0123456").unwrap();
        assert_eq!((log.start(), log.end()), (0, 7));
        assert_eq!(all(&path), "0123456");
        log.write(b"789abcdefghijk").unwrap();
        assert_eq!((log.start(), log.end()), (8, 21));
        assert_eq!(all(&path), "........89abcdefghijk");
        assert_eq!(read_end(&path, 5).unwrap(), b"ghijk");
        assert_eq!(read_end(&path, 500).unwrap(), b"89abcdefghijk");
        let mut log = Segments::open(&path, 16).unwrap();
        assert_eq!((log.start(), log.end()), (8, 21));
        log.write(b"l").unwrap();
        assert_eq!(all(&path), "........89abcdefghijkl");
        // Beyond its end there is nothing, and that is not missing.
        let none = Piece {
            at: 99,
            bytes: Vec::new(),
        };
        assert_eq!(read(&path, 99, 5).unwrap(), none);
        assert_eq!(names(dir.path()).len(), 1 + 4);
    }

    #[test]
    fn it_is_rewound_to_what_is_kept_and_to_what_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Segments::open(&path, 16).unwrap();
        for (to, text) in [
            (14, "........89abcd"),
            (12, "........89ab"),
            (8, "........"),
            (3, "..."),
            (0, ""),
        ] {
            log.rewind(0).unwrap();
            log.write(b"0123456789abcdefghijk").unwrap();
            log.rewind(to).unwrap();
            assert_eq!(log.end(), to);
            assert_eq!(all(&path), text.trim_end_matches('.'));
            log.write(b"XYZ").unwrap();
            assert_eq!(all(&path), format!("{text}XYZ"));
            assert_eq!(Segments::open(&path, 16).unwrap().end(), to + 3);
        }
        // What was lost of it, as by a machine that went down, is not made up for by what comes.
        log.rewind(9).unwrap();
        log.write(b"9").unwrap();
        assert_eq!(all(&path), "XYZ......9");
    }

    #[test]
    fn one_that_is_killed_between_two_steps_is_as_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Segments::open(&path, 16).unwrap();
        log.write(b"0123456789abcdefghijk").unwrap();
        // A new segment was begun, and the oldest is still there.
        fs::write(dir.path().join("log.0000000000000021"), "").unwrap();
        let mut log = Segments::open(&path, 16).unwrap();
        assert_eq!((log.start(), log.end()), (8, 21));
        log.write(b"lmnop").unwrap();
        assert_eq!(all(&path), "................ghijklmnop");
        // It was being rewound: the segment that it leads to is there beside those that are to go.
        fs::write(dir.path().join("log.0000000000000003"), "").unwrap();
        let mut log = Segments::open(&path, 16).unwrap();
        log.rewind(3).unwrap();
        assert_eq!(names(dir.path()), ["log.0000000000000003"]);
        log.write(b"3").unwrap();
        assert_eq!(all(&path), "...3");
    }

    #[test]
    fn what_finds_no_room_is_missing_and_the_rest_has_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Segments::open(&path, 64).unwrap();
        log.write(b"01").unwrap();
        log.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(log.write(b"234").unwrap_err().is_full());
        assert_eq!(log.end(), 5);
        log.skip(0);
        log.write(b"56").unwrap();
        assert_eq!(all(&path), "01...56");
        // There is nothing to go back to in between, and nothing is made up.
        log.rewind(4).unwrap();
        log.write(b"45").unwrap();
        assert_eq!(all(&path), "01..45");
    }
}
