use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A context with these files (`path=content`).
fn context(files: &[&str]) -> (tempfile::TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let (path, content) = file.split_once('=').unwrap();
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let directory = Directory::open(dir.path()).unwrap();
    (dir, directory)
}

#[test]
fn the_containerfile_comes_before_the_dockerfile() {
    let (_dir, directory) = context(&["Dockerfile=FROM d", "Containerfile=FROM c"]);
    assert_eq!(
        directory.default_containerfile().unwrap().bytes(),
        b"FROM c"
    );
    let (_dir, directory) = context(&["Dockerfile=FROM d"]);
    assert_eq!(
        directory.default_containerfile().unwrap().bytes(),
        b"FROM d"
    );
    let (_dir, directory) = context(&["other=FROM o", "Containerfile/x=FROM x"]);
    assert!(directory.default_containerfile().is_err());
    let (_dir, directory) = context(&[]);
    assert!(
        directory
            .default_containerfile()
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn a_link_is_followed_inside_the_context_only() {
    let (dir, directory) = context(&["sub/real=FROM r"]);
    symlink("sub/real", dir.path().join("Containerfile")).unwrap();
    let file = directory.default_containerfile().unwrap();
    assert_eq!(file.place, Place::Inside("sub/real".into()));
    fs::remove_file(dir.path().join("Containerfile")).unwrap();
    symlink("/etc/hostname", dir.path().join("Containerfile")).unwrap();
    let error = directory.default_containerfile().unwrap_err();
    assert_eq!(error.path(), Some(Path::new("Containerfile")));
}

#[test]
fn a_named_containerfile_may_lie_anywhere() {
    let (dir, directory) = context(&["sub/My=FROM m"]);
    let (other, _) = context(&["Your.in=FROM y"]);
    let file = directory
        .containerfile(&dir.path().join("sub/../sub/My"))
        .unwrap();
    assert_eq!(file.place, Place::Inside("sub/My".into()));
    assert!(!file.is_preprocessed());
    let file = directory
        .containerfile(&other.path().join("Your.in"))
        .unwrap();
    assert_eq!(file.place, Place::Outside(Some("Your.in".into())));
    assert!(file.is_preprocessed());
    assert!(
        directory
            .containerfile(&other.path().join("missing"))
            .unwrap_err()
            .is_not_found()
    );
    let large = other.path().join("large");
    File::create(&large)
        .unwrap()
        .set_len(2 * MAX_WHOLE_FILE)
        .unwrap();
    assert!(directory.containerfile(&large).unwrap_err().is_limit());
    assert!(
        directory
            .containerfile(Path::new("/dev/zero"))
            .unwrap_err()
            .is_limit()
    );
}

#[test]
fn one_rule_finds_the_ignore_file() {
    let mut files = vec![
        ".containerignore=one",
        ".dockerignore=two",
        "sub/File.containerignore=three",
        "sub/File.dockerignore=four",
        "sub/File=FROM x",
    ];
    for wanted in ["one", "two", "three", "four"] {
        let (dir, directory) = context(&files);
        let named = dir.path().join("sub/File");
        let file = directory.containerfile(&named).unwrap();
        let found = directory.ignore_file(&file, Some(&named)).unwrap();
        assert_eq!(found.ignore.patterns(), [wanted]);
        assert_eq!(
            found.inside.as_deref().map(Path::to_str),
            Some(files[0].split('=').next())
        );
        files.remove(0);
    }
    let (dir, directory) = context(&files);
    let named = dir.path().join("sub/File");
    let file = directory.containerfile(&named).unwrap();
    let found = directory.ignore_file(&file, Some(&named)).unwrap();
    assert!(found.ignore.is_empty() && found.inside.is_none());
}

#[test]
fn the_ignore_file_of_a_containerfile_elsewhere_lies_beside_it() {
    let (_dir, directory) = context(&["x=y"]);
    let (other, _) = context(&["File=FROM x", "File.dockerignore=beside"]);
    let named = other.path().join("File");
    let file = directory.containerfile(&named).unwrap();
    let found = directory.ignore_file(&file, Some(&named)).unwrap();
    assert_eq!(found.ignore.patterns(), ["beside"]);
    assert_eq!(found.inside, None);
    assert!(
        directory
            .ignore_file(&file, None)
            .unwrap()
            .ignore
            .is_empty()
    );
    let found = directory
        .named_ignore_file(&other.path().join("File.dockerignore"))
        .unwrap();
    assert_eq!(found.ignore.patterns(), ["beside"]);
    assert!(
        directory
            .named_ignore_file(&other.path().join("no"))
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn an_ignore_file_that_cannot_be_read_is_an_error_not_no_patterns() {
    let (dir, directory) = context(&["Containerfile=FROM x"]);
    let file = directory.default_containerfile().unwrap();
    symlink("/etc/hostname", dir.path().join(".dockerignore")).unwrap();
    let error = directory.ignore_file(&file, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "symbolic link that leads nowhere inside the context: \".dockerignore\""
    );
    fs::remove_file(dir.path().join(".dockerignore")).unwrap();
    fs::write(dir.path().join(".dockerignore"), "a\n[\n").unwrap();
    let error = directory.ignore_file(&file, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad ignore pattern in line 2: `[` without `]`: \".dockerignore\""
    );
}

#[test]
fn a_root_must_be_a_directory() {
    let (dir, directory) = context(&["file="]);
    assert!(Directory::open(&dir.path().join("file")).is_err());
    assert!(
        Directory::open(&dir.path().join("missing"))
            .unwrap_err()
            .is_not_found()
    );
    symlink(dir.path(), dir.path().join("self")).unwrap();
    let through = Directory::open(&dir.path().join("self")).unwrap();
    assert_eq!(through.path(), directory.path());
}
