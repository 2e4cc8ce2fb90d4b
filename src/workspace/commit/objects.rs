//! Objects as git has them, in the person's own repository: by SHA-1 or SHA-256, each a file.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rustix::fs::{AtFlags, Mode};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::workspace::disk::{self, Type};
use crate::workspace::error::{Error, Result};

use super::place::{self, Place};

/// A file that is written, until it has its name.
const TEMPORARY: &std::ffi::CStr = c"tmp_obj_stockade";

/// How a repository names its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Sha1,
    Sha256,
}

/// The id of an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(Vec<u8>);

impl Id {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From digits in lower case, as many as the format has.
    pub(super) fn from_hex(text: &[u8], format: Format) -> Option<Self> {
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let pair = |pair: &[u8]| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let bytes = text.chunks(2).map(pair).collect::<Option<Vec<u8>>>()?;
        (bytes.len() == format.length()).then_some(Self(bytes))
    }

    /// Stands where there is no object.
    pub(super) fn none(format: Format) -> Self {
        Self(vec![0; format.length()])
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

enum Hasher {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(format: Format) -> Self {
        match format {
            Format::Sha1 => Self::Sha1(Sha1::new()),
            Format::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Id {
        Id(match self {
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
        })
    }
}

impl Format {
    /// Bytes of an id.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(super) fn checksum(self, bytes: &[u8]) -> Id {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Content that can be read from its beginning more than once: given piece by piece to a closure.
pub(super) type Content<'a> = dyn Fn(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> + 'a;

/// The id of an object of `size` bytes.
pub(super) fn id_of(format: Format, kind: &str, size: u64, content: &Content<'_>) -> Result<Id> {
    let mut hasher = Hasher::new(format);
    hasher.update(format!("{kind} {size}\0").as_bytes());
    content(&mut |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Where objects are kept.
pub(super) struct Objects {
    pub(super) format: Format,
    pub(super) directory: Place,
    /// Those that were there before the agent, by their names below the directory.
    pub(super) known: HashSet<String>,
}

impl Objects {
    /// Writes an object, unless it was there before the agent, who may have put others in the way.
    pub(super) fn write(
        &self,
        id: &Id,
        kind: &str,
        size: u64,
        content: &Content<'_>,
    ) -> Result<()> {
        let hex = id.to_string();
        let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
        let parent = self.directory.enter(first.as_bytes(), true)?;
        let name = place::c_name(rest.as_bytes());
        // git may have put it into a pack, and dropped that, since it was seen.
        if self.known.contains(&format!("{first}/{rest}"))
            && disk::find(&parent.fd, &name).is_ok_and(|found| found.kind == Type::File)
        {
            return Ok(());
        }
        let path = parent.path.join(rest);
        // Left of one that was killed; only the holder of the index's lock comes here.
        let _ = rustix::fs::unlinkat(&self.directory.fd, TEMPORARY, AtFlags::empty());
        let file = place::create(&self.directory.fd, TEMPORARY, Mode::from_raw_mode(0o444));
        let file = File::from(file.map_err(Error::file("create", &path))?);
        let failed = || Error::file::<std::io::Error>("write", &path);
        let mut encoder = ZlibEncoder::new(BufWriter::new(&file), Compression::fast());
        let head = format!("{kind} {size}\0");
        encoder.write_all(head.as_bytes()).map_err(failed())?;
        content(&mut |piece| encoder.write_all(piece).map_err(failed()))?;
        let mut buffered = encoder.finish().map_err(failed())?;
        buffered.flush().map_err(failed())?;
        drop(buffered);
        rustix::fs::renameat(&self.directory.fd, TEMPORARY, &parent.fd, &name)
            .map_err(Error::file("create", &path))
    }

    /// Waits until all of them are on disk.
    pub(super) fn sync(&self) -> Result<()> {
        let path = &self.directory.path;
        rustix::fs::syncfs(&self.directory.fd).map_err(Error::file("write", path))
    }

    /// Writes an object that is in memory; its id.
    pub(super) fn put(&self, kind: &str, content: &[u8]) -> Result<Id> {
        let whole = |out: &mut dyn FnMut(&[u8]) -> Result<()>| out(content);
        let size = content.len() as u64;
        let id = id_of(self.format, kind, size, &whole)?;
        self.write(&id, kind, size, &whole)?;
        Ok(id)
    }
}
