//! What an image holds, file by file.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use super::dir::TestDir;

/// A file in an image: everything but its times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: tar::EntryType,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) link: Option<PathBuf>,
    pub(crate) content: Vec<u8>,
}

/// Files by their path.
pub(crate) type Content = BTreeMap<PathBuf, Entry>;

/// All files of an image.
#[track_caller]
pub(crate) fn content(dir: &TestDir, image: &str) -> Content {
    let podman = |arguments: &[&str]| dir.podman().command(arguments).run().success();
    let container = podman(&["create", "--network", "none", image, "none"]).line();
    dir.adopt(&container);
    let archive = dir.work().join("../export.tar");
    let path = archive.display().to_string();
    let _ = podman(&["export", "-o", &path, &container]);
    let mut archive = tar::Archive::new(std::fs::File::open(archive).expect("exported"));
    let mut content = Content::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        // Made when the container is, for what podman mounts there.
        let of_podman = ["dev", "etc", "proc", "run", "sys"].map(PathBuf::from);
        if of_podman.iter().any(|made| path.starts_with(made)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("content");
        let header = entry.header();
        let described = Entry {
            kind: header.entry_type(),
            mode: header.mode().expect("a mode") & 0o7777,
            owner: (header.uid().expect("a uid"), header.gid().expect("a gid")),
            link: entry
                .link_name()
                .expect("a name")
                .map(|link| link.into_owned()),
            content: bytes,
        };
        content.insert(path, described);
    }
    content
}

/// What an entry is, without its content.
pub(crate) fn described(entry: &Entry) -> String {
    let Entry {
        kind,
        mode,
        owner,
        link,
        content,
    } = entry;
    format!(
        "{kind:?} {mode:o} {owner:?} {link:?} {} bytes",
        content.len()
    )
}
