//! Tests that may test less than they did, as far as their text tells: evidence, no more.

use std::collections::HashMap;

use super::inside;
use super::selection::Selection;
use crate::workspace::{Change, ChangeKind, EntryKind, Repository};

/// What a line has that turns a test off, or has it pass whatever happens.
const MARKS: &[&str] = &[
    "@pytest.mark.skip",
    "pytest.skip(",
    "= pytest.mark.skip",
    "@unittest.skip",
    "@skip",
    "self.skipTest(",
    "xfail",
    "@unittest.expectedFailure",
    "it.skip",
    "test.skip",
    "describe.skip",
    "suite.skip",
    "context.skip",
    "this.skip(",
    "it.todo",
    "test.todo",
    "xit(",
    "xtest(",
    "xdescribe(",
    // The others of the file are off then.
    "it.only",
    "test.only",
    "describe.only",
    "fit(",
    "fdescribe(",
    "#[ignore",
    "#[cfg(any())]",
    "t.Skip(",
    "t.Skipf(",
    "t.SkipNow(",
    "b.Skip(",
    "@Disabled",
    "@Ignore",
    "[Ignore",
    "Skip =",
    "markTestSkipped(",
    "markTestIncomplete(",
    "GTEST_SKIP(",
    "DISABLED_",
    "return  # ",
    "assert True",
    "assertTrue(True)",
    "assertTrue(true)",
    "assert(true)",
    "assert!(true)",
    "expect(true)",
    "|| true",
    "exit 0",
];
/// What a line has that tests.
const TESTING: &[&str] = &[
    "assert",
    "Assert",
    "ASSERT_",
    "EXPECT_",
    "expect(",
    "def test",
    "it(",
    "test(",
    "describe(",
    "func Test",
    "#[test]",
    "@Test",
    "[Fact",
    "[Test",
    "t.Error",
    "t.Fatal",
    "require.",
    "should",
    "pytest.raises",
];
/// How a line begins that does nothing.
const COMMENTS: &[&str] = &["//", "/*", "* ", "--", "# ", "#\t", "##"];

/// What is longer is not looked at, in bytes, and no more files than so many.
const MAX_TEXT: u64 = 1 << 20;
const FILES: usize = 500;
/// So many are named.
const NAMED: usize = 50;

/// The tests among the changes that have less in them that tests, or more that turns it off. What cannot be
/// read is not told: that the agent changed it is.
pub(super) fn weakened(
    repository: &Repository,
    changes: &[Change],
    selection: &Selection,
) -> Vec<String> {
    let read = |entry: Option<crate::workspace::Entry>| {
        let file = entry.filter(|e| e.kind == EntryKind::File && e.size <= MAX_TEXT)?;
        repository.read_blob(file.id, MAX_TEXT).ok()
    };
    let changed = changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Modified && selection.is_agents_test(change));
    let weaker = changed.take(FILES).filter(|change| {
        let (before, after) = (read(change.before), read(change.after));
        before.is_some_and(|before| after.is_some_and(|after| is_weaker(&before, &after)))
    });
    weaker
        .take(NAMED)
        .map(|change| change.path.display().to_string())
        .collect()
}

/// Lines that moved are the same lines.
fn is_weaker(before: &[u8], after: &[u8]) -> bool {
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let marked = |line: &&str| MARKS.iter().any(|mark| has(line, mark));
    let mut known: HashMap<&str, usize> = HashMap::new();
    for line in lines(&before).filter(marked) {
        *known.entry(line).or_default() += 1;
    }
    let is_new = |line: &str| match known.get_mut(line) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    let testing = |text| {
        let tests = |line: &&str| TESTING.iter().any(|word| has(line, word));
        lines(text).filter(tests).count()
    };
    lines(&after).filter(marked).any(is_new)
        || testing(&after) < testing(&before)
        // Where the work has assertions, too, it makes up for none.
        || inside::count(&after) < inside::count(&before)
}

/// Lines that do something, without the blanks around them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !COMMENTS.iter().any(|comment| line.starts_with(comment)))
}

/// Whether it stands there by itself, not as the end of a longer word: `exit(` is no `xit(`.
pub(super) fn has(line: &str, mark: &str) -> bool {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    let begins_one = mark.starts_with(of_a_word);
    line.match_indices(mark).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !begins_one || !before.is_some_and(of_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "import sys\n\ndef test_a():\n    assert f(1) == 2\n    assert f(2) == 3\n";

    fn weaker(after: &str) -> bool {
        is_weaker(BEFORE.as_bytes(), after.as_bytes())
    }

    #[test]
    fn what_is_turned_off_is_told() {
        for (from, to) in [
            ("def", "@pytest.mark.skip\ndef"),
            ("def", "@unittest.skipIf(True, '')\ndef"),
            ("    assert f(1)", "    return  # later\n    assert f(1)"),
            ("    assert f(1)", "    pytest.skip('x')\n    assert f(1)"),
            ("assert f(1) == 2", "assert True"),
            ("    assert f(2) == 3\n", ""),
            ("    assert f(2)", "    # assert f(2)"),
        ] {
            assert!(weaker(&BEFORE.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn what_tests_as_much_or_more_is_not_told() {
        for (from, to) in [
            ("import sys", "import sys, os\nos.exit(1)"),
            ("== 3", "== 4\n    assert f(3) == 5"),
            ("def", "# not @pytest.mark.skip\ndef"),
        ] {
            assert!(!weaker(&BEFORE.replace(from, to)), "{to}");
        }
        let skipped = "#[ignore = \"slow\"]\nfn a() {}\n#[ignore = \"new\"]\nfn b() {}\n";
        let moved = "#[ignore = \"new\"]\nfn b() {}\n#[ignore = \"slow\"]\nfn a() {}\n";
        assert!(!is_weaker(skipped.as_bytes(), moved.as_bytes()));
        let tested = "fn a() {}\n#[test]\nfn b() { assert!(a()) }\n";
        let gone = "fn a() { assert!(x); assert!(y); assert!(z) }\n";
        assert!(is_weaker(tested.as_bytes(), gone.as_bytes()));
        let one = "#[ignore = \"slow\"]\nfn a() {}\nfn b() {}\n";
        assert!(is_weaker(one.as_bytes(), skipped.as_bytes()));
    }
}
