//! Trees that change under the walk, and sinks that fail: the archive is broken off.

use std::io::Write;

use super::*;
use crate::context::Error;

/// A sink that does something to the tree once it has seen a text.
struct Meddler<F> {
    seen: Vec<u8>,
    text: &'static str,
    act: Option<F>,
}

impl<F: FnOnce()> Write for Meddler<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen.extend_from_slice(bytes);
        let text = self.text.as_bytes();
        if self.seen.windows(text.len()).any(|window| window == text)
            && let Some(act) = self.act.take()
        {
            act();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Packs `a-first` (large, so that the sink sees its name), then `m`, while `act` is done to `m`.
#[track_caller]
fn meddle(prepare: impl FnOnce(&Path), act: impl FnOnce(&Path)) -> Result<(), Error> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a-first", &"x".repeat(100_000));
    prepare(dir.path());
    let plan = plan(dir.path(), &[]);
    let act = Some(|| act(dir.path()));
    let mut sink = Meddler {
        seen: Vec::new(),
        text: "a-first",
        act,
    };
    let result = plan.write(&mut sink).map(|_| ());
    assert!(sink.act.is_none());
    if result.is_err() {
        let end = sink.seen.len().saturating_sub(1024);
        assert!(sink.seen.len() < 1024 || sink.seen[end..].iter().any(|byte| *byte != 0));
        assert!(tar_is_cut(&sink.seen));
    }
    result
}

/// Whether a reader can tell that the archive is not whole.
fn tar_is_cut(bytes: &[u8]) -> bool {
    let ends_with_blocks =
        bytes.len() >= 1024 && bytes[bytes.len() - 1024..].iter().all(|b| *b == 0);
    !ends_with_blocks
}

#[test]
fn a_file_that_changes_while_it_is_read_breaks_the_archive_off() {
    let large = |root: &Path| write(root, "m", &"y".repeat(300_000));
    let open = |root: &Path| {
        fs::OpenOptions::new()
            .write(true)
            .open(root.join("m"))
            .unwrap()
    };
    // `a-first` itself, of which half is read by then.
    let change_first = |size: u64| {
        move |root: &Path| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(root.join("a-first"))
                .unwrap();
            file.set_len(size).unwrap();
        }
    };
    for size in [0, 70_000, 99_999, 100_001, 300_000] {
        let error = meddle(|_| {}, change_first(size)).unwrap_err();
        assert!(error.is_changed(), "{size}: {error}");
        assert_eq!(error.path(), Some(Path::new("a-first")));
    }
    let rewrite = |root: &Path| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(root.join("a-first"))
            .unwrap();
        file.write_all(b"zzz").unwrap();
    };
    assert!(meddle(|_| {}, rewrite).unwrap_err().is_changed());
    // A later file may still change: it has not been looked at.
    meddle(large, |root| open(root).set_len(7).unwrap()).unwrap();
    // But it may not vanish: its name was read.
    let error = meddle(large, |root| fs::remove_file(root.join("m")).unwrap()).unwrap_err();
    assert!(error.is_changed(), "{error}");
}

#[test]
fn a_name_that_becomes_something_else_is_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret", "top secret");
    let target = outside.path().to_owned();
    // Swapped before it is looked at: a link, sent as one.
    let swap = |root: &Path| {
        fs::remove_dir_all(root.join("m")).unwrap();
        symlink(&target, root.join("m")).unwrap();
    };
    meddle(|root| write(root, "m/secret", "mine"), swap).unwrap();
    // Swapped while the walk is inside: the open directory stays the one that was found.
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "d/a", &"x".repeat(100_000));
    write(dir.path(), "d/secret", "mine");
    let plan = plan(dir.path(), &[]);
    let act = || {
        fs::rename(dir.path().join("d"), dir.path().join("moved")).unwrap();
        symlink(&target, dir.path().join("d")).unwrap();
    };
    let mut sink = Meddler {
        seen: Vec::new(),
        text: "d/a",
        act: Some(act),
    };
    plan.write(&mut sink).unwrap();
    assert!(entries(&sink.seen).contains(&entry("d/secret", '0', "", "mine")));
}

#[test]
fn the_containerfile_must_still_be_the_one_that_was_parsed() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path(), &[]);
    plan.write(io::sink()).unwrap();
    write(dir.path(), "Containerfile", "FROM y\n");
    let error = plan.write(io::sink()).unwrap_err();
    assert!(error.is_changed());
    assert_eq!(error.path(), Some(Path::new("Containerfile")));
    fs::remove_file(dir.path().join("Containerfile")).unwrap();
    assert!(plan.write(io::sink()).unwrap_err().is_changed());
}

#[test]
fn a_sink_that_fails_is_told_apart() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let error = plan(dir.path(), &[]).write(Closed).unwrap_err();
    assert!(error.is_write());
}
