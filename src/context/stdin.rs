//! A context that comes on standard input: an archive, packed or not, or a lone Containerfile. Told
//! apart by the first bytes, as `docker build -` does.

#[cfg(test)]
mod tests;

use std::io;
use std::io::Cursor;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::context::directory::Containerfile;
use crate::context::directory::MAX_WHOLE_FILE;
use crate::context::error::Error;
use crate::context::error::Kind;

/// An archive's header.
const BLOCK: usize = 512;

/// What came on standard input.
pub enum Input<R: Read> {
    /// A tar archive, unpacked as it is read; a broken compression is an error of the reader.
    Archive(Archive<R>),
    /// Instructions without a context.
    Containerfile(Containerfile),
}

/// The bytes of an archive, to be passed on as they are.
pub struct Archive<R: Read>(Source<R>);

/// A reader with the bytes that were looked at put back.
type Rewound<R> = io::Chain<Cursor<Vec<u8>>, R>;
type Unpacked<R> = MultiGzDecoder<Rewound<R>>;

enum Source<R: Read> {
    Plain(Rewound<R>),
    Gzip(Box<Rewound<Unpacked<R>>>),
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Plain(reader) => reader.read(buffer),
            Source::Gzip(reader) => reader.read(buffer),
        }
    }
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes. Archives packed with bzip2, xz or zstd are passed on as they are:
    /// the service unpacks them.
    ///
    /// # Errors
    ///
    /// Nothing came; gzip that holds no archive; text of more than 1 MiB or with a NUL.
    pub fn sniff(mut input: R) -> Result<Self, Error> {
        let head = read_head(&mut input).map_err(Error::input)?;
        if head.is_empty() {
            return Err(Error::without_path(Kind::Input("it is empty")));
        }
        if head.starts_with(b"\x1f\x8b") {
            let mut unpacked = MultiGzDecoder::new(Cursor::new(head).chain(input));
            let head = read_head(&mut unpacked).map_err(Error::input)?;
            if !is_tar(&head) {
                return Err(Error::without_path(Kind::Input(
                    "gzip that holds no tar archive",
                )));
            }
            let whole = Cursor::new(head).chain(unpacked);
            return Ok(Self::Archive(Archive(Source::Gzip(Box::new(whole)))));
        }
        let packed = [&b"BZh"[..], b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
        if is_tar(&head) || packed.iter().any(|magic| head.starts_with(magic)) {
            return Ok(Self::Archive(Archive(Source::Plain(
                Cursor::new(head).chain(input),
            ))));
        }
        let mut text = head;
        let room = (MAX_WHOLE_FILE + 1).saturating_sub(text.len() as u64);
        input
            .take(room)
            .read_to_end(&mut text)
            .map_err(Error::input)?;
        if text.len() as u64 > MAX_WHOLE_FILE {
            return Err(Error::without_path(Kind::TooLarge(MAX_WHOLE_FILE)));
        }
        if text.contains(&0) {
            return Err(Error::without_path(Kind::Input(
                "neither a tar archive nor text",
            )));
        }
        Ok(Self::Containerfile(Containerfile::from_bytes(text)))
    }
}

/// Up to one header's worth, however small the pieces come.
fn read_head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BLOCK);
    input.take(BLOCK as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The magic of POSIX and GNU archives; or an archive with no entry at all.
fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
        || (head.len() == BLOCK && head.iter().all(|byte| *byte == 0))
}
