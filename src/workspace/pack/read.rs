//! Reading packs. Whatever a file says about itself is doubted: it may be cut short or overwritten.

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;

use flate2::bufread::ZlibDecoder;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::Hasher;
use crate::workspace::id::ID;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;

use super::FANOUT;
use super::HEADER;
use super::IDS;
use super::LONG;
use super::MAGIC;

/// The longest index that is loaded (bytes): 50 million objects.
const MAX_INDEX: u64 = 2 << 30;

/// Type and size of an object take at most so many bytes.
const MAX_HEAD: usize = 12;

/// An open pack. It stays readable when its files are removed.
pub(in crate::workspace) struct Pack {
    path: PathBuf,
    file: File,
    /// Without the checksum at the end.
    end: u64,
    index: Vec<u8>,
    count: usize,
    sum: ObjectId,
}

impl Pack {
    /// Opens `NAME.pack` and `NAME.idx`; `path` is that of the index.
    pub(in crate::workspace) fn open(path: &Path) -> Result<Self> {
        let size = path.symlink_metadata().map_err(Error::file("read", path))?;
        if size.len() > MAX_INDEX {
            return Err(Error::limit("the index of a pack", MAX_INDEX));
        }
        let index = std::fs::read(path).map_err(Error::file("read", path))?;
        let count =
            check_index(&index).map_err(|why| Error::damaged(path.display().to_string(), why))?;
        let path = path.with_extension("pack");
        let file = File::open(&path).map_err(Error::file("read", &path))?;
        let size = file.metadata().map_err(Error::file("read", &path))?.len();
        let damaged = |why| Error::damaged(path.display().to_string(), why);
        let end = size.checked_sub(ID as u64);
        let end = end.filter(|end| *end >= HEADER as u64);
        let end = end.ok_or_else(|| damaged("it is cut short"))?;
        let (mut head, mut trailer) = ([0; HEADER], [0; ID]);
        file.read_exact_at(&mut head, 0)
            .and_then(|()| file.read_exact_at(&mut trailer, end))
            .map_err(Error::file("read", &path))?;
        let wanted = [b"PACK\0\0\0\x02", &(count as u32).to_be_bytes()[..]].concat();
        if head[..] != wanted[..] {
            return Err(damaged("its head is wrong"));
        }
        let named = index
            .len()
            .checked_sub(2 * ID)
            .and_then(|at| index.get(at..at + ID));
        if named != Some(&trailer[..]) {
            return Err(damaged("its index belongs to another pack"));
        }
        Ok(Self {
            path,
            file,
            end,
            index,
            count,
            sum: ObjectId::new(trailer),
        })
    }

    /// How many objects it holds.
    pub(in crate::workspace) fn len(&self) -> usize {
        self.count
    }

    /// The checksum of all of it.
    pub(in crate::workspace) fn sum(&self) -> ObjectId {
        self.sum
    }

    /// The file with the objects.
    pub(in crate::workspace) fn path(&self) -> &Path {
        &self.path
    }

    /// Where an object begins.
    pub(in crate::workspace) fn find(&self, id: &ObjectId) -> Option<u64> {
        let first = usize::from(*id.as_bytes().first()?);
        let mut low = match first.checked_sub(1) {
            Some(before) => self.fanout(before)?,
            None => 0,
        };
        let mut high = self.fanout(first)?;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(middle)?.cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.offset(middle),
            }
        }
        None
    }

    fn fanout(&self, first: usize) -> Option<usize> {
        Some(number(&self.index, FANOUT + 4 * first)? as usize)
    }

    /// The id at a position in order.
    pub(in crate::workspace) fn id(&self, at: usize) -> Option<ObjectId> {
        let start = IDS + ID * at;
        ObjectId::from_bytes(self.index.get(start..start + ID)?)
    }

    /// Every object: its id, where it begins, and its bytes in the pack.
    pub(in crate::workspace) fn entries(&self) -> Vec<(ObjectId, u64, u64)> {
        let all = (0..self.count).filter_map(|at| Some((self.id(at)?, self.offset(at)?, 0)));
        let mut entries: Vec<(ObjectId, u64, u64)> = all.collect();
        entries.sort_unstable_by_key(|(_, offset, _)| *offset);
        let mut next = self.end;
        for (_, offset, length) in entries.iter_mut().rev() {
            *length = next.saturating_sub(*offset);
            next = *offset;
        }
        entries
    }

    /// Bytes of the pack as they are.
    pub(in crate::workspace) fn raw(&self, offset: u64, length: u64) -> impl io::Read {
        let from = At {
            pack: self,
            position: offset,
        };
        from.take(length)
    }

    /// How long the file is, in bytes.
    pub(in crate::workspace) fn size(&self) -> u64 {
        self.end + ID as u64
    }

    fn offset(&self, at: usize) -> Option<u64> {
        let short = IDS + (ID + 4) * self.count;
        let offset = number(&self.index, short + 4 * at)?;
        if offset & LONG == 0 {
            return Some(offset.into());
        }
        let long = short + 4 * self.count + 8 * (offset & !LONG) as usize;
        let bytes = self.index.get(long..long + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    /// Starts to read the object at an offset.
    pub(in crate::workspace) fn object(&self, id: ObjectId, offset: u64) -> Result<Object<'_>> {
        let damaged = |why| Error::damaged(self.path.display().to_string(), why);
        let mut head = [0; MAX_HEAD];
        let room = self.end.saturating_sub(offset);
        let room = usize::try_from(room).unwrap_or(MAX_HEAD).min(MAX_HEAD);
        let head = head.get_mut(..room).unwrap_or_default();
        self.file
            .read_exact_at(head, offset)
            .map_err(Error::file("read", &self.path))?;
        let (kind, size, length) =
            parse_head(head).ok_or_else(|| damaged("an object has a wrong head"))?;
        let from = At {
            pack: self,
            position: offset + length,
        };
        Ok(Object {
            kind,
            size,
            left: size,
            id,
            path: &self.path,
            hasher: Some(Hasher::new(kind, size)),
            content: ZlibDecoder::new(BufReader::with_capacity(4096, from)),
        })
    }
}

fn check_index(index: &[u8]) -> Result<usize, &'static str> {
    const CUT: &str = "it is cut short";
    let body = index.len().checked_sub(ID).ok_or(CUT)?;
    if index.get(..8) != Some(&MAGIC[..]) {
        return Err("it is no index of version 2");
    }
    let (content, sum) = index.split_at_checked(body).ok_or(CUT)?;
    if checksum(content)[..] != *sum {
        return Err("its checksum is wrong");
    }
    let mut last = 0;
    for first in 0..256 {
        let count = number(index, FANOUT + 4 * first).ok_or(CUT)?;
        if count < last {
            return Err("its counts are out of order");
        }
        last = count;
    }
    let count = last as usize;
    let least = (ID + 8)
        .checked_mul(count)
        .and_then(|size| size.checked_add(IDS + 2 * ID))
        .ok_or(CUT)?;
    if index.len() < least {
        return Err(CUT);
    }
    Ok(count)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Kind, size, and how long the head is.
fn parse_head(bytes: &[u8]) -> Option<(Kind, u64, u64)> {
    let mut bytes = bytes.iter();
    let mut byte = *bytes.next()?;
    let kind = match byte >> 4 & 7 {
        1 => Kind::Commit,
        2 => Kind::Tree,
        3 => Kind::Blob,
        // Tags and deltas are not written here.
        _ => return None,
    };
    let mut size = u64::from(byte & 15);
    let (mut shift, mut length) = (4, 1);
    while byte & 0x80 != 0 {
        byte = *bytes.next()?;
        let part = u64::from(byte & 0x7f);
        if part.leading_zeros() < shift {
            return None;
        }
        size |= part.checked_shl(shift)?;
        shift += 7;
        length += 1;
    }
    Some((kind, size, length))
}

/// Reads a pack from a position on.
struct At<'a> {
    pack: &'a Pack,
    position: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.pack.end.saturating_sub(self.position);
        let room = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let got = self.pack.file.read_at(buffer, self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}

/// An object that is being read.
pub(in crate::workspace) struct Object<'a> {
    kind: Kind,
    size: u64,
    left: u64,
    id: ObjectId,
    path: &'a Path,
    hasher: Option<Hasher>,
    content: ZlibDecoder<BufReader<At<'a>>>,
}

impl Object<'_> {
    pub(in crate::workspace) fn kind(&self) -> Kind {
        self.kind
    }

    pub(in crate::workspace) fn size(&self) -> u64 {
        self.size
    }

    /// Reads a piece; 0 at the end, after it is certain that all of it was what the id says.
    pub(in crate::workspace) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let damaged = |why| Error::damaged(self.path.display().to_string(), why);
        let Some(hasher) = &mut self.hasher else {
            return Ok(0);
        };
        if self.left > 0 {
            let room = usize::try_from(self.left).unwrap_or(usize::MAX);
            let room = room.min(buffer.len());
            let buffer = buffer.get_mut(..room).unwrap_or_default();
            let got = self.content.read(buffer);
            let got = got.map_err(|_| damaged("an object cannot be decompressed"))?;
            if got == 0 {
                return Err(damaged("an object is shorter than it says"));
            }
            hasher.update(buffer.get(..got).unwrap_or_default());
            self.left -= got as u64;
            return Ok(got);
        }
        // Reading on checks the sum that the compressed form ends with.
        match self.content.read(&mut [0]) {
            Ok(0) => {}
            _ => return Err(damaged("an object is longer than it says")),
        }
        let id = self.hasher.take().map(Hasher::finish);
        if id == Some(self.id) {
            Ok(0)
        } else {
            Err(damaged("an object is not what its id says"))
        }
    }

    /// The whole of it.
    pub(in crate::workspace) fn read_all(mut self, limit: u64) -> Result<Vec<u8>> {
        if self.size > limit {
            return Err(Error::limit("the size of an object", limit));
        }
        let mut content = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(content),
                got => content.extend_from_slice(buffer.get(..got).unwrap_or_default()),
            }
        }
    }
}
