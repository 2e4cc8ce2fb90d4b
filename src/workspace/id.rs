//! Names of objects: SHA-256 over kind, length and content, as git's SHA-256 format has it.

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;

/// Length in bytes of an id and of every checksum.
pub(super) const ID: usize = 32;

/// The id of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; ID]);

impl ObjectId {
    /// Stands where there is no object.
    pub(super) const NONE: Self = Self([0; ID]);

    pub(super) fn new(bytes: [u8; ID]) -> Self {
        Self(bytes)
    }

    /// From exactly 32 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From exactly 64 lower-case digits.
    pub(super) fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; ID];
        if text.len() != 2 * ID {
            return None;
        }
        let mut wrong = 0;
        for (byte, pair) in bytes.iter_mut().zip(text.as_chunks().0) {
            let [high, low]: [u8; 2] = pair.map(digit);
            wrong |= high | low;
            *byte = high << 4 | low;
        }
        if wrong > 15 {
            return None;
        }
        Some(Self(bytes))
    }

    pub(super) fn to_hex(self) -> [u8; 2 * ID] {
        let mut text = [0; 2 * ID];
        for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [byte >> 4, byte & 15].map(|digit| match digit {
                0..=9 => b'0' + digit,
                _ => b'a' + digit - 10,
            });
        }
        text
    }

    pub(super) fn as_bytes(&self) -> &[u8; ID] {
        &self.0
    }
}

/// What a lower-case digit stands for; of another byte more than 15.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => u8::MAX,
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an object is; the number is that of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }
}

/// Computes the id of an object whose size is known.
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn new(kind: Kind, size: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {size}\0", kind.name()));
        Self(hasher)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> ObjectId {
        ObjectId(self.0.finalize().into())
    }

    pub(super) fn of(kind: Kind, content: &[u8]) -> ObjectId {
        let mut hasher = Self::new(kind, content.len() as u64);
        hasher.update(content);
        hasher.finish()
    }
}

/// A plain checksum.
pub(super) fn checksum(bytes: &[u8]) -> [u8; ID] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        // git hash-object -t tree /dev/null, in a repository of SHA-256.
        let empty = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
        assert_eq!(Hasher::of(Kind::Tree, b"").to_string(), empty);
        assert_eq!(
            ObjectId::from_hex(empty.as_bytes()),
            Some(Hasher::of(Kind::Tree, b""))
        );
    }

    #[test]
    fn other_texts_are_no_ids() {
        let id = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
        for wrong in ["", &id[1..], &format!("{id}0"), &id.to_uppercase()] {
            assert_eq!(ObjectId::from_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
