//! Whole archives of real directories, read back with the `tar` crate.

mod changes;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::context::Containerfile;
use crate::context::Directory;
use crate::context::Ignore;
use crate::context::IgnoreFile;
use crate::context::Needs;
use crate::context::Plan;
use crate::context::Reason;
use crate::context::Source;

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A plan for a root with a Containerfile in it.
fn plan(root: &Path, ignored: &[&str]) -> Plan {
    if !root.join("Containerfile").exists() {
        write(root, "Containerfile", "FROM x\n");
    }
    let directory = Directory::open(root).unwrap();
    let containerfile = directory.default_containerfile().unwrap();
    let ignore = Ignore::from_patterns(ignored.iter().copied()).unwrap();
    Plan::new(
        directory,
        containerfile,
        IgnoreFile {
            ignore,
            inside: None,
        },
    )
    .unwrap()
}

fn archive(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    let summary = plan.write(&mut bytes).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    bytes
}

fn paths(plan: &Plan) -> Vec<String> {
    entries(&archive(plan))
        .into_iter()
        .map(|entry| entry.0)
        .collect()
}

/// Path, type, link target and content.
type Entry = (String, char, String, String);

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut archive = tar::Archive::new(bytes);
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(
            (
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap()
            ),
            (0, 0, 0)
        );
        let kind = char::from(header.entry_type().as_byte());
        let path = entry.path_bytes().escape_ascii().to_string();
        let target = entry
            .link_name_bytes()
            .unwrap_or_default()
            .escape_ascii()
            .to_string();
        let mut content = Vec::new();
        io::copy(&mut entry, &mut content).unwrap();
        found.push((
            path,
            kind,
            target,
            String::from_utf8_lossy(&content).into_owned(),
        ));
    }
    found
}

fn entry(path: &str, kind: char, target: &str, content: &str) -> Entry {
    (path.into(), kind, target.into(), content.into())
}

#[test]
fn everything_is_there_in_the_order_of_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "b", "bee");
    write(root, "a/x", "ex");
    write(root, "a.txt", "");
    write(root, "Z", "zed");
    fs::create_dir(root.join("empty")).unwrap();
    symlink("/etc/passwd", root.join("out")).unwrap();
    symlink("a", root.join("in")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    assert_eq!(
        entries(&archive(&plan(root, &[]))),
        [
            entry("Containerfile", '0', "", "FROM x\n"),
            entry("Z", '0', "", "zed"),
            entry("a/", '5', "", ""),
            entry("a/x", '0', "", "ex"),
            entry("a.txt", '0', "", ""),
            entry("b", '0', "", "bee"),
            entry("empty/", '5', "", ""),
            entry("in", '2', "a", ""),
            entry("loop", '2', "loop", ""),
            entry("out", '2', "/etc/passwd", ""),
        ]
    );
}

#[test]
fn modes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mode) in [("run", 0o755), ("set", 0o4711), ("none", 0o400)] {
        write(dir.path(), name, name);
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(dir.path().join("tmp")).unwrap();
    fs::set_permissions(dir.path().join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let bytes = archive(&plan(dir.path(), &["Containerfile"]));
    let mut modes = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        modes.insert(
            entry.path().unwrap().display().to_string(),
            entry.header().mode().unwrap(),
        );
    }
    assert_eq!(modes["run"], 0o755);
    assert_eq!(modes["set"], 0o4711);
    assert_eq!(modes["none"], 0o400);
    assert_eq!(modes["tmp/"], 0o1777);
}

#[test]
fn hard_links_are_links_to_the_first_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "d/one", "same");
    fs::hard_link(dir.path().join("d/one"), dir.path().join("d/two")).unwrap();
    fs::hard_link(dir.path().join("d/one"), dir.path().join("zzz")).unwrap();
    let all = entries(&archive(&plan(dir.path(), &[])));
    assert!(all.contains(&entry("d/one", '0', "", "same")));
    assert!(all.contains(&entry("d/two", '1', "d/one", "")));
    assert!(all.contains(&entry("zzz", '1', "d/one", "")));
    // The first name that is sent, not the first there is.
    let all = entries(&archive(&plan(dir.path(), &["d/one"])));
    assert!(all.contains(&entry("d/two", '0', "", "same")));
    assert!(all.contains(&entry("zzz", '1', "d/two", "")));
}

#[test]
fn long_and_odd_names_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for length in [98, 99, 100, 101, 155, 200, 255] {
        write(root, &"n".repeat(length), &length.to_string());
    }
    let deep = ["d".repeat(200), "e".repeat(200), "f".repeat(200)].join("/");
    write(root, &deep, "deep");
    symlink("t".repeat(100), root.join("link100")).unwrap();
    symlink("t".repeat(101), root.join("link101")).unwrap();
    symlink("t".repeat(4000), root.join("link4000")).unwrap();
    fs::hard_link(root.join(&deep), root.join("~hard")).unwrap();
    for name in [
        &b"new\nline"[..],
        b"not\xfftext",
        b"-dash",
        b"sp ace ",
        b"back\\slash",
        b"\x1b[31m",
    ] {
        fs::write(root.join(OsStr::from_bytes(name)), "odd").unwrap();
    }
    let all = entries(&archive(&plan(root, &[])));
    for length in [98, 99, 100, 101, 155, 200, 255] {
        assert!(
            all.contains(&entry(&"n".repeat(length), '0', "", &length.to_string())),
            "{length}"
        );
    }
    assert!(all.contains(&entry(&deep, '0', "", "deep")));
    assert!(all.contains(&entry("~hard", '1', &deep, "")));
    for length in [100, 101, 4000] {
        assert!(all.contains(&entry(
            &format!("link{length}"),
            '2',
            &"t".repeat(length),
            ""
        )));
    }
    for name in [
        r"new\nline",
        r"not\xfftext",
        "-dash",
        "sp ace ",
        r"back\\slash",
        r"\x1b[31m",
    ] {
        assert!(all.contains(&entry(name, '0', "", "odd")), "{name}");
    }
}

#[test]
fn content_of_any_size_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [0, 1, 511, 512, 513, 65_023, 65_024, 65_536, 65_537, 200_000];
    for size in sizes {
        let content: String = (0..size)
            .map(|i| char::from(b'a' + (i % 23) as u8))
            .collect();
        write(dir.path(), &format!("f{size}"), &content);
    }
    let all = entries(&archive(&plan(dir.path(), &[])));
    for size in sizes {
        let path = format!("f{size}");
        let content = fs::read_to_string(dir.path().join(&path)).unwrap();
        assert!(all.contains(&entry(&path, '0', "", &content)), "{size}");
    }
}

#[test]
fn ignored_is_not_sent_except_what_the_build_itself_reads() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["a/keep/1", "a/keep/2", "a/drop", "b/x", "c.log"] {
        write(dir.path(), path, "");
    }
    let sent = paths(&plan(dir.path(), &["*", "!a/keep/1"]));
    assert_eq!(sent, ["Containerfile", "a/", "a/keep/", "a/keep/1"]);
    let sent = paths(&plan(dir.path(), &["a", "**/*.log"]));
    assert_eq!(sent, ["Containerfile", "b/", "b/x"]);

    write(dir.path(), "sub/My.file", "FROM x\n");
    write(dir.path(), ".dockerignore", "**\n");
    let directory = Directory::open(dir.path()).unwrap();
    let containerfile = directory
        .containerfile(&dir.path().join("sub/My.file"))
        .unwrap();
    let ignore_file = directory.ignore_file(&containerfile, None).unwrap();
    let plan = Plan::new(directory, containerfile, ignore_file).unwrap();
    assert_eq!(plan.dockerfile(), "sub/My.file");
    assert_eq!(plan.excludes(), ["**", ".stockade-build-0-*"]);
    assert_eq!(paths(&plan), [".dockerignore", "sub/", "sub/My.file"]);
}

#[test]
fn only_the_sources_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        "src/a.rs",
        "src/b.txt",
        "src/sub/c.rs",
        "lib/x",
        "lib/y",
        "top.rs",
        "other",
    ] {
        write(dir.path(), path, "");
    }
    #[track_caller]
    fn sent(root: &Path, ignored: &[&str], sources: &[&str], wanted: &[&str]) {
        let mut plan = plan(root, ignored);
        let sources = sources
            .iter()
            .map(|source| Source::parse(source).unwrap())
            .collect();
        assert_eq!(plan.select(Needs::Only(sources)), None);
        let sent = paths(&plan);
        assert_eq!(sent.first().map(String::as_str), Some("Containerfile"));
        assert_eq!(sent[1..], *wanted);
    }
    let root = dir.path();
    sent(root, &[], &[], &[]);
    sent(root, &[], &["nothing"], &[]);
    sent(root, &[], &["lib"], &["lib/", "lib/x", "lib/y"]);
    sent(root, &[], &["/lib/x"], &["lib/", "lib/x"]);
    sent(root, &["lib"], &["lib"], &[]);
    sent(root, &["lib", "!lib/y"], &["lib"], &["lib/", "lib/y"]);
    sent(root, &[], &["*.rs"], &["top.rs"]);
    sent(
        root,
        &[],
        &["src/*.rs", "top.rs"],
        &["src/", "src/a.rs", "top.rs"],
    );
    sent(
        root,
        &[],
        &["s*/sub"],
        &["src/", "src/sub/", "src/sub/c.rs"],
    );
    sent(root, &[], &["top.rs/x"], &[]);
    let everything = paths(&plan(root, &[]));
    let everything: Vec<&str> = everything[1..].iter().map(String::as_str).collect();
    sent(root, &[], &["lib", "."], &everything);
}

#[test]
fn special_files_are_skipped_and_counted_unless_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "d/file", "");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("d/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let mut plan = plan(root, &[]);
    let summary = plan.write(io::sink()).unwrap();
    assert_eq!((summary.skipped, summary.entries), (2, 3));
    assert_eq!(
        summary.skipped_paths,
        [Path::new("d/fifo"), Path::new("socket")]
    );

    let mut select = |source: &str| {
        let sources = vec![Source::parse(source).unwrap()];
        plan.select(Needs::Everything {
            reason: Reason::new(0, "a test"),
            sources,
        });
        plan.write(io::sink())
    };
    assert_eq!(select("d/*").unwrap().skipped, 2);
    let error = select("d/fifo").unwrap_err();
    assert!(error.is_special_file());
    assert_eq!(error.path(), Some(Path::new("d/fifo")));
    plan.select(Needs::Only(vec![Source::parse("d/file").unwrap()]));
    assert_eq!(plan.write(io::sink()).unwrap().skipped, 0);
}

#[test]
fn what_is_added_has_a_name_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "Containerfile", "FROM outside\n");
    write(dir.path(), ".stockade-build-0-x", "taken");
    let directory = Directory::open(dir.path()).unwrap();
    let containerfile = directory
        .containerfile(&outside.path().join("Containerfile"))
        .unwrap();
    let mut plan = Plan::new(directory, containerfile, IgnoreFile::default()).unwrap();
    let secret = plan.add_secret(b"hunter2".to_vec());
    assert_eq!(plan.dockerfile(), ".stockade-build-1-Containerfile");
    assert_eq!(plan.excludes(), [".stockade-build-1-*"]);
    assert_eq!(
        entries(&archive(&plan)),
        [
            entry(".stockade-build-1-Containerfile", '0', "", "FROM outside\n"),
            entry(&secret, '0', "", "hunter2"),
            entry(".stockade-build-0-x", '0', "", "taken"),
        ]
    );
    assert!(!format!("{plan:?}").contains("hunter2"));
    write(dir.path(), ".stockade-build-1-late", "");
    assert!(plan.write(io::sink()).is_err());
}

#[test]
fn depth_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut deep = dir.path().to_owned();
    (0..300).for_each(|_| deep.push("d"));
    fs::create_dir_all(&deep).unwrap();
    let error = plan(dir.path(), &[]).write(io::sink()).unwrap_err();
    assert!(error.is_limit(), "{error}");
    assert!(plan(dir.path(), &["d/d"]).write(io::sink()).is_ok());
}

#[test]
fn a_link_as_root_is_resolved_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "real/file", "");
    symlink("real", dir.path().join("link")).unwrap();
    let plan = plan(&dir.path().join("link"), &[]);
    fs::remove_file(dir.path().join("link")).unwrap();
    assert_eq!(paths(&plan), ["Containerfile", "file"]);
}

#[test]
fn equal_contexts_have_equal_digests() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for root in [one.path(), two.path()] {
        write(root, "d/file", "content");
        symlink("d", root.join("link")).unwrap();
    }
    // The same content under two names, with and without a shared inode.
    write(one.path(), "again", "content");
    fs::hard_link(two.path().join("d/file"), two.path().join("again")).unwrap();
    let digest = |root: &Path| plan(root, &[]).digest().unwrap();
    let first = digest(one.path());
    assert_eq!(first, digest(two.path()));
    assert_eq!(first.to_string().len(), 64);
    assert_eq!(
        plan(one.path(), &[]).write_digested(io::sink()).unwrap().1,
        first
    );

    let changed = |change: &dyn Fn(&Path)| {
        let before = digest(two.path());
        change(two.path());
        let after = digest(two.path());
        assert_ne!(before, after);
    };
    changed(&|root| write(root, "d/file", "contenT"));
    changed(&|root| fs::rename(root.join("again"), root.join("renamed")).unwrap());
    changed(&|root| {
        fs::set_permissions(root.join("renamed"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    changed(&|root| fs::create_dir(root.join("empty")).unwrap());
    changed(&|root| {
        fs::remove_file(root.join("link")).unwrap();
        symlink("e", root.join("link")).unwrap();
    });
}

#[test]
fn secrets_and_a_containerfile_from_elsewhere_are_no_part_of_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "");
    let digest = |secret: &[u8]| {
        let directory = Directory::open(dir.path()).unwrap();
        let containerfile = Containerfile::from_bytes(secret.to_vec());
        let mut plan = Plan::new(directory, containerfile, IgnoreFile::default()).unwrap();
        plan.add_secret(secret.to_vec());
        plan.digest().unwrap()
    };
    assert_eq!(digest(b"one"), digest(b"two"));
}

#[test]
fn a_lone_containerfile_is_an_archive_too() {
    let plan = Plan::lone(Containerfile::from_bytes(b"FROM x\n".to_vec()));
    assert_eq!(plan.dockerfile(), ".stockade-build-0-Containerfile");
    assert_eq!(paths(&plan), [".stockade-build-0-Containerfile"]);
}

#[test]
fn a_containerfile_whose_name_is_no_plain_text_is_sent_under_another() {
    for name in [&b"caf\xe9"[..], b"[\"x\"]", b" x", b"a\nb"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(OsStr::from_bytes(name));
        fs::write(&path, "FROM odd\n").unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let containerfile = directory.containerfile(&path).unwrap();
        let plan = Plan::new(directory, containerfile, IgnoreFile::default()).unwrap();
        assert_eq!(plan.dockerfile(), ".stockade-build-0-Containerfile");
        assert_eq!(entries(&archive(&plan))[0].3, "FROM odd\n");
    }
}

#[test]
fn very_many_sources_are_no_work() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "d/file", "");
    let mut plan = plan(dir.path(), &[]);
    let sources: Vec<Source> = (0..10_000)
        .map(|n| Source::path(format!("{n}").as_bytes()))
        .collect();
    assert!(plan.select(Needs::Only(sources)).is_some());
    assert_eq!(paths(&plan), ["Containerfile", "d/", "d/file"]);
}
