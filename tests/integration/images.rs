//! The verbs on images: images, rmi, tag, prune, pull.

use crate::support::dir::TestDir;
use crate::support::image::{self, build, tiny};

/// An image that nobody else has, by name.
fn image(dir: &TestDir, what: &str) -> String {
    let name = format!("localhost/{}:v1", dir.name(what));
    dir.write("data", &name);
    dir.write(
        "Containerfile",
        format!(
            "FROM {}\nLABEL of={}\nCOPY data /data\n",
            tiny(),
            dir.name("test")
        ),
    );
    let built = build(dir, &["-q", "-t", &name, "."]).success();
    dir.image(&built.line());
    name
}

#[test]
#[ignore = "needs podman: builds"]
fn listed_by_name_in_every_form() {
    let dir = TestDir::new();
    let name = image(&dir, "listed");
    let (repository, _) = name.rsplit_once(':').expect("a tag");
    let table = dir.stockade(&["images", &name]).run().success();
    assert!(table.stdout().starts_with("REPOSITORY"), "{table}");
    assert_eq!(table.stdout().lines().count(), 2, "{table}");
    let _ = table.has(repository).has("v1");
    let json = dir.stockade(&["images", "--format", "json", &name]).run();
    let json = json.success().json();
    assert_eq!(json[0]["Names"], serde_json::json!([name]));
    let asked = ["image", "inspect", "--format", "{{.Id}}", &name];
    let id = dir.podman().command(&asked).run().success().line();
    let quiet = dir.stockade(&["images", "-q", "--no-trunc", &name]).run();
    assert_eq!(quiet.success().line().trim_start_matches("sha256:"), id);
    let nothing = dir.stockade(&["images", "--format", "json", "localhost/no-such"]);
    assert_eq!(nothing.run().success().json(), serde_json::json!([]));
}

#[test]
#[ignore = "needs podman: builds"]
fn tags_come_and_go_and_one_in_use_stays() {
    let dir = TestDir::new();
    let name = image(&dir, "tagged");
    let other = name.replace(":v1", ":v2");
    let _ = dir
        .stockade(&["image", "tag", &name, &other])
        .run()
        .success();
    let _ = dir.stockade(&["image", "exists", &other]).run().success();
    let in_use = dir
        .stockade(&["run", "--network", "none", &name, "true"])
        .run();
    let _ = in_use.success();
    let removed = dir.stockade(&["rmi", &name]).run().success();
    let _ = removed.has(&format!("Untagged: {name}")).lacks("Deleted");
    let _ = dir
        .stockade(&["rmi", &other])
        .run()
        .code(1)
        .complains("rmi -f");
    let _ = dir.stockade(&["rm", "-a"]).run().success();
    {
        let _no_builds = image::no_builds();
        let _ = dir
            .stockade(&["rmi", &other])
            .run()
            .success()
            .has("Deleted: ");
    }
    let _ = dir
        .stockade(&["rmi", &other])
        .run()
        .code(1)
        .complains("stockade images");
    let _ = dir.stockade(&["rmi", "--ignore", &other]).run().success();
    let _ = dir.stockade(&["image", "exists", &other]).run().code(1);
}

#[test]
#[ignore = "needs podman: builds"]
fn prune_takes_what_no_name_leads_to() {
    let dir = TestDir::new();
    let name = image(&dir, "pruned");
    let asked = ["image", "inspect", "--format", "{{.Id}}", &name];
    let old = dir.podman().command(&asked).run().success().line();
    // The name goes on to another image, and the first has none.
    dir.write("data", "changed");
    let built = build(&dir, &["-q", "-t", &name, "."]).success();
    let new = built.line();
    dir.image(&new);
    let dangling = ["images", "-q", "--no-trunc", "--filter", "dangling=true"];
    let _ = image::listed(|| dir.stockade(&dangling).run()).has(&old);
    // Without a terminal nobody can answer, and nothing is removed.
    let _ = dir
        .stockade(&["image", "prune"])
        .run()
        .code(2)
        .complains("--force");
    let exists = |id: &str| {
        dir.podman()
            .command(&["image", "exists", id])
            .run()
            .exit_code()
    };
    assert_eq!(exists(&old), Some(0));
    {
        let _no_builds = image::no_builds();
        // Not what other tests have built and use without a name.
        let ours = format!("label=of={}", dir.name("test"));
        let prune = ["image", "prune", "-f", "--filter", &ours];
        let pruned = dir.stockade(&prune).run().success();
        let _ = pruned.has(&old).lacks(&new);
    }
    assert_eq!(exists(&old), Some(1));
    assert_eq!(exists(&new), Some(0));
}

#[test]
#[ignore = "needs podman: asks for an image that is nowhere"]
fn an_image_that_cannot_be_fetched_is_a_failure_whatever_the_status() {
    let dir = TestDir::new();
    // Port 1 of the loopback: nobody listens there.
    let name = "127.0.0.1:1/no/such:1";
    let _ = dir.stockade(&["pull", name]).run().code(1).complains(name);
    let _ = dir
        .stockade(&["run", "--rm", name, "true"])
        .run()
        .code(125)
        .complains(name);
    dir.assert_nothing_left();
}
