//! What comes back out: lists, changes, archives, trees.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use super::super::*;
use super::scene::Scene;
use super::scene::assert_same;

/// A little of everything.
fn furnish(scene: &Scene) {
    scene.write("README.md", "hello\n");
    scene.write("src/main.rs", "fn main() {}\n");
    scene.write("src/deep/er/file", vec![7; 100_000]);
    scene.write("bin/tool", "#!/bin/sh\n");
    scene.chmod("bin/tool", 0o755);
    scene.write(".git/config", "[core]\n");
    scene.write(".git/HEAD", "ref: refs/heads/main\n");
    fs::create_dir_all(scene.path("empty/inside")).unwrap();
    symlink("../README.md", scene.path("src/link")).unwrap();
    symlink("/etc/passwd", scene.path("escape")).unwrap();
    fs::hard_link(scene.path("README.md"), scene.path("src/again")).unwrap();
    scene.chmod("src", 0o2750);
}

#[test]
fn going_back_makes_the_tree_what_it_was() {
    let mut scene = Scene::new();
    furnish(&scene);
    let before = scene.view();
    let first = scene.take();
    fs::remove_dir_all(scene.path(".git")).unwrap();
    scene.write("README.md", "changed through both names\n");
    fs::remove_file(scene.path("src/main.rs")).unwrap();
    symlink("/etc/shadow", scene.path("src/main.rs")).unwrap();
    fs::remove_dir_all(scene.path("src/deep")).unwrap();
    scene.write("src/deep", "a file now");
    fs::remove_file(scene.path("bin/tool")).unwrap();
    scene.write("bin/tool/inside", "a directory now");
    fs::remove_dir(scene.path("empty/inside")).unwrap();
    scene.write("new/one/two", "new");
    scene.chmod("bin", 0o700);
    scene.chmod("src", 0o777);
    fs::remove_file(scene.path("src/again")).unwrap();
    scene.write("src/again", "hello\n");
    let second = scene.take();
    let after = scene.view();
    let result = scene.roll_back(&first);
    assert_same(&scene.view(), &before);
    assert!(result.left.is_empty(), "{:?}", result.left);
    assert!(result.removed > 0 && result.restored > 0);
    scene.roll_back(&second);
    assert_same(&scene.view(), &after);
    // Nothing to do: nothing is done.
    let result = scene.roll_back(&second);
    assert_eq!((result.restored, result.removed), (0, 0));
}

#[test]
fn only_what_was_asked_for_goes_back() {
    let mut scene = Scene::new();
    furnish(&scene);
    let first = scene.take();
    let before = scene.view();
    scene.write("README.md", "new");
    scene.write("src/main.rs", "new");
    scene.write("src/extra", "new");
    fs::remove_dir_all(scene.path("bin")).unwrap();
    let now = scene.take();
    let changed = scene.view();
    let root = scene.root();
    let paths = ["src/main.rs".into(), "./bin".into()];
    let result = scene
        .repository
        .rollback(&root, &now, &first, &paths, &[], Missing::Lost)
        .unwrap();
    assert!(result.failed.is_empty(), "{:?}", result.failed);
    let after = scene.view();
    for path in ["src/main.rs", "bin", "bin/tool"].map(Path::new) {
        assert_eq!(after.get(path), before.get(path), "{path:?}");
    }
    for path in ["README.md", "src/extra", "src/again"].map(Path::new) {
        assert_eq!(after.get(path), changed.get(path), "{path:?}");
    }
    let out = ["../x".into()];
    assert!(
        scene
            .repository
            .rollback(&root, &now, &first, &out, &[], Missing::Lost)
            .is_err()
    );
}

#[test]
fn changes_are_told_by_kind() {
    let mut scene = Scene::new();
    furnish(&scene);
    let first = scene.take();
    scene.write("README.md", "other");
    scene.chmod("bin/tool", 0o700);
    scene.write("new/file", "");
    fs::remove_file(scene.path("src/link")).unwrap();
    fs::remove_file(scene.path("escape")).unwrap();
    scene.write("escape", "");
    let second = scene.take();
    assert_eq!(
        scene.changes(&first, &second),
        [
            "Modified README.md",
            "Mode bin/tool",
            "Type escape",
            "Added new",
            "Added new/file",
            "Modified src/again",
            "Removed src/link",
        ]
    );
    assert_eq!(scene.changes(&second, &second), [""; 0]);
    assert_ne!(first.tree(), second.tree());
    let third = scene.take();
    assert_eq!(second.tree(), third.tree());
    let list = scene.repository.list(&scene.series).unwrap();
    assert_eq!(list, [first, second, third]);
    assert_eq!(list[1].reason(), "test");
    let other = Series::new("other").unwrap();
    assert_eq!(scene.repository.list(&other).unwrap(), []);
    assert!(
        scene
            .repository
            .checkpoint(&other, 0)
            .unwrap_err()
            .is_no_checkpoint()
    );
}

#[test]
fn unchanged_files_are_not_read_again() {
    let mut scene = Scene::new();
    for number in 0..50 {
        scene.write(&format!("d{}/f{number}", number % 5), format!("{number}"));
    }
    assert_eq!(scene.taken().read, 50);
    scene.let_time_pass();
    scene.taken();
    let taken = scene.taken();
    assert_eq!((taken.read, taken.files), (0, 50));
    scene.write("d1/f1", "other");
    assert_eq!(scene.taken().read, 1);
    let reread = Policy {
        reread: true,
        ..Policy::default()
    };
    scene.policy = reread;
    assert_eq!(scene.taken().read, 50);
    // A second process has the same index.
    scene.policy.reread = false;
    scene.repository = Repository::open(&scene.git_dir()).unwrap();
    assert!(scene.taken().read <= 1);
    fs::write(scene.git_dir().join("stockade-index"), "damaged").unwrap();
    assert_eq!(scene.taken().read, 50);
}

type Unpacked = BTreeMap<String, (tar::EntryType, u32, u64, Vec<u8>, Option<Vec<u8>>)>;

fn unpack(bytes: &[u8]) -> Unpacked {
    let mut unpacked = Unpacked::new();
    let mut archive = ::tar::Archive::new(bytes);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let parts = (
            header.entry_type(),
            header.mode().unwrap(),
            header.mtime().unwrap(),
            content,
            entry.link_name_bytes().map(|name| name.into_owned()),
        );
        unpacked.insert(path, parts);
    }
    unpacked
}

use ::tar;

#[test]
fn an_archive_has_everything_that_was_selected() {
    let mut scene = Scene::new();
    furnish(&scene);
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    scene.write(&long, "long");
    let first = scene.take();
    let mut bytes = Vec::new();
    let mut select = |path: &Path| match path.to_str() {
        Some(".git") => Selected::Drop,
        Some("src/main.rs") => Selected::Replace(b"replaced".to_vec()),
        _ => Selected::Keep,
    };
    scene
        .repository
        .write_tar(&first, &mut bytes, &mut select)
        .unwrap();
    let unpacked = unpack(&bytes);
    assert!(!unpacked.keys().any(|path| path.starts_with(".git")));
    assert_eq!(unpacked["src/main.rs"].3, b"replaced");
    assert_eq!(unpacked["README.md"].3, b"hello\n");
    assert_eq!(unpacked["src/again"].0, tar::EntryType::Link);
    assert_eq!(unpacked["src/again"].4.as_deref(), Some(&b"README.md"[..]));
    assert_eq!(
        unpacked["src/link"].4.as_deref(),
        Some(&b"../README.md"[..])
    );
    assert_eq!(unpacked["src/"].1, 0o2750);
    assert_eq!(unpacked["bin/tool"].1, 0o755);
    assert_eq!(unpacked[&long].3, b"long");
    assert!(unpacked.contains_key("empty/inside/"));
    let mtime = fs::metadata(scene.path("README.md"))
        .unwrap()
        .modified()
        .unwrap();
    let mtime = mtime
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert_eq!(unpacked["README.md"].2, mtime);
}

#[test]
fn protected_paths_come_from_the_base_even_when_they_are_gone() {
    let mut scene = Scene::new();
    scene.write("tests/one.py", "assert True");
    scene.write("tests/two.py", "assert True");
    scene.write("code.py", "old");
    let base = scene.take();
    fs::remove_dir_all(scene.path("tests")).unwrap();
    scene.write("code.py", "new");
    scene.write("tests", "no directory");
    let at = scene.take();
    let mut select = |path: &Path| match path.starts_with("tests") {
        true => Selected::Base,
        false => Selected::Keep,
    };
    let mut bytes = Vec::new();
    let repository = &scene.repository;
    repository
        .write_tar_over(&base, &at, &mut bytes, &mut select)
        .unwrap();
    let unpacked = unpack(&bytes);
    let names: Vec<&str> = unpacked.keys().map(String::as_str).collect();
    assert_eq!(names, ["code.py", "tests/", "tests/one.py", "tests/two.py"]);
    assert_eq!(unpacked["code.py"].3, b"new");
    assert_eq!(unpacked["tests/one.py"].3, b"assert True");
}

#[test]
fn what_comes_from_the_base_goes_through_no_link() {
    let mut scene = Scene::new();
    scene.write("sub/tests/one.py", "assert True");
    scene.write("sub/code.py", "old");
    let base = scene.take();
    fs::rename(scene.path("sub"), scene.path("zzz")).unwrap();
    scene.write("zzz/tests/one.py", "pass");
    symlink("zzz", scene.path("sub")).unwrap();
    let at = scene.take();
    let mut select = |path: &Path| match path == Path::new("sub/tests/one.py") {
        true => Selected::Base,
        false => Selected::Keep,
    };
    let mut bytes = Vec::new();
    let repository = &scene.repository;
    repository
        .write_tar_over(&base, &at, &mut bytes, &mut select)
        .unwrap();
    let unpacked = unpack(&bytes);
    let names: Vec<&str> = unpacked.keys().map(String::as_str).collect();
    let kept = ["zzz/", "zzz/code.py", "zzz/tests/", "zzz/tests/one.py"];
    let base = ["sub/", "sub/tests/", "sub/tests/one.py"];
    assert_eq!(names, [&base[..], &kept[..]].concat());
    assert_eq!(unpacked["sub/tests/one.py"].3, b"assert True");
}

#[test]
fn an_archive_whose_sink_fails_has_no_end() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut scene = Scene::new();
    furnish(&scene);
    let first = scene.take();
    let mut keep = |_: &Path| Selected::Keep;
    let result = scene
        .repository
        .write_tar(&first, &mut Full(5000), &mut keep);
    assert!(result.unwrap_err().is_sink());
}

#[test]
fn what_a_tool_makes_again_is_left_out_where_the_baseline_ignores_it() {
    let mut scene = Scene::new();
    scene.write(".gitignore", "node_modules/\n/target\n*.log\n.env\n");
    scene.write("node_modules/a/index.js", "");
    scene.write("sub/node_modules/b/index.js", "");
    scene.write("target/debug/x", "");
    scene.write("sub/target/kept", "");
    scene.write("__pycache__/kept", "");
    scene.write(".env", "kept although ignored");
    scene.policy.leave_out.globs = vec!["data/**/*.bin".to_owned()];
    scene.write("data/x/y.bin", "");
    let first = scene.taken();
    let left = [
        "data/x/y.bin".to_owned(),
        "node_modules".to_owned(),
        "sub/node_modules".to_owned(),
        "target".to_owned(),
    ];
    let mut names: Vec<_> = Scene::left_out(&first)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, left);
    // What the agent writes into the ignore file changes nothing.
    scene.write(".gitignore", "__pycache__\nsub\n");
    scene.write("node_modules/a/new.js", "");
    scene.policy.leave_out.globs = vec!["*".to_owned()];
    let second = scene.taken();
    assert_eq!(Scene::left_out(&second).len(), 4);
    let result = scene.roll_back(&first.checkpoint);
    assert_eq!(result.left.len(), 4);
    assert!(scene.path("node_modules/a/new.js").exists());
}
