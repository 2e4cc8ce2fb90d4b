//! Packs: version 2, every object whole (no deltas), with an index of version 2.

mod read;
mod write;

pub(super) use read::Object;
pub(super) use read::Pack;
pub(super) use write::Deflater;
pub(super) use write::PackWriter;

/// `PACK`, version, number of objects.
const HEADER: usize = 12;

/// Of an index: magic and version, then 256 counts of 4 bytes.
const FANOUT: usize = 8;
const IDS: usize = FANOUT + 256 * 4;

const MAGIC: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];

/// Of an offset in an index: it is a number in the table of long ones.
const LONG: u32 = 1 << 31;
