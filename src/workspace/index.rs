//! What the files looked like when they were last read, so that they need not be read again. It is
//! only a shortcut: damaged, old or missing, it costs time and nothing else.
//!
//! A file is told by device and inode rather than by path: one with the same size, time of
//! modification and time of change is the same, wherever it was moved to. The time of change cannot
//! be set back, and what was changed less than a moment before it was read is read again.

use std::collections::HashSet;
use std::ops::Range;
use std::time::SystemTime;

use crate::workspace::disk::Found;
use crate::workspace::disk::Time;
use crate::workspace::disk::Type;
use crate::workspace::id::ID;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;

const MAGIC: &[u8] = b"stockade index 2\n";

/// Device, inode, size, time of modification and of change, kind.
const STATE: usize = 52;
const RECORD: usize = STATE + ID;

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
    /// With what comes before the records, and the checksum.
    bytes: Vec<u8>,
    records: Range<usize>,
    packs: Range<usize>,
    /// By a number made of device and inode: the first record to look at, plus one.
    table: Vec<u32>,
}

impl Index {
    /// `None` if it is not whole.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(ID)?;
        let (content, sum) = bytes.split_at_checked(end)?;
        let rest = content.strip_prefix(MAGIC)?;
        let count = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let start = MAGIC.len() + 4;
        let records = start.checked_add(count.checked_mul(ID)?)?;
        let length = end.checked_sub(records)?;
        if length % RECORD != 0 || checksum(content)[..] != *sum {
            return None;
        }
        let mut index = Self {
            records: records..end,
            packs: start..records,
            table: Vec::new(),
            bytes,
        };
        index.fill(length / RECORD)?;
        Some(index)
    }

    /// Makes the table: at least half of it stays empty, and what finds its place taken goes to the
    /// next one.
    fn fill(&mut self, count: usize) -> Option<()> {
        let mut table = vec![0; (count + 1).checked_mul(2)?.checked_next_power_of_two()?];
        for at in 0..count {
            let mut place = slot(self.record(at)?, table.len());
            while *table.get(place)? != 0 {
                place = (place + 1) % table.len();
            }
            *table.get_mut(place)? = u32::try_from(at + 1).ok()?;
        }
        self.table = table;
        Some(())
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
        ids.all(|id| id.is_some_and(|id| objects.contains(&id)))
            .then(|| encode(packs, records))
    }

    /// The object that holds a file's content, if the file is as it was.
    pub(super) fn find(&self, found: &Found) -> Option<ObjectId> {
        let wanted = state(found);
        let mut place = slot(&wanted, self.table.len());
        loop {
            let at = usize::try_from(*self.table.get(place)?).ok()?;
            let (state, id) = self.record(at.checked_sub(1)?)?.split_at_checked(STATE)?;
            if *state == wanted {
                return ObjectId::from_bytes(id);
            }
            place = (place + 1) % self.table.len();
        }
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
    start: Time,
}

impl Draft {
    /// To be called before anything is looked at.
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Self {
            records: Vec::new(),
            start: Time {
                seconds: i64::try_from(since.as_secs()).unwrap_or(0),
                nanoseconds: since.subsec_nanos(),
            },
        }
    }

    /// Remembers a file, unless a later change could look the same.
    pub(super) fn add(&mut self, found: &Found, id: ObjectId) {
        if [found.mtime, found.ctime]
            .into_iter()
            .any(|time| self.is_recent(time))
        {
            return;
        }
        let mut record = [0; RECORD];
        copy(&mut record, &[&state(found), id.as_bytes()]);
        self.records.push(record);
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

    /// `packs` are the checksums of the packs in which the objects are.
    pub(super) fn encode(&self, packs: &[ObjectId]) -> Vec<u8> {
        encode(packs, self.records.as_flattened())
    }
}

fn encode(packs: &[ObjectId], records: &[u8]) -> Vec<u8> {
    let size = records.len() + packs.len() * ID;
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + size + ID);
    bytes.extend_from_slice(MAGIC);
    let count = u32::try_from(packs.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&count.to_be_bytes());
    for pack in packs {
        bytes.extend_from_slice(pack.as_bytes());
    }
    bytes.extend_from_slice(records);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
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

    #[test]
    fn a_file_is_known_as_long_as_nothing_of_it_changes() {
        let mut draft = Draft::new();
        for inode in [9, 3, 700] {
            draft.add(&found(inode, 1000), ObjectId::new([inode as u8; ID]));
        }
        let index = Index::parse(draft.encode(&[ObjectId::NONE])).unwrap();
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
        assert!(draft.records.is_empty());
        draft.add(&found(1, now - 2), ObjectId::NONE);
        assert_eq!(draft.records.len(), 1);
    }

    #[test]
    fn a_damaged_index_is_none() {
        let mut draft = Draft::new();
        draft.add(&found(1, 1000), ObjectId::NONE);
        let bytes = draft.encode(&[ObjectId::NONE]);
        assert!(Index::parse(bytes.clone()).is_some());
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Index::parse(wrong).is_none(), "{at}");
            assert!(Index::parse(bytes[..at].to_vec()).is_none(), "{at}");
        }
    }
}
