//! An agent that says what it is installed on needs no image of the person's.

use std::fs;

use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image;

/// An agent of the person's own, and its name.
fn own(dir: &TestDir, base: &str, says: &str) -> String {
    let name = dir.name("own");
    let config = dir.path().join("home/.config/stockade/agents");
    fs::create_dir_all(&config).unwrap();
    let install =
        format!("RUN echo \"echo {says}; echo '<promise>DONE</promise>'\" > /bin/own-agent");
    let text = format!(
        "about = 'mine'\ncommand = ['sh', '/bin/own-agent']\nbase = '{base}'\ninstall = [{install:?}]\n"
    );
    fs::write(config.join(format!("{name}.toml")), text).unwrap();
    name
}

#[track_caller]
fn ralph(dir: &TestDir, name: &str, more: &[&str]) -> Output {
    let _building = image::building();
    let flags = ["ralph", "--allow-unenforced-limits", "--network", "none"];
    let task = ["--prompt", "Do it.", "--completion-promise", "DONE"];
    let task = [&task[..], &["--no-check", "--agent", name]].concat();
    dir.stockade(&[&flags[..], &task, more].concat()).run()
}

/// The images that were built for it.
fn images(dir: &TestDir, name: &str) -> Vec<String> {
    let format = "{{.Repository}}:{{.Tag}}";
    let podman = dir.podman();
    let listed = image::listed(|| podman.command(&["images", "--format", format]).run()).stdout();
    let prefix = format!("localhost/stockade-agent:{name}-");
    let ours = listed.lines().filter(|line| line.starts_with(&prefix));
    ours.map(str::to_owned).collect()
}

#[test]
#[ignore = "needs podman: builds images, and runs agents"]
fn it_is_built_once_and_again_when_it_would_be_another() {
    let dir = TestDir::new();
    let name = own(&dir, dir.tiny(), "first");
    let dry = ralph(&dir, &name, &["--dry-run"]).code(30);
    let _ = dry.complains("a dry run builds none");
    let output = ralph(&dir, &name, &[]).success();
    let _ = output.has("first").complains("that is done once");
    let built = images(&dir, &name);
    assert_eq!(built.len(), 1, "{built:?}");
    dir.image(&built[0]);
    let output = ralph(&dir, &name, &[]).success();
    let _ = output.has("first").does_not_complain("that is done once");
    let _ = own(&dir, dir.tiny(), "second");
    let output = ralph(&dir, &name, &[]).success();
    let _ = output.has("second").complains("that is done once");
    for image in images(&dir, &name) {
        dir.image(&image);
    }
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: builds images, and runs agents"]
fn it_is_renewed_when_that_is_asked_for() {
    let dir = TestDir::new();
    let name = own(&dir, dir.tiny(), "$(cat /proc/sys/kernel/random/uuid)");
    let lives = |more: &[&str]| ralph(&dir, &name, more).success().stdout();
    let first = lives(&[]);
    dir.image(&images(&dir, &name)[0]);
    assert_eq!(lives(&[]), first);
    let second = lives(&["--pull", "newer"]);
    assert_ne!(second, first);
    assert_eq!(lives(&[]), second);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: builds"]
fn what_cannot_be_built_is_said() {
    let dir = TestDir::new();
    let name = own(&dir, "localhost/no-such:base", "never");
    let output = ralph(&dir, &name, &["--pull", "never"]).code(30);
    let _ = output
        .complains("cannot build an image for")
        .complains("built from localhost/no-such:base")
        .complains("--image IMAGE");
    assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
}
