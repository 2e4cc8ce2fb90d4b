//! The walk: directory by directory, names in the order of their bytes, straight into the archive.
//! In memory are the names of the directories that are open, and one record for each file with
//! several names; never the content.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::CStr;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use sha2::Digest as _;
use sha2::Sha256;

use crate::context::archive::Archive;
use crate::context::archive::Metadata;
use crate::context::digest::Fingerprint;
use crate::context::error::Error;
use crate::context::error::Kind;
use crate::context::ignore;
use crate::context::ignore::Verdict;
use crate::context::select;
use crate::context::select::Reach;
use crate::context::tree;
use crate::context::tree::FileId;
use crate::context::tree::Found;
use crate::context::tree::Listing;
use crate::context::tree::MAX_PATH;
use crate::context::tree::Reading;
use crate::context::tree::Type;
use crate::context::tree::as_path;

/// Each open directory holds a file descriptor; the usual limit is 1024.
const MAX_DEPTH: usize = 256;

/// Of what was skipped, so many are named.
const NAMED_SKIPPED: usize = 5;

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Files, directories and links.
    pub entries: u64,
    /// The length of the archive in bytes.
    pub bytes: u64,
    /// How many sockets, FIFOs and devices were left out.
    pub skipped: u64,
    /// The first few of them, relative to the root, not escaped.
    pub skipped_paths: Vec<PathBuf>,
}

/// What a walk is asked for.
pub(super) struct Request<'a> {
    pub(super) root: &'a OwnedFd,
    pub(super) ignore: ignore::Level<'a>,
    pub(super) select: select::Level<'a>,
    /// Sent whatever `ignore` and `select` say.
    pub(super) always: select::Level<'a>,
    /// How no name in the root may begin.
    pub(super) reserved: Option<&'a [u8]>,
    /// A file that must still have this content: the one that was parsed.
    pub(super) expected: Option<(&'a [u8], [u8; 32])>,
    /// The directory in the archive that the root becomes; empty if what is in it has no parent.
    pub(super) prefix: &'a [u8],
    pub(super) metadata: Metadata,
}

pub(super) struct Walk<'a, W> {
    reserved: Option<&'a [u8]>,
    expected: Option<(&'a [u8], [u8; 32])>,
    archive: Archive<W>,
    metadata: Metadata,
    fingerprint: Option<Fingerprint>,
    summary: Summary,
    stack: Vec<Frame<'a>>,
    path: Vec<u8>,
    /// Files with several names that are in the archive.
    linked: HashMap<FileId, Linked>,
}

struct Linked {
    path: Box<[u8]>,
    version: u64,
    /// SHA-256, if there is a fingerprint.
    content: Option<[u8; 32]>,
}

struct Frame<'a> {
    fd: OwnedFd,
    listing: Listing,
    ignore: ignore::Level<'a>,
    select: select::Level<'a>,
    always: select::Level<'a>,
    /// Length of the directory's path.
    path: usize,
    /// What it was, until the directory's own entry is written: that waits for the first entry below
    /// if the directory itself is not wanted.
    pending: Option<Found>,
}

impl<'a, W: Write> Walk<'a, W> {
    pub(super) fn new(
        request: Request<'a>,
        archive: Archive<W>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, Error> {
        let root = tree::reopen_root(request.root)?;
        let listing = Listing::read(&root, as_path(b"."))?;
        let frame = Frame {
            fd: root,
            listing,
            ignore: request.ignore,
            select: request.select,
            always: request.always,
            path: request.prefix.len(),
            pending: None,
        };
        Ok(Self {
            reserved: request.reserved,
            expected: request.expected,
            archive,
            metadata: request.metadata,
            fingerprint,
            summary: Summary::default(),
            stack: vec![frame],
            path: request.prefix.to_vec(),
            linked: HashMap::new(),
        })
    }

    /// Walks to the end and ends the archive.
    pub(super) fn run(mut self) -> Result<(Summary, Option<Fingerprint>), Error> {
        while let Some(frame) = self.stack.last_mut() {
            let Some(start) = frame.listing.pop() else {
                self.stack.pop();
                continue;
            };
            let name = frame.listing.name(start).to_owned();
            self.path.truncate(frame.path);
            if frame.path > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.to_bytes());
            if self.path.len() > MAX_PATH {
                return Err(Error::new(Kind::PathTooLong(MAX_PATH), as_path(&self.path)));
            }
            if self
                .reserved
                .is_some_and(|reserved| self.path.starts_with(reserved))
            {
                return Err(Error::new(Kind::Reserved, as_path(&self.path)));
            }
            self.visit(&name)?;
        }
        if let Some((path, _)) = self.expected {
            return Err(Error::new(Kind::Changed, as_path(path)));
        }
        let mut summary = self.summary;
        summary.bytes = self.archive.finish()?;
        Ok((summary, self.fingerprint))
    }

    fn visit(&mut self, name: &CStr) -> Result<(), Error> {
        let Some(frame) = self.stack.last() else {
            return Ok(());
        };
        let chosen = frame.select.child(name.to_bytes());
        let always = frame.always.child(name.to_bytes());
        if chosen.reach == Reach::Nothing && always.reach == Reach::Nothing {
            return Ok(());
        }
        let verdict = frame.ignore.child(name.to_bytes());
        let dir = &frame.fd;
        let path = as_path(&self.path);
        let found = tree::find_again(dir, name, path)?;
        let included = verdict == Verdict::Included;
        match found.kind() {
            Type::Directory => {
                let ignore = frame.ignore.enter(name.to_bytes());
                let wanted = chosen.reach == Reach::Whole && included;
                let below = chosen.reach != Reach::Nothing && (included || ignore.may_include());
                if !below && always.reach == Reach::Nothing {
                    return Ok(());
                }
                if self.stack.len() >= MAX_DEPTH {
                    return Err(Error::new(Kind::TooDeep(MAX_DEPTH), path));
                }
                let fd = tree::open_directory(dir, name, &found, path)?;
                let listing = Listing::read(&fd, path)?;
                self.stack.push(Frame {
                    fd,
                    listing,
                    ignore,
                    select: chosen.level,
                    always: always.level,
                    path: self.path.len(),
                    pending: Some(found),
                });
                if wanted {
                    self.write_parents()?;
                }
                Ok(())
            }
            Type::File => {
                if always.reach != Reach::Whole && !(chosen.reach == Reach::Whole && included) {
                    return Ok(());
                }
                self.file(name, &found)
            }
            Type::Link => {
                // A link in the middle of a source is part of the way to it.
                if always.reach != Reach::Whole && !included {
                    return Ok(());
                }
                let target = tree::read_link(dir, name, path)?;
                self.write_parents()?;
                let attributes = self.metadata.of(&found);
                self.archive.symlink(&self.path, &target, attributes)?;
                if let Some(fingerprint) = &mut self.fingerprint {
                    fingerprint.symlink(&self.path, &target);
                }
                self.summary.entries += 1;
                Ok(())
            }
            Type::Special if !included || chosen.reach != Reach::Whole => Ok(()),
            Type::Special if chosen.named => Err(Error::new(Kind::Special, path)),
            Type::Special => {
                self.summary.skipped += 1;
                if self.summary.skipped_paths.len() < NAMED_SKIPPED {
                    self.summary.skipped_paths.push(path.to_owned());
                }
                Ok(())
            }
        }
    }

    fn file(&mut self, name: &CStr, found: &Found) -> Result<(), Error> {
        self.write_parents()?;
        self.summary.entries += 1;
        let path = as_path(&self.path);
        let Some(Frame { fd: dir, .. }) = self.stack.last() else {
            return Ok(());
        };
        let expected = self
            .expected
            .take_if(|(expected, _)| *expected == self.path);
        if let Some(first) = self.linked.get(&found.id())
            && expected.is_none()
        {
            if first.version != found.version() {
                return Err(Error::new(Kind::Changed, path));
            }
            let attributes = self.metadata.of(found);
            self.archive
                .hard_link(&self.path, &first.path, attributes)?;
            if let (Some(fingerprint), Some(content)) = (&mut self.fingerprint, &first.content) {
                fingerprint.file(&self.path, found.mode(), found.size(), content);
            }
            return Ok(());
        }
        let reading = Reading::open(dir, name, found, path)?;
        let opened = *reading.found();
        let hashed = self.fingerprint.is_some() || expected.is_some();
        let mut hash = hashed.then(Sha256::new);
        let attributes = self.metadata.of(&opened);
        self.archive
            .file(&self.path, attributes, reading, path, |piece| {
                if let Some(hash) = &mut hash {
                    hash.update(piece);
                }
            })?;
        let content: Option<[u8; 32]> = hash.map(|hash| hash.finalize().into());
        if let Some((_, wanted)) = expected
            && content != Some(wanted)
        {
            return Err(Error::new(Kind::Changed, path));
        }
        if let (Some(fingerprint), Some(content)) = (&mut self.fingerprint, &content) {
            fingerprint.file(&self.path, opened.mode(), opened.size(), content);
        }
        if opened.has_hard_links() {
            let path = self.path.as_slice().into();
            self.linked.insert(
                opened.id(),
                Linked {
                    path,
                    version: opened.version(),
                    content,
                },
            );
        }
        Ok(())
    }

    /// Writes the entries of the directories that lead to the next one, if they are not there yet.
    fn write_parents(&mut self) -> Result<(), Error> {
        for frame in &mut self.stack {
            let Some(found) = frame.pending.take() else {
                continue;
            };
            let path = self.path.get(..frame.path).unwrap_or_default();
            self.archive.directory(path, self.metadata.of(&found))?;
            if let Some(fingerprint) = &mut self.fingerprint {
                fingerprint.directory(path, found.mode());
            }
            self.summary.entries += 1;
        }
        Ok(())
    }
}
