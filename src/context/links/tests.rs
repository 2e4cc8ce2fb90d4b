use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// What `follow` adds to the sources, for a tree of files and of links (`name -> target`).
#[track_caller]
fn check(tree: &[&str], sources: &[&str], added: Option<&[&str]>) {
    let dir = tempfile::tempdir().unwrap();
    for entry in tree {
        let (path, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            "" => fs::write(path, "").unwrap(),
            _ => symlink(Path::new(target), path).unwrap(),
        }
    }
    let parse = |sources: &[&str]| -> Vec<Source> {
        sources
            .iter()
            .map(|source| Source::parse(source).unwrap())
            .collect()
    };
    let sources = parse(sources);
    let root = tree::open_root(dir.path()).unwrap();
    let wanted = added.map(|added| [sources.clone(), parse(added)].concat());
    assert_eq!(follow(&root, &sources), wanted);
}

#[test]
fn plain_trees_add_nothing() {
    check(&["a/b", "c"], &["a", "c", "*", "missing", "c/d"], Some(&[]));
    check(&["a/link -> ../c", "c"], &["a"], Some(&[]));
    check(&["a/link -> ../c", "c"], &["."], Some(&[]));
}

#[test]
fn links_on_the_way_are_followed() {
    check(&["link -> file", "file"], &["link"], Some(&["file"]));
    check(&["link -> dir", "dir/x"], &["link/x"], Some(&["dir/x"]));
    check(&["link -> dir", "dir/x"], &["link/*"], Some(&["dir/*"]));
    check(
        &["a/b/link -> ../../c", "c/x"],
        &["a/*/link/x"],
        Some(&["c/x"]),
    );
    check(&["a/link -> /c/d"], &["a/link"], Some(&["c/d"]));
    check(
        &["one -> two", "two -> three", "three"],
        &["one"],
        Some(&["two", "three"]),
    );
    check(&["a.x -> b", "c.x", "b"], &["*.x"], Some(&["b"]));
}

#[test]
fn links_that_leave_end_at_the_root() {
    check(
        &["link -> ../../etc/passwd"],
        &["link"],
        Some(&["etc/passwd"]),
    );
    check(&["link -> /etc/passwd"], &["link"], Some(&["etc/passwd"]));
    check(&["d/link -> ../.."], &["d/link"], Some(&["."]));
}

#[test]
fn loops_end() {
    check(&["loop -> loop"], &["loop"], Some(&[]));
    check(&["a -> b", "b -> a"], &["a"], Some(&["b"]));
    // Each round leads to a longer source.
    check(&["grow -> grow/x"], &["grow"], None);
}

#[test]
fn what_cannot_be_told_is_given_up() {
    check(
        &["link -> a/../b", "a -> /elsewhere/deep", "b"],
        &["link"],
        None,
    );
}
