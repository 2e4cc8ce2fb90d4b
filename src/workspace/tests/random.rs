//! Random trees, changed at random: going back always leads to what was.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::super::*;
use super::git::assert_sound;
use super::scene::Scene;
use super::scene::assert_same;

/// Something that is done to a tree; what is impossible is not done.
#[derive(Debug, Clone)]
enum Step {
    Write(String, Vec<u8>),
    Directory(String),
    Remove(String),
    Link(String, String),
    HardLink(String, String),
    Rename(String, String),
    Mode(String, u32),
    Time(String, u32),
}

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[abc]", Just("n\nl".to_owned()), Just(".git".to_owned())];
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    let modes = [0o755, 0o700, 0o2775, 0o1777, 0o4711];
    prop_oneof![
        4 => (path(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(p, c)| Step::Write(p, c)),
        3 => path().prop_map(Step::Directory),
        3 => path().prop_map(Step::Remove),
        1 => (path(), path()).prop_map(|(a, b)| Step::Link(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Step::HardLink(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Step::Rename(a, b)),
        1 => (path(), prop::sample::select(modes.to_vec())).prop_map(|(p, m)| Step::Mode(p, m)),
        1 => (path(), any::<u32>()).prop_map(|(p, t)| Step::Time(p, t)),
    ]
}

fn apply(scene: &Scene, step: &Step) {
    let at = |path: &String| scene.path(path);
    let is_link = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    // What cannot be done is not done.
    let _ = match step {
        Step::Write(path, content) => fs::write(at(path), content),
        Step::Directory(path) => fs::create_dir_all(at(path)),
        Step::Remove(path) => fs::remove_dir_all(at(path)).or_else(|_| fs::remove_file(at(path))),
        Step::Link(path, target) => symlink(target, at(path)),
        Step::HardLink(from, to) => fs::hard_link(at(from), at(to)),
        Step::Rename(from, to) => fs::rename(at(from), at(to)),
        Step::Mode(path, mode) if !is_link(&at(path)) => {
            fs::set_permissions(at(path), fs::Permissions::from_mode(*mode))
        }
        Step::Mode(..) => Ok(()),
        Step::Time(path, seconds) => fs::File::open(at(path)).and_then(|file| {
            let since = std::time::Duration::new(u64::from(*seconds), 123);
            file.set_modified(std::time::UNIX_EPOCH + since)
        }),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]
    #[test]
    fn going_back_leads_to_what_was(
        first in prop::collection::vec(step(), 0..30),
        second in prop::collection::vec(step(), 0..30),
    ) {
        let mut scene = Scene::new();
        first.iter().for_each(|step| apply(&scene, step));
        let before = scene.view();
        let one = scene.take();
        second.iter().for_each(|step| apply(&scene, step));
        let after = scene.view();
        let two = scene.take();
        let root = scene.root();
        let result = scene.repository.rollback(&root, &two, &one, &[], &[], Missing::Lost).unwrap();
        prop_assert!(result.failed.is_empty(), "{:?}", result.failed);
        assert_same(&scene.view(), &before);
        // The second time from the same starting point does no harm.
        let result = scene.repository.rollback(&root, &two, &one, &[], &[], Missing::Lost).unwrap();
        prop_assert!(result.failed.is_empty(), "{:?}", result.failed);
        assert_same(&scene.view(), &before);
        let three = scene.take();
        prop_assert_eq!(scene.changes(&one, &three), Vec::<String>::new());
        scene.roll_back(&two);
        assert_same(&scene.view(), &after);
    }
}

#[test]
fn a_long_series_stays_sound() {
    let mut scene = Scene::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..30 {
        for _ in 0..10 {
            let step = step().new_tree(&mut runner).unwrap().current();
            apply(&scene, &step);
        }
        scene.take();
    }
    assert_sound(&scene);
    let list = scene.repository.list(&scene.series).unwrap();
    assert_eq!(list.len(), 30);
    let again = Repository::open(&scene.git_dir()).unwrap();
    assert_eq!(again.list(&scene.series).unwrap(), list);
}
