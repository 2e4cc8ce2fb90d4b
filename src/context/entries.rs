//! Reading a tar stream that somebody else wrote, header by header: USTAR, GNU and PAX, as Podman
//! writes them. What is kept in memory of it has a bound, and an archive without an end is an error.
//!
//! Not `tar::Entries`: it reads names of any length into memory, takes an archive that was cut
//! between two entries for a whole one, and cuts PAX values at a newline.

#[cfg(test)]
mod tests;

use std::io;
use std::io::Read;

use tar::Header;

use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::tree::MAX_PATH;

const BLOCK: usize = 512;

/// Names and PAX records before an entry (bytes): several extended attributes of the largest size.
const MAX_RECORD: u64 = 1024 * 1024;

/// Headers in one archive.
const MAX_HEADERS: u64 = 1 << 23;

/// Blocks of zeros after the end; tape archives are padded to a multiple of 20 blocks and more.
const MAX_TRAILING_BLOCKS: usize = 4096;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    Symlink,
    HardLink,
    /// FIFO or device.
    Special,
}

/// One entry, as the archive has it: nothing is checked but lengths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) path: Vec<u8>,
    /// Where a link leads.
    pub(super) target: Vec<u8>,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) mtime: i64,
}

/// Entries one after another; between two of them, the content of the first.
#[derive(Debug)]
pub(super) struct Entries<R> {
    reader: R,
    /// Content still to come, in bytes.
    left: u64,
    /// What fills up its last block.
    padding: u64,
    headers: u64,
}

/// What stands before an entry and says more of it.
#[derive(Debug, Default)]
struct Records {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

#[derive(Debug, Default)]
struct Pax {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<i64>,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            left: 0,
            padding: 0,
            headers: 0,
        }
    }

    /// The next entry; what was not read of the one before is skipped. `None` after the mark that
    /// ends an archive.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut records = Records::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let [kind] = header.as_old().linkflag;
            let size = header
                .entry_size()
                .map_err(|_| bad("size of an entry that is no number"))?;
            let second = || bad("two names for one entry");
            match kind {
                b'L' => {
                    let name = self.record(size)?;
                    if records.long_name.replace(until_nul(name)).is_some() {
                        return Err(second());
                    }
                }
                b'K' => {
                    let name = self.record(size)?;
                    if records.long_link.replace(until_nul(name)).is_some() {
                        return Err(second());
                    }
                }
                b'x' => {
                    let pax = Pax::parse(&self.record(size)?)?;
                    if records.pax.replace(pax).is_some() {
                        return Err(second());
                    }
                }
                // For all that follow: comments, as `git archive` writes them.
                b'g' => self.content(size),
                byte => return self.entry(&header, byte, size, records).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        byte: u8,
        size: u64,
        records: Records,
    ) -> Result<Entry, Error> {
        let pax = records.pax.unwrap_or_default();
        let path = pax.path.or(records.long_name);
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let target = pax.target.or(records.long_link);
        let target =
            target.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        if path.len() > MAX_PATH || target.len() > MAX_PATH {
            return Err(bad("name that is too long"));
        }
        let kind = match byte {
            // As very old archives mark directories.
            b'\0' if path.ends_with(b"/") => EntryKind::Directory,
            b'0' | b'\0' | b'7' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'3' | b'4' | b'6' => EntryKind::Special,
            b'5' => EntryKind::Directory,
            _ => return Err(bad("type of entry that is not supported")),
        };
        // Only files have content, whatever the header says.
        if kind == EntryKind::File {
            self.content(pax.size.unwrap_or(size));
        }
        Ok(Entry {
            kind,
            path,
            target,
            mode: header
                .mode()
                .map_err(|_| bad("mode of an entry that is no number"))?,
            mtime: match pax.mtime {
                Some(mtime) => mtime,
                None => i64::try_from(
                    header
                        .mtime()
                        .map_err(|_| bad("time of an entry that is no number"))?,
                )
                .unwrap_or(0),
            },
        })
    }

    fn content(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    /// How much of the entry's content is still to come, in bytes.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Reads content: at least one byte while some is left.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = buffer.get_mut(..want).unwrap_or_default();
        let got = self.some(buffer)?;
        if got == 0 && want > 0 {
            return Err(cut());
        }
        self.left -= got as u64;
        Ok(got)
    }

    /// Reads what comes after the end: the service must not think that we hung up.
    pub(super) fn drain(mut self) -> Result<(), Error> {
        let mut block = [0; BLOCK];
        for _ in 0..MAX_TRAILING_BLOCKS {
            if self.some(&mut block)? == 0 {
                return Ok(());
            }
        }
        Err(bad("more follows its end"))
    }

    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header::new_old();
        self.block(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            let mut second = [0; BLOCK];
            self.block(&mut second)?;
            return match second.iter().all(|byte| *byte == 0) {
                true => Ok(None),
                false => Err(bad("broken end")),
            };
        }
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(bad("more than 8388608 entries"));
        }
        let sum: u32 = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum();
        let field: u32 = header.as_old().cksum.iter().map(|b| u32::from(*b)).sum();
        // The sum is taken with blanks in its own field.
        let sum = sum - field + 8 * u32::from(b' ');
        if header.cksum().ok() == Some(sum) {
            Ok(Some(header))
        } else {
            Err(bad("broken header"))
        }
    }

    /// Content that is kept.
    fn record(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > MAX_RECORD {
            return Err(bad("name that is too long"));
        }
        self.content(size);
        let mut record = Vec::new();
        let mut buffer = [0; 4096];
        while self.left > 0 {
            let got = self.read(&mut buffer)?;
            record.extend_from_slice(buffer.get(..got).unwrap_or_default());
        }
        Ok(record)
    }

    fn skip(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 8192];
        while self.left > 0 {
            self.read(&mut buffer)?;
        }
        self.left = std::mem::take(&mut self.padding);
        while self.left > 0 {
            self.read(&mut buffer)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<(), Error> {
        match self.reader.read_exact(block) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut()),
            Err(error) => Err(Error::input(error)),
        }
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(Error::input),
            }
        }
    }
}

impl Pax {
    /// `LENGTH KEY=VALUE\n`, the length being that of all of it.
    fn parse(mut rest: &[u8]) -> Result<Self, Error> {
        let mut pax = Self::default();
        while !rest.is_empty() {
            let (record, next) = pax_record(rest).ok_or_else(|| bad("broken PAX record"))?;
            rest = next;
            let (key, value) = record;
            // An empty value takes back what a global record said.
            let given = || (!value.is_empty()).then(|| value.to_vec());
            match key {
                b"path" => pax.path = given(),
                b"linkpath" => pax.target = given(),
                b"size" => {
                    let size = number(value);
                    pax.size = Some(size.ok_or_else(|| bad("size of an entry that is no number"))?);
                }
                b"mtime" => {
                    let seconds = value.split(|byte| *byte == b'.').next().and_then(number);
                    pax.mtime = seconds.map(|seconds| i64::try_from(seconds).unwrap_or(0));
                }
                _ if key.starts_with(b"GNU.sparse.") => return Err(bad("sparse file")),
                _ => {}
            }
        }
        Ok(pax)
    }
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn pax_record(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let blank = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(bytes.get(..blank)?)?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let pair = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some(((pair.get(..equals)?, pair.get(equals + 1..)?), rest))
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    name
}

fn bad(what: &'static str) -> Error {
    Error::without_path(Kind::Archive(what))
}

fn cut() -> Error {
    Error::without_path(Kind::Cut)
}
