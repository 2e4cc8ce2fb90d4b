use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn c(name: &str) -> CString {
    CString::new(name).unwrap()
}

fn fifo(path: &Path) {
    let kind = FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, Mode::RWXU, 0).unwrap();
}

/// Finds `name` as a file, lets `swap` put something else there, and opens it.
#[track_caller]
fn swapped_file(swap: impl FnOnce(&Path)) -> Result<Reading, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("name");
    fs::write(&path, "content").unwrap();
    let root = open_root(dir.path()).unwrap();
    let found = find(&root, &c("name"), &path).unwrap();
    fs::rename(&path, dir.path().join("kept")).unwrap();
    swap(&path);
    Reading::open(&root, &c("name"), &found, &path)
}

#[test]
fn a_file_that_was_swapped_is_not_read() {
    let changed = |swap: &dyn Fn(&Path)| assert!(swapped_file(swap).unwrap_err().is_changed());
    changed(&|_| {});
    changed(&|path| fs::write(path, "content").unwrap());
    changed(&|path| symlink("kept", path).unwrap());
    changed(&|path| symlink("/dev/zero", path).unwrap());
    changed(&|path| fs::create_dir(path).unwrap());
    // Does not wait for a writer.
    changed(&fifo);
    swapped_file(|path| fs::hard_link(path.with_file_name("kept"), path).unwrap()).unwrap();
}

#[test]
fn a_directory_that_was_swapped_is_not_entered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("name");
    fs::create_dir(&path).unwrap();
    let root = open_root(dir.path()).unwrap();
    let found = find(&root, &c("name"), &path).unwrap();
    open_directory(&root, &c("name"), &found, &path).unwrap();
    fs::rename(&path, dir.path().join("kept")).unwrap();
    let changed = || {
        open_directory(&root, &c("name"), &found, &path)
            .unwrap_err()
            .is_changed()
    };
    assert!(changed());
    symlink("kept", &path).unwrap();
    assert!(changed());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert!(changed());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(changed());
}

#[test]
fn names_are_sorted_by_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let names: [&[u8]; 6] = [b"\x01", b"A", b"a", b"a.b", b"ab", b"\xff"];
    for name in names.iter().rev() {
        fs::write(dir.path().join(as_path(name)), "").unwrap();
    }
    let mut listing = Listing::read(open_root(dir.path()).unwrap(), dir.path()).unwrap();
    for name in names {
        let start = listing.pop().unwrap();
        assert_eq!(listing.name(start).to_bytes(), name);
    }
    assert_eq!(listing.pop(), None);
}

#[test]
fn a_large_directory_is_listed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let long = "n".repeat(200);
    for number in 0..1000 {
        fs::write(dir.path().join(format!("{long}{number:04}")), "").unwrap();
    }
    let mut listing = Listing::read(open_root(dir.path()).unwrap(), dir.path()).unwrap();
    for number in 0..1000 {
        let start = listing.pop().unwrap();
        assert!(
            listing
                .name(start)
                .to_str()
                .unwrap()
                .ends_with(&format!("n{number:04}"))
        );
    }
    assert_eq!(listing.pop(), None);
}

#[test]
fn links_are_resolved_with_the_root_as_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/file"), "").unwrap();
    let links = [
        ("a/up", "../a/b"),
        ("abs", "/a/b/file"),
        ("out", "../../../../a/b/file"),
        ("chain", "a/up/../b/file"),
        ("loop", "loop"),
        ("dangling", "nowhere"),
        ("host", "/etc/passwd"),
    ];
    for (path, target) in links {
        symlink(target, root.join(path)).unwrap();
    }
    let root = open_root(root).unwrap();
    let real = |path: &str| {
        let found = resolve(&root, path.as_bytes());
        found.map(|found| found.map(|(path, _)| path.to_str().unwrap().to_owned()))
    };
    for path in [
        "a/b/file",
        "a/up/file",
        "abs",
        "out",
        "chain",
        "./a//b/./file",
        "../a/b/file",
    ] {
        assert_eq!(real(path).unwrap().as_deref(), Some("a/b/file"), "{path}");
    }
    assert_eq!(real("a/up/..").unwrap().as_deref(), Some("a"));
    assert_eq!(real("missing").unwrap(), None);
    assert_eq!(real("a/b/file/x").unwrap(), None);
    for path in ["loop", "dangling", "host"] {
        assert!(real(path).is_err(), "{path}");
    }
}

#[test]
fn only_small_regular_files_are_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/file"), "12345").unwrap();
    symlink("d/file", dir.path().join("link")).unwrap();
    symlink("d", dir.path().join("way")).unwrap();
    fifo(&dir.path().join("fifo"));
    let root = open_root(dir.path()).unwrap();
    let read = |path: &str, limit| read_file(&root, Path::new(path), limit);
    assert_eq!(read("d/file", 5).unwrap(), b"12345");
    assert!(read("d/file", 4).unwrap_err().is_limit());
    assert!(read("d/missing", 5).unwrap_err().is_not_found());
    for path in ["link", "way/file", "d", "fifo", "", "."] {
        assert!(read(path, 5).is_err(), "{path}");
    }
}
