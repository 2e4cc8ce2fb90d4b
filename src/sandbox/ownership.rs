//! Which containers are ours: those whose label only we could have written.
//!
//! The label is a nonce and an HMAC-SHA-256 (RFC 2104) of nonce and container name, under a key in
//! the state directory. An image can carry labels, and a committed container keeps its own; but a
//! container made from it has another name, or the name of one that is gone: that the ledger knows.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The label, of those that begin with `io.stockade.`.
pub const LABEL: &str = "io.stockade.owner";
/// The key's file in the state directory.
const KEY_FILE: &str = "owner.key";
const KEY_LENGTH: usize = 32;

/// The key by which we know our own containers.
#[derive(Clone)]
pub struct OwnershipKey([u8; KEY_LENGTH]);

impl fmt::Debug for OwnershipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnershipKey(…)")
    }
}

impl OwnershipKey {
    /// Reads the key in a directory; where there is none, `fresh` becomes it. The directory is
    /// made with mode 0700, the file with 0600.
    ///
    /// # Errors
    /// Directory or file belong to somebody else or can be entered or read by others, or the file
    /// is no key.
    pub fn open(directory: &Path, fresh: [u8; KEY_LENGTH]) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        private(&directory.metadata()?, "the directory")?;
        let path = directory.join(KEY_FILE);
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        // Whole before it has its name, and never in place of another one: two of us may meet here.
        // Its name is no other's: process ids are, where a home is shared between pid namespaces.
        let unique = Sha256::digest(fresh);
        let unique = hex(unique.get(..8).unwrap_or_default());
        let temporary = directory.join(format!("{KEY_FILE}.{unique}"));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(&fresh)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::hard_link(&temporary, &path));
        let _ = std::fs::remove_file(&temporary);
        match written {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => read(&path),
        }
    }

    /// The labels for a container of this name.
    pub fn labels(&self, name: &str, nonce: [u8; 16]) -> BTreeMap<String, String> {
        let nonce = hex(&nonce);
        let seal = hex(&self.mac(&nonce, name).finalize().into_bytes());
        [(LABEL.to_owned(), format!("{nonce}.{seal}"))].into()
    }

    /// Whether a container of this name with these labels is ours.
    pub fn owns(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let Some((nonce, seal)) = labels.get(LABEL).and_then(|label| label.split_once('.')) else {
            return false;
        };
        let Some(seal) = unhex(seal) else {
            return false;
        };
        self.mac(nonce, name).verify_slice(&seal).is_ok()
    }

    fn mac(&self, nonce: &str, name: &str) -> Hmac<Sha256> {
        // The nonce is hexadecimal, so that the point cannot be part of it.
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(nonce.as_bytes());
        mac.update(b".");
        mac.update(name.as_bytes());
        mac
    }
}

fn read(path: &Path) -> io::Result<OwnershipKey> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    private(&file.metadata()?, "the key")?;
    let mut key = [0; KEY_LENGTH];
    read_whole(&mut file, &mut key)
        .map_err(|_| io::Error::other(format!("`{KEY_FILE}` is no key of {KEY_LENGTH} bytes")))?;
    Ok(OwnershipKey(key))
}

fn read_whole(file: &mut File, key: &mut [u8]) -> io::Result<()> {
    file.read_exact(key)
}

fn private(metadata: &std::fs::Metadata, what: &str) -> io::Result<()> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{what} belongs to another user")));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "{what} is open to others (mode {:04o})",
            metadata.mode() & 0o7777
        )));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    bytes
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_our_own_label_of_that_very_name_counts() {
        let key = OwnershipKey([7; KEY_LENGTH]);
        let labels = key.labels("ralph", [1; 16]);
        assert!(key.owns("ralph", &labels));
        assert!(!key.owns("other", &labels));
        assert!(!OwnershipKey([8; KEY_LENGTH]).owns("ralph", &labels));
        for forged in [
            "",
            "x",
            ".",
            "00.00",
            &format!("00.{}", "0".repeat(64)),
            "é.é",
        ] {
            let labels = [(LABEL.to_owned(), forged.to_owned())].into();
            assert!(!key.owns("ralph", &labels), "{forged}");
        }
    }

    #[test]
    fn the_key_is_made_once_and_must_be_private() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("a/state");
        let first = OwnershipKey::open(&state, [1; KEY_LENGTH]).unwrap();
        let second = OwnershipKey::open(&state, [2; KEY_LENGTH]).unwrap();
        assert_eq!(first.0, second.0);
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1);

        let file = state.join(KEY_FILE);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(OwnershipKey::open(&state, [3; KEY_LENGTH]).is_err());
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        assert!(OwnershipKey::open(&state, [3; KEY_LENGTH]).is_err());
    }
}
