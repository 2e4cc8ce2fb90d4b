//! What the files looked like when they were last read, so that they need not be read again. It is
//! only a shortcut: damaged, old or missing, it costs time and nothing else.
//!
//! A file is told by device and inode rather than by path: one with the same size, time of
//! modification and time of change is the same, wherever it was moved to. The time of change cannot
//! be set back, and what was changed less than a moment before it was read is read again.

use std::time::SystemTime;

use crate::workspace::disk::Found;
use crate::workspace::disk::Time;
use crate::workspace::disk::Type;
use crate::workspace::id::ID;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;

const MAGIC: &[u8] = b"stockade index 1\n";

/// Device, inode, size, time of modification and of change, kind.
const STATE: usize = 52;
const IDENTITY: usize = 16;
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
    let bytes = parts.into_iter().flatten();
    state
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    state
}

/// An index that was read.
pub(super) struct Index {
    records: Vec<u8>,
}

impl Index {
    /// `None` if it is not whole.
    pub(super) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let body = bytes.len().checked_sub(ID)?;
        let (content, sum) = bytes.split_at_checked(body)?;
        let records = content.strip_prefix(MAGIC)?;
        if records.len() % RECORD != 0 || checksum(content)[..] != *sum {
            return None;
        }
        bytes.truncate(body);
        bytes.drain(..MAGIC.len());
        Some(Self { records: bytes })
    }

    /// The object that holds a file's content, if the file is as it was.
    pub(super) fn find(&self, found: &Found) -> Option<ObjectId> {
        let wanted = state(found);
        let identity = wanted.get(..IDENTITY)?;
        let (mut low, mut high) = (0, self.records.len() / RECORD);
        while low < high {
            let middle = low + (high - low) / 2;
            let record = self.records.get(middle * RECORD..(middle + 1) * RECORD)?;
            match record.get(..IDENTITY)?.cmp(identity) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let (state, id) = record.split_at_checked(STATE)?;
                    return (*state == wanted).then(|| ObjectId::from_bytes(id))?;
                }
            }
        }
        None
    }
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
        let state = state(found);
        let bytes = state.iter().chain(id.as_bytes());
        record
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
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

    pub(super) fn encode(mut self) -> Vec<u8> {
        self.records.sort_unstable();
        self.records
            .dedup_by(|a, b| a.iter().zip(b.iter()).take(IDENTITY).all(|(a, b)| a == b));
        let mut bytes = Vec::with_capacity(MAGIC.len() + ID + self.records.len() * RECORD);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.records.as_flattened());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }
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
        let index = Index::parse(draft.encode()).unwrap();
        assert_eq!(index.find(&found(3, 1000)), Some(ObjectId::new([3; ID])));
        assert_eq!(index.find(&found(4, 1000)), None);
        assert_eq!(index.find(&found(3, 1001)), None);
        let mut larger = found(3, 1000);
        larger.size += 1;
        assert_eq!(index.find(&larger), None);
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
        let bytes = draft.encode();
        assert!(Index::parse(bytes.clone()).is_some());
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Index::parse(wrong).is_none(), "{at}");
            assert!(Index::parse(bytes[..at].to_vec()).is_none(), "{at}");
        }
    }
}
