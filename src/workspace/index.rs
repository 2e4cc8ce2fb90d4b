//! What the files looked like when they were last read, so that they need not be read again. It is
//! only a shortcut: damaged, old or missing, it costs time and nothing else.
//!
//! A file is told by device and inode rather than by path: one with the same size, time of
//! modification and time of change is the same, wherever it was moved to. The time of change cannot
//! be set back, and what was changed less than a moment before it was read is read again.
//!
//! Records stand in the order of the walk, which is seldom another one the next time: what is looked for is
//! mostly the next one. Behind them come the packs, how many these are, and a checksum.

use std::cell::Cell;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use sha2::Digest as _;
use sha2::Sha256;

use crate::workspace::disk::Found;
use crate::workspace::disk::Time;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::files;
use crate::workspace::id::ID;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;
use crate::workspace::snapshot::At;

const MAGIC: &[u8] = b"stockade index 3\n";

/// Device, inode, size, time of modification and of change, kind.
const STATE: usize = 52;
const RECORD: usize = STATE + ID;

/// Device and inode.
const FILE: usize = 16;

/// What a file is, at the end of its state.
const KIND: usize = 4;

/// How many packs there are.
const COUNT: usize = 4;

/// So much is hashed and written at once, while it is near.
const PIECE: usize = 256 * 1024;

/// The longest index that is read.
pub(super) const MAX_INDEX: u64 = 1 << 30;

/// Clocks of file systems tick at least so often, in nanoseconds; those without fractions of a second
/// tick every second or two.
const TICK: u32 = 50_000_000;
const COARSE_TICK: i64 = 3;

fn state(found: &Found) -> [u8; STATE] {
    let mut state = [0; STATE];
    let kind = match found.kind {
        Type::File => 1_u32,
        Type::Link => 2,
        Type::Directory | Type::Special => 0,
    };
    let parts = [
        &found.id.0.to_be_bytes()[..],
        &found.id.1.to_be_bytes(),
        &found.size.to_be_bytes(),
        &found.mtime.seconds.to_be_bytes(),
        &found.mtime.nanoseconds.to_be_bytes(),
        &found.ctime.seconds.to_be_bytes(),
        &found.ctime.nanoseconds.to_be_bytes(),
        &kind.to_be_bytes(),
    ];
    copy(&mut state, &parts);
    state
}

/// Puts parts side by side.
fn copy(to: &mut [u8], parts: &[&[u8]]) {
    let mut at = 0;
    for part in parts {
        let end = at + part.len();
        if let Some(place) = to.get_mut(at..end) {
            place.copy_from_slice(part);
        }
        at = end;
    }
}

/// An index that was read.
pub(super) struct Index {
    /// With what comes before and after the records.
    bytes: Vec<u8>,
    records: Range<usize>,
    packs: Range<usize>,
    /// By a number made of device and inode: the first record to look at, plus one. Made when it is needed.
    table: OnceCell<Vec<u32>>,
    /// The record behind the one that was found last.
    next: Cell<usize>,
}

impl Index {
    /// `None` if it is not whole.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(ID)?;
        let (content, sum) = bytes.split_at_checked(end)?;
        let start = content.strip_prefix(MAGIC).map(|_| MAGIC.len())?;
        let (_, count) = content.split_last_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        let packs_end = end.checked_sub(COUNT)?;
        let packs = packs_end.checked_sub(count.checked_mul(ID)?)?;
        let length = packs.checked_sub(start)?;
        if length % RECORD != 0 || checksum(content)[..] != *sum {
            return None;
        }
        Some(Self {
            records: start..packs,
            packs: packs..packs_end,
            table: OnceCell::new(),
            next: Cell::new(0),
            bytes,
        })
    }

    /// The table: at least half of it stays empty, and what finds its place taken goes to the next one.
    fn table(&self) -> &[u32] {
        let count = self.records.len() / RECORD;
        self.table
            .get_or_init(|| self.fill(count).unwrap_or_default())
    }

    fn fill(&self, count: usize) -> Option<Vec<u32>> {
        let mut table = vec![0; (count + 1).checked_mul(2)?.checked_next_power_of_two()?];
        for at in 0..count {
            let mut place = slot(self.record(at)?, table.len());
            while *table.get(place)? != 0 {
                place = (place + 1) % table.len();
            }
            *table.get_mut(place)? = u32::try_from(at + 1).ok()?;
        }
        Some(table)
    }

    fn record(&self, at: usize) -> Option<&[u8]> {
        let records = self.bytes.get(self.records.clone())?;
        records.get(at * RECORD..(at + 1) * RECORD)
    }

    /// Checksums of the packs that hold all of its objects.
    pub(super) fn packs(&self) -> impl Iterator<Item = ObjectId> {
        let packs = self.bytes.get(self.packs.clone()).unwrap_or_default();
        packs.chunks_exact(ID).filter_map(ObjectId::from_bytes)
    }

    /// The same with other packs, if all of its objects are among some.
    pub(super) fn renewed(
        &self,
        objects: &HashSet<ObjectId>,
        packs: &[ObjectId],
    ) -> Option<Vec<u8>> {
        let records = self.bytes.get(self.records.clone())?;
        let id = |record: &[u8]| ObjectId::from_bytes(record.get(STATE..)?);
        let mut ids = records.chunks_exact(RECORD).map(id);
        let whole = ids.all(|id| id.is_some_and(|id| objects.contains(&id)));
        let mut index = [MAGIC, records].concat();
        index.extend_from_slice(&end(Sha256::new_with_prefix(&index), packs));
        whole.then_some(index)
    }

    /// The object that holds a file's content, if the file is as it was.
    pub(super) fn find(&self, found: &Found) -> Option<ObjectId> {
        let wanted = state(found);
        let next = self.next.get();
        if let Some((state, id)) = self.split(next)
            && state.get(..FILE) == wanted.get(..FILE)
        {
            self.next.set(next + 1);
            // There is no other one of this file.
            return ObjectId::from_bytes(id).filter(|_| *state == wanted);
        }
        let table = self.table();
        let mut place = slot(&wanted, table.len());
        loop {
            let at = usize::try_from(*table.get(place)?).ok()?.checked_sub(1)?;
            let (state, id) = self.split(at)?;
            if state.get(..FILE) == wanted.get(..FILE) {
                self.next.set(at + 1);
                return ObjectId::from_bytes(id).filter(|_| *state == wanted);
            }
            place = (place + 1) % table.len();
        }
    }

    fn split(&self, at: usize) -> Option<(&[u8], &[u8])> {
        self.record(at)?.split_at_checked(STATE)
    }
}

/// Where in a table a file is looked for first.
fn slot(state: &[u8], size: usize) -> usize {
    let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let device = number(state.first_chunk());
    let inode = number(state.get(8..).and_then(|rest| rest.first_chunk()));
    let mixed = (inode ^ device.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 32).unwrap_or(0) % size.max(1)
}

/// An index that is being made.
pub(super) struct Draft {
    records: Vec<[u8; RECORD]>,
    /// Files that are being read, and where their records are to be.
    expected: Vec<(At, usize)>,
    start: Time,
}

impl Draft {
    /// To be called before anything is looked at.
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Self {
            records: Vec::new(),
            expected: Vec::new(),
            start: Time {
                seconds: i64::try_from(since.as_secs()).unwrap_or(0),
                nanoseconds: since.subsec_nanos(),
            },
        }
    }

    /// Remembers a file. One that may change and look the same is only known to have been there.
    pub(super) fn add(&mut self, found: &Found, id: ObjectId) {
        let record = self.record(found, id);
        self.records.push(record);
    }

    /// A file's record comes here when it is read; in the order of the walk.
    pub(super) fn expect(&mut self, at: At) {
        self.expected.push((at, self.records.len()));
        self.records.push([0; RECORD]);
    }

    /// As [`Draft::add`], for a file that was expected.
    pub(super) fn fill(&mut self, at: At, found: &Found, id: ObjectId) {
        let record = self.record(found, id);
        let place = self.expected.binary_search_by_key(&at, |(at, _)| *at);
        let place = place.ok().and_then(|place| self.expected.get(place));
        if let Some(place) = place.and_then(|(_, place)| self.records.get_mut(*place)) {
            *place = record;
        }
    }

    fn record(&self, found: &Found, id: ObjectId) -> [u8; RECORD] {
        let mut state = state(found);
        if self.is_recent(found.mtime) || self.is_recent(found.ctime) {
            // No file is of this kind.
            if let Some(kind) = state.last_chunk_mut::<KIND>() {
                kind.fill(0);
            }
        }
        let mut record = [0; RECORD];
        copy(&mut record, &[&state, id.as_bytes()]);
        record
    }

    fn is_recent(&self, time: Time) -> bool {
        if time.nanoseconds == 0 {
            return time.seconds.saturating_add(COARSE_TICK) >= self.start.seconds;
        }
        let tick = match time.nanoseconds.checked_add(TICK) {
            Some(nanoseconds) if nanoseconds < 1_000_000_000 => Time {
                nanoseconds,
                ..time
            },
            _ => Time {
                seconds: time.seconds.saturating_add(1),
                nanoseconds: (time.nanoseconds + TICK) % 1_000_000_000,
            },
        };
        tick >= self.start
    }

    /// Writes all but the end, which [`Begun::finish`] adds.
    pub(super) fn begin(mut self, path: &Path) -> Result<Begun> {
        let nothing = [0; RECORD];
        if !self.expected.is_empty() {
            self.records.retain(|record| *record != nothing);
        }
        files::remove(path)?;
        let mut begun = Begun {
            file: files::create(path)?,
            path: path.to_owned(),
            hasher: Sha256::new(),
            is_done: false,
        };
        begun.write(MAGIC)?;
        for piece in self.records.as_flattened().chunks(PIECE) {
            begun.write(piece)?;
        }
        Ok(begun)
    }
}

/// An index on disk that has no end yet.
pub(super) struct Begun {
    file: File,
    path: PathBuf,
    hasher: Sha256,
    is_done: bool,
}

impl Begun {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(Error::file("write", &self.path))
    }

    /// Completes it and gives it its name; `packs` are the checksums of the packs in which the objects are. It may be
    /// lost or damaged when the machine stops.
    pub(super) fn finish(mut self, packs: &[ObjectId], name: &Path) -> Result<()> {
        let end = end(self.hasher.clone(), packs);
        let written = self.file.write_all(&end);
        written.map_err(Error::file("write", &self.path))?;
        // Some file systems wait for the disk when one name replaces another.
        files::remove(name)?;
        files::rename(&self.path, name)?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What comes behind the records.
fn end(mut hasher: Sha256, packs: &[ObjectId]) -> Vec<u8> {
    let count = u32::try_from(packs.len()).unwrap_or(u32::MAX);
    let mut end: Vec<u8> = packs.iter().flat_map(ObjectId::as_bytes).copied().collect();
    end.extend_from_slice(&count.to_be_bytes());
    hasher.update(&end);
    end.extend_from_slice(&hasher.finalize());
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(inode: u64, seconds: i64) -> Found {
        let time = Time {
            seconds,
            nanoseconds: 5,
        };
        Found {
            kind: Type::File,
            mode: 0o644,
            owner: (0, 0),
            id: (1, inode),
            links: 1,
            disk: 0,
            size: 3,
            mtime: time,
            ctime: time,
        }
    }

    fn encoded(draft: Draft) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let (begun, name) = (directory.path().join("a"), directory.path().join("b"));
        let begun = draft.begin(&begun).unwrap();
        begun.finish(&[ObjectId::NONE], &name).unwrap();
        std::fs::read(name).unwrap()
    }

    fn parsed(draft: Draft) -> Index {
        Index::parse(encoded(draft)).unwrap()
    }

    #[test]
    fn a_file_is_known_as_long_as_nothing_of_it_changes() {
        let mut draft = Draft::new();
        for inode in [9, 3, 700] {
            draft.add(&found(inode, 1000), ObjectId::new([inode as u8; ID]));
        }
        let index = parsed(draft);
        assert_eq!(index.find(&found(3, 1000)), Some(ObjectId::new([3; ID])));
        assert_eq!(index.find(&found(4, 1000)), None);
        assert_eq!(index.find(&found(3, 1001)), None);
        let mut larger = found(3, 1000);
        larger.size += 1;
        assert_eq!(index.find(&larger), None);
        assert_eq!(index.packs().collect::<Vec<_>>(), [ObjectId::NONE]);
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_remembered() {
        let mut draft = Draft::new();
        let now = draft.start.seconds;
        for seconds in [now + 1, now + 100] {
            draft.add(&found(1, seconds), ObjectId::NONE);
        }
        let mut coarse = found(2, now - 2);
        coarse.ctime.nanoseconds = 0;
        draft.add(&coarse, ObjectId::NONE);
        draft.add(&found(3, now - 2), ObjectId::NONE);
        let index = parsed(draft);
        for seconds in [now + 1, now + 100] {
            assert_eq!(index.find(&found(1, seconds)), None);
        }
        assert_eq!(index.find(&coarse), None);
        assert_eq!(index.find(&found(3, now - 2)), Some(ObjectId::NONE));
    }

    #[test]
    fn files_are_found_in_any_order_and_stand_where_they_were_met() {
        let mut draft = Draft::new();
        for at in 0..50 {
            match at % 7 {
                3 => draft.expect(at),
                _ => draft.add(&found(at.into(), 1000), ObjectId::new([at as u8; ID])),
            }
        }
        // One that was not read in the end is not there.
        for at in (0..50).rev().filter(|at| at % 7 == 3 && *at != 24) {
            draft.fill(at, &found(at.into(), 1000), ObjectId::new([at as u8; ID]));
        }
        let index = parsed(draft);
        let forth: Vec<u32> = (0..50).collect();
        let back: Vec<u32> = (0..50).rev().collect();
        let across: Vec<u32> = (0..50).map(|at| at * 23 % 50).collect();
        for order in [&forth, &back, &across, &forth] {
            for at in order {
                let id = (*at != 24).then(|| ObjectId::new([*at as u8; ID]));
                assert_eq!(index.find(&found((*at).into(), 1000)), id, "{at}");
                assert_eq!(index.find(&found((*at).into(), 1001)), None, "{at}");
            }
        }
        let records = index.bytes[index.records.clone()].chunks_exact(RECORD);
        let inodes: Vec<u8> = records.map(|record| record[15]).collect();
        assert!(inodes.is_sorted());
        assert_eq!(inodes.len(), 49);
    }

    #[test]
    fn a_damaged_index_is_none() {
        let mut draft = Draft::new();
        draft.add(&found(1, 1000), ObjectId::NONE);
        let bytes = encoded(draft);
        assert!(Index::parse(bytes.clone()).is_some());
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Index::parse(wrong).is_none(), "{at}");
            assert!(Index::parse(bytes[..at].to_vec()).is_none(), "{at}");
        }
    }
}
