use super::*;

#[track_caller]
fn check(patterns: &[&str], path: &str, excluded: bool) {
    let ignore = Ignore::from_patterns(patterns.iter().copied()).unwrap();
    assert_eq!(
        ignore.excludes(path.as_bytes()),
        excluded,
        "{patterns:?} on {path:?}"
    );
}

#[test]
fn patterns_are_anchored_at_the_root() {
    check(&["log"], "log", true);
    check(&["log"], "sub/log", false);
    check(&["/log"], "log", true);
    check(&["log/"], "log", true);
    check(&["./log//"], "log", true);
    check(&["sub/../log"], "log", true);
    check(&["*/log"], "sub/log", true);
    check(&["*/log"], "a/b/log", false);
    check(&["*.md"], "README.md", true);
    check(&["*.md"], "docs/README.md", false);
    check(&["abc.def"], "abcZdef", false);
    check(&["a(b)+{c}|$"], "a(b)+{c}|$", true);
    check(&["../log"], "log", false);
    check(&["."], "log", false);
    check(&["/"], "log", false);
}

#[test]
fn what_lies_below_a_match_matches() {
    check(&["docs"], "docs/README.md", true);
    check(&["docs/"], "docs/deep/er/README.md", true);
    check(&["*"], "docs/README.md", true);
    check(&["a*"], "ab/c", true);
    check(&["docs/*"], "docs", false);
    check(&["docs/*"], "docs/a/b", true);
    check(&["doc"], "docs/README.md", false);
}

#[test]
fn two_stars_span_directories() {
    check(&["**"], "file", true);
    check(&["**"], "dir/file", true);
    check(&["**/"], "dir/file", true);
    check(&["**/**"], "dir/file", true);
    check(&["dir/**"], "dir", false);
    check(&["dir/**"], "dir/a/b", true);
    check(&["**/x"], "x", true);
    check(&["**/x"], "a/x", true);
    check(&["**/x"], "a/b/x/below", true);
    check(&["**/x"], "a/bx", false);
    check(&["**/.x"], "b.x", false);
    check(&["**/*.txt"], "a.txt", true);
    check(&["**/*.txt"], "d/e/a.txt", true);
    check(&["**/*.txt"], "d/e/a.txt2", false);
    check(&["a**/*.txt"], "a/d/e.txt", true);
    check(&["**/d/*"], "a/d/f", true);
    check(&["**/d/**"], "a/d/e/f", true);
    check(&["a/**/z"], "a/z", true);
    check(&["a/**/z"], "a/b/c/z", true);
    check(&["a/**/z"], "az", false);
    check(&["**x"], "a/x", true);
}

#[test]
fn the_last_match_decides() {
    check(&["*.go", "!keep.go"], "keep.go", false);
    check(&["!keep.go", "*.go"], "keep.go", true);
    check(&["docs", "!docs/README.md"], "docs/README.md", false);
    check(&["docs", "!docs/README.md"], "docs/other.md", true);
    check(&["docs/*", "!docs/README.md"], "docs/README.md", false);
    check(&["**", "!a/b"], "a/b/c", false);
    check(&["**", "!a/b"], "a/c", true);
    check(&["**", "!a/b", "a/b/c"], "a/b/c", true);
    check(&["**", "!a/b", "a/b/c"], "a/b/d", false);
    check(&["**", "!**/*.rs"], "src/deep/x.rs", false);
    check(&["*", "!src", "src/*.log"], "src/a.log", true);
}

#[test]
fn directories_are_entered_only_for_what_may_come_back() {
    #[track_caller]
    fn entered(patterns: &[&str], dir: &str, wanted: bool) {
        let ignore = Ignore::from_patterns(patterns.iter().copied()).unwrap();
        let level = dir
            .split('/')
            .fold(Level::root(&ignore), |l, name| l.enter(name.as_bytes()));
        assert_eq!(level.may_include(), wanted, "{patterns:?} in {dir:?}");
    }
    entered(&["docs"], "docs", false);
    entered(&["docs", "!docs/README.md"], "docs", true);
    entered(&["docs", "!docs/a/b"], "docs/a", true);
    entered(&["docs", "!docs/a/b"], "docs/b", false);
    entered(&["!docs/README.md", "docs"], "docs", false);
    entered(&["docs", "!docz/README.md"], "docs", false);
    entered(&["*", "!**/keep"], "a/b/c", true);
    entered(&["*", "!*.md"], "docs", false);
    entered(&["*", "!a*/x"], "docs", false);
    entered(&["*", "!src"], "src", true);
}

#[test]
fn files_are_read_line_by_line() {
    let file = b"\xEF\xBB\xBF# comment\n\n  spaced \t\r\n/rooted/path\n! /back/again/\n #no-comment\n.\n/\nlast";
    let ignore = Ignore::parse(file).unwrap();
    assert_eq!(
        ignore.patterns(),
        [
            "spaced",
            "rooted/path",
            "!back/again",
            "#no-comment",
            "last"
        ]
    );
    assert!(Ignore::parse(b"").unwrap().is_empty());
    assert!(Ignore::parse(b"# caf\xe9\n").unwrap().is_empty());
}

#[test]
fn errors_name_the_line() {
    #[track_caller]
    fn line(file: &[u8], wanted: usize) {
        assert_eq!(
            Ignore::parse(file).unwrap_err().pattern_line(),
            Some(wanted)
        );
    }
    line(b"a\n\n[z\n", 3);
    line(b"!\n", 1);
    line(b"a\n! \n", 2);
    line(b"caf\xe9\n", 1);
    line(b"[z-a]\n", 1);
    line(b"foo\\ \n", 1);
    line("x".repeat(5000).as_bytes(), 1);
    assert!(
        Ignore::parse("x\n".repeat(5000).as_bytes())
            .unwrap_err()
            .is_limit()
    );
}

#[test]
fn the_spelling_for_the_service_hides_nothing_from_it() {
    #[track_caller]
    fn spelled(pattern: &str, wanted: &[&str]) {
        assert_eq!(Ignore::from_patterns([pattern]).unwrap().patterns(), wanted);
    }
    spelled("**/*.py[co]", &["**/*.py[co]"]);
    spelled("c++", &[r"c\+\+"]);
    spelled(r"\d", &["d"]);
    spelled(r"\!x", &[r"\!x"]);
    spelled(r"\ x", &["[ ]x"]);
    spelled("[[:a]", &[r"[\[\:a]"]);
    spelled("a**b", &["a**/b"]);
    // No path has such a name, but cleaned by the service it would be another pattern.
    spelled(r"a/\.\./b", &[]);
}

/// The definition: the last pattern that matches the path or a directory above it.
fn slow(patterns: &[(bool, String)], path: &str) -> bool {
    let mut excluded = false;
    for (include, pattern) in patterns {
        let machine = Machine::parse(&clean(pattern), Stars::SpanDirectories).unwrap();
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        if ends
            .into_iter()
            .any(|end| machine.matches(&path.as_bytes()[..end]))
        {
            excluded = !include;
        }
    }
    excluded
}

proptest::proptest! {
    #[test]
    fn agrees_with_the_definition(
        patterns in proptest::collection::vec(
            (proptest::bool::ANY, r"([ab*?]|\*\*)(/?([ab*?]|\*\*)){0,4}"), 0..5),
        path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
    ) {
        let lines = patterns.iter().map(|(i, p)| format!("{}{p}", if *i { "!" } else { "" }));
        let lines: Vec<String> = lines.collect();
        let ignore = Ignore::from_patterns(lines.iter().map(String::as_str)).unwrap();
        proptest::prop_assert_eq!(ignore.excludes(path.as_bytes()), slow(&patterns, &path));
        // Whatever is included lies in directories that the walk enters.
        if !ignore.excludes(path.as_bytes()) {
            let mut level = Level::root(&ignore);
            let mut names: Vec<&str> = path.split('/').collect();
            names.pop();
            for name in names {
                let excluded = level.child(name.as_bytes()) == Verdict::Excluded;
                level = level.enter(name.as_bytes());
                proptest::prop_assert!(!excluded || level.may_include());
            }
        }
    }

    #[test]
    fn never_panics(file in proptest::collection::vec(0_u8.., 0..200)) {
        if let Ok(ignore) = Ignore::parse(&file) {
            ignore.excludes(&file);
            ignore.patterns();
        }
    }
}
