//! What is left out, pattern by pattern.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    let pattern = Pattern::parse(pattern).unwrap();
    pattern.matches(path.trim_end_matches('/').as_bytes(), path.ends_with('/'))
}

#[test]
fn patterns_match_names_or_paths() {
    for (pattern, path) in [
        ("*.log", "a/b/x.log"),
        ("target/", "target/"),
        ("target/", "a/target/"),
        ("/target/", "target/"),
        ("a/*/c", "a/b/c"),
        ("a/**/c", "a/c"),
        ("a/**/c", "a/b/b/c"),
        ("**/c", "c"),
        ("a?c", "abc"),
        ("**", "anything"),
        ("a/**", "a/b/c"),
    ] {
        assert!(matches(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in [
        ("*.log", "x.logs"),
        ("target/", "target"),
        ("/target/", "a/target/"),
        ("a/*/c", "a/b/b/c"),
        ("a/**/c", "b/c"),
        ("a?c", "a/c"),
        ("x*y*z", "xyxyxy"),
    ] {
        assert!(!matches(pattern, path), "{pattern} {path}");
    }
}

#[test]
fn any_single_path_has_a_pattern() {
    for path in [
        &b".env.ralph"[..],
        b"a/b c",
        b"[x]!\\",
        b"new\nline\r/\xff\xfe",
        b"*/**",
        "ü/é".as_bytes(),
    ] {
        let text = Pattern::literal(Path::new(OsStr::from_bytes(path)));
        let pattern = Pattern::parse(&text).unwrap();
        assert!(pattern.matches(path, false), "{text}");
        for other in [&b"deeper/"[..], b"x"] {
            assert!(!pattern.matches(&[other, path].concat(), false), "{text}");
            assert!(!pattern.matches(&[path, other].concat(), false), "{text}");
        }
    }
}

#[test]
fn patterns_that_cannot_be_understood_are_refused() {
    for pattern in ["", "/", "a//b", "../x", "./x", "[a]", "!x", "a\\b", "a\nb"] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
    }
}

#[test]
fn a_hostile_pattern_takes_no_time() {
    let pattern = "*a".repeat(2000);
    let name = "a".repeat(255);
    assert!(!matches(&pattern, &name));
    let pattern = "**/a/".repeat(500) + "b";
    assert!(!matches(&pattern, &"a/".repeat(2000).replace("//", "/")));
}

fn decided(ignored: &str) -> Vec<String> {
    let patterns = regenerable(ignored.as_bytes());
    patterns
        .iter()
        .map(|pattern| pattern.text().to_owned())
        .collect()
}

#[test]
fn only_plain_rules_for_known_names_count() {
    let ignored = "node_modules\r\n/target/\n**/venv/\n*.pyc\nsecret\n";
    assert_eq!(decided(ignored), ["node_modules/", "/target/", "venv/"]);
}

#[test]
fn what_an_ignore_file_takes_back_is_kept() {
    assert_eq!(decided("target\n!target/keep\n.tox\n"), [".tox/"]);
    assert_eq!(
        decided("# target\n target\nsub/target\n*target*\n"),
        [""; 0]
    );
}

#[test]
fn decisions_are_read_as_they_were_written() {
    let rules = Rules {
        patterns: regenerable(b"node_modules\n/target\n"),
    };
    let text = rules.encode();
    assert_eq!(text, "stockade-policy 1\nnode_modules/\n/target/\n");
    assert_eq!(Rules::parse(text.as_bytes()), Some(rules));
    for wrong in [
        "",
        "stockade-policy 2\n",
        "stockade-policy 1\n[x]\n",
        "\u{ff}",
    ] {
        assert_eq!(Rules::parse(wrong.as_bytes()), None, "{wrong}");
    }
}
