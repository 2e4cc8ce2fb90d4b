//! What a build is told.

use super::answered;
use super::raw::Answer;
use crate::support::dir::TestDir;
use crate::support::image::{build, building, tiny};

/// An archive of these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let added = builder.append_data(&mut header, name, content.as_bytes());
        added.expect("a member");
    }
    builder.into_inner().expect("an archive")
}

/// `POST /build?{query}` of these files.
#[track_caller]
fn raw(dir: &TestDir, query: &str, files: &[(&str, &str)]) -> Answer {
    let _building = building();
    let build = dir.podman().raw("POST", &format!("/build?{query}"));
    build.body("application/x-tar", archive(files)).send()
}

/// The image that a build's answer ends with.
#[track_caller]
fn image(dir: &TestDir, answer: &Answer) -> String {
    let last = answer.documents().pop().expect("a last line");
    let id = last["stream"]
        .as_str()
        .unwrap_or_default()
        .trim()
        .to_owned();
    assert_eq!(id.len(), 64, "{}", answer.text());
    dir.image(&id);
    id
}

/// The names in `/c` of an image.
#[track_caller]
fn copied(dir: &TestDir, image: &str) -> String {
    let list = ["run", "--rm", "--network", "none", image, "ls", "/c"];
    let listed = dir.stockade(&list).run().success().stdout();
    listed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "needs podman: builds"]
fn the_same_ignore_file_counts() {
    let dir = TestDir::new();
    let all = format!("FROM {}\nCOPY . /c/\n", tiny());
    let files = [
        ("Containerfile", all.as_str()),
        (".containerignore", "a\n"),
        ("Containerfile.containerignore", "b\n"),
        ("a", "a"),
        ("b", "b"),
    ];
    let answer = raw(&dir, "dockerfile=Containerfile", &files);
    let names = copied(&dir, &image(&dir, &answer));
    let names: Vec<_> = names.split(' ').filter(|name| name.len() == 1).collect();
    let observed = match names[..] {
        ["a"] => "the Containerfile's own",
        ["b"] => "the directory's",
        _ => "neither",
    };
    answered(&dir, "the_same_ignore_file_counts", observed);
    for (name, content) in files {
        dir.write(name, content);
    }
    let built = build(&dir, &["-q", "."]).success().line();
    dir.image(&built);
    let names = copied(&dir, &built);
    let names: Vec<_> = names.split(' ').filter(|name| name.len() == 1).collect();
    assert_eq!(names, ["b"]);
}

#[test]
#[ignore = "needs podman: builds nothing"]
fn a_context_without_a_containerfile_is_told_once() {
    let dir = TestDir::new();
    let answer = raw(&dir, "q=true", &[("data", "x")]);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let observed = format!("400, {} documents", answer.documents().len());
    answered(
        &dir,
        "a_context_without_a_containerfile_is_told_once",
        observed,
    );
    let context = archive(&[("data", "x")]);
    let _building = building();
    let said = dir.stockade(&["build", "-"]).stdin(context).run();
    let said = said.code(1).complains("ontainerfile");
    assert_eq!(said.stderr().matches("error: ").count(), 1, "{said}");
}

#[test]
#[ignore = "needs podman: builds"]
fn where_a_cache_comes_from_is_never_said() {
    let dir = TestDir::new();
    // An image of its own: it is removed.
    let file = format!("FROM {}\nLABEL of={}\n", tiny(), dir.name("cache"));
    let answer = raw(
        &dir,
        "cachefrom=localhost/cache",
        &[("Containerfile", &file)],
    );
    if answer.status == 200 {
        image(&dir, &answer);
    }
    answered(
        &dir,
        "where_a_cache_comes_from_is_never_said",
        answer.status,
    );
    dir.write("Containerfile", file);
    let built = build(&dir, &["-q", "."]).success().line();
    dir.image(&built);
}
