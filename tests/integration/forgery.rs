//! Labels that claim to be Stockade's, on images and containers that are not.

use crate::support::dir::TestDir;
use crate::support::image::{self, tiny};

/// Every label of a real container of ours, as flags for podman or lines of a Containerfile.
fn labels(dir: &TestDir, name: &str) -> Vec<String> {
    let inspected = dir.podman().command(&["container", "inspect", name]).run();
    let inspected = inspected.success().json();
    let labels = inspected[0]["Config"]["Labels"].as_object().unwrap();
    let ours = labels
        .iter()
        .filter(|(key, _)| key.starts_with("io.stockade."));
    let pairs: Vec<String> = ours
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
        .collect();
    assert!(pairs.len() > 1, "{labels:?}");
    pairs
}

/// Whatever is done with Stockade, this container is not seen and not touched.
#[track_caller]
fn assert_foreign(dir: &TestDir, id: &str, name: &str) {
    let listed = dir.stockade(&["ps", "-a", "-q", "--no-trunc"]).run();
    let _ = listed.success().lacks(id);
    let listed = dir.stockade(&["ps", "-a", "--format", "json"]).run();
    let _ = listed.success().lacks(id);
    for of in [id, name] {
        for verb in [
            &["stop", "-t", "0"][..],
            &["kill"],
            &["rm"],
            &["start"],
            &["rm", "-f", "-t", "0"],
            &["logs"],
            &["inspect"],
        ] {
            let refused = dir.stockade(&[verb, &[of]].concat()).run();
            let _ = refused.code(1).complains("--unmanaged");
        }
        for verb in [&["attach", of][..], &["exec", of, "true"], &["wait", of]] {
            let _ = dir.stockade(verb).run().code(125).complains("--unmanaged");
        }
        let copy = format!("{of}:/etc/passwd");
        let _ = dir
            .stockade(&["cp", &copy, "-"])
            .run()
            .code(1)
            .complains("--unmanaged");
    }
    let _ = dir
        .stockade(&["rm", "--all", "-f", "-t", "0"])
        .run()
        .success();
    let _ = dir.stockade(&["container", "prune", "-f"]).run().success();
    let there = dir.podman().command(&["container", "exists", id]);
    let _ = there.run().success();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn an_image_with_all_our_labels_makes_no_container_of_ours() {
    let dir = TestDir::new();
    let real = dir.background(
        "real",
        &["--memory", "64m", "--allow-unenforced-limits"],
        "sleep 300",
    );
    let labels = labels(&dir, &real);
    let lines: String = labels
        .iter()
        .map(|label| format!("LABEL {label}\n"))
        .collect();
    let image = format!("localhost/{}", dir.name("forged"));
    dir.write("Containerfile", format!("FROM {}\n{lines}", tiny()));
    let _ = image::build(&dir, &["-q", "-t", &image, "."]).success();
    dir.image(&image);
    for (what, command) in [("runs", "sleep 300"), ("ended", "true")] {
        let name = dir.name(what);
        let run = ["run", "-d", "--network", "none", "--name", &name, &image];
        let run = dir.podman().command(&run).args(command.split(' ')).run();
        let id = run.success().line();
        dir.adopt(&id);
        if what == "ended" {
            let _ = dir.podman().command(&["wait", &id]).run().success();
        }
        assert_foreign(&dir, &id, &name);
    }
    // It is an image as any other: one without a name is what a prune is for, and this one has.
    let _no_builds = image::no_builds();
    let forged = format!("label={}", labels[0]);
    let prune = ["image", "prune", "-f", "--filter", &forged];
    let _ = dir.stockade(&prune).run().success();
    let _ = dir
        .podman()
        .command(&["image", "exists", &image])
        .run()
        .success();
}

#[test]
#[ignore = "needs podman: runs containers"]
fn our_label_under_another_name_is_a_copy() {
    let dir = TestDir::new();
    let real = dir.background("real", &[], "sleep 300");
    let flags: Vec<String> = labels(&dir, &real)
        .iter()
        .map(|label| format!("--label={label}"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let id = dir.foreign("copy", &flags, "sleep 300");
    assert_foreign(&dir, &id, &dir.name("copy"));
    // Nor does the name say anything, once the container has got another one.
    let id = dir.foreign("before", &flags, "sleep 300");
    let renamed = dir.name("after");
    let _ = dir
        .podman()
        .command(&["rename", &id, &renamed])
        .run()
        .success();
    assert_foreign(&dir, &id, &renamed);
}

#[test]
#[ignore = "needs podman: runs containers"]
fn our_label_again_when_its_container_is_gone_is_a_copy() {
    let dir = TestDir::new();
    let real = dir.background("again", &[], "sleep 300");
    let labels = labels(&dir, &real);
    let flags: Vec<String> = labels
        .iter()
        .map(|label| format!("--label={label}"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &real])
        .run()
        .success();
    let id = dir.foreign("again", &flags, "sleep 300");
    assert_foreign(&dir, &id, &real);
}
