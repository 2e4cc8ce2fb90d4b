//! Checkpoints that were dropped: what is kept is whole, for us and for real `git`.

use std::fs;

use super::super::*;
use super::git::{assert_readable, assert_sound};
use super::killed::{child_scene, run_and_kill};
use super::scene::{Scene, assert_same};

fn numbers(scene: &Scene) -> Vec<u32> {
    let all = scene.repository.list(&scene.series).unwrap();
    all.iter().map(Checkpoint::number).collect()
}

fn prune(scene: &mut Scene, keep: &[u32]) -> Vec<u32> {
    let keep = keep.iter().copied().collect();
    let dropped = scene.repository.prune(&scene.series, &keep).unwrap();
    dropped.into_iter().collect()
}

/// Every content of every checkpoint can be read.
#[track_caller]
fn assert_whole(scene: &Scene) {
    for series in scene.repository.series().unwrap() {
        for checkpoint in scene.repository.list(&series).unwrap() {
            let keep = &mut |_: &Path| Selected::Keep;
            let sink = &mut std::io::sink();
            scene.repository.write_tar(&checkpoint, sink, keep).unwrap();
        }
    }
}

fn size(scene: &Scene) -> u64 {
    let packs = fs::read_dir(scene.git_dir().join("objects/pack")).unwrap();
    packs
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

/// Bytes that cannot be compressed, the same for the same seed.
fn noise(seed: u32, length: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 16) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn what_is_kept_stays_whole_and_the_rest_is_gone_from_disk() {
    let mut scene = Scene::new();
    scene.write("always", noise(1, 100_000));
    let mut views = Vec::new();
    for number in 0..8_u32 {
        scene.write("changes", noise(100 + number, 200_000));
        // Comes with a checkpoint that is dropped, and is needed by those that are kept.
        scene.write(&format!("d{number}/stays"), noise(200 + number, 50_000));
        scene.take();
        views.push(scene.view());
    }
    let before = size(&scene);
    let last = scene.repository.checkpoint(&scene.series, 7).unwrap();
    assert_eq!(prune(&mut scene, &[0, 4, 7]), [1, 2, 3, 5, 6]);
    assert_eq!(numbers(&scene), [0, 4, 7]);
    assert_sound(&scene);
    assert_whole(&scene);
    let gone = before - size(&scene);
    assert!((900_000..1_100_000).contains(&gone), "{gone}");
    assert_eq!(scene.repository.checkpoint(&scene.series, 7).unwrap(), last);
    // Another process sees the same, and can go on.
    scene.repository = Repository::open(&scene.git_dir()).unwrap();
    for (number, view) in [(4, &views[4]), (0, &views[0]), (7, &views[7])] {
        let to = scene.repository.checkpoint(&scene.series, number).unwrap();
        scene.roll_back(&to);
        assert_same(&scene.view(), view);
    }
    assert_eq!(numbers(&scene), [0, 4, 7, 8, 9, 10]);
    assert_eq!(
        prune(&mut scene, &[0]),
        [4, 7, 8, 9],
        "the last one always stays"
    );
    assert_sound(&scene);
    assert_eq!(prune(&mut scene, &[0, 10]), [0; 0]);
    assert_eq!(prune(&mut scene, &[]), [0, 10]);
    assert_eq!(size(&scene), 0);
    assert!(scene.repository.series().unwrap().is_empty());
    scene.take();
    assert_sound(&scene);
}

#[test]
fn other_series_keep_what_they_share() {
    let mut scene = Scene::new();
    scene.write("shared", noise(1, 100_000));
    scene.take();
    scene.series = Series::new("run-2").unwrap();
    scene.write("own", noise(2, 1000));
    scene.take();
    scene.series = Series::new("run-1").unwrap();
    assert_eq!(prune(&mut scene, &[]), [0]);
    // What is not worth the copying stays.
    assert_readable(&scene);
    assert_whole(&scene);
    assert!(size(&scene) > 100_000);
}

#[test]
fn what_is_known_of_files_outlives_it() {
    let mut scene = Scene::new();
    for number in 0..20 {
        scene.write(&format!("f{number}"), noise(number, 1000));
    }
    scene.let_time_pass();
    scene.take();
    scene.take();
    scene.write("f1", "changed");
    scene.take();
    assert_eq!(prune(&mut scene, &[0]), [1]);
    assert!(scene.taken().read <= 1, "the others are known");
}

#[test]
fn somebody_who_reads_meanwhile_is_not_disturbed() {
    let mut scene = Scene::new();
    for number in 0..4 {
        scene.write("file", noise(number, 5000));
        scene.take();
    }
    let reader = Repository::open(&scene.git_dir()).unwrap();
    let one = reader.checkpoint(&scene.series, 1).unwrap();
    assert_eq!(prune(&mut scene, &[0, 3]), [1, 2]);
    let keep = &mut |_: &Path| Selected::Keep;
    reader.write_tar(&one, &mut std::io::sink(), keep).unwrap();
    let error = scene.repository.checkpoint(&scene.series, 1).unwrap_err();
    assert!(error.is_no_checkpoint());
}

#[test]
fn one_who_is_killed_while_dropping_leaves_what_is_kept() {
    let series = Series::new("run-1").unwrap();
    if let Some((directory, mut repository, root)) = child_scene() {
        fs::write(directory.join("ready"), "").unwrap();
        for generation in 0_u32.. {
            for number in 0..20 {
                let path = directory.join(format!("ws/f{}", (generation + number) % 60));
                fs::write(path, noise(generation * 100 + number, 20_000)).unwrap();
            }
            let taken = repository.take(&root, &series, "child", &Policy::default());
            let number = taken.unwrap().checkpoint.number();
            let keep = [0, 3, number.saturating_sub(1), number];
            repository
                .prune(&series, &keep.into_iter().collect())
                .unwrap();
        }
    }
    let mut scene = Scene::new();
    scene.write("first", noise(7, 100_000));
    let before = scene.view();
    let first = scene.take();
    for cut in 0..16 {
        let test = "workspace::tests::pruned::one_who_is_killed_while_dropping_leaves_what_is_kept";
        run_and_kill(
            test,
            &scene,
            std::time::Duration::from_micros(2000 * cut * cut),
        );
        scene.repository = Repository::open(&scene.git_dir()).unwrap();
        assert_readable(&scene);
        assert_whole(&scene);
        let all = numbers(&scene);
        assert_eq!(all.first(), Some(&0), "{all:?}");
        scene.take();
        let keep: Vec<u32> = all
            .iter()
            .copied()
            .filter(|number| number % 2 == 0)
            .collect();
        let _ = prune(&mut scene, &keep);
        assert_readable(&scene);
        assert_whole(&scene);
    }
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
}
