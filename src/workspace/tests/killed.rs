//! Processes that are killed in the middle: this test program once more, which does the same again
//! and again until it is shot.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use super::super::*;
use super::scene::Scene;
use super::scene::assert_same;

/// Where the child finds workspace and repository.
const DIRECTORY: &str = "STOCKADE_TEST_DIRECTORY";

/// Runs one test of this program as a child and kills it when `at` is over.
pub(super) fn run_and_kill(test: &str, scene: &Scene, at: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, scene.dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = scene.dir.path().join("ready");
    while !ready.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended");
        std::thread::yield_now();
    }
    let start = Instant::now();
    while start.elapsed() < at {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    fs::remove_file(ready).unwrap();
}

pub(super) fn child_scene() -> Option<(PathBuf, Repository, Root)> {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY)?);
    let repository = Repository::open(&directory.join("repo.git")).unwrap();
    let root = Root::open(&directory.join("ws")).unwrap();
    Some((directory, repository, root))
}

fn furnish(scene: &Scene, generation: u32) {
    for number in 0..300 {
        let content = format!("{generation} {number} ").repeat(200);
        scene.write(&format!("d{}/f{number}", number % 7), content);
    }
}

#[test]
fn what_is_to_stop_does_so() {
    let mut scene = Scene::new();
    furnish(&scene, 0);
    let at = scene.take();
    let stop = Arc::new(AtomicBool::new(true));
    scene.repository.stop_by(Arc::clone(&stop));
    furnish(&scene, 1);
    let root = scene.root();
    let take =
        |repository: &mut Repository| repository.take(&root, &scene.series, "", &scene.policy);
    let error = take(&mut scene.repository).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
    let copy = tempfile::tempdir().unwrap();
    let to = Root::open(copy.path()).unwrap();
    assert!(scene.repository.write_out(&to, &at).is_err());
    assert_eq!(fs::read_dir(copy.path()).unwrap().count(), 0);
    stop.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(take(&mut scene.repository).unwrap().checkpoint.number(), 1);
    let done = scene.repository.write_out(&to, &at).unwrap();
    assert!(done.failed.is_empty() && done.restored > 300);
}

#[test]
fn a_writer_that_is_killed_leaves_a_repository() {
    let series = Series::new("run-1").unwrap();
    if let Some((directory, mut repository, root)) = child_scene() {
        for generation in 0_u32.. {
            for number in 0..300 {
                let path = directory.join(format!("ws/d{}/f{number}", number % 7));
                fs::write(path, format!("{generation} {number} ").repeat(200)).unwrap();
            }
            fs::write(directory.join("ready"), "").unwrap();
            repository
                .take(&root, &series, "child", &Policy::default())
                .unwrap();
        }
    }
    let mut scene = Scene::new();
    furnish(&scene, 0);
    let before = scene.view();
    let first = scene.take();
    for cut in 0..12 {
        let test = "workspace::tests::killed::a_writer_that_is_killed_leaves_a_repository";
        run_and_kill(test, &scene, Duration::from_micros(1500 * cut * cut));
        scene.repository = Repository::open(&scene.git_dir()).unwrap();
        super::git::assert_readable(&scene);
        for checkpoint in scene.repository.list(&series).unwrap() {
            let count = scene.repository.entries(&checkpoint).unwrap().count();
            assert_eq!(count, 308);
            let keep = &mut |_: &Path| Selected::Keep;
            scene
                .repository
                .write_tar(&checkpoint, &mut std::io::sink(), keep)
                .unwrap();
        }
        // And it goes on.
        let next = scene.take();
        assert!(next.number() > u32::try_from(cut).unwrap());
    }
    scene.roll_back(&first);
    assert_same(&scene.view(), &before);
}

#[test]
fn going_back_can_be_done_again_when_it_was_cut_short() {
    let series = Series::new("run-1").unwrap();
    if let Some((directory, repository, root)) = child_scene() {
        let checkpoints = repository.list(&series).unwrap();
        let [one, two, ..] = &checkpoints[..] else {
            panic!()
        };
        fs::write(directory.join("ready"), "").unwrap();
        loop {
            repository
                .rollback(&root, two, one, &[], &[], Missing::Lost)
                .unwrap();
            repository
                .rollback(&root, one, two, &[], &[], Missing::Lost)
                .unwrap();
        }
    }
    let mut scene = Scene::new();
    furnish(&scene, 0);
    fs::hard_link(scene.path("d1/f1"), scene.path("again")).unwrap();
    let before = scene.view();
    let one = scene.take();
    furnish(&scene, 1);
    fs::remove_dir_all(scene.path("d3")).unwrap();
    scene.write("d4/new/file", "new");
    fs::hard_link(scene.path("d2/f2"), scene.path("d0/other")).unwrap();
    let after = scene.view();
    let two = scene.take();
    for cut in 0..12 {
        let test = "workspace::tests::killed::going_back_can_be_done_again_when_it_was_cut_short";
        run_and_kill(test, &scene, Duration::from_micros(1300 * cut * cut));
        let (to, wanted) = if cut % 2 == 0 {
            (&one, &before)
        } else {
            (&two, &after)
        };
        scene.roll_back(to);
        assert_same(&scene.view(), wanted);
    }
}
