//! Which container a label of ours was made for. The label names no id, since it is written before
//! there is one: without this, a copy of it on a later container of the same name would be ours.
//!
//! One line for each container that was made, `LABEL ID`, the first sixteen digits of each. They
//! stay when the container goes: that is what tells the copy from it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::ownership::LABEL;

const FILE: &str = "containers";
/// Hexadecimal digits of a label's nonce, and of an id.
const DIGITS: usize = 16;
/// About a million containers.
const MAX_BYTES: u64 = 32 << 20;

/// The record, as it was when it was read.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    ids: BTreeMap<String, String>,
}

impl Ledger {
    /// Reads the record in the state directory; where there is none, it is empty.
    ///
    /// # Errors
    /// It cannot be read, or is larger than 32 MiB.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        let mut text = String::new();
        match OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
        {
            Ok(file) => file.take(MAX_BYTES + 1).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut ids = BTreeMap::new();
        for line in text.lines() {
            // A line that was cut short says nothing; of two, the first was there first.
            if let Some((nonce, id)) = line.split_once(' ')
                && id.len() == DIGITS
            {
                ids.entry(nonce.to_owned()).or_insert_with(|| id.to_owned());
            }
        }
        Ok(Self { path, ids })
    }

    /// Whether a label may be that of the container with this id. One that nothing is known of may
    /// be: who made its container was ended before it could say so.
    #[must_use]
    pub fn allows(&self, labels: &BTreeMap<String, String>, id: &str) -> bool {
        let known = nonce(labels).and_then(|nonce| self.ids.get(nonce));
        known.is_none_or(|known| id.starts_with(known.as_str()))
    }

    /// Notes that a label of ours belongs to the container with this id, unless that is known.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&self, labels: &BTreeMap<String, String>, id: &str) -> io::Result<()> {
        let (Some(nonce), Some(id)) = (nonce(labels), id.get(..DIGITS)) else {
            return Ok(());
        };
        if self.ids.contains_key(nonce) {
            return Ok(());
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&self.path)?;
        // In one call: others may write too.
        file.write_all(format!("{nonce} {id}\n").as_bytes())
    }
}

fn nonce(labels: &BTreeMap<String, String>) -> Option<&str> {
    let (nonce, _) = labels.get(LABEL)?.split_once('.')?;
    nonce.get(..DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_belongs_to_the_first_container_that_had_it() {
        let dir = tempfile::tempdir().unwrap();
        let labels = |digit: &str| {
            let label = format!("{}.{}", digit.repeat(32), "0".repeat(64));
            BTreeMap::from([(LABEL.to_owned(), label)])
        };
        let (first, second) = ("a".repeat(64), "b".repeat(64));
        let ledger = Ledger::open(dir.path()).unwrap();
        assert!(ledger.allows(&labels("1"), &first));
        ledger.note(&labels("1"), &first).unwrap();
        ledger.note(&labels("1"), &second).unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        assert!(ledger.allows(&labels("1"), &first));
        assert!(!ledger.allows(&labels("1"), &second));
        assert!(ledger.allows(&labels("2"), &second));
        ledger.note(&labels("1"), &first).unwrap();
        let written = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(
            written.lines().count(),
            2,
            "what is known is not noted again"
        );
        // A copy of a line that was cut short while it was written.
        std::fs::write(dir.path().join(FILE), "1111111111111111 aaaa").unwrap();
        assert!(
            Ledger::open(dir.path())
                .unwrap()
                .allows(&labels("1"), &second)
        );
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join(FILE)).unwrap();
        Ledger::open(dir.path()).unwrap_err();
    }
}
