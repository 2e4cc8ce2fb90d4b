//! What git's trees do not know, as text: one line a name, directory by directory from the top, those
//! of one directory together. It is stored in chunks that end where names say so, so that the parts
//! that did not change are those of the checkpoint before.
//!
//! ```text
//! stockade 1 NUMBER-OF-LINES
//! d MODE UID GID MTIME.NANOSECONDS NUMBER-OF-NAMES NAME
//! f MODE UID GID MTIME.NANOSECONDS SIZE GROUP ID NAME      (t: torn; l: symbolic link)
//! x REASON NAME
//! ```
//! The root is the first line, with an empty name. In names, control characters and `%` are `%XX`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::BufRead as _;

use crate::workspace::disk::Time;
use crate::workspace::id::ObjectId;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::EntryKind;
use crate::workspace::snapshot::Node;
use crate::workspace::snapshot::Reason;
use crate::workspace::snapshot::Snapshot;

const HEAD: &[u8] = b"stockade 1 ";

/// A chunk has at least so many bytes, and at most so many and a line.
const CHUNK: (usize, usize) = (32 * 1024, 512 * 1024);

/// The longest chunk that is read.
pub(super) const MAX_CHUNK: u64 = 1 << 20;

/// The most names that are read.
const MAX_LINES: u64 = 1 << 26;

/// The longest name that is read; Linux has 255 bytes.
const MAX_NAME: usize = 4096;

/// Writes a tree as text; `chunk` gets it piece by piece.
pub(super) fn encode<E>(
    snapshot: &Snapshot,
    mut chunk: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = Vec::with_capacity(CHUNK.1 + 1024);
    out.extend_from_slice(HEAD);
    decimal(&mut out, snapshot.len() as u64);
    out.push(b'\n');
    line(&mut out, snapshot, 0);
    // Alone, as the number of lines is seldom the same.
    chunk(&out)?;
    out.clear();
    let mut result = Ok(());
    snapshot.walk(|directory, _| {
        for at in snapshot.children(directory) {
            line(&mut out, snapshot, at);
            let (least, most) = CHUNK;
            let ends = out.len() >= least && ends_chunk(snapshot.name(at));
            if (ends || out.len() >= most) && result.is_ok() {
                result = chunk(&out);
                out.clear();
            }
        }
    });
    result?;
    if out.is_empty() { Ok(()) } else { chunk(&out) }
}

/// One name in 64, wherever it stands.
fn ends_chunk(name: &[u8]) -> bool {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.sum() & 63 == 0
}

fn line(out: &mut Vec<u8>, snapshot: &Snapshot, at: At) {
    let Some(node) = snapshot.node(at) else {
        return;
    };
    let kind = match node.kind {
        EntryKind::Directory => b'd',
        EntryKind::File if node.torn => b't',
        EntryKind::File => b'f',
        EntryKind::Symlink => b'l',
        EntryKind::LeftOut(_) => b'x',
    };
    out.extend_from_slice(&[kind, b' ']);
    if let EntryKind::LeftOut(reason) = node.kind {
        out.extend_from_slice(reason.as_str().as_bytes());
    } else {
        octal(out, node.mode);
        for number in [node.owner.0, node.owner.1] {
            out.push(b' ');
            decimal(out, number.into());
        }
        out.push(b' ');
        if node.mtime.seconds < 0 {
            out.push(b'-');
        }
        decimal(out, node.mtime.seconds.unsigned_abs());
        out.push(b'.');
        decimal(out, node.mtime.nanoseconds.into());
        out.push(b' ');
        if node.is_directory() {
            decimal(out, node.count().into());
        } else {
            decimal(out, node.size);
            out.push(b' ');
            decimal(out, node.group.into());
            out.push(b' ');
            out.extend_from_slice(&node.id.to_hex());
        }
    }
    out.push(b' ');
    let name = snapshot.name(at);
    if name.iter().copied().any(is_special) {
        for &byte in name {
            match is_special(byte) {
                true => out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]),
                false => out.push(byte),
            }
        }
    } else {
        out.extend_from_slice(name);
    }
    out.push(b'\n');
}

fn is_special(byte: u8) -> bool {
    byte.is_ascii_control() || byte == b'%'
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        start = at;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

fn octal(out: &mut Vec<u8>, value: u32) {
    for shift in [9, 6, 3, 0] {
        out.push(b'0' + (value >> shift & 7) as u8);
    }
}

/// Reads what [`encode`] wrote, chunk by chunk.
pub(super) struct Decoder {
    snapshot: Option<Snapshot>,
    expected: u64,
    /// Directories whose names come later; then the one that is read, and how many names it lacks.
    pending: Vec<At>,
    current: Option<(At, At, u32)>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            snapshot: None,
            expected: 0,
            pending: Vec::new(),
            current: None,
        }
    }

    /// Reads a chunk, which ends with a line.
    pub(super) fn chunk(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = rest;
            let length = rest.skip_until(b'\n').unwrap_or(0);
            let line = whole
                .get(..length)
                .and_then(|line| line.strip_suffix(b"\n"));
            let line = line.ok_or("a line of its metadata is cut short")?;
            self.line(line)
                .ok_or("a line of its metadata is not understood")?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        if self.expected == 0 {
            let count = line.strip_prefix(HEAD)?;
            self.expected = number(count).filter(|count| (1..=MAX_LINES).contains(count))?;
            return Some(());
        }
        let (mut node, name, count) = parse(line)?;
        let Some(snapshot) = &mut self.snapshot else {
            if !node.is_directory() || !name.is_empty() {
                return None;
            }
            node.torn = false;
            self.snapshot = Some(Snapshot::new(node));
            self.current = Some((0, 1, count));
            self.next()?;
            return Some(());
        };
        let (_, _, left) = self.current.as_mut().filter(|(_, _, left)| *left > 0)?;
        *left -= 1;
        if snapshot.len() as u64 >= self.expected || !is_name(&name) {
            return None;
        }
        // For now, where a directory has its number of names.
        node.size = if node.is_directory() {
            count.into()
        } else {
            node.size
        };
        snapshot.push(&name, node)?;
        self.next()
    }

    /// Goes on to the next directory as long as the current one is complete.
    fn next(&mut self) -> Option<()> {
        let snapshot = self.snapshot.as_mut()?;
        while let Some((directory, first, 0)) = self.current {
            snapshot.adopt(directory, first);
            let children = snapshot.children(directory);
            if !children
                .clone()
                .zip(children.clone().skip(1))
                .all(|(a, b)| snapshot.name(a) < snapshot.name(b))
            {
                return None;
            }
            let directories = children.rev().filter(|at| {
                let node = snapshot.node(*at);
                node.is_some_and(Node::is_directory)
            });
            self.pending.extend(directories);
            self.current = match self.pending.pop() {
                Some(at) => {
                    let first = At::try_from(snapshot.len()).ok()?;
                    let node = snapshot.node_mut(at)?;
                    let count = u32::try_from(std::mem::take(&mut node.size)).ok()?;
                    Some((at, first, count))
                }
                None => None,
            };
        }
        Some(())
    }

    /// The tree, if that was all of it.
    pub(super) fn finish(self) -> Result<Snapshot, &'static str> {
        let complete = self.current.is_none();
        let snapshot = self.snapshot.filter(|_| complete);
        snapshot
            .filter(|snapshot| snapshot.len() as u64 == self.expected)
            .ok_or("its metadata is cut short")
    }
}

/// What a directory can hold.
fn is_name(name: &[u8]) -> bool {
    let bad = |byte: &u8| matches!(byte, 0 | b'/');
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != b"."
        && name != b".."
        && !name.iter().any(bad)
}

/// A node, its name, and of a directory how many names it has.
fn parse(line: &[u8]) -> Option<(Node, Cow<'_, [u8]>, u32)> {
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|&byte| byte == b' ')?;
        let (field, after) = rest.split_at_checked(end)?;
        rest = after.get(1..)?;
        Some(field)
    };
    let kind = field()?;
    if kind == b"x" {
        let word = field()?;
        let reason = Reason::ALL.into_iter();
        let reason = reason
            .into_iter()
            .find(|reason| reason.as_str().as_bytes() == word)?;
        return Some((Node::new(EntryKind::LeftOut(reason)), unescape(rest)?, 0));
    }
    let mut node = Node::new(match kind {
        b"d" => EntryKind::Directory,
        b"f" | b"t" => EntryKind::File,
        b"l" => EntryKind::Symlink,
        _ => return None,
    });
    node.torn = kind == b"t";
    let mode = field()?;
    node.mode = u32::from_str_radix(str::from_utf8(mode).ok()?, 8).ok()?;
    if node.mode > 0o7777 || mode.len() != 4 || !mode.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let short = |text| number(text).and_then(|value| u32::try_from(value).ok());
    node.owner = (short(field()?)?, short(field()?)?);
    let time = field()?;
    let point = time.iter().position(|&byte| byte == b'.')?;
    let (seconds, nanoseconds) = time.split_at_checked(point)?;
    let (negative, seconds) = match seconds.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, seconds),
    };
    let seconds = i64::try_from(number(seconds)?).ok()?;
    node.mtime = Time {
        seconds: if negative { -seconds } else { seconds },
        nanoseconds: short(nanoseconds.get(1..)?).filter(|value| *value < 1_000_000_000)?,
    };
    let mut count = 0;
    if node.is_directory() {
        count = short(field()?)?;
    } else {
        node.size = number(field()?)?;
        node.group = short(field()?)?;
        node.id = ObjectId::from_hex(field()?)?;
    }
    Some((node, unescape(rest)?, count))
}

/// Digits, and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn unescape(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.contains(&b'%') {
        return Some(text.into());
    }
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(*bytes.next()?).to_digit(16);
            name.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            name.push(byte);
        }
    }
    Some(name.into())
}
