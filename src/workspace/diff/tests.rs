//! Differences, also beside those of `diff`.

use std::fs;
use std::process::Command;

use proptest::prelude::*;

use super::*;

fn unified(before: &str, after: &str) -> String {
    let diff = Diff::of(before.as_bytes(), after.as_bytes(), 3);
    String::from_utf8(diff.unified()).unwrap()
}

#[test]
fn hunks_are_those_of_a_unified_diff() {
    let before: String = (1..=20).map(|line| format!("{line}\n")).collect();
    let after = before
        .replace("\n5\n", "\nfive\nand more\n")
        .replace("20\n", "20");
    assert_eq!(
        unified(&before, &after),
        "@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n+and more\n 6\n 7\n 8\n\
         @@ -17,4 +18,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n"
    );
    assert_eq!(
        Diff::of(before.as_bytes(), after.as_bytes(), 3).counts(),
        (3, 2)
    );
    assert_eq!(unified("", "new\n"), "@@ -0,0 +1 @@\n+new\n");
    assert_eq!(unified("old\n", ""), "@@ -1 +0,0 @@\n-old\n");
}

#[test]
fn ranges_are_right_where_lines_repeat() {
    let text = unified("a\nb\na\na\na\n", "b\nb\nb\nb\na\na\na\n");
    assert!(text.starts_with("@@ -1,5 +1,7 @@\n-a\n b\n"), "{text}");
}

#[test]
fn what_is_no_text_has_no_hunks() {
    assert_eq!(Diff::of(b"a", b"a", 3), Diff::Same);
    assert_eq!(Diff::of(b"a\0", b"b", 3), Diff::Binary);
    assert_eq!(Diff::of(b"a", &vec![b'x'; MAX_TEXT + 1], 3), Diff::Large);
    // Not UTF-8, but lines all the same.
    assert_eq!(
        Diff::of(b"\xff\n", b"\xfe\n", 3).unified(),
        b"@@ -1 +1 @@\n-\xff\n+\xfe\n"
    );
}

#[test]
fn hostile_texts_end_in_time() {
    let text = |seed: u32| -> Vec<u8> {
        let lines =
            (0..600_000_u32).map(|n| n.wrapping_mul(seed).wrapping_mul(2_654_435_761) >> 22);
        lines.flat_map(|n| format!("{n}\n").into_bytes()).collect()
    };
    let start = Instant::now();
    let (before, after) = (text(3), text(7));
    let diff = Diff::of(&before, &after, 0);
    let counts = diff.counts();
    assert!(counts.0 > 0 && counts.1 > 0);
    assert!(start.elapsed() < 20 * TIME, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn patch_makes_the_new_text_of_the_old(before in "([ab]\n){0,12}[ab]?", after in "([ab]\n){0,12}[ab]?") {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, &before).unwrap();
        let patch = [b"--- file\n+++ file\n", &Diff::of(before.as_bytes(), after.as_bytes(), 2).unified()[..]].concat();
        let wanted = dir.path().join("patch");
        fs::write(&wanted, patch).unwrap();
        if before != after {
            let output = Command::new("git")
                .args(["apply", "--unidiff-zero", "--allow-empty", "-p0"])
                .arg(&wanted)
                .current_dir(dir.path())
                .env("GIT_CEILING_DIRECTORIES", "/")
                .output()
                .unwrap();
            prop_assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let made = fs::read_to_string(&file).unwrap_or_default();
        prop_assert_eq!(made, after);
    }
}
