//! What of a directory is sent for one build, and under which names the service finds it.

use std::fmt;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use sha2::Digest as _;
use sha2::Sha256;

use crate::context::archive::Archive;
use crate::context::archive::Metadata;
use crate::context::containerfile::Needs;
use crate::context::containerfile::Reason;
use crate::context::digest::Digest;
use crate::context::digest::Fingerprint;
use crate::context::directory::Containerfile;
use crate::context::directory::Directory;
use crate::context::directory::IgnoreFile;
use crate::context::directory::Place;
use crate::context::error::Error;
use crate::context::ignore;
use crate::context::ignore::Ignore;
use crate::context::links;
use crate::context::pack::Request;
use crate::context::pack::Summary;
use crate::context::pack::Walk;
use crate::context::select;
use crate::context::select::Source;
use crate::context::tree;
use crate::context::tree::Listing;
use crate::context::tree::as_path;

/// How the names begin of what is in the archive and not in the context; a number makes them free.
const RESERVED: &str = ".stockade-build-";

/// One upload: a directory, less what is ignored or not needed, plus what the build needs besides.
#[derive(Debug)]
pub struct Plan {
    /// None for a lone Containerfile.
    directory: Option<Directory>,
    ignore: Ignore,
    scope: Scope,
    always: Vec<Source>,
    /// How no name in the root begins.
    reserved: String,
    dockerfile: String,
    /// The Containerfile in the context: path and SHA-256 of what was parsed.
    expected: Option<(Vec<u8>, [u8; 32])>,
    added: Vec<Added>,
}

/// How much of the directory is wanted; the sources of the Containerfile in either case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Everything(Vec<Source>),
    Only(Vec<Source>),
}

/// A file that is only in the archive. It may be a secret, so `Debug` shows no content.
struct Added {
    name: String,
    content: Vec<u8>,
    mode: u32,
}

impl fmt::Debug for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Added({:?}, {} bytes)", self.name, self.content.len())
    }
}

impl Plan {
    /// The whole directory, less what the ignore file excludes. The Containerfile and the ignore
    /// file are sent even if they are excluded.
    ///
    /// # Errors
    ///
    /// The root cannot be read.
    pub fn new(
        directory: Directory,
        containerfile: Containerfile,
        ignore_file: IgnoreFile,
    ) -> Result<Self, Error> {
        let reserved = free_prefix(&directory)?;
        let mut plan = Self {
            ignore: ignore_file.ignore,
            ..Self::empty(reserved)
        };
        plan.directory = Some(directory);
        if let Some(path) = &ignore_file.inside {
            plan.always.push(Source::path(path.as_os_str().as_bytes()));
        }
        plan.place(containerfile);
        Ok(plan)
    }

    /// A Containerfile without a directory: nothing can be copied.
    pub fn lone(containerfile: Containerfile) -> Self {
        let mut plan = Self::empty(format!("{RESERVED}0-"));
        plan.dockerfile = plan.add(containerfile.added_name(), containerfile.bytes);
        plan
    }

    fn empty(reserved: String) -> Self {
        Self {
            directory: None,
            ignore: Ignore::default(),
            scope: Scope::Everything(Vec::new()),
            always: Vec::new(),
            reserved,
            dockerfile: String::new(),
            expected: None,
            added: Vec::new(),
        }
    }

    fn place(&mut self, containerfile: Containerfile) {
        if let Place::Inside(path) = &containerfile.place
            && let Some(name) = path.to_str()
            // The parameter may also be a JSON list, and the service trims and cleans names.
            && !name.starts_with(['[', '"', ' '])
            && !name.contains(|unit: char| unit.is_control())
        {
            let bytes = name.as_bytes().to_vec();
            self.always.push(Source::path(&bytes));
            name.clone_into(&mut self.dockerfile);
            self.expected = Some((bytes, Sha256::digest(&containerfile.bytes).into()));
            return;
        }
        self.dockerfile = self.add(containerfile.added_name(), containerfile.bytes);
    }

    /// Sends only what the build needs, besides Containerfile and ignore file; and complains when a
    /// source names a socket, FIFO or device. Returns why everything is sent, if it is.
    pub fn select(&mut self, needs: Needs) -> Option<Reason> {
        let (scope, reason) = match needs {
            Needs::Everything { reason, sources } => (Scope::Everything(sources), Some(reason)),
            Needs::Only(sources) => match self.follow_links(&sources) {
                Some(sources) => (Scope::Only(sources), None),
                None => {
                    let reason = Reason::new(0, "a source leads through links that are not clear");
                    (Scope::Everything(sources), Some(reason))
                }
            },
        };
        self.scope = match scope {
            // They are only good for a complaint, and would slow the walk down.
            Scope::Everything(sources) if sources.len() > links::MAX_SOURCES => {
                Scope::Everything(Vec::new())
            }
            scope => scope,
        };
        reason
    }

    /// Takes back what [`Plan::select`] left out.
    pub fn select_everything(&mut self) {
        self.scope = Scope::Everything(Vec::new());
    }

    fn follow_links(&self, sources: &[Source]) -> Option<Vec<Source>> {
        match &self.directory {
            Some(directory) => links::follow(&directory.root, sources),
            None => Some(sources.to_vec()),
        }
    }

    /// Adds a secret for `RUN --mount=type=secret`; returns its path in the archive, for `src=`. It
    /// is no part of the digest and cannot be copied into the image.
    pub fn add_secret(&mut self, content: Vec<u8>) -> String {
        let name = format!("secret-{}", self.added.len());
        self.add(&name, content)
    }

    fn add(&mut self, name: &str, content: Vec<u8>) -> String {
        // In the root itself: the service moves a secret beside the context under the same path,
        // where there is no directory for it.
        let name = format!("{}{name}", self.reserved);
        self.added.push(Added {
            name: name.clone(),
            content,
            mode: 0o600,
        });
        name
    }

    /// The directory's real path, and the Containerfile's below it, if it is a file of the context.
    pub fn in_directory(&self) -> Option<(&Path, &Path)> {
        let (file, _) = self.expected.as_ref()?;
        Some((self.directory.as_ref()?.path(), as_path(file)))
    }

    /// The Containerfile's path in the archive, for the `dockerfile` parameter.
    pub fn dockerfile(&self) -> &str {
        &self.dockerfile
    }

    /// The patterns for the `excludes` parameter. Never empty: an empty list would make the service
    /// look for ignore files by its own rule. The last pattern keeps what Stockade added out of a
    /// `COPY . .`.
    pub fn excludes(&self) -> Vec<String> {
        let mut patterns = self.ignore.patterns();
        patterns.push(format!("{}*", self.reserved));
        patterns
    }

    /// Writes the archive. Blocks; the sink gets pieces of 64 KiB.
    ///
    /// # Errors
    ///
    /// Anything that cannot be read, or that changes while it is read, and errors of the sink. The
    /// archive then has no end, and the upload must be broken off, not ended.
    pub fn write(&self, sink: impl Write) -> Result<Summary, Error> {
        self.walk(sink, None).map(|(summary, _)| summary)
    }

    /// Writes the archive and computes the digest of the same bytes.
    ///
    /// # Errors
    ///
    /// As [`Plan::write`].
    pub fn write_digested(&self, sink: impl Write) -> Result<(Summary, Digest), Error> {
        let (summary, fingerprint) = self.walk(sink, Some(Fingerprint::new()))?;
        Ok((
            summary,
            fingerprint.unwrap_or_else(Fingerprint::new).finish(),
        ))
    }

    /// Computes the digest in a pass of its own.
    ///
    /// # Errors
    ///
    /// As [`Plan::write`].
    pub fn digest(&self) -> Result<Digest, Error> {
        self.write_digested(io::sink()).map(|(_, digest)| digest)
    }

    fn walk(
        &self,
        sink: impl Write,
        fingerprint: Option<Fingerprint>,
    ) -> Result<(Summary, Option<Fingerprint>), Error> {
        let mut archive = Archive::new(sink);
        for added in &self.added {
            archive.bytes(added.name.as_bytes(), &added.content, added.mode)?;
        }
        let Some(directory) = &self.directory else {
            let bytes = archive.finish()?;
            return Ok((
                Summary {
                    bytes,
                    ..Summary::default()
                },
                fingerprint,
            ));
        };
        let request = Request {
            root: &directory.root,
            ignore: ignore::Level::root(&self.ignore),
            select: match &self.scope {
                Scope::Everything(sources) => select::Level::everything(sources),
                Scope::Only(sources) => select::Level::only(sources),
            },
            always: select::Level::only(&self.always),
            reserved: (!self.added.is_empty()).then_some(self.reserved.as_bytes()),
            expected: self
                .expected
                .as_ref()
                .map(|(path, hash)| (path.as_slice(), *hash)),
            prefix: b"",
            metadata: Metadata::Reproducible,
        };
        Walk::new(request, archive, fingerprint)?.run()
    }
}

/// A beginning that no name in the root has.
fn free_prefix(directory: &Directory) -> Result<String, Error> {
    let mut taken = Vec::new();
    let mut listing = Listing::read(tree::reopen_root(&directory.root)?, as_path(b"."))?;
    while let Some(start) = listing.pop() {
        let name = listing.name(start).to_bytes();
        if name.starts_with(RESERVED.as_bytes()) {
            taken.push(name.to_vec());
        }
    }
    let mut number = 0_u64;
    loop {
        let prefix = format!("{RESERVED}{number}-");
        if !taken.iter().any(|name| name.starts_with(prefix.as_bytes())) {
            return Ok(prefix);
        }
        number += 1;
    }
}
