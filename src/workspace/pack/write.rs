//! Writing one pack, object by object, under a temporary name until it is complete.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;

use flate2::Compress;
use flate2::Compression;
use flate2::Crc;
use flate2::FlushCompress;
use flate2::Status;
use sha2::Digest as _;
use sha2::Sha256;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::files::create;
use crate::workspace::files::remove;
use crate::workspace::files::rename;
use crate::workspace::files::sync;
use crate::workspace::id::Hasher;
use crate::workspace::id::ID;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;

use super::HEADER;
use super::LONG;
use super::MAGIC;

/// As git names what it writes; so `git` knows that it is nothing yet.
const TEMPORARY: [&str; 2] = ["tmp_pack_stockade", "tmp_idx_stockade"];

/// An object as it stands in a pack.
pub(in crate::workspace) struct Packed {
    pub(in crate::workspace) id: ObjectId,
    bytes: Vec<u8>,
    crc: u32,
}

/// Compresses objects; one for each thread, as its tables are large.
pub(in crate::workspace) struct Deflater(Compress);

impl Deflater {
    pub(in crate::workspace) fn new() -> Self {
        Self(Compress::new(Compression::fast(), true))
    }

    pub(in crate::workspace) fn pack(
        &mut self,
        id: ObjectId,
        kind: Kind,
        content: &[u8],
    ) -> Result<Packed> {
        let mut bytes = Vec::with_capacity(content.len() / 2 + 128);
        head(&mut bytes, kind, content.len() as u64);
        self.0.reset();
        loop {
            let taken = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX);
            let rest = content.get(taken..).unwrap_or_default();
            let status = self.0.compress_vec(rest, &mut bytes, FlushCompress::Finish);
            match status {
                Ok(Status::StreamEnd) => break,
                Ok(_) => bytes.reserve(bytes.capacity().max(1024)),
                Err(_) => return Err(Error::damaged("a new object", "it cannot be compressed")),
            }
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        Ok(Packed {
            id,
            bytes,
            crc: crc.sum(),
        })
    }
}

/// Type and size, as they stand before an object.
fn head(out: &mut Vec<u8>, kind: Kind, size: u64) {
    let mut byte = (kind as u8) << 4 | (size & 15) as u8;
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.push(byte);
}

struct Entry {
    id: ObjectId,
    crc: u32,
    offset: u64,
}

/// A pack that grows.
pub(in crate::workspace) struct PackWriter {
    directory: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    entries: Vec<Entry>,
    known: HashSet<ObjectId>,
}

impl PackWriter {
    /// Only one at a time: the caller holds the repository's lock.
    pub(in crate::workspace) fn create(directory: &Path) -> Result<Self> {
        Self::sweep(directory)?;
        let [pack, _] = TEMPORARY;
        let path = directory.join(pack);
        let file = create(&path)?;
        let mut writer = Self {
            directory: directory.to_owned(),
            file: BufWriter::with_capacity(256 * 1024, file),
            path,
            offset: 0,
            entries: Vec::new(),
            known: HashSet::new(),
        };
        // The count comes last.
        writer.write(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(writer)
    }

    /// Clears what a killed writer left behind.
    pub(in crate::workspace) fn sweep(directory: &Path) -> Result<()> {
        for name in TEMPORARY {
            remove(&directory.join(name))?;
        }
        Ok(())
    }

    pub(in crate::workspace) fn contains(&self, id: &ObjectId) -> bool {
        self.known.contains(id)
    }

    pub(in crate::workspace) fn add(&mut self, packed: &Packed) -> Result<()> {
        if !self.known.insert(packed.id) {
            return Ok(());
        }
        self.entries.push(Entry {
            id: packed.id,
            crc: packed.crc,
            offset: self.offset,
        });
        self.write(&packed.bytes)
    }

    /// Adds an object as it stands in another pack.
    pub(in crate::workspace) fn copy(&mut self, id: ObjectId, from: &mut dyn Read) -> Result<()> {
        if !self.known.insert(id) {
            return Ok(());
        }
        let offset = self.offset;
        let mut crc = Crc::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let got = from.read(&mut buffer);
            let got = got.map_err(Error::file("read", &self.directory))?;
            let piece = buffer.get(..got).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            crc.update(piece);
            self.write(piece)?;
        }
        self.entries.push(Entry {
            id,
            crc: crc.sum(),
            offset,
        });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::file("write", &self.path))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Adds a blob of `size` bytes that come piece by piece; `next` fills the buffer it is given,
    /// at least one byte of it. Kept only if `keep` says so when its id is known.
    pub(in crate::workspace) fn stream(
        &mut self,
        size: u64,
        mut next: impl FnMut(&mut [u8]) -> Option<usize>,
        keep: impl FnOnce(&ObjectId) -> bool,
    ) -> Result<Option<ObjectId>> {
        let start = self.offset;
        let mut crc = Crc::new();
        let mut hasher = Hasher::new(Kind::Blob, size);
        let mut compress = Compress::new(Compression::fast(), true);
        let mut buffer = vec![0; 256 * 1024];
        let mut out = Vec::with_capacity(buffer.len());
        head(&mut out, Kind::Blob, size);
        let mut left = size;
        loop {
            let room = usize::try_from(left).unwrap_or(usize::MAX);
            let room = room.min(buffer.len());
            let piece = buffer.get_mut(..room).unwrap_or_default();
            let got = match piece.len() {
                0 => 0,
                _ => match next(piece) {
                    Some(got) => got,
                    None => {
                        self.cut(start)?;
                        return Ok(None);
                    }
                },
            };
            left -= got as u64;
            let mut piece = piece.get(..got).unwrap_or_default();
            hasher.update(piece);
            let flush = match left {
                0 => FlushCompress::Finish,
                _ => FlushCompress::None,
            };
            let ended = loop {
                let before = compress.total_in();
                let status = compress.compress_vec(piece, &mut out, flush);
                let taken = usize::try_from(compress.total_in() - before).unwrap_or(0);
                piece = piece.get(taken..).unwrap_or_default();
                crc.update(&out);
                self.write(&out)?;
                out.clear();
                match status {
                    Ok(Status::StreamEnd) => break true,
                    Ok(_) if left > 0 && piece.is_empty() => break false,
                    Ok(_) => {}
                    Err(_) => {
                        return Err(Error::damaged("a new object", "it cannot be compressed"));
                    }
                }
            };
            if ended {
                break;
            }
        }
        let id = hasher.finish();
        if self.known.contains(&id) || !keep(&id) {
            self.cut(start)?;
            return Ok(Some(id));
        }
        self.known.insert(id);
        self.entries.push(Entry {
            id,
            crc: crc.sum(),
            offset: start,
        });
        Ok(Some(id))
    }

    /// Takes back what was written from an offset on.
    fn cut(&mut self, offset: u64) -> Result<()> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().set_len(offset))
            .and_then(|()| self.file.get_mut().seek(SeekFrom::Start(offset)))
            .map_err(Error::file("write", &self.path))?;
        self.offset = offset;
        Ok(())
    }

    /// Completes the pack and gives it its name; what is on disk then stays there. Returns the path
    /// of the index.
    pub(in crate::workspace) fn finish(mut self) -> Result<PathBuf> {
        let sum = self.seal().map_err(Error::file("write", &self.path))?;
        let [_, temporary] = TEMPORARY;
        let temporary = self.directory.join(temporary);
        let index = self.index(&sum);
        // Beside each other: a file system that keeps a journal writes it once for both.
        std::thread::scope(|scope| {
            let pack = scope.spawn(|| sync(&self.path));
            let written = create(&temporary)?.write_all(&index);
            written.map_err(Error::file("write", &temporary))?;
            sync(&temporary)?;
            pack.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let name = format!("pack-{}", ObjectId::new(sum));
        let pack = self.directory.join(format!("{name}.pack"));
        let index = self.directory.join(format!("{name}.idx"));
        // A pack is there once its index is.
        rename(&self.path, &pack)?;
        rename(&temporary, &index)?;
        sync(&self.directory)?;
        Ok(index)
    }

    /// Writes count and checksum, which are not on disk with that.
    fn seal(&mut self) -> std::io::Result<[u8; ID]> {
        self.file.flush()?;
        let file = self.file.get_ref();
        let count = u32::try_from(self.entries.len());
        let count = count.map_err(|_| std::io::ErrorKind::FileTooLarge)?;
        file.write_all_at(&count.to_be_bytes(), HEADER as u64 - 4)?;
        let mut reader = File::open(&self.path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let got = reader.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            hasher.update(buffer.get(..got).unwrap_or_default());
        }
        let sum: [u8; ID] = hasher.finalize().into();
        file.write_all_at(&sum, self.offset)?;
        Ok(sum)
    }

    fn index(&mut self, sum: &[u8; ID]) -> Vec<u8> {
        self.entries.sort_unstable_by_key(|entry| entry.id);
        let mut index = Vec::with_capacity(2048 + self.entries.len() * (ID + 8));
        index.extend_from_slice(&MAGIC);
        let mut counts = [0_u32; 256];
        for entry in &self.entries {
            let first = entry.id.as_bytes().first().copied().unwrap_or_default();
            if let Some(count) = counts.get_mut(usize::from(first)) {
                *count += 1;
            }
        }
        let mut total = 0_u32;
        for count in counts {
            total += count;
            index.extend_from_slice(&total.to_be_bytes());
        }
        for entry in &self.entries {
            index.extend_from_slice(entry.id.as_bytes());
        }
        for entry in &self.entries {
            index.extend_from_slice(&entry.crc.to_be_bytes());
        }
        let mut long = Vec::new();
        for entry in &self.entries {
            let short = u32::try_from(entry.offset).ok();
            let short = short.filter(|offset| offset & LONG == 0);
            let short = short.unwrap_or_else(|| {
                let at = u32::try_from(long.len() / 8).unwrap_or(u32::MAX);
                long.extend_from_slice(&entry.offset.to_be_bytes());
                LONG | at
            });
            index.extend_from_slice(&short.to_be_bytes());
        }
        index.extend_from_slice(&long);
        index.extend_from_slice(sum);
        let own = checksum(&index);
        index.extend_from_slice(&own);
        index
    }
}

impl Drop for PackWriter {
    fn drop(&mut self) {
        // After `finish` there is nothing of that name; after an error it is of no use.
        let _ = std::fs::remove_file(&self.path);
    }
}
