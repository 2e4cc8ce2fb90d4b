//! Checkpoints that are taken while somebody writes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::git::TopKind;
use super::super::*;
use super::scene::Scene;

impl Scene {
    fn meanwhile(&mut self, withheld: &Withheld) -> Taken {
        let root = self.root();
        let taken =
            self.repository
                .take_meanwhile(&root, &self.series, "test", &self.policy, withheld);
        taken.unwrap()
    }

    /// The paths in it; those that are left out with a `-`.
    fn names(&self, at: &Checkpoint) -> Vec<String> {
        let entries = self.repository.entries(at).unwrap().skip(1);
        let name = |(path, entry): (PathBuf, Entry)| match entry.kind {
            EntryKind::LeftOut(_) => format!("-{}", path.display()),
            _ => path.display().to_string(),
        };
        entries.map(name).collect()
    }
}

fn identity(scene: &Scene, name: &str) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::symlink_metadata(scene.path(name)).unwrap();
    (found.dev(), found.ino())
}

#[test]
fn what_may_not_be_there_is_left_out_and_what_was_there_is_not() {
    let mut scene = Scene::new();
    scene.write(".git/config", "mine");
    scene.write("sub/.git", "gitdir: ../x\n");
    scene.write("HEAD", "only a name");
    let mut withheld = Withheld::default();
    let git = Unless::Is(identity(&scene, ".git"), TopKind::Directory);
    withheld.at(Path::new(".git"), git);
    withheld.at(Path::new("stockade.toml"), Unless::Never);
    withheld.at(Path::new("sub"), Unless::IsNoLink);
    let file = Unless::Holds("gitdir: ../x\n".to_owned());
    withheld.at(Path::new("sub/.git"), file);
    withheld.never_bare();
    scene.take();
    scene.write("new", "");
    let first = scene.meanwhile(&withheld).checkpoint;
    let all = [".git", ".git/config", "HEAD", "new", "sub", "sub/.git"];
    assert_eq!(scene.names(&first), all);
    // Another one in its place, or another text of the same length.
    fs::rename(scene.path(".git"), scene.path("old")).unwrap();
    scene.write(".git/config", "evil");
    scene.write("stockade.toml", "");
    scene.write("sub/.git", "gitdir: ../y\n");
    let second = scene.meanwhile(&withheld).checkpoint;
    let others = [
        "HEAD",
        "new",
        "old",
        "old/config",
        "-stockade.toml",
        "sub",
        "-sub/.git",
    ];
    assert_eq!(scene.names(&second), [&["-.git"], &others[..]].concat());
    // What is left out is told, and back at it stays as it is.
    let changes = scene.changes(&first, &second);
    assert!(
        changes.contains(&"Added stockade.toml".to_owned()),
        "{changes:?}"
    );
    assert!(changes.contains(&"Type sub/.git".to_owned()), "{changes:?}");
    scene.write("new", "changed");
    scene.roll_back(&second);
    assert_eq!(fs::read(scene.path("new")).unwrap(), b"");
    assert_eq!(fs::read(scene.path(".git/config")).unwrap(), b"evil");
    // Behind a link.
    fs::rename(scene.path("sub"), scene.path("moved")).unwrap();
    symlink("moved", scene.path("sub")).unwrap();
    let third = scene.meanwhile(&withheld).checkpoint;
    let names = scene.names(&third);
    assert!(names.contains(&"-sub".to_owned()), "{names:?}");
    // A repository without a `.git`.
    fs::remove_dir_all(scene.path(".git")).unwrap();
    scene.write("objects/x", "");
    let fourth = scene.meanwhile(&withheld).checkpoint;
    let names = scene.names(&fourth);
    assert!(names.contains(&"-HEAD".to_owned()), "{names:?}");
    // It is nobody's decision for later ones.
    let quiet = scene.take();
    let names = scene.names(&quiet);
    assert!(names.iter().all(|name| !name.starts_with('-')), "{names:?}");
}

#[test]
fn nothing_that_was_read_meanwhile_is_believed_later() {
    let mut scene = Scene::new();
    scene.write("file", "one");
    scene.let_time_pass();
    scene.take();
    let index = scene.git_dir().join("stockade-index");
    let before = fs::read(&index).unwrap();
    scene.write("file", "two, written through a mapping");
    scene.let_time_pass();
    let taken = scene.meanwhile(&Withheld::default());
    assert_eq!((taken.is_new, taken.read), (true, 1));
    assert_eq!(fs::read(&index).unwrap(), before);
    // It is read once more, although it looks as it did.
    assert_eq!(scene.taken().read, 1);
    assert_eq!(scene.taken().read, 0);
}

#[test]
fn one_that_is_as_the_last_is_none() {
    let mut scene = Scene::new();
    scene.write("file", "one");
    let first = scene.take();
    let withheld = Withheld::default();
    let taken = scene.meanwhile(&withheld);
    assert_eq!((taken.is_new, taken.checkpoint.number()), (false, 0));
    assert_eq!(taken.checkpoint, first);
    scene.write("file", "two");
    let taken = scene.meanwhile(&withheld);
    assert_eq!((taken.is_new, taken.checkpoint.number()), (true, 1));
    assert!(!scene.meanwhile(&withheld).is_new);
    // One of the other kind always is one.
    assert_eq!(scene.taken().checkpoint.number(), 2);
    let packs = fs::read_dir(scene.git_dir().join("objects/pack")).unwrap();
    assert_eq!(packs.count(), 6, "nothing is left of what came to nothing");
    scene.chmod("file", 0o600);
    assert!(scene.meanwhile(&withheld).is_new);
}

/// Between the checkpoint that keeps what is there and the going back, somebody saves.
#[test]
fn what_was_saved_in_the_last_moment_is_not_replaced() {
    let mut scene = Scene::new();
    for name in ["changed", "gone", "dir", "kept", "touched"] {
        scene.write(name, "at first");
    }
    symlink("at first", scene.path("link")).unwrap();
    let first = scene.taken().with_tree();
    scene.write("changed", "the agent's");
    scene.write("came", "the agent's");
    scene.write("kept", "the agent's");
    fs::remove_file(scene.path("gone")).unwrap();
    fs::remove_file(scene.path("dir")).unwrap();
    scene.write("dir/file", "the agent's");
    scene.write("touched", "at first");
    scene.write("newdir/file", "the agent's");
    // The names of one file are no less the person's.
    fs::hard_link(scene.path("came"), scene.path("second")).unwrap();
    let now = scene.taken().with_tree();
    scene.let_time_pass();
    for name in ["changed", "came", "gone", "dir/file"] {
        scene.write(name, "just saved!");
    }
    // Of the size that it had.
    scene.write("touched", "at last!");
    fs::remove_dir_all(scene.path("newdir")).unwrap();
    scene.write("newdir", "just saved!");
    fs::remove_file(scene.path("link")).unwrap();
    symlink("just saved", scene.path("link")).unwrap();
    let root = scene.root();
    let path = scene.path("");
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    let to = &first;
    let done = scene
        .repository
        .rollback(&root, &now, to, &[], &[], Missing::Lost)
        .unwrap();
    let mut failed: Vec<String> = done
        .failed
        .iter()
        .map(|one| one.path.display().to_string())
        .collect();
    failed.sort();
    // The link is nothing that is to be changed.
    let names = ["changed", "came", "second", "gone", "dir/file", "newdir"];
    let mut expected = [&names[..], &["dir", "touched"]].concat();
    expected.sort_unstable();
    assert_eq!(failed, expected);
    for name in names {
        assert_eq!(read(name), "just saved!", "{name}");
    }
    assert_eq!(
        (read("kept"), read("touched")),
        ("at first".into(), "at last!".into())
    );
    // Then it is kept first, as anything else.
    let result = scene.roll_back(&first);
    assert!(result.left.is_empty());
    assert_eq!(read("changed"), "at first");
    assert_eq!(
        fs::read_link(scene.path("link")).unwrap(),
        Path::new("at first")
    );
}

/// What it was nobody knows: that a name is gone, or something else by now, is not told as gone back over.
#[test]
fn what_a_checkpoint_only_names_cannot_come_back_unnoticed() {
    let mut scene = Scene::new();
    scene.policy.caps.file = 1000;
    for name in ["cut", "gone", "dir/gone", "same", "piped"] {
        scene.write(name, vec![7; 2000]);
    }
    scene.policy.leave_out.globs = vec!["skipped".to_owned()];
    scene.write("skipped", "");
    let first = scene.taken();
    scene.write("cut", "");
    fs::remove_dir_all(scene.path("dir")).unwrap();
    for name in ["gone", "piped", "skipped"] {
        fs::remove_file(scene.path(name)).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.path("piped"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let root = scene.root();
    let now = scene.taken().with_tree();
    let failed = |paths: &[PathBuf], missing| {
        let (repository, to) = (&scene.repository, &first.checkpoint);
        let done = repository.rollback(&root, &now, to, paths, &[], missing);
        let failed = done.unwrap().failed.into_iter();
        let failed = failed.map(|one| one.path.display().to_string());
        failed.collect::<Vec<_>>()
    };
    assert_eq!(failed(&["gone".into()], Missing::Lost), ["gone"]);
    assert_eq!(
        failed(&[], Missing::Lost),
        ["cut", "dir/gone", "gone", "piped"]
    );
    // It is there again, and stays so.
    assert!(scene.path("dir").is_dir());
    assert_eq!(failed(&[], Missing::Never), ["cut", "piped"]);
}
