//! Trees that try to hang, mislead or overflow whoever walks them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;

use super::super::*;
use super::git::assert_sound;
use super::scene::Scene;
use super::scene::assert_same;
use super::scene::view;

#[test]
fn what_would_hang_a_reader_is_left_out() {
    let mut scene = Scene::new();
    scene.write("file", "");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(CWD, scene.path("fifo"), fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(scene.path("socket")).unwrap();
    let taken = scene.taken();
    let special = |name: &str| (name.to_owned(), Reason::Special);
    assert_eq!(
        Scene::left_out(&taken),
        [special("fifo"), special("socket")]
    );
    assert_eq!(taken.files, 1);
    fs::remove_file(scene.path("file")).unwrap();
    let result = scene.roll_back(&taken.checkpoint);
    assert_eq!(result.left, ["fifo", "socket"].map(PathBuf::from));
    assert!(scene.path("file").exists() && scene.path("fifo").exists());
}

#[test]
fn a_file_in_place_of_which_there_is_a_fifo_comes_back() {
    let mut scene = Scene::new();
    scene.write("file", "content");
    let before = scene.view();
    let first = scene.take();
    fs::remove_file(scene.path("file")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(CWD, scene.path("file"), fifo, Mode::RUSR, 0).unwrap();
    scene.roll_back(&first);
    // The time of the directory is the last thing that is set.
    assert_same(&scene.view(), &before);
}

#[test]
fn a_directory_in_the_way_of_a_temporary_name_stops_nothing() {
    let mut scene = Scene::new();
    scene.write("file", "one");
    symlink("one", scene.path("link")).unwrap();
    let before = scene.view();
    let first = scene.take();
    scene.write("file", "other");
    fs::remove_file(scene.path("link")).unwrap();
    symlink("other", scene.path("link")).unwrap();
    let key = scene.repository.store.key().to_vec();
    let temporary = |name: &std::ffi::CStr, number| {
        let name = rollback::make::temporary(&key, name, number);
        name.into_string().unwrap()
    };
    for name in [c"file", c"link"] {
        for number in 0..3 {
            scene.write(&format!("{}/x", temporary(name, number)), "in the way");
        }
        // Of a rollback that was killed.
        scene.write(&temporary(name, 3), "half");
    }
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
    // Another repository has other names.
    let other = Scene::new();
    let names = [&scene, &other]
        .map(|scene| rollback::make::temporary(scene.repository.store.key(), c"file", 0));
    assert_ne!(names[0], names[1]);
}

/// Swaps two names until it is told to stop.
fn swap(one: &Path, two: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        // Now and then one of them has just been removed.
        let _ = rustix::fs::renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE);
    }
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let mut scene = Scene::new();
    let outside = scene.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for number in 0..20 {
        fs::write(outside.join(format!("f{number}")), "secret").unwrap();
        scene.write(&format!("dir/f{number}"), "harmless");
    }
    fs::write(scene.path("link-to-file"), "harmless").unwrap();
    symlink(&outside, scene.path("link")).unwrap();
    symlink(outside.join("f0"), scene.path("link-to-secret")).unwrap();
    let first = scene.take();
    let before = view(&outside);
    let stop = AtomicBool::new(false);
    let pairs = [("dir", "link"), ("link-to-file", "link-to-secret")];
    let pairs = pairs.map(|(one, two)| (scene.path(one), scene.path(two)));
    let mut checkpoints = Vec::new();
    std::thread::scope(|scope| {
        for (one, two) in &pairs {
            scope.spawn(|| swap(one, two, &stop));
        }
        for _ in 0..60 {
            let now = scene.take();
            let root = scene.root();
            // Whether or not it gets there.
            scene
                .repository
                .rollback(&root, &now, &first, &[], &[], Missing::Lost)
                .unwrap();
            checkpoints.push(now);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let mut seen = 0;
    for checkpoint in checkpoints {
        for (path, entry) in scene.repository.entries(&checkpoint).unwrap() {
            if entry.kind == EntryKind::File {
                let content = scene.repository.read_blob(entry.id, 100).unwrap();
                assert_eq!(content, b"harmless", "{path:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
    assert_same(&view(&outside), &before);
    // Left in peace, it comes out right.
    scene.roll_back(&first);
    assert_eq!(fs::read(scene.path("dir/f1")).unwrap(), b"harmless");
    assert!(
        fs::symlink_metadata(scene.path("link"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(fs::read_dir(scene.path("dir")).unwrap().count(), 20);
}

#[test]
fn names_are_bytes() {
    let mut scene = Scene::new();
    let long = [b'n'; 255];
    let mut every: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
    every.truncate(254);
    let names: [&[u8]; 9] = [
        b"new\nline",
        b"\xff\xfe",
        b"%41",
        b" ",
        b"-rf",
        b"\x1b]0;title\x07",
        b"...",
        &long,
        &every,
    ];
    for name in names {
        let path = scene.path("").join(OsStr::from_bytes(name));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(OsStr::from_bytes(name)), name).unwrap();
        symlink(OsStr::from_bytes(name), path.join("link")).unwrap();
    }
    let before = scene.view();
    let first = scene.take();
    assert_sound(&scene);
    for name in names {
        fs::remove_dir_all(scene.path("").join(OsStr::from_bytes(name))).unwrap();
    }
    let empty = scene.take();
    assert_eq!(scene.repository.changes(&empty, &first).unwrap().len(), 27);
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
    let mut bytes = Vec::new();
    let mut keep = |_: &Path| Selected::Keep;
    scene
        .repository
        .write_tar(&first, &mut bytes, &mut keep)
        .unwrap();
    let mut archive = ::tar::Archive::new(bytes.as_slice());
    let paths: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path_bytes().into_owned())
        .collect();
    for name in names {
        assert!(paths.contains(&[name, b"/", name].concat()), "{name:?}");
    }
}

/// Directories inside each other, deeper than a path can say.
pub(in crate::workspace) fn nest(scene: &Scene, levels: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = rustix::fs::open(scene.path(""), flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&dir, c"deep", Mode::RWXU).unwrap();
        dir = rustix::fs::openat(&dir, c"deep", flags, Mode::empty()).unwrap();
    }
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let fd = rustix::fs::openat(&dir, c"bottom", flags, Mode::RUSR).unwrap();
    rustix::io::write(&fd, b"reached").unwrap();
}

#[test]
fn a_tree_may_be_deeper_than_paths_and_descriptors_go() {
    let mut scene = Scene::new();
    let empty = scene.take();
    nest(&scene, 3000);
    let taken = scene.taken();
    assert_eq!((taken.files, taken.left_out.len()), (1, 0));
    let deep = taken.checkpoint;
    assert_sound(&scene);
    assert_eq!(scene.repository.changes(&empty, &deep).unwrap().len(), 3001);
    let result = scene.roll_back(&empty);
    assert_eq!(result.removed, 3001);
    assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 0);
    scene.roll_back(&deep);
    let again = scene.take();
    assert_eq!(scene.changes(&deep, &again), [""; 0]);
    assert_eq!(again.tree(), deep.tree());
    // A cap cuts it off, and going back by way of that checkpoint leaves what is below.
    scene.policy.caps.depth = 100;
    let taken = scene.taken();
    assert_eq!(taken.left_out.len(), 1);
    assert_eq!(taken.left_out[0].reason, Reason::Deep);
    scene.policy.on_cap = OnCap::Fail;
    let root = scene.root();
    let failed = scene
        .repository
        .take(&root, &scene.series, "", &scene.policy);
    assert!(failed.unwrap_err().is_limit());
    scene.policy = Policy::default();
    scene.roll_back(&empty);
    assert_eq!(fs::read_dir(scene.path("")).unwrap().count(), 0);
}

#[test]
fn caps_are_kept_and_said() {
    let mut scene = Scene::new();
    scene.write("large", vec![1; 1000]);
    scene.write("middle", vec![2; 600]);
    scene.write("small", vec![3; 500]);
    scene.write("many/a", "");
    scene.write("many/b", "");
    scene.write("many/c", "");
    scene.policy.caps = Caps {
        entries: 7,
        file: 999,
        total: 700,
        ..Caps::default()
    };
    let taken = scene.taken();
    let left = [
        ("large", Reason::Large),
        ("many", Reason::Full),
        ("small", Reason::Full),
    ];
    let left = left.map(|(name, reason)| (name.to_owned(), reason));
    assert_eq!(Scene::left_out(&taken), left);
    assert_eq!((taken.files, taken.bytes), (1, 600));
    // What the checkpoint does not know is not removed, and told.
    fs::remove_file(scene.path("middle")).unwrap();
    scene.policy = Policy::default();
    let now = scene.taken().with_tree();
    let (root, to) = (scene.root(), &taken.checkpoint);
    let done = scene
        .repository
        .rollback(&root, &now, to, &[], &[], Missing::Lost);
    let failed = done.unwrap().failed.into_iter();
    let failed: Vec<_> = failed.map(|one| one.path).collect();
    assert_eq!(failed, ["large", "many", "small"].map(PathBuf::from));
    for name in ["large", "middle", "small", "many/a"] {
        assert!(scene.path(name).exists(), "{name}");
    }
}

#[test]
fn what_no_checkpoint_has_is_not_replaced() {
    let mut scene = Scene::new();
    scene.write("b", "before");
    scene.write("d/b", "before");
    scene.write("many/a", "before");
    scene.write("pipe", "before");
    let first = scene.take();
    // So much that there is no room for what comes after it.
    scene.write("a", vec![0; 100]);
    scene.write("d/a", "");
    for name in ["b", "d/b", "many/a"] {
        scene.write(name, "written since, and in no checkpoint");
    }
    scene.write("many/b", "");
    fs::remove_file(scene.path("pipe")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(CWD, scene.path("pipe"), fifo, Mode::RUSR, 0).unwrap();
    scene.policy.caps = Caps {
        entries: 8,
        total: 100,
        ..Caps::default()
    };
    let now = scene.taken().with_tree();
    let root = scene.root();
    for (paths, fail) in [
        (&["d/b"][..], &["d/b"][..]),
        (&["many/a"], &["many"]),
        (&[], &["b", "d/b", "many"]),
    ] {
        let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
        let result = scene
            .repository
            .rollback(&root, &now, &first, &paths, &[], Missing::Lost);
        let result = result.unwrap();
        let failed: Vec<_> = result.failed.iter().map(|one| &one.path).collect();
        assert_eq!(failed, fail.iter().map(Path::new).collect::<Vec<_>>());
        for name in ["b", "d/b", "many/a"] {
            let text = fs::read_to_string(scene.path(name)).unwrap();
            assert!(text.starts_with("written since"), "{name}");
        }
    }
    // The rest is as it was; a pipe held nothing.
    assert!(!scene.path("a").exists() && !scene.path("d/a").exists());
    assert_eq!(fs::read(scene.path("pipe")).unwrap(), b"before");
    // Once it is kept, the way back is free.
    scene.policy = Policy::default();
    scene.roll_back(&first);
    assert_eq!(fs::read(scene.path("many/a")).unwrap(), b"before");
}

#[test]
fn groups_of_names_for_one_file_come_back_as_they_were() {
    let mut scene = Scene::new();
    scene.write("a", "one");
    scene.write("d/b", "one");
    scene.write("z", "three");
    fs::hard_link(scene.path("z"), scene.path("d/y")).unwrap();
    fs::hard_link(scene.path("z"), scene.path("x")).unwrap();
    let outside = scene.dir.path().join("outside");
    fs::write(&outside, "outside").unwrap();
    fs::hard_link(&outside, scene.path("shared")).unwrap();
    let before = scene.view();
    let first = scene.take();
    // Two files become one, one becomes three, and what is outside is written through its name.
    fs::remove_file(scene.path("a")).unwrap();
    fs::hard_link(scene.path("d/b"), scene.path("a")).unwrap();
    fs::remove_file(scene.path("x")).unwrap();
    scene.write("x", "three");
    scene.write("z", "written through both");
    scene.write("shared", "harmed");
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
    let inode = |name: &str| fs::metadata(scene.path(name)).unwrap().ino();
    assert_eq!(inode("z"), inode("d/y"));
    assert_ne!(inode("a"), inode("d/b"));
    // The person's file is no longer the agent's, and nothing wrote into it.
    assert_eq!(fs::read(&outside).unwrap(), b"harmed");
}

#[test]
fn modes_come_back_with_all_their_bits() {
    let mut scene = Scene::new();
    for mode in [0o4755, 0o2755, 0o1644, 0o000, 0o200, 0o777, 0o6711] {
        let name = format!("f{mode:o}");
        scene.write(&name, &name);
        scene.chmod(&name, mode);
        fs::create_dir(scene.path(&format!("d{mode:o}"))).unwrap();
        scene.write(&format!("d{mode:o}/file"), "");
        scene.chmod(&format!("d{mode:o}"), mode | 0o700);
    }
    let before = scene.view();
    let first = scene.take();
    for (path, _) in before
        .iter()
        .filter(|(path, _)| path.components().count() == 1)
    {
        scene.chmod(path.to_str().unwrap(), 0o700);
    }
    fs::remove_dir_all(scene.path("d4755")).unwrap();
    fs::remove_file(scene.path("f4755")).unwrap();
    scene.write("f6711", "changed");
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
}

#[test]
fn a_sparse_file_stays_sparse() {
    let mut scene = Scene::new();
    let file = fs::File::create(scene.path("sparse")).unwrap();
    file.set_len(40 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"in the middle", 20 << 20).unwrap();
    drop(file);
    let first = scene.take();
    fs::remove_file(scene.path("sparse")).unwrap();
    scene.roll_back(&first);
    let found = fs::metadata(scene.path("sparse")).unwrap();
    assert_eq!(found.len(), 40 << 20);
    assert!(found.blocks() < 2048, "{}", found.blocks());
    let again = scene.take();
    assert_eq!(again.tree(), first.tree());
    let pack: u64 = fs::read_dir(scene.git_dir().join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(pack < 2 << 20, "{pack}");
}

#[test]
fn a_file_that_keeps_changing_is_torn_and_nothing_else_is() {
    let mut scene = Scene::new();
    scene.write("still", "still");
    scene.write("large", vec![0; 5_000_000]);
    scene.write("small", "0");
    let stop = AtomicBool::new(false);
    let paths = ["large", "small"].map(|name| scene.path(name));
    std::thread::scope(|scope| {
        for path in &paths {
            let stop = &stop;
            scope.spawn(move || {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                let mut length = 4_300_000;
                while !stop.load(Ordering::Relaxed) {
                    length = if length == 5_000_000 {
                        4_300_000
                    } else {
                        5_000_000
                    };
                    file.set_len(length).unwrap();
                }
            });
        }
        for _ in 0..2 {
            let taken = scene.taken();
            assert!(!taken.torn.contains(&PathBuf::from("still")));
            for (path, entry) in scene.repository.entries(&taken.checkpoint).unwrap() {
                if entry.kind == EntryKind::File {
                    let content = scene.repository.read_blob(entry.id, 1 << 30).unwrap();
                    assert_eq!(content.len() as u64, entry.size, "{path:?}");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_sound(&scene);
}

#[test]
fn another_file_system_is_not_entered() {
    // A directory of another device that every machine has.
    let root = Root::open(Path::new("/")).unwrap();
    let proc = fs::metadata("/proc").unwrap().dev();
    assert_ne!(root.id().0, proc);
    let opened = disk::open(&root.fd, c"proc", OFlags::RDONLY | OFlags::DIRECTORY);
    assert_eq!(opened.unwrap_err(), rustix::io::Errno::XDEV);
}
