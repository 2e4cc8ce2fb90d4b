//! The tar stream: GNU format, long names as extra records, names byte by byte.
//!
//! Not `tar::Builder`: it ends the archive when it is dropped, and an archive that was cut short
//! must not have an end.

use std::io::Write;
use std::path::Path;

use tar::EntryType;
use tar::Header;

use crate::context::error::Error;
use crate::context::tree::Found;
use crate::context::tree::Reading;

const BLOCK: usize = 512;

/// The sink gets pieces of this size (bytes), the last one smaller.
const BUFFER: usize = 64 * 1024;

/// Which owner and time an entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    /// Owner 0:0 and time 0: equal trees make equal archives.
    Reproducible,
    /// As they are on disk, in whole seconds.
    Kept,
}

/// What an entry's header says besides name, type and size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    /// Seconds.
    mtime: u64,
}

impl Attributes {
    fn plain(mode: u32) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
        }
    }
}

impl Metadata {
    pub(super) fn of(self, found: &Found) -> Attributes {
        match self {
            Self::Reproducible => Attributes::plain(found.mode()),
            Self::Kept => {
                let (uid, gid) = found.owner();
                Attributes {
                    mode: found.mode(),
                    uid,
                    gid,
                    mtime: found.mtime(),
                }
            }
        }
    }
}

/// Writes entries to a sink through one buffer.
pub(super) struct Archive<W> {
    sink: W,
    buffer: Box<[u8]>,
    filled: usize,
    written: u64,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(sink: W) -> Self {
        Self {
            sink,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            written: 0,
        }
    }

    /// A directory; `path` without a slash at its end.
    pub(super) fn directory(&mut self, path: &[u8], attributes: Attributes) -> Result<(), Error> {
        let mut name = path.to_vec();
        name.push(b'/');
        self.entry(EntryType::Directory, &name, b"", attributes, 0)
    }

    pub(super) fn symlink(
        &mut self,
        path: &[u8],
        target: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error> {
        let attributes = Attributes {
            mode: 0o777,
            ..attributes
        };
        self.entry(EntryType::Symlink, path, target, attributes, 0)
    }

    /// A further name for a file that is already in the archive.
    pub(super) fn hard_link(
        &mut self,
        path: &[u8],
        to: &[u8],
        attributes: Attributes,
    ) -> Result<(), Error> {
        self.entry(EntryType::Link, path, to, attributes, 0)
    }

    /// A file whose content is at hand.
    pub(super) fn bytes(&mut self, path: &[u8], content: &[u8], mode: u32) -> Result<(), Error> {
        let size = content.len() as u64;
        self.entry(EntryType::Regular, path, b"", Attributes::plain(mode), size)?;
        self.put(content)?;
        self.pad(size)
    }

    /// A file from disk; `see` gets each piece of it.
    pub(super) fn file(
        &mut self,
        path: &[u8],
        attributes: Attributes,
        mut reading: Reading,
        on_disk: &Path,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let size = reading.left();
        self.entry(EntryType::Regular, path, b"", attributes, size)?;
        while reading.left() > 0 {
            if self.filled == self.buffer.len() {
                self.flush()?;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let got = reading.read(room, on_disk)?;
            see(room.get(..got).unwrap_or_default());
            self.filled += got;
        }
        reading.finish(on_disk)?;
        self.pad(size)
    }

    /// Ends the archive: two empty blocks, and everything is with the sink. Without this call the
    /// archive has no end. Returns the bytes written.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.put(&[0; 2 * BLOCK])?;
        self.flush()?;
        self.sink.flush().map_err(Error::write)?;
        Ok(self.written)
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: &[u8],
        attributes: Attributes,
        size: u64,
    ) -> Result<(), Error> {
        let mut header = header(kind, attributes, size);
        if let Some(fields) = header.as_gnu_mut() {
            if !fill(&mut fields.name, path) {
                self.long(EntryType::GNULongName, path)?;
            }
            if !fill(&mut fields.linkname, target) {
                self.long(EntryType::GNULongLink, target)?;
            }
        }
        header.set_cksum();
        self.put(header.as_bytes())
    }

    /// The record before an entry that holds what does not fit into its header.
    fn long(&mut self, kind: EntryType, text: &[u8]) -> Result<(), Error> {
        // As GNU tar does: the name with a NUL.
        let size = text.len() as u64 + 1;
        let mut header = header(kind, Attributes::plain(0o644), size);
        if let Some(fields) = header.as_gnu_mut() {
            fill(&mut fields.name, b"././@LongLink");
        }
        header.set_cksum();
        self.put(header.as_bytes())?;
        self.put(text)?;
        self.put(&[0])?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), Error> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over > 0 {
            self.put([0; BLOCK].get(over..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.filled == self.buffer.len() {
                self.flush()?;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let now = room.len().min(bytes.len());
            let (head, tail) = bytes.split_at(now);
            room.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
            self.filled += now;
            bytes = tail;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let full = self.buffer.get(..self.filled).unwrap_or_default();
        self.sink.write_all(full).map_err(Error::write)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}

fn header(kind: EntryType, attributes: Attributes, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(attributes.mode);
    header.set_uid(attributes.uid.into());
    header.set_gid(attributes.gid.into());
    header.set_mtime(attributes.mtime);
    header.set_size(size);
    header
}

/// Copies what fits, and says whether that is all.
fn fill(field: &mut [u8; 100], text: &[u8]) -> bool {
    field
        .iter_mut()
        .zip(text)
        .for_each(|(to, from)| *to = *from);
    text.len() <= field.len()
}
