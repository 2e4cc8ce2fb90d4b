//! Hostile archives, unpacked for real. Beside the destination lies what must never be touched.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A destination `in` and, beside it, `out` with a file in it.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::create_dir(dir.path().join("out")).unwrap();
        fs::write(dir.path().join("out/secret"), "secret").unwrap();
        Self(dir)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join("in").join(below)
    }

    fn unpack_as(&self, archive: &Tar, top: Top, overwrite: Overwrite) -> Result<Unpacked, Error> {
        let directory = File::open(self.path("")).unwrap();
        let result = unpack(archive.bytes().as_slice(), directory, top, overwrite);
        // Whatever happened: nothing outside, nothing half written.
        let out = self.0.path().join("out");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        assert_eq!(fs::read(out.join("secret")).unwrap(), b"secret");
        assert_eq!(fs::metadata(out.join("secret")).unwrap().nlink(), 1);
        assert_eq!(fs::read_dir(self.0.path()).unwrap().count(), 2);
        assert_no_temporary(&self.path(""));
        result
    }

    fn unpack(&self, archive: &Tar) -> Result<Unpacked, Error> {
        self.unpack_as(archive, Top::Contents, Overwrite::SameKind)
    }

    #[track_caller]
    fn refuses(&self, archive: &Tar) {
        let error = self.unpack(archive).unwrap_err();
        assert!(error.is_refused(), "{error}");
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }
}

fn assert_no_temporary(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        assert!(!entry.file_name().as_bytes().starts_with(b".stockade-"));
        if entry.file_type().unwrap().is_dir() {
            assert_no_temporary(&entry.path());
        }
    }
}

/// An archive, entry by entry, with names as they are.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn add(mut self, kind: u8, name: &str, target: &str, mode: u32, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(mode);
        header.set_mtime(1000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.add(b'0', name, "", 0o644, content.as_bytes())
    }

    fn dir(self, name: &str) -> Self {
        self.add(b'5', name, "", 0o755, b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.add(b'2', name, target, 0o777, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.add(b'1', name, target, 0o644, b"")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

fn tar() -> Tar {
    Tar::default()
}

#[test]
fn names_do_not_lead_out() {
    for name in [
        "../out/x",
        "/tmp/x",
        "a/../../out/x",
        "..",
        "a/..",
        "./../out/x",
        "",
        ".",
        "//x",
    ] {
        let scene = Scene::new();
        scene.refuses(&tar().file(name, "x"));
        scene.refuses(&tar().symlink(name, "x"));
        assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 0, "{name}");
    }
    for name in ["../out", "/tmp/x", "a/../.."] {
        Scene::new().refuses(&tar().dir(name));
    }
    let scene = Scene::new();
    scene
        .unpack(&tar().dir("./").dir(".").file("./a//./b", "x"))
        .unwrap();
    assert_eq!(scene.read("a/b"), "x");
}

#[test]
fn nothing_is_written_through_a_link() {
    for target in ["../out", "/", "."] {
        let scene = Scene::new();
        let link = || tar().symlink("link", target);
        assert!(scene.unpack(&link().file("link/x", "x")).is_err());
        assert!(scene.unpack(&link().dir("link/x")).is_err());
        assert!(scene.unpack(&link().symlink("link/x", "y")).is_err());
        assert!(scene.unpack(&link().dir("link")).is_err());
        assert!(!scene.path("x").exists());
        // Nor through one that was there.
        assert!(scene.unpack(&tar().file("link/x", "x")).is_err());
        let file = tar().file("link/a/b", "x");
        assert!(
            scene
                .unpack_as(&file, Top::Contents, Overwrite::AnyKind)
                .is_ok()
        );
        assert_eq!(scene.read("link/a/b"), "x");
    }
}

#[test]
fn a_link_is_replaced_not_followed() {
    let scene = Scene::new();
    let archive = tar().symlink("link", "../out/secret").file("link", "mine");
    scene.unpack(&archive).unwrap();
    assert_eq!(scene.read("link"), "mine");
    assert!(!scene.path("link").is_symlink());

    symlink("../out/secret", scene.path("before")).unwrap();
    scene.unpack(&tar().file("before", "mine")).unwrap();
    assert_eq!(scene.read("before"), "mine");
    // A link to a directory is no directory.
    symlink("../out", scene.path("dir")).unwrap();
    scene.unpack(&tar().symlink("dir", "elsewhere")).unwrap();
    assert_eq!(
        fs::read_link(scene.path("dir")).unwrap(),
        Path::new("elsewhere")
    );
}

#[test]
fn hard_links_lead_only_to_what_the_archive_brought() {
    let scene = Scene::new();
    fs::write(scene.path("key"), "person's").unwrap();
    symlink("../out/secret", scene.path("planted")).unwrap();
    for target in [
        "key",
        "planted",
        "../out/secret",
        "/etc/passwd",
        "none",
        "none/none",
        "",
        "x/../key",
    ] {
        scene.refuses(&tar().hard_link("x", target));
        assert!(!scene.path("x").exists(), "{target}");
    }
    scene.refuses(&tar().symlink("s", "../out").hard_link("x", "s/secret"));
    scene.refuses(&tar().symlink("s", "key").hard_link("x", "s"));
    scene.refuses(&tar().dir("d").hard_link("x", "d"));
    let archive = tar()
        .file("d/a", "content")
        .hard_link("b", "d/a")
        .hard_link("b", "d/a")
        .hard_link("d/a", "d/a");
    scene.unpack(&archive).unwrap();
    assert_eq!(scene.read("b"), "content");
    assert_eq!(fs::metadata(scene.path("b")).unwrap().nlink(), 2);
    // A later file of the same name does not write through the link.
    scene.unpack(&tar().file("b", "new")).unwrap();
    assert_eq!(scene.read("d/a"), "content");
    assert_eq!(scene.read("key"), "person's");
}

#[test]
fn modes_lose_what_gives_power() {
    let scene = Scene::new();
    let archive = tar()
        .add(b'0', "file", "", 0o7755, b"x")
        .add(b'5', "dir", "", 0o7777, b"")
        .add(b'5', "closed", "", 0o000, b"")
        .file("closed/inside", "x");
    scene.unpack(&archive).unwrap();
    let mode = |name| fs::symlink_metadata(scene.path(name)).unwrap().mode() & 0o7777;
    assert_eq!(mode("file"), 0o755);
    assert_eq!(mode("dir"), 0o777);
    assert_eq!(mode("closed"), 0);
    assert_eq!(fs::metadata(scene.path("file")).unwrap().mtime(), 1000);
    assert_eq!(fs::metadata(scene.path("dir")).unwrap().mtime(), 1000);
    fs::set_permissions(scene.path("closed"), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_directory_that_was_there_keeps_its_mode() {
    let scene = Scene::new();
    fs::create_dir(scene.path(".ssh")).unwrap();
    fs::set_permissions(scene.path(".ssh"), PermissionsExt::from_mode(0o700)).unwrap();
    let archive = tar().add(b'5', ".ssh", "", 0o777, b"").file(".ssh/x", "x");
    scene.unpack(&archive).unwrap();
    assert_eq!(
        fs::metadata(scene.path(".ssh")).unwrap().mode() & 0o777,
        0o700
    );
    assert_eq!(scene.read(".ssh/x"), "x");
}

#[test]
fn devices_and_fifos_are_left_out() {
    let scene = Scene::new();
    let archive = tar()
        .add(b'3', "char", "", 0o666, b"")
        .add(b'4', "block", "", 0o666, b"")
        .add(b'6', "fifo\x1b[2J", "", 0o666, b"")
        .file("file", "x");
    let unpacked = scene.unpack(&archive).unwrap();
    assert_eq!((unpacked.entries, unpacked.skipped), (1, 3));
    assert_eq!(unpacked.skipped_paths[0], Path::new("char"));
    assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 1);
    // One that was there is replaced, not written to.
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, scene.path("pipe"), fifo, mode, 0).unwrap();
    scene.unpack(&tar().file("pipe", "x")).unwrap();
    assert!(
        !fs::metadata(scene.path("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
}

#[test]
fn kinds_are_only_exchanged_when_asked() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path("dir/below")).unwrap();
    fs::write(scene.path("dir/below/file"), "old").unwrap();
    symlink("../../out", scene.path("dir/link")).unwrap();
    fs::write(scene.path("file"), "old").unwrap();
    for archive in [
        tar().file("dir", "new"),
        tar().symlink("dir", "new"),
        tar().dir("file"),
        tar().file("file/below", "new"),
    ] {
        let error = scene.unpack(&archive).unwrap_err();
        assert!(error.is_in_the_way(), "{error}");
    }
    assert_eq!(scene.read("dir/below/file"), "old");
    assert_eq!(scene.read("file"), "old");
    let archive = tar().file("dir", "new").file("file/below", "new");
    scene
        .unpack_as(&archive, Top::Contents, Overwrite::AnyKind)
        .unwrap();
    assert_eq!(scene.read("dir"), "new");
    assert_eq!(scene.read("file/below"), "new");
}

#[test]
fn the_top_is_what_was_asked_for_and_nothing_else() {
    let file = || Top::File("new".into());
    let directory = || Top::Directory("new".into());
    let same = Overwrite::SameKind;
    let scene = Scene::new();
    scene
        .unpack_as(&tar().file("whatever", "x"), file(), same)
        .unwrap();
    assert_eq!(scene.read("new"), "x");
    for (archive, top) in [
        (tar().file("a", "x").file("a", "x"), file()),
        (tar().file("a", "x").file(".bashrc", "x"), file()),
        (tar().file("a/b", "x"), file()),
        (tar().dir("a"), file()),
        (tar().symlink("a", "x"), file()),
        (tar().add(b'6', "a", "", 0o644, b""), file()),
        (tar(), file()),
        (tar(), directory()),
        (tar().file("a", "x"), directory()),
        (tar().symlink("a", "x"), directory()),
        (tar().dir("a").dir("b"), directory()),
        (tar().dir("a").file(".bashrc", "x"), directory()),
        (
            tar().dir("a").file("a/x", "x").hard_link("a/y", "b/x"),
            directory(),
        ),
    ] {
        let scene = Scene::new();
        assert!(scene.unpack_as(&archive, top, same).is_err());
        assert!(!scene.path(".bashrc").exists());
        assert!(!scene.path("a").exists());
    }
    let scene = Scene::new();
    let archive = tar()
        .dir("a")
        .file("a/a", "x")
        .hard_link("a/link", "a/a")
        .file("./a/b/c", "x");
    scene.unpack_as(&archive, directory(), same).unwrap();
    assert_eq!(scene.read("new/a"), "x");
    assert_eq!(scene.read("new/link"), "x");
    assert_eq!(scene.read("new/b/c"), "x");
}

#[test]
fn an_archive_that_is_cut_leaves_no_half_a_file() {
    let scene = Scene::new();
    fs::write(scene.path("a"), "old").unwrap();
    let archive = tar().file("a", &"x".repeat(5000)).bytes();
    for length in [100, 600, 2000, 5512, 6000, 6500] {
        let directory = File::open(scene.path("")).unwrap();
        let cut = &archive[..length];
        assert!(unpack(cut, directory, Top::Contents, Overwrite::SameKind).is_err());
        assert_no_temporary(&scene.path(""));
        // Whole or not at all.
        let now = scene.read("a");
        assert!(now == "old" || now.len() == 5000, "{length}");
    }
}

#[test]
fn a_reader_that_fails_is_an_error() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let scene = Scene::new();
    let archive = tar().file("a", &"x".repeat(5000)).bytes();
    let reader = archive[..1000].chain(Failing);
    let directory = File::open(scene.path("")).unwrap();
    assert!(unpack(reader, directory, Top::Contents, Overwrite::SameKind).is_err());
    assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 0);
}

#[test]
fn depth_has_a_bound() {
    let scene = Scene::new();
    let mut archive = tar();
    // Each name of 100 bytes goes 50 deeper than the one before: through records.
    let deep = "d/".repeat(300) + "f";
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(deep.len() as u64);
    header.set_mode(0);
    header.set_mtime(0);
    header.set_cksum();
    archive.0.extend_from_slice(header.as_bytes());
    archive.0.extend_from_slice(deep.as_bytes());
    archive.0.resize(archive.0.len().next_multiple_of(512), 0);
    let error = scene.unpack(&archive.file("f", "x")).unwrap_err();
    assert!(error.is_limit(), "{error}");
}

#[test]
fn order_does_not_matter() {
    let scene = Scene::new();
    let archive = tar()
        .file("a/b/c", "1")
        .file("d", "2")
        .dir("a")
        .dir("a/b")
        .file("a/b/e", "3")
        .dir("a/b")
        .file("a/f", "4");
    scene.unpack(&archive).unwrap();
    for (path, content) in [("a/b/c", "1"), ("d", "2"), ("a/b/e", "3"), ("a/f", "4")] {
        assert_eq!(scene.read(path), content);
    }
}
