use std::fs;

use super::*;

/// A directory, and what is noted of a build that needs `data` of it.
fn built(text: &str) -> (tempfile::TempDir, Built) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Containerfile"), text).unwrap();
    fs::write(dir.path().join("data"), "data").unwrap();
    fs::write(dir.path().join("other"), "other").unwrap();
    let mut built = Built {
        version: Built::VERSION,
        directory: String::new(),
        containerfile: sha256(text.as_bytes()),
        ignore_file: None,
        build_args: BTreeMap::new(),
        bases: BTreeMap::new(),
        context: String::new(),
        bytes: 0,
        image: String::new(),
        tags: Vec::new(),
        at: String::new(),
    };
    let directory = Directory::open(dir.path()).unwrap();
    let containerfile = directory.default_containerfile().unwrap();
    let ignore_file = directory.ignore_file(&containerfile, None).unwrap();
    let mut plan = Plan::new(directory, containerfile.clone(), ignore_file).unwrap();
    plan.select(context::needs(&containerfile, &BTreeMap::new(), |_| {
        Base::Unknown
    }));
    let (summary, digest) = plan.write_digested(io::sink()).unwrap();
    built.bytes = summary.bytes;
    built.context = digest.to_string();
    (dir, built)
}

fn compare(dir: &tempfile::TempDir, built: &Built) -> Option<Changed> {
    let meter = Meter::default();
    let compared = built.compare(dir.path(), "Containerfile", &meter).unwrap();
    assert!(meter.bytes() <= built.bytes + SLACK);
    compared
}

#[test]
fn what_is_not_copied_may_change_and_nothing_else() {
    let (dir, built) = built("FROM scratch\nCOPY data /\n");
    assert_eq!(compare(&dir, &built), None);
    fs::write(dir.path().join("other"), "changed").unwrap();
    fs::write(dir.path().join("another"), "new").unwrap();
    assert_eq!(compare(&dir, &built), None);
    fs::write(dir.path().join("data"), "atad").unwrap();
    assert_eq!(compare(&dir, &built), Some(Changed::Context));
    fs::write(dir.path().join("data"), "data").unwrap();
    assert_eq!(compare(&dir, &built), None);
    fs::write(dir.path().join(".containerignore"), "other").unwrap();
    assert_eq!(compare(&dir, &built), Some(Changed::Context));
    fs::remove_file(dir.path().join(".containerignore")).unwrap();
    fs::write(dir.path().join("Containerfile"), "FROM scratch\n").unwrap();
    assert_eq!(compare(&dir, &built), Some(Changed::Containerfile));
}

#[test]
fn where_it_is_not_known_what_is_copied_nothing_may_change() {
    let (dir, mut built) = built("FROM base\nCOPY data /\n");
    assert_eq!(compare(&dir, &built), None);
    fs::write(dir.path().join("other"), "changed").unwrap();
    assert_eq!(compare(&dir, &built), Some(Changed::Context));
    // Another part of the directory is not what was sent.
    built.bases.insert("base".to_owned(), Vec::new());
    assert_eq!(compare(&dir, &built), Some(Changed::Context));
}

#[test]
fn no_more_is_read_than_was_sent() {
    let (dir, built) = built("FROM scratch\nCOPY data /\n");
    let large = fs::File::create(dir.path().join("data")).unwrap();
    large.set_len(1 << 40).unwrap();
    assert_eq!(compare(&dir, &built), Some(Changed::Context));
}

#[test]
fn the_first_file_counts_and_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let file = || file_in(dir.path());
    assert_eq!(file().unwrap(), None);
    for name in ["Dockerfile", "Dockerfile.ralph", "Containerfile"] {
        fs::write(dir.path().join(name), "").unwrap();
        assert_eq!(file().unwrap(), Some(name));
    }
    fs::remove_file(dir.path().join("Containerfile")).unwrap();
    std::os::unix::fs::symlink("Dockerfile", dir.path().join("Containerfile")).unwrap();
    assert_eq!(file().unwrap_err().exit, Exit::Preflight);
}
