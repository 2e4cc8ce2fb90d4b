use super::*;

#[track_caller]
fn reach(source: &str, path: &str, wanted: Reach) {
    let sources = [Source::parse(source).unwrap()];
    let mut level = Level::only(&sources);
    let mut reached = Reach::Nothing;
    for name in path.split('/') {
        let choice = level.child(name.as_bytes());
        reached = choice.reach;
        level = choice.level;
        if reached == Reach::Nothing {
            break;
        }
    }
    assert_eq!(reached, wanted, "{source:?} on {path:?}");
}

#[test]
fn sources_are_below_the_root() {
    use Reach::*;
    reach("a/b", "a", Partial);
    reach("a/b", "a/b", Whole);
    reach("a/b", "a/b/c", Whole);
    reach("a/b", "a/c", Nothing);
    reach("a/b", "b", Nothing);
    reach("/a/", "a", Whole);
    reach("./a//b/./", "a/b", Whole);
    reach("x/../../a", "a", Whole);
    reach("../../..", "anything", Whole);
    reach(".", "anything", Whole);
    reach("", "anything", Whole);
    reach("a*/[bc]", "ax/b", Whole);
    reach("a*/[bc]", "ax", Partial);
    reach("a*/[bc]", "ax/d", Nothing);
    reach("*", "a/b", Whole);
    reach("a**", "ab/c", Whole);
    reach(r"a\*", "a*", Whole);
    reach(r"a\*", "ab", Nothing);
}

#[test]
fn unclear_patterns_are_refused() {
    for source in ["[", "a/[", "a/**/b", "**", "a\\"] {
        assert!(Source::parse(source).is_err(), "{source:?}");
    }
}

#[test]
fn only_an_exact_source_names_an_entry() {
    let sources = ["d/exact", "d/*", "other"].map(|source| Source::parse(source).unwrap());
    for root in [Level::only(&sources), Level::everything(&sources)] {
        assert!(root.child(b"other").named);
        let d = root.child(b"d");
        assert!(!d.named);
        assert!(d.level.child(b"exact").named);
        assert!(!d.level.child(b"matched").named);
        assert!(!d.level.child(b"exact").level.child(b"below").named);
    }
}

#[test]
fn a_link_redirects_what_comes_before_and_keeps_what_comes_after() {
    let source = Source::parse("a/link/*.rs").unwrap();
    assert_eq!(
        source.redirected(1, b"x/./y"),
        Source::parse("x/y/*.rs").unwrap()
    );
    assert_eq!(source.redirected(2, b""), Source::parse("/").unwrap());
}
