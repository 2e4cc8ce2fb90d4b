//! git's index: read in versions 2 to 4, written in version 2, or 3 where an entry needs it.

use std::collections::{BTreeMap, HashMap};

use super::objects::{Format, Id};

/// What a directory's repository is in a tree.
pub(super) const GITLINK: u32 = 0o160_000;
/// The name's length as far as it fits.
const LENGTH: u16 = 0x0fff;
const STAGE: u16 = 0x3000;
const EXTENDED: u16 = 0x4000;
const ASSUME_UNCHANGED: u16 = 0x8000;
const SKIP_WORKTREE: u16 = 0x4000;
const INTENT_TO_ADD: u16 = 0x2000;

/// What `stat` said of a file when it was last the same as its entry: seconds and nanoseconds of ctime and
/// mtime, device, inode, user, group and size. Zeros have git look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stat {
    pub(super) ctime: (u32, u32),
    pub(super) mtime: (u32, u32),
    pub(super) dev: u32,
    pub(super) ino: u32,
    pub(super) owner: (u32, u32),
    pub(super) size: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) stat: Stat,
    pub(super) mode: u32,
    pub(super) id: Id,
    /// Without length and stage.
    flags: u16,
    extended: u16,
}

impl Entry {
    pub(super) fn new(mode: u32, id: Id, stat: Stat) -> Self {
        Self {
            stat,
            mode,
            id,
            flags: 0,
            extended: 0,
        }
    }

    /// Whatever the working tree has in its place: git does not look (`--skip-worktree`, `--assume-unchanged`).
    pub(super) fn is_skipped(&self) -> bool {
        self.extended & SKIP_WORKTREE != 0 || self.flags & ASSUME_UNCHANGED != 0
    }

    /// Its content was never added.
    pub(super) fn is_intent(&self) -> bool {
        self.extended & INTENT_TO_ADD != 0
    }
}

/// By path, in git's order.
pub(super) type Entries = BTreeMap<Vec<u8>, Entry>;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Up to a NUL, which is taken too.
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// As in an offset delta.
    fn variable(&mut self) -> Option<usize> {
        let mut byte = *self.take(1)?.first()?;
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = *self.take(1)?.first()?;
            value = value.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
        }
        Some(value)
    }
}

/// Reads an index; says why it cannot be rewritten.
pub(super) fn parse(bytes: &[u8], format: Format) -> Result<Entries, &'static str> {
    const DAMAGED: &str = "the index is damaged";
    const SPLIT: &str = "the index is split or sparse, or more than that";
    let (content, sum) = bytes
        .len()
        .checked_sub(format.length())
        .and_then(|end| bytes.split_at_checked(end))
        .ok_or(DAMAGED)?;
    // With `index.skipHash` it is left out.
    let own = format.checksum(content);
    if own.as_bytes() != sum && sum.iter().any(|&byte| byte != 0) {
        return Err(DAMAGED);
    }
    let mut reader = Reader(content);
    let mut head = || Some((reader.take(4)?, reader.u32()?, reader.u32()?));
    let (magic, version, count) = head().ok_or(DAMAGED)?;
    if magic != b"DIRC" || !(2..=4).contains(&version) {
        return Err("the index is of a version that is not known");
    }
    let mut entries = Entries::new();
    let mut last = Vec::new();
    for _ in 0..count {
        let (name, stage, entry) = entry(&mut reader, version, format, &last).ok_or(DAMAGED)?;
        // It stands for one of another file.
        if name.is_empty() {
            return Err(SPLIT);
        }
        if stage != 0 {
            return Err("a merge is not finished: the index has conflicts");
        }
        if entries
            .last_key_value()
            .is_some_and(|(other, _)| *other >= name)
        {
            return Err(DAMAGED);
        }
        last.clone_from(&name);
        entries.insert(name, entry);
    }
    while !reader.0.is_empty() {
        let mut extension = || {
            let name = reader.take(4)?;
            let size = reader.u32()?;
            reader.take(size as usize)?;
            name.first().map(u8::is_ascii_uppercase)
        };
        // Those in capitals are a help, and made again.
        if !extension().ok_or(DAMAGED)? {
            return Err(SPLIT);
        }
    }
    Ok(entries)
}

/// The submodules in an index.
#[derive(Debug, Default)]
pub(in crate::workspace) struct Gitlinks {
    pub(in crate::workspace) paths: Vec<Vec<u8>>,
    /// There are more in another file.
    pub(in crate::workspace) is_split: bool,
}

/// Reads no more than that, of whatever index git would read; `None` if it is not known which they are.
pub(super) fn gitlinks(bytes: &[u8], format: Format) -> Option<Gitlinks> {
    let end = bytes.len().checked_sub(format.length())?;
    let mut reader = Reader(bytes.get(..end)?);
    let (magic, version, count) = (reader.take(4)?, reader.u32()?, reader.u32()?);
    if magic != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let mut found = Gitlinks::default();
    let mut last = Vec::new();
    for _ in 0..count {
        let (name, _, entry) = entry(&mut reader, version, format, &last)?;
        if entry.mode == GITLINK {
            // Of one that stands for another, the name is not here.
            found
                .paths
                .push(Some(name.clone()).filter(|name| !name.is_empty())?);
        }
        last = name;
    }
    while !reader.0.is_empty() {
        found.is_split |= reader.take(4)? == b"link";
        let size = reader.u32()?;
        reader.take(size as usize)?;
    }
    Some(found)
}

/// The trees that git keeps beside the index for directories in which all is as in it, by path.
pub(super) fn trees(bytes: &[u8], format: Format) -> Option<HashMap<Vec<u8>, Id>> {
    let end = bytes.len().checked_sub(format.length())?;
    let mut reader = Reader(bytes.get(..end)?);
    let (_, version, count) = (reader.take(4)?, reader.u32()?, reader.u32()?);
    let mut last = Vec::new();
    for _ in 0..count {
        (last, _, _) = entry(&mut reader, version, format, &last)?;
    }
    while !reader.0.is_empty() {
        let name = reader.take(4)?;
        let size = reader.u32()?;
        let content = reader.take(size as usize)?;
        if name == b"TREE" {
            return kept_trees(Reader(content), format);
        }
    }
    None
}

fn kept_trees(mut reader: Reader<'_>, format: Format) -> Option<HashMap<Vec<u8>, Id>> {
    let mut trees = HashMap::new();
    // Directories above, and how many below each are still to come.
    let mut above: Vec<(Vec<u8>, u64)> = Vec::new();
    while !reader.0.is_empty() {
        let name = reader.text()?;
        let end = reader.0.iter().position(|&byte| byte == b'\n')?;
        let line = str::from_utf8(reader.take(end)?).ok()?;
        reader.take(1)?;
        let (count, below) = line.split_once(' ')?;
        let mut path = match above.last_mut() {
            Some((path, left)) => {
                *left = left.checked_sub(1)?;
                path.clone()
            }
            None => Vec::new(),
        };
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        if count.parse::<i64>().ok()? >= 0 {
            let id = Id::from_bytes(reader.take(format.length())?);
            trees.insert(path.clone(), id);
        }
        above.push((path, below.parse().ok()?));
        while above.last().is_some_and(|(_, left)| *left == 0) {
            above.pop();
        }
        if above.is_empty() {
            break;
        }
    }
    Some(trees)
}

fn entry(
    reader: &mut Reader<'_>,
    version: u32,
    format: Format,
    last: &[u8],
) -> Option<(Vec<u8>, u16, Entry)> {
    let before = reader.0.len();
    let stat = |reader: &mut Reader<'_>| {
        Some(Stat {
            ctime: (reader.u32()?, reader.u32()?),
            mtime: (reader.u32()?, reader.u32()?),
            dev: reader.u32()?,
            ino: reader.u32()?,
            ..Stat::default()
        })
    };
    let mut stat = stat(reader)?;
    let mode = reader.u32()?;
    stat.owner = (reader.u32()?, reader.u32()?);
    stat.size = reader.u32()?;
    let id = Id::from_bytes(reader.take(format.length())?);
    let flags = reader.u16()?;
    let extended = match flags & EXTENDED {
        0 => 0,
        _ => reader.u16()?,
    };
    let name = if version == 4 {
        let keep = last.len().checked_sub(reader.variable()?)?;
        let mut name = last.get(..keep)?.to_vec();
        name.extend_from_slice(reader.text()?);
        name
    } else {
        let name = reader.text()?.to_vec();
        let used = before - reader.0.len();
        reader.take((8 - used % 8) % 8)?;
        name
    };
    let entry = Entry {
        stat,
        mode,
        id,
        flags: flags & !(LENGTH | STAGE | EXTENDED),
        extended,
    };
    Some((name, flags & STAGE, entry))
}

/// Writes an index.
pub(super) fn encode(entries: &Entries, format: Format) -> Vec<u8> {
    let version: u32 = match entries.values().any(|entry| entry.extended != 0) {
        true => 3,
        false => 2,
    };
    let mut out = b"DIRC".to_vec();
    out.extend(version.to_be_bytes());
    out.extend(
        u32::try_from(entries.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    for (name, entry) in entries {
        let start = out.len();
        let stat = &entry.stat;
        for number in [
            stat.ctime.0,
            stat.ctime.1,
            stat.mtime.0,
            stat.mtime.1,
            stat.dev,
            stat.ino,
            entry.mode,
            stat.owner.0,
            stat.owner.1,
            stat.size,
        ] {
            out.extend(number.to_be_bytes());
        }
        out.extend_from_slice(entry.id.as_bytes());
        let length = u16::try_from(name.len()).unwrap_or(LENGTH).min(LENGTH);
        let is_extended = if entry.extended == 0 { 0 } else { EXTENDED };
        out.extend((entry.flags | length | is_extended).to_be_bytes());
        if entry.extended != 0 {
            out.extend(entry.extended.to_be_bytes());
        }
        out.extend_from_slice(name);
        // At least one NUL.
        let pad = 8 - (out.len() - start) % 8;
        out.resize(out.len() + pad, 0);
    }
    let sum = format.checksum(&out);
    out.extend_from_slice(sum.as_bytes());
    out
}
