//! What git changes when a file is added, against what real `git` does.

use super::*;
use crate::workspace::commit::attributes::{Attributes, Conversion, Counts};

/// Attributes, `core.autocrlf`, and the name of the file.
const CASES: &[(&str, &str, &str)] = &[
    ("", "false", "a.txt"),
    ("", "true", "a.txt"),
    ("", "input", "sub/a.txt"),
    ("* text=auto\n", "false", "a.txt"),
    ("* text=auto eol=crlf\n", "false", "a.txt"),
    ("* text\n", "false", "a.txt"),
    ("*.txt text\n*.bin -text\n", "false", "a.bin"),
    ("*.txt text\n*.bin -text\n", "true", "a.bin"),
    ("* text=auto\n*.bin binary\n", "false", "a.bin"),
    ("* text\n*.txt !text\n", "true", "a.txt"),
    ("* text\n*.txt !text\n", "false", "a.txt"),
    ("*.txt eol=lf\n", "false", "a.txt"),
    ("*.txt eol=crlf\n", "false", "a.txt"),
    ("*.txt -text eol=lf\n", "false", "a.txt"),
    ("*.txt crlf\n", "false", "a.txt"),
    ("*.txt crlf=input\n", "false", "a.txt"),
    ("*.txt -crlf\n", "true", "a.txt"),
    ("# * text\n  \n\"*.txt\" text\r\n", "false", "a.txt"),
    ("[attr]mine text=auto\n*.txt mine\n", "false", "a.txt"),
    (
        "[attr]mine -text\n[attr]ours mine\n* text\n*.txt ours\n",
        "false",
        "a.txt",
    ),
    ("/a.txt text\n", "false", "sub/a.txt"),
    ("sub/*.txt text\n", "false", "sub/a.txt"),
    ("sub/ text\n", "false", "sub/a.txt"),
    ("!*.txt text\n", "false", "a.txt"),
    ("**/a.txt text\n", "false", "sub/a.txt"),
    ("* text=maybe\n", "true", "a.txt"),
    ("* text=auto\n*.bin -crlf\n", "false", "a.bin"),
    ("* text=auto\n*.bin !crlf\n", "false", "a.bin"),
    ("* -crlf\n*.txt !text\n", "true", "a.txt"),
    (
        "* text=auto\n*.dat binary\na.dat !binary\n",
        "false",
        "a.dat",
    ),
    (
        "* text=auto\n*.dat binary\na.dat -binary\n",
        "false",
        "a.dat",
    ),
    (
        "* text=auto\n*.dat binary\na.dat binary=x\n",
        "false",
        "a.dat",
    ),
    ("[attr]binary text\n*.dat binary\n", "false", "a.dat"),
    ("[attr]m -text\n*.dat text m\n", "false", "a.dat"),
    ("[attr]m -text\n*.dat m text\n", "false", "a.dat"),
    ("[attr]m -text\n[attr]m text\n*.dat m\n", "false", "a.dat"),
];

const CONTENTS: &[&[u8]] = &[
    b"",
    b"one\ntwo\n",
    b"one\r\ntwo\r\n",
    b"one\r\ntwo\n",
    b"one\r\ntwo\rthree\r\n",
    b"one\r\n\0two\r\n",
    b"\x89PNG\r\n\x1a\n\0\0\r\n",
    b"\x01\x02\x03\x04\r\n",
    b"end\r\n\x1a",
    b"end\r\n\r",
    b"\x1b[1mbold\x1b[0m\r\n",
];

#[test]
fn line_ends_are_seen_as_git_sees_them() {
    let scene = Scene::new();
    git(&scene, &["init", "-q"]);
    for (text, auto, path) in CASES {
        scene.write(".gitattributes", text);
        let mut attributes = Attributes::default();
        attributes.add(b"", text.as_bytes()).unwrap();
        attributes.auto = *auto != "false";
        let conversion = attributes.conversion(path.as_bytes());
        for content in CONTENTS {
            let file = scene.path("content");
            fs::write(&file, content).unwrap();
            let auto = format!("core.autocrlf={auto}");
            let place = format!("--path={path}");
            let quiet = ["-c", "core.safecrlf=false", "-c", auto.as_str()];
            let hash = |more: &[&str]| {
                let all = [&quiet[..], &["hash-object"], more, &["content"]].concat();
                // Before what it says of the attributes.
                let said = git(&scene, &all);
                said.lines().next().map(str::to_owned)
            };
            let is_changed = hash(&[place.as_str()]) != hash(&["--no-filters"]);
            let mut counts = Counts::default();
            content.chunks(3).for_each(|piece| counts.add(piece));
            assert_eq!(
                counts.is_changed_by(conversion),
                is_changed,
                "{text:?} {auto} {path} {:?}",
                content.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn what_only_git_can_do_is_known_by_its_attribute() {
    for (text, path, expected) in [
        ("*.bin filter=lfs diff=lfs -text\n", "a.bin", Some("filter")),
        ("*.bin filter=lfs\n", "a.txt", None),
        ("*.bin filter=lfs\na.bin -filter\n", "a.bin", None),
        ("*.bin filter=lfs\na.bin !filter\n", "a.bin", None),
        ("*.c ident\n", "d/a.c", Some("ident")),
        ("*.c ident\n*.c -ident\n", "d/a.c", None),
        ("[attr]lfs filter=lfs\n*.c lfs\n", "d/a.c", Some("filter")),
        (
            "*.c working-tree-encoding=UTF-16\n",
            "a.c",
            Some("working-tree-encoding"),
        ),
    ] {
        let mut attributes = Attributes::default();
        attributes.add(b"", text.as_bytes()).unwrap();
        let found = match attributes.conversion(path.as_bytes()) {
            Conversion::Other(name) => Some(name),
            _ => None,
        };
        assert_eq!(found, expected, "{text} {path}");
    }
    let mut deep = Attributes::default();
    deep.add(b"", b"[attr]a b\n[attr]b a\n* a\n").unwrap();
    assert_eq!(deep.conversion(b"x"), Conversion::None);
    // Each in its place once, however often it is named.
    let mut many = Attributes::default();
    for level in 0..20 {
        let names = format!("m{} ", level + 1).repeat(20);
        let line = format!("[attr]m{level} {names}\n");
        many.add(b"", line.as_bytes()).unwrap();
    }
    many.add(b"", b"[attr]m20 text\n* m0\n").unwrap();
    assert_eq!(many.conversion(b"x"), Conversion::Lines);
    // Further down there are no macros.
    let mut down = Attributes::default();
    down.add(b"sub", b"[attr]lines text\n* lines\n").unwrap();
    assert_eq!(down.conversion(b"sub/x"), Conversion::None);
    let mut below = Attributes::default();
    below.add(b"", b"*.txt text\n").unwrap();
    below.add(b"sub", b"*.txt -text\n").unwrap();
    assert_eq!(below.conversion(b"sub/a.txt"), Conversion::None);
    assert_eq!(below.conversion(b"subway/a.txt"), Conversion::Lines);
    let odd = Attributes::default().add(b"", b"\"a\\tb\" text\n");
    refused(odd, "is not understood");
}

#[test]
fn what_git_would_change_is_not_committed() {
    let mut scene = scene(&[]);
    scene.write("media/.gitattributes", "*.bin filter=lfs -text\n");
    scene.write(".git/info/attributes", "*.txt text=auto\n");
    git(&scene, &["add", "media"]);
    git(&scene, &["commit", "-qm", "attributes"]);
    scene.let_time_pass();
    let base = scene.take();
    let attempt = |scene: &mut Scene, path: &str, content: &str, why: &str| {
        scene.write(path, content);
        let at = scene.take();
        let before = git(scene, &["rev-parse", "HEAD"]);
        refused(try_commit(scene, &base, &at, &[]), why);
        assert_eq!(git(scene, &["rev-parse", "HEAD"]), before);
        fs::remove_file(scene.path(path)).unwrap();
    };
    attempt(
        &mut scene,
        "media/x.bin",
        "big",
        "\"media/x.bin\" when it is added (`filter`",
    );
    attempt(
        &mut scene,
        "x.txt",
        "one\r\n",
        "\"x.txt\" when it is added (CR LF",
    );
    // What is in none of them is no matter.
    scene.write("x.bin", "big");
    scene.write("x.txt", "one\n");
    scene.write("y.cmd", "one\r\n");
    let at = scene.take();
    try_commit(&scene, &base, &at, &[]).unwrap();
    assert_clean(&scene, "");
    // The person's own, for all of their repositories.
    let base = scene.take();
    scene.write("z.cmd", "one\r\n");
    let at = scene.take();
    let mut with = person();
    for (config, attributes) in [("[core]\nautocrlf = input\n", ""), ("", "*.cmd text\n")] {
        with.config = GitConfig::parse(config.as_bytes()).unwrap();
        with.attributes = vec![attributes.as_bytes().to_vec()];
        let prepare = || {
            let at = (&at, Writer::AgentToo);
            scene.repository.prepare_commit(&base, at, &[], &with)
        };
        refused(prepare(), "\"z.cmd\"");
    }
}

/// git goes by what is there when it adds, also by what the agent has written.
#[test]
fn attributes_that_come_with_a_run_count() {
    let mut scene = scene(&[]);
    let base = scene.take();
    scene.write(".gitattributes", "*.psd filter=lfs\n");
    scene.write("x.psd", "big");
    let at = scene.take();
    refused(try_commit(&scene, &base, &at, &[]), "`filter`");
    scene.write(".gitattributes", "* text=auto\n");
    scene.write("x.psd", "one\r\n");
    let at = scene.take();
    refused(try_commit(&scene, &base, &at, &[]), "\"x.psd\"");
    scene.write("x.psd", "one\n");
    let at = scene.take();
    try_commit(&scene, &base, &at, &[]).unwrap();
}
