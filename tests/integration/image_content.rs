//! What an image holds, file by file, against what `podman --remote build` makes of the same
//! context.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::support::content::{Content, content, described};
use crate::support::dir::TestDir;
use crate::support::image::build;
use crate::support::noise;

/// Builds the work directory both ways and compares; what ours has.
#[track_caller]
fn same(dir: &TestDir, flags: &[&str]) -> Content {
    let ours = build(dir, &[&["-q", "--no-cache"], flags, &["."]].concat());
    let ours = ours.success().line();
    dir.image(&ours);
    let context = dir.work().display().to_string();
    let arguments = [&["build", "-q", "--no-cache"], flags, &[context.as_str()]].concat();
    let theirs = {
        let _building = crate::support::image::building();
        dir.podman().command(&arguments).run().success().line()
    };
    dir.image(&theirs);
    let (ours, theirs) = (content(dir, &ours), content(dir, &theirs));
    let names = |content: &Content| content.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "ours, theirs");
    for (path, entry) in &ours {
        // Not the whole content in the message.
        let their = &theirs[path];
        assert!(
            entry == their,
            "{}:\n{}\n{}",
            path.display(),
            described(entry),
            described(their)
        );
    }
    ours
}

/// Names below a directory of the image, without the directories' own.
fn files(content: &Content, below: &str) -> Vec<String> {
    let files = content.iter().filter(|(_, entry)| !entry.kind.is_dir());
    let names = files.filter_map(|(path, _)| Some(path.strip_prefix(below).ok()?.to_owned()));
    names.map(|path| path.display().to_string()).collect()
}

#[test]
#[ignore = "needs podman: builds twice"]
fn types_modes_links_and_names() {
    let dir = TestDir::new();
    dir.write("plain", "plain");
    dir.write("empty", "");
    dir.write("large", noise(3 << 20));
    dir.write("program", "#!/bin/sh\n");
    dir.write("private", "secret");
    dir.write("sub/deep/er/file", "deep");
    dir.write("sub/with space", "space");
    dir.write("sub/ümläut-文", "unicode");
    dir.write("sub/.hidden", "hidden");
    dir.write("sub/new\nline", "newline");
    dir.write(
        &format!("long/{}", "n".repeat(180)),
        "a name too long for a header",
    );
    let deep = [
        "d".repeat(90),
        "e".repeat(90),
        "f".repeat(90),
        "g".repeat(90),
    ]
    .join("/");
    dir.write(&format!("long/{deep}/file"), "a path too long for a header");
    std::fs::create_dir(dir.work().join("nothing")).expect("a directory");
    for (path, mode) in [
        ("program", 0o755),
        ("private", 0o600),
        ("empty", 0o444),
        ("sub/deep", 0o700),
        ("nothing", 0o1777),
        ("sub/.hidden", 0o4755),
    ] {
        dir.mode(path, mode);
    }
    let at = |name: &str| dir.work().join(name);
    symlink("plain", at("relative")).expect("a link");
    symlink("deep/er", at("sub/to-directory")).expect("a link");
    symlink("/nowhere/at/all", at("sub/dangling")).expect("a link");
    symlink("l".repeat(150), at("sub/long-link")).expect("a link");
    std::fs::hard_link(at("plain"), at("sub/hard")).expect("a link");
    let bad = OsStr::from_bytes(b"sub/not-\xff-utf8");
    std::fs::write(dir.work().join(bad), "bytes").expect("a file");
    dir.write(
        "Containerfile",
        "FROM scratch\nCOPY . /all/\nCOPY sub /sub\nCOPY plain program /some/\n\
         COPY --chown=7:8 private /owned/\nCOPY s*b/d?ep /glob/\n",
    );
    let content = same(&dir, &[]);
    assert_eq!(content[&PathBuf::from("all/private")].mode, 0o600);
    assert_eq!(content[&PathBuf::from("owned/private")].owner, (7, 8));
    assert_eq!(content[&PathBuf::from("all/plain")].owner, (0, 0));
    let dangling = &content[&PathBuf::from("sub/dangling")];
    assert_eq!(dangling.link, Some("/nowhere/at/all".into()));
    assert_eq!(content[&PathBuf::from("all/large")].content, noise(3 << 20));
    assert_eq!(files(&content, "glob"), ["er/file"]);
}

#[test]
#[ignore = "needs podman: builds twice"]
fn what_is_copied_alone_is_what_is_copied_of_everything() {
    let dir = TestDir::new();
    dir.write("app/main", "main");
    dir.write("app/lib/part", "part");
    dir.write("unused/huge", noise(1 << 20));
    symlink("app/main", dir.work().join("through")).expect("a link");
    symlink("app", dir.work().join("application")).expect("a link");
    dir.write(
        "Containerfile",
        "FROM scratch AS first\nCOPY app/lib /lib/\nFROM scratch\nARG WHAT=app/main\n\
         COPY $WHAT /by-name\nCOPY through /through\nCOPY application/lib/ /by-link/\n\
         COPY --from=first /lib /from/\n",
    );
    let content = same(&dir, &[]);
    assert_eq!(files(&content, "by-link"), ["part"]);
    assert_eq!(files(&content, "from"), ["part"]);
    assert_eq!(content[&PathBuf::from("through")].content, b"main");
    let other = same(&dir, &["--build-arg", "WHAT=unused/huge"]);
    assert_eq!(other[&PathBuf::from("by-name")].content.len(), 1 << 20);
}

#[test]
#[ignore = "needs podman: builds twice"]
fn an_archive_is_unpacked_by_add_alone() {
    let dir = TestDir::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o640);
    header.set_uid(0);
    header.set_gid(0);
    builder
        .append_data(&mut header, "inside/file", &b"in"[..])
        .expect("an entry");
    dir.write("a.tar", builder.into_inner().expect("an archive"));
    dir.write(
        "Containerfile",
        "FROM scratch\nADD a.tar /added/\nCOPY a.tar /copied/\n",
    );
    let content = same(&dir, &[]);
    assert_eq!(files(&content, "added"), ["inside/file"]);
    assert_eq!(files(&content, "copied"), ["a.tar"]);
}

#[test]
#[ignore = "needs podman: builds several times"]
fn ignored_as_docker_ignores() {
    let names = [
        "a.log",
        "keep.log",
        "src/a.log",
        "src/main",
        "src/tmp/x",
        "tmp/x",
        "deep/er/tmp/x",
        "build/out",
        "build/keep/it",
        "build/keep/not",
        "docs/a.md",
        "docs/b/c.md",
        "README.md",
        ".hidden",
    ];
    /// The ignore file, and what is left of those names.
    type Case = (&'static str, &'static [&'static str]);
    let cases: [Case; 6] = [
        (
            "# comment\n\n*.log\n!keep.log\n",
            &[
                ".hidden",
                "README.md",
                "build/keep/it",
                "build/keep/not",
                "build/out",
                "deep/er/tmp/x",
                "docs/a.md",
                "docs/b/c.md",
                "keep.log",
                "src/a.log",
                "src/main",
                "src/tmp/x",
                "tmp/x",
            ],
        ),
        (
            "**/tmp\n**/*.log\nbuild\ndocs\n",
            &[".hidden", "README.md", "src/main"],
        ),
        (
            "build\n!build/keep\nbuild/keep/not\ndocs/**\ndeep\nsrc/\n",
            &[
                ".hidden",
                "README.md",
                "a.log",
                "build/keep/it",
                "keep.log",
                "tmp/x",
            ],
        ),
        ("*\n!src\nsrc/tmp\n", &["src/a.log", "src/main"]),
        (
            "/tmp\n/src\n.*\n*/er\ndo?s\nbuild/[jk]*\n*.log\n",
            &["README.md", "build/out"],
        ),
        (
            // Docker would look for more below `docs`, Podman's COPY does not: so it says in both.
            "**\n!**/*.md\n",
            &["README.md"],
        ),
    ];
    for (ignore, expected) in cases {
        let dir = TestDir::new();
        for name in names {
            dir.write(name, name);
        }
        dir.write("Containerfile", "FROM scratch\nCOPY . /all/\n");
        dir.write(".dockerignore", ignore);
        let content = same(&dir, &[]);
        let mut left = files(&content, "all");
        // They go along to be read, whatever the rules say.
        left.retain(|name| !matches!(name.as_str(), "Containerfile" | ".dockerignore"));
        assert_eq!(left, expected, "{ignore}");
    }
}

#[test]
#[ignore = "needs podman: builds"]
fn one_ignore_file_is_chosen_whatever_the_release() {
    let dir = TestDir::new();
    for name in ["a", "b", "c"] {
        dir.write(name, name);
    }
    dir.write("Containerfile", "FROM scratch\nCOPY a* b* c* /all/\n");
    dir.write(".dockerignore", "a\n");
    let left = |flags: &[&str]| {
        let built = build(&dir, &[&["-q"], flags, &["."]].concat());
        let id = built.success().line();
        dir.image(&id);
        files(&content(&dir, &id), "all")
    };
    assert_eq!(left(&[]), ["b", "c"]);
    // Podman's own comes before Docker's.
    dir.write(".containerignore", "b\n");
    assert_eq!(left(&[]), ["a", "c"]);
    dir.write("other", "c\n");
    assert_eq!(left(&["--ignorefile", "other"]), ["a", "b"]);
}
