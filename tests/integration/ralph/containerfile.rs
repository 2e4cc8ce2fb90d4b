//! `stockade ralph` without `--image`: what the person has built from the Containerfile here, and
//! nothing that an agent has made of it since.

use std::fs;

use super::night::record;
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::{build, tiny};

/// An agent's one life, in whatever image.
fn ralph(dir: &TestDir, agent: &str) -> Output {
    let head = "ralph --network none --allow-unenforced-limits --max-iterations 1 --prompt";
    let mut words: Vec<&str> = head.split(' ').collect();
    words.extend(["Work.", "--", "sh", "-c", agent]);
    dir.stockade(&words).run()
}

fn built(dir: &TestDir, arguments: &[&str]) -> String {
    let id = build(dir, &[&["-q"], arguments].concat()).success().line();
    dir.image(&id);
    id
}

fn write(dir: &TestDir, file: &str, data: &str) {
    dir.write(file, format!("FROM {}\nCOPY {data} /data\n", tiny()));
    dir.write(data, dir.name(data));
}

#[test]
#[ignore = "needs podman: builds, and runs an agent"]
fn what_an_agent_makes_of_a_containerfile_is_not_built_by_itself() {
    let dir = TestDir::new();
    let never = ralph(&dir, "true").code(2);
    let _ = never.complains("which image").complains("stockade build .");
    write(&dir, "Containerfile", "data.txt");
    let never = ralph(&dir, "true").code(30);
    let _ = never.complains("`Containerfile` here was never built");

    let id = built(&dir, &["-t", &dir.name("env"), "."]);
    let output = ralph(&dir, "cat /data; echo free >notes").code(11);
    assert!(output.stdout().contains(&dir.name("data.txt")), "{output}");
    let asked = fs::read_to_string(record(&dir).join("run.json")).unwrap();
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["image"]["id"], id);

    // What it has written beside is nobody's business.
    let _ = ralph(&dir, "echo evil >>data.txt").code(11);
    let refused = ralph(&dir, "true").code(30);
    let _ = refused.complains("what `Containerfile` copies has changed since it was built");
    let again = built(&dir, &["."]);
    assert_ne!(id, again);
    let output = ralph(&dir, "cat /data; echo 'RUN true' >>Containerfile").code(11);
    assert!(output.stdout().contains("evil"), "{output}");
    let refused = ralph(&dir, "true").code(30);
    let refused = refused.complains("`Containerfile` has changed since it was built");
    let _ = refused.complains("stockade build .");
    let third = built(&dir, &["."]);
    let _ = ralph(
        &dir,
        "ln -s Dockerfile Containerfile.new; mv -f Containerfile.new Containerfile",
    )
    .code(11);
    let _ = ralph(&dir, "true").code(30).complains("no plain file");
    fs::remove_file(dir.work().join("Containerfile")).unwrap();

    // Another file is another build; an image that is gone is not fetched.
    write(&dir, "Dockerfile.ralph", "other.txt");
    let refused = ralph(&dir, "true").code(30);
    let _ = refused.complains("stockade build -f Dockerfile.ralph .");
    let gone = built(&dir, &["-f", "Dockerfile.ralph", "."]);
    assert!(![id, again, third].contains(&gone));
    let _ = ralph(&dir, "true").code(11);
    let _ = dir.stockade(&["rmi", "-f", &gone]).run().success();
    let _ = ralph(&dir, "true").code(30).complains("is gone");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: builds, and runs an agent"]
fn a_base_image_that_comes_with_the_build_does_not_make_every_file_count() {
    let dir = TestDir::new();
    write(&dir, "Containerfile", "data.txt");
    // As good as not there: it may be another by the time of the build.
    let _ = built(&dir, &["--pull=newer", "."]);
    dir.write("unneeded", "new");
    let _ = ralph(&dir, "true").code(11);
    dir.write("data.txt", "new");
    let _ = ralph(&dir, "true").code(30);
    dir.assert_nothing_left();
}
