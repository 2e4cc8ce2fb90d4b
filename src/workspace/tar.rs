//! A checkpoint's tree as a tar stream: GNU format, names byte by byte.
//!
//! Not `tar::Builder`: it ends the archive when it is dropped, and it mends link targets.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use tar::EntryType;
use tar::Header;

use crate::workspace::changes::pairs;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::Kind;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::store::Store;

const BLOCK: usize = 512;

/// Targets of links are no longer on Linux.
const MAX_TARGET: u64 = 64 * 1024;

/// What becomes of a path in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// It is written as it is.
    Keep,
    /// It is left out, with all that is below it.
    Drop,
    /// A file with this content instead; mode and time stay.
    Replace(Vec<u8>),
    /// As the base has it, if it has it.
    Base,
}

/// Writes the tree; `select` decides about every path.
pub(super) fn write(
    store: &Store,
    at: &Snapshot,
    base: Option<&Snapshot>,
    out: &mut dyn Write,
    select: &mut dyn FnMut(&Path) -> Selected,
) -> Result<()> {
    let nothing = Snapshot::new(Node::new(EntryKind::Directory));
    let base = base.unwrap_or(&nothing);
    let mut archive = Archive {
        store,
        out,
        links: HashMap::new(),
    };
    let mut path = Vec::new();
    let roots = pairs(at, Some(0), base, Some(0)).into_iter().rev();
    let mut stack: Vec<_> = roots.map(|(one, two)| (one, two, 0)).collect();
    while let Some((here, there, above)) = stack.pop() {
        path.truncate(above);
        let name = match (here, there) {
            (Some(node), _) => at.name(node),
            (None, node) => base.name(node.unwrap_or_default()),
        };
        snapshot::join(&mut path, name);
        let (mut below_here, below_there) = (here, there);
        let (mine, theirs) = (
            here.and_then(|node| at.node(node)),
            there.and_then(|node| base.node(node)),
        );
        match select(&snapshot::path(&path)) {
            Selected::Keep => {
                let was_directory = theirs.filter(|node| node.is_directory());
                match (mine, was_directory, there) {
                    (Some(node), ..) if node.is_directory() => {
                        archive.entry(&path, node, false)?;
                    }
                    // What comes from the base below it must not go through a link in its place.
                    (_, Some(node), Some(there)) if holds_base(base, there, &path, select) => {
                        archive.entry(&path, node, true)?;
                    }
                    (Some(node), ..) => archive.entry(&path, node, false)?,
                    _ => {}
                }
            }
            Selected::Drop => continue,
            Selected::Replace(content) => {
                if let Some(node) = mine.or(theirs) {
                    let mut node = *node;
                    node.kind = EntryKind::File;
                    archive.head(EntryType::Regular, &path, b"", &node, content.len() as u64)?;
                    archive.put(&content)?;
                    archive.pad(content.len() as u64)?;
                }
                continue;
            }
            Selected::Base => {
                if let Some(node) = theirs {
                    archive.entry(&path, node, true)?;
                }
                if theirs.is_none_or(|node| !node.is_directory()) {
                    // A file or nothing stands where a directory was.
                    below_here = None;
                }
            }
        }
        let below = pairs(at, below_here, base, below_there).into_iter().rev();
        stack.extend(below.map(|(one, two)| (one, two, path.len())));
    }
    archive.put(&[0; 2 * BLOCK])?;
    archive.out.flush().map_err(Error::sink)
}

/// Whether anything below a directory is to be as the base has it.
fn holds_base(
    base: &Snapshot,
    directory: At,
    path: &[u8],
    select: &mut dyn FnMut(&Path) -> Selected,
) -> bool {
    let mut stack = vec![(directory, path.to_vec())];
    while let Some((directory, above)) = stack.pop() {
        for child in base.children(directory) {
            let mut path = above.clone();
            snapshot::join(&mut path, base.name(child));
            match select(&snapshot::path(&path)) {
                Selected::Base => return true,
                Selected::Keep => stack.push((child, path)),
                Selected::Drop | Selected::Replace(_) => {}
            }
        }
    }
    false
}

struct Archive<'a> {
    store: &'a Store,
    out: &'a mut dyn Write,
    /// The path that a group of files was written under; by whether it is the base's.
    links: HashMap<(bool, u32), Vec<u8>>,
}

impl Archive<'_> {
    fn entry(&mut self, path: &[u8], node: &Node, is_base: bool) -> Result<()> {
        match node.kind {
            EntryKind::LeftOut(_) => Ok(()),
            EntryKind::Directory => {
                let path = [path, b"/"].concat();
                self.head(EntryType::Directory, &path, b"", node, 0)
            }
            EntryKind::Symlink => {
                let target = self.store.read(node.id, Kind::Blob, MAX_TARGET)?;
                self.head(EntryType::Symlink, path, &target, node, 0)
            }
            EntryKind::File => {
                if node.group != 0 {
                    let key = (is_base, node.group);
                    if let Some(first) = self.links.get(&key).cloned() {
                        return self.head(EntryType::Link, path, &first, node, 0);
                    }
                    self.links.insert(key, path.to_vec());
                }
                let mut object = self.store.object(node.id, Kind::Blob)?;
                let size = object.size();
                self.head(EntryType::Regular, path, b"", node, size)?;
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    match object.read(&mut buffer)? {
                        0 => return self.pad(size),
                        got => self.put(buffer.get(..got).unwrap_or_default())?,
                    }
                }
            }
        }
    }

    fn head(
        &mut self,
        kind: EntryType,
        path: &[u8],
        target: &[u8],
        node: &Node,
        size: u64,
    ) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(node.mode);
        header.set_uid(node.owner.0.into());
        header.set_gid(node.owner.1.into());
        header.set_mtime(u64::try_from(node.mtime.seconds).unwrap_or(0));
        header.set_size(size);
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
    fn long(&mut self, kind: EntryType, text: &[u8]) -> Result<()> {
        // As GNU tar does: the name with a NUL.
        let size = text.len() as u64 + 1;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        if let Some(fields) = header.as_gnu_mut() {
            fill(&mut fields.name, b"././@LongLink");
        }
        header.set_cksum();
        self.put(header.as_bytes())?;
        self.put(text)?;
        self.put(&[0])?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        match over {
            0 => Ok(()),
            _ => self.put([0; BLOCK].get(over..).unwrap_or_default()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Error::sink)
    }
}

/// Copies what fits, and says whether that is all.
fn fill(field: &mut [u8; 100], text: &[u8]) -> bool {
    field
        .iter_mut()
        .zip(text)
        .for_each(|(to, from)| *to = *from);
    text.len() <= field.len()
}
