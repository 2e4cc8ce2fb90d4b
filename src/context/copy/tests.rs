//! There and back: what is packed here is unpacked elsewhere.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::context::Overwrite;
use crate::context::unpack;

fn packed(path: &Path, top: &Top) -> Vec<u8> {
    let source = CopySource::new(File::open(path).unwrap(), path).unwrap();
    let mut bytes = Vec::new();
    let summary = source.write(top, &mut bytes).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    bytes
}

fn names(bytes: &[u8]) -> Vec<String> {
    tar::Archive::new(bytes)
        .entries()
        .unwrap()
        .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap())
        .collect()
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let from = tempfile::tempdir().unwrap();
    let root = from.path();
    fs::create_dir_all(root.join("a/empty")).unwrap();
    fs::write(root.join("a/file"), "content").unwrap();
    fs::hard_link(root.join("a/file"), root.join("a/same")).unwrap();
    symlink("../../outside", root.join("a/link")).unwrap();
    fs::set_permissions(root.join("a/file"), PermissionsExt::from_mode(0o6751)).unwrap();
    fs::set_permissions(root.join("a/empty"), PermissionsExt::from_mode(0o500)).unwrap();
    let file = File::options()
        .write(true)
        .open(root.join("a/file"))
        .unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    file.set_modified(time).unwrap();

    let bytes = packed(&root.join("a"), &Top::Directory("b".into()));
    assert_eq!(
        names(&bytes),
        ["b/", "b/empty/", "b/file", "b/link", "b/same"]
    );

    let to = tempfile::tempdir().unwrap();
    let directory = File::open(to.path()).unwrap();
    let top = Top::Directory("c".into());
    let unpacked = unpack(bytes.as_slice(), directory, top, Overwrite::SameKind).unwrap();
    assert_eq!(unpacked.entries, 5);
    let made = to.path().join("c");
    assert_eq!(fs::read(made.join("file")).unwrap(), b"content");
    let file = fs::metadata(made.join("file")).unwrap();
    // Without its set-id bits.
    assert_eq!(file.mode() & 0o7777, 0o751);
    assert_eq!(file.mtime(), 1_000_000);
    assert_eq!(file.ino(), fs::metadata(made.join("same")).unwrap().ino());
    assert_eq!(
        fs::read_link(made.join("link")).unwrap(),
        Path::new("../../outside")
    );
    let empty = fs::metadata(made.join("empty")).unwrap();
    assert_eq!(empty.mode() & 0o7777, 0o500);
}

#[test]
fn the_top_is_named_by_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let top = Top::Directory("new".into());
    assert_eq!(names(&packed(&dir.path().join("empty"), &top)), ["new/"]);
    let top = Top::File("new".into());
    assert_eq!(names(&packed(&dir.path().join("file"), &top)), ["new"]);
    let long = "x".repeat(200);
    let top = Top::Directory(long.clone().into());
    assert_eq!(
        names(&packed(dir.path(), &top)),
        [
            format!("{long}/"),
            format!("{long}/empty/"),
            format!("{long}/file")
        ]
    );
    assert_eq!(
        names(&packed(dir.path(), &Top::Contents)),
        ["empty/", "file"]
    );
}

#[test]
fn owners_and_times_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let bytes = packed(dir.path(), &Top::Contents);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    let found = fs::metadata(dir.path().join("file")).unwrap();
    assert_eq!(entry.header().uid().unwrap(), u64::from(found.uid()));
    assert_eq!(
        entry.header().mtime().unwrap(),
        found.mtime().cast_unsigned()
    );
}

#[test]
fn what_is_no_file_and_what_does_not_fit_is_an_error() {
    let null = Path::new("/dev/null");
    assert!(
        CopySource::new(File::open(null).unwrap(), null)
            .unwrap_err()
            .is_special_file()
    );
    let dir = tempfile::tempdir().unwrap();
    let source = CopySource::new(File::open(dir.path()).unwrap(), dir.path()).unwrap();
    assert!(
        source
            .write(&Top::File("x".into()), std::io::sink())
            .is_err()
    );
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    for top in [Top::Directory("x".into()), Top::Contents] {
        let source = CopySource::new(File::open(&path).unwrap(), &path).unwrap();
        assert!(source.write(&top, std::io::sink()).is_err());
    }
}
