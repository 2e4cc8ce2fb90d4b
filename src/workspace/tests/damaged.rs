//! Repositories that somebody else was at: errors, never a panic, and nothing read that is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;

use super::super::*;
use super::scene::Scene;

/// Everything that can be asked of a checkpoint.
fn read_all(directory: &Path) -> Result<u64> {
    let repository = Repository::open(directory)?;
    let mut read = 0;
    for series in repository.series()? {
        for checkpoint in repository.list(&series)? {
            let mut bytes = Vec::new();
            repository.write_tar(&checkpoint, &mut bytes, &mut |_| Selected::Keep)?;
            read += bytes.len() as u64;
        }
    }
    Ok(read)
}

fn small() -> Scene {
    let mut scene = Scene::new();
    scene.write("a", "content of a");
    scene.write("d/b", "content of b");
    symlink("a", scene.path("link")).unwrap();
    scene.take();
    scene
}

#[test]
fn every_byte_of_the_repository_counts() {
    let scene = small();
    let whole = read_all(&scene.git_dir()).unwrap();
    let packs = scene.git_dir().join("objects/pack");
    let mut files = vec![scene.git_dir().join("refs/checkpoints/run-1/0")];
    files.extend(
        fs::read_dir(packs)
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    assert_eq!(files.len(), 3);
    let (mut noticed, mut unnoticed) = (0, 0);
    for path in files {
        let content = fs::read(&path).unwrap();
        for at in 0..content.len() {
            let mut wrong = content.clone();
            wrong[at] ^= 0x41;
            fs::write(&path, &wrong).unwrap();
            // Trees and the sum of a pack are there for git alone; the rest is as it was all the same.
            match read_all(&scene.git_dir()) {
                Ok(read) => {
                    assert_eq!(read, whole, "{path:?} {at}");
                    unnoticed += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    noticed += 1;
                }
            }
        }
        for end in (0..content.len()).step_by(7) {
            fs::write(&path, &content[..end]).unwrap();
            assert!(read_all(&scene.git_dir()).is_err(), "{path:?} {end}");
        }
        fs::write(&path, content).unwrap();
    }
    assert_eq!(read_all(&scene.git_dir()).unwrap(), whole);
    assert!(noticed > 5 * unnoticed, "{noticed} {unnoticed}");
}

#[test]
fn a_repository_that_others_can_open_is_refused() {
    let scene = small();
    let path = scene.git_dir();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(Repository::open(&path).is_err());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(Repository::open(&path).is_ok());
    let link = scene.dir.path().join("link.git");
    symlink(&path, &link).unwrap();
    assert!(Repository::open(&link).is_err());
}

#[test]
fn only_one_process_writes() {
    let mut scene = small();
    let mut other = Repository::open(&scene.git_dir()).unwrap();
    let root = scene.root();
    let lock = other.store.lock().unwrap();
    let result = scene
        .repository
        .take(&root, &scene.series, "", &scene.policy);
    assert!(result.unwrap_err().is_busy());
    // Reading goes on.
    let reader = Repository::open(&scene.git_dir()).unwrap();
    assert_eq!(reader.list(&scene.series).unwrap().len(), 1);
    drop(lock);
    scene.take();
    assert!(other.list(&scene.series).unwrap_err().is_damaged());
    other.refresh().unwrap();
    assert_eq!(other.list(&scene.series).unwrap().len(), 2);
}

#[test]
fn what_a_killed_writer_left_is_cleared() {
    let mut scene = small();
    let packs = scene.git_dir().join("objects/pack");
    let left = [
        packs.join("tmp_pack_stockade"),
        packs.join("tmp_idx_stockade"),
        packs.join("pack-1234.pack"),
        scene.git_dir().join("stockade-ref.tmp"),
    ];
    for path in &left {
        fs::write(path, "half").unwrap();
    }
    scene.repository = Repository::open(&scene.git_dir()).unwrap();
    for path in &left {
        assert!(!path.exists(), "{path:?}");
    }
    scene.take();
    assert_eq!(scene.repository.list(&scene.series).unwrap().len(), 2);
}

#[test]
fn names_of_series_are_plain() {
    for name in ["", "A", "../x", "a/b", "a.lock", &"a".repeat(65)] {
        assert!(Series::new(name).is_err(), "{name}");
    }
    assert!(Series::new(&"a".repeat(64)).is_ok());
}
