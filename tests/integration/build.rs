//! `stockade build`: ids, tags, errors, the cache.

use crate::support::dir::TestDir;
use crate::support::image::{build, tiny};

/// A context on top of the tiny image, whose contents no other build has.
fn context(rest: &str) -> TestDir {
    let dir = TestDir::new();
    dir.write("data.txt", dir.name("content"));
    dir.write(
        "Containerfile",
        format!("FROM {}\nCOPY data.txt /data.txt\n{rest}", tiny()),
    );
    dir
}

/// `build -q` of more arguments; the id.
fn built(dir: &TestDir, arguments: &[&str]) -> String {
    let id = build(dir, &[&["-q"], arguments].concat()).success().line();
    dir.image(&id);
    id
}

/// What a shell line says in a container of an image.
fn seen(dir: &TestDir, image: &str, script: &str) -> String {
    let arguments = [
        "run",
        "--rm",
        "--network",
        "none",
        image,
        "sh",
        "-c",
        script,
    ];
    dir.stockade(&arguments).run().success().stdout()
}

#[test]
#[ignore = "needs podman: builds"]
fn the_id_is_the_last_line_and_the_file_and_the_tags_name_it() {
    let dir = context("RUN echo from-run; echo from-err >&2\n");
    let tags = [dir.name("a"), dir.name("b")].map(|name| format!("localhost/{name}:1"));
    let arguments = ["-t", &tags[0], "-t", &tags[1], "--iidfile", "id", "."];
    let built = build(&dir, &arguments).success();
    let text = built.stdout();
    let id = text.lines().last().expect("a last line");
    dir.image(id);
    assert!(
        id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{built}"
    );
    let file = std::fs::read_to_string(dir.work().join("id")).expect("written");
    assert_eq!(file, format!("sha256:{id}"));
    // RUN's output arrives, both streams of it, and the steps.
    let _ = built
        .has("STEP 1/3: FROM")
        .has("from-run\n")
        .has("from-err\n");
    for tag in &tags {
        let asked = ["image", "inspect", "--format", "{{.Id}}", tag];
        let there = dir.podman().command(&asked).run();
        assert_eq!(there.success().line(), id);
    }
}

#[test]
#[ignore = "needs podman: builds"]
fn quiet_says_the_id_alone() {
    let dir = context("RUN echo noise\n");
    let id = built(&dir, &["."]);
    assert_eq!(seen(&dir, &id, "cat /data.txt"), dir.name("content"));
}

#[test]
#[ignore = "needs podman: builds"]
fn the_second_build_uses_the_cache_and_no_cache_does_not() {
    let dir = context("RUN echo made > /made\n");
    let tag = format!("localhost/{}", dir.name("cache"));
    let build = |more: &[&str]| {
        let built = build(&dir, &[&["-t", &tag], more, &["."]].concat()).success();
        dir.image(built.stdout().lines().last().expect("an id"));
        built
    };
    let _ = build(&[]).lacks("Using cache");
    let _ = build(&[]).has("Using cache");
    let _ = build(&["--no-cache"]).lacks("Using cache");
    dir.write("data.txt", "changed");
    // The file decides, not the directory's times.
    let _ = build(&[]).lacks("Using cache");
}

#[test]
#[ignore = "needs podman: builds"]
fn a_failing_step_is_a_failure_whatever_the_status() {
    let dir = context("RUN echo before-the-$((1 + 1)) && exit 3\n");
    let tag = format!("localhost/{}", dir.name("none"));
    let _ = build(&dir, &["-t", &tag, "--iidfile", "id", "."])
        .code(1)
        // What it said last is the reason as often as not.
        .has("\nbefore-the-2\n")
        .complains("error: ")
        .complains("exit status 3");
    assert!(!dir.work().join("id").exists(), "an id of nothing");
    let exists = dir.podman().command(&["image", "exists", &tag]);
    let _ = exists.run().code(1);
}

#[test]
#[ignore = "needs podman: builds"]
fn what_is_wrong_with_a_context_is_said() {
    let dir = TestDir::new();
    let fails = |arguments: &[&str], text: &str| {
        let _ = build(&dir, arguments).code(1).complains(text);
    };
    fails(&["."], "Containerfile");
    fails(&["missing"], "missing");
    dir.write("Containerfile", "FROM scratch\nCOPY absent /\n");
    fails(&["."], "absent");
    fails(&["-f", "Other", "."], "Other");
    dir.write("Containerfile", "FROM scratch\nNONSENSE\n");
    fails(&["."], "NONSENSE");
}

#[test]
#[ignore = "needs podman: builds"]
fn arguments_labels_and_targets_reach_the_image() {
    let dir = TestDir::new();
    let file = format!(
        "FROM {} AS first\nARG WHO=nobody\nRUN echo \"$WHO\" > /who\nFROM scratch\nCOPY absent /\n",
        tiny()
    );
    dir.write("Containerfile", file);
    let arguments = ["--target", "first", "--build-arg", "WHO=me"];
    let more = ["--label", "purpose=test", "."];
    let id = built(&dir, &[&arguments[..], &more].concat());
    assert_eq!(seen(&dir, &id, "cat /who"), "me\n");
    let asked = ["image", "inspect", "--format", "{{.Labels.purpose}}", &id];
    let _ = dir.podman().command(&asked).run().success().says("test\n");
}

#[test]
#[ignore = "needs podman: builds"]
fn a_containerfile_may_lie_outside_and_the_context_stays_what_it_is() {
    let dir = context("");
    let here = dir.work().join("Containerfile");
    let file = std::fs::read_to_string(&here).expect("ours");
    dir.write("../elsewhere/Other", file);
    std::fs::remove_file(here).expect("ours");
    let id = built(&dir, &["-f", "../elsewhere/Other", "."]);
    assert_eq!(seen(&dir, &id, "cat /data.txt"), dir.name("content"));
}

#[test]
#[ignore = "needs podman: builds"]
fn a_secret_is_mounted_and_not_kept() {
    let dir =
        context("RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /length\n");
    dir.write("../token", "hunter2-hunter2");
    let built = build(&dir, &["--secret", "id=token,src=../token", "."]);
    let built = built.success().lacks("hunter2");
    let text = built.stdout();
    let id = text.lines().last().expect("an id");
    dir.image(id);
    let look = "cat /length; grep -rl hunter2 /bin /etc /root /run /tmp /var /*.txt";
    assert_eq!(seen(&dir, id, &format!("{look}; true")), "15\n");
}

#[test]
#[ignore = "needs podman: builds"]
fn the_tiny_image_has_what_the_others_rely_on() {
    let dir = TestDir::new();
    let listed = seen(&dir, tiny(), "ls -ld /tmp /bin/sh; cat /etc/passwd");
    assert!(listed.contains("drwxrwxrwt"), "{listed}");
    assert!(listed.contains("/bin/sh -> busybox"), "{listed}");
}
