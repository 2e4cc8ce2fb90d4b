//! What identifies a context and an image built from it. Every field goes into the hash with its
//! length before it, so that no two different inputs run together into the same bytes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;

/// SHA-256 over a context: names, types, modes, link targets and contents of all that is sent.
/// Neither times nor owners nor which names share an inode, so equal contexts have equal digests on
/// every machine. `Display` is hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A hash under way.
#[derive(Debug, Clone)]
struct Fields(Sha256);

impl Fields {
    /// `domain` keeps hashes over different things apart.
    fn new(domain: &str) -> Self {
        let mut fields = Self(Sha256::new());
        fields.bytes(domain.as_bytes());
        fields
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The digest of a context, entry by entry in the order of the walk.
#[derive(Debug)]
pub(super) struct Fingerprint(Fields);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(Fields::new("stockade context 1"))
    }

    pub(super) fn directory(&mut self, path: &[u8], mode: u32) {
        self.entry(b"directory", path, mode);
    }

    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) {
        self.entry(b"symlink", path, 0o777);
        self.0.bytes(target);
    }

    /// `content` is the SHA-256 of the file.
    pub(super) fn file(&mut self, path: &[u8], mode: u32, size: u64, content: &[u8; 32]) {
        self.entry(b"file", path, mode);
        self.0.number(size);
        self.0.bytes(content);
    }

    fn entry(&mut self, kind: &[u8], path: &[u8], mode: u32) {
        self.0.bytes(kind);
        self.0.bytes(path);
        self.0.number(u64::from(mode));
    }

    pub(super) fn finish(self) -> Digest {
        self.0.finish()
    }
}

/// Everything that decides what image a build makes.
#[derive(Debug, Clone)]
pub struct ImageInputs<'a> {
    /// The context's digest.
    pub context: Digest,
    /// The Containerfile's bytes.
    pub containerfile: &'a [u8],
    /// Build arguments by name.
    pub build_args: &'a BTreeMap<String, String>,
    /// `--target`.
    pub target: Option<&'a str>,
    /// `--platform`.
    pub platform: Option<&'a str>,
    /// `--network`.
    pub network: Option<&'a str>,
    /// The ids of the base images, in the order of the Containerfile.
    pub base_images: &'a [String],
}

impl ImageInputs<'_> {
    /// The image key: equal for equal inputs. Values of build arguments cannot be read from it, but
    /// can be guessed if they are few.
    pub fn key(&self) -> Digest {
        let mut fields = Fields::new("stockade image 1");
        fields.bytes(&self.context.0);
        fields.bytes(self.containerfile);
        fields.number(self.build_args.len() as u64);
        for (name, value) in self.build_args {
            fields.bytes(name.as_bytes());
            fields.bytes(value.as_bytes());
        }
        for option in [self.target, self.platform, self.network] {
            match option {
                Some(text) => {
                    fields.number(1);
                    fields.bytes(text.as_bytes());
                }
                None => fields.number(0),
            }
        }
        fields.number(self.base_images.len() as u64);
        for id in self.base_images {
            fields.bytes(id.as_bytes());
        }
        fields.finish()
    }
}
