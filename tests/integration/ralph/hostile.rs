//! A tree that is made to do harm, all the way: to a check, back, and into the person's directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::night::{ended, ralph, record};
use super::repository::names;
use crate::support::command::Output;
use crate::support::dir::TestDir;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// Names that are as long as can be, no text, or two lines; what is closed, special, or somewhere else.
const HOSTILE: &str = "set -e; rm count\n\
    echo long >$(printf '%0255d' 0); mkdir $(printf 'no\\377text'); echo x >$(printf 'no\\377text/\\376')\n\
    echo lines >\"$(printf 'two\\nlines')\"; echo colour >\"$(printf 'a\\033[31m\\r')\"; echo x >-rf\n\
    rm -r sub; ln -s /etc sub; ln -s ../outside lead; mkdir was; mv file was; mkdir -p file/file\n\
    echo more >>kept; ln kept hard; ln kept was/hard; cp /bin/busybox set; chmod 6755 set; mkfifo pipe\n\
    mkdir closed; echo x >closed/x; chmod 0 closed\n";

/// As the check has it.
const SEEN: &str = "set -e; cat 0* no*/* two*; readlink sub; readlink lead; cat was/file was/hard -- -rf; ls file\n\
    stat -c %h kept; ls -ld closed; test ! -e pipe; test ! -p pipe";

/// Everything in a tree: names, modes, contents.
fn tree(at: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_dir() => {
                found.append(&mut tree(&path));
                Vec::new()
            }
            kind if kind.is_symlink() => path.read_link().unwrap().as_os_str().as_bytes().into(),
            kind if kind.is_file() => fs::read(&path).unwrap(),
            _ => Vec::new(),
        };
        found.insert(path, (metadata.mode(), content));
    }
    found
}

#[track_caller]
fn assert_as_before(at: &Path, before: &BTreeMap<PathBuf, (u32, Vec<u8>)>, output: &Output) {
    let now = tree(at);
    let paths = now.keys().chain(before.keys());
    let other: Vec<_> = paths
        .filter(|path| now.get(*path) != before.get(*path))
        .collect();
    assert!(other.is_empty(), "{other:?}\n{output}");
}

/// Nothing of a name reaches a terminal as it is.
#[track_caller]
fn plain(output: Output) -> Output {
    for text in [output.stdout(), output.stderr()] {
        assert!(!text.contains(['\x1b', '\r']), "{output}");
        assert!(!text.lines().any(|line| line == "lines"), "{output}");
    }
    output
}

fn scene() -> TestDir {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    dir.write("kept", "kept\n");
    dir.write("sub/deep/file", "two\n");
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for n in 0..100 {
        dir.write(&format!("swapped/{n}"), "mine");
        fs::write(outside.join(n.to_string()), "theirs").unwrap();
    }
    dir
}

/// Exchanges a directory for a link and back, as fast as can be; how often there was a link.
fn swap(work: &Path, until: &AtomicBool) -> u32 {
    let (swapped, aside) = (work.join("swapped"), work.join("aside"));
    let mut times = 0;
    while !until.load(Ordering::Relaxed) {
        // Whoever goes back meanwhile may have been there first.
        let _ = fs::rename(&swapped, &aside);
        times += u32::from(symlink("../outside", &swapped).is_ok());
        let _ = fs::remove_file(&swapped);
        let _ = fs::rename(&aside, &swapped);
    }
    times
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_becomes_a_link_meanwhile_leads_nowhere() {
    let dir = scene();
    let outside = dir.path().join("outside");
    let theirs = tree(&outside);
    let flags = ["--no-check", "--max-iterations", "1"];
    let command = ralph(&dir, HOSTILE, &flags);
    let before = tree(&dir.work());
    let _ = plain(command.run().code(11));
    let stop = AtomicBool::new(false);
    let work = dir.work();
    std::thread::scope(|threads| {
        let swapping = threads.spawn(|| swap(&work, &stop));
        // Of each it takes a checkpoint first.
        let back = ["0", "1", "0", "1"].map(|to| dir.stockade(&["rollback", "--to", to]).run());
        stop.store(true, Ordering::Relaxed);
        assert!(swapping.join().unwrap() > 100);
        for output in back {
            // It may say that something was not what it was.
            assert!(matches!(output.exit_code(), Some(0 | 1)), "{output}");
            assert!(!plain(output).stderr().contains("panicked"));
        }
    });
    assert_eq!(tree(&outside), theirs);
    let output = plain(dir.stockade(&["rollback"]).run().success());
    fs::remove_file(dir.work().join("pipe")).unwrap();
    assert_as_before(&dir.work(), &before, &output);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent and a check"]
fn a_hostile_tree_is_checked_taken_over_and_gone_back_from() {
    let dir = scene();
    let theirs = tree(&dir.path().join("outside"));
    let flags = [
        "--workspace",
        "copy",
        "--check",
        SEEN,
        "--max-iterations",
        "1",
    ];
    let command = ralph(&dir, &format!("{HOSTILE}{CLAIM}"), &flags);
    let before = tree(&dir.work());
    let output = command.run();
    let seen = fs::read_to_string(record(&dir).join("check-1.log")).unwrap();
    assert_eq!(output.exit_code(), Some(0), "{output}\n{seen}");
    let _ = plain(ended(&dir, output, 0, 0));
    let expected = "long\nx\nlines\n/etc\n../outside\none\nkept\nmore\nx\nfile\n3\nd---------";
    assert!(seen.starts_with(expected), "{seen}");
    let changed = plain(dir.stockade(&["diff", "--name-status"]).run().success());
    for line in ["M\tkept", "A\thard", "A\tset", "D\tsub/deep/file"] {
        let _ = changed
            .stdout()
            .lines()
            .find(|one| *one == line)
            .expect(line);
    }
    let _ = plain(dir.stockade(&["diff"]).run().success());
    let _ = dir.stockade(&["check"]).run().success();

    let output = plain(dir.stockade(&["accept", "--yes"]).run().success());
    let at = |name: &[u8]| dir.work().join(OsStr::from_bytes(name));
    for (name, content) in [
        (&[b'0'; 255][..], "long\n"),
        (b"no\xfftext/\xfe", "x\n"),
        (b"two\nlines", "lines\n"),
        (b"a\x1b[31m\r", "colour\n"),
        (b"-rf", "x\n"),
        (b"was/hard", "kept\nmore\n"),
    ] {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), content, "{output}");
    }
    let is = |name: &[u8]| at(name).symlink_metadata().unwrap();
    assert!(is(b"sub").is_symlink() && is(b"lead").is_symlink() && is(b"file/file").is_dir());
    assert_eq!(
        (is(b"closed").mode() & 0o7777, is(b"set").mode() & 0o777),
        (0, 0o755)
    );
    assert!(!at(b"pipe").exists());

    let output = plain(dir.stockade(&["rollback", "--original"]).run().success());
    assert_as_before(&dir.work(), &before, &output);
    assert_eq!(tree(&dir.path().join("outside")), theirs);
    let _ = dir.stockade(&["runs", "prune"]).run().success();
    let copies = dir.path().join("home/.local/share/stockade/copies");
    assert_eq!(names(&copies), [""; 0]);
    dir.assert_nothing_left();
}

/// Each directory that is opened up for a while stays open as long.
#[test]
#[ignore = "needs podman: runs an agent"]
fn closed_directories_in_each_other_are_gone_back_over() {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    let agent = "i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i + 1)); done\n\
        while [ $i -gt 0 ]; do cd ..; chmod 0 d; i=$((i - 1)); done";
    let flags = ["--no-check", "--max-iterations", "1"];
    let _ = ralph(&dir, agent, &flags).run().code(11);
    assert!(dir.work().join("d").is_dir());
    // So few may be open before it asks for more.
    let line = format!("ulimit -S -n 128; exec {} rollback", dir.program());
    let output = dir.shell(&line).run().success();
    assert_eq!(names(&dir.work()), ["agent.sh", "file"], "{output}");
}
