use super::*;

#[track_caller]
fn name_match(pattern: &str, name: &str, wanted: bool) {
    let machine = Machine::parse(pattern, Stars::StayInName).unwrap();
    assert_eq!(
        machine.matches(name.as_bytes()),
        wanted,
        "{pattern:?} on {name:?}"
    );
}

#[test]
fn names_match_as_in_go() {
    name_match("one", "one", true);
    name_match("one", "on", false);
    name_match("*", "", true);
    name_match("*", "anything", true);
    name_match("*", "any/thing", false);
    name_match("a*", "a", true);
    name_match("*z", "xyz", true);
    name_match("a*b?c*x", "aXbYcZx", true);
    name_match("a*b?c*x", "aXbcZx", false);
    name_match("a*b*c*d/e", "a1b2c3d/e", true);
    name_match("a*b*c*d/e", "a1b2c3d/x/e", false);
    name_match("**", "a/b", false);
    name_match("?", "é", true);
    name_match("?", "/", false);
    name_match("??", "é", false);
    name_match("[a-c]x", "bx", true);
    name_match("[^a-c]x", "bx", false);
    name_match("[^a-c]x", "☃x", true);
    name_match("[α-ω]", "λ", true);
    name_match(r"[\-x]", "-", true);
    name_match(r"[\]]", "]", true);
    name_match(r"\*", "*", true);
    name_match(r"\*", "x", false);
    name_match("]", "]", true);
    name_match("{a,b}", "a", false);
    name_match("a.b", "axb", false);
}

#[test]
fn a_byte_that_is_no_text_is_one_character() {
    let machine = Machine::parse("a?b", Stars::StayInName).unwrap();
    assert!(machine.matches(b"a\xffb"));
    assert!(!machine.matches(b"a\xff\xfeb"));
    assert!(
        Machine::parse("*", Stars::StayInName)
            .unwrap()
            .matches(b"\xff\x00\x80")
    );
}

#[test]
fn malformed_patterns_are_refused() {
    for pattern in [
        "[", "a[", "[]", "[]a]", "[^]", "[a", "[a-", "[a-]", "[-a]", "[z-a]", "x\\", "[\\",
    ] {
        assert!(
            Machine::parse(pattern, Stars::SpanDirectories).is_err(),
            "{pattern:?}"
        );
    }
}

#[test]
fn a_hostile_pattern_takes_no_longer_than_its_length_says() {
    let pattern = "*a".repeat(1000) + "b";
    let machine = Machine::parse(&pattern, Stars::SpanDirectories).unwrap();
    assert!(!machine.matches("a".repeat(4000).as_bytes()));
    let pattern = "**/".repeat(1000) + "b";
    let machine = Machine::parse(&pattern, Stars::SpanDirectories).unwrap();
    assert!(!machine.matches("a/".repeat(2000).as_bytes()));
}

/// The same meaning, defined the slow way.
fn slow(steps: &[Step], text: &[char]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return text.is_empty();
    };
    let one = |accepts: bool| accepts && slow(rest, &text[1..]);
    match step {
        Step::Literal(unit) => one(text.first() == Some(unit)),
        Step::One => one(text.first().is_some_and(|unit| *unit != '/')),
        Step::Class(class) => one(text.first().is_some_and(|unit| class.contains(*unit))),
        Step::Star => (0..=text.len())
            .take_while(|&end| !text[..end].contains(&'/'))
            .any(|end| slow(rest, &text[end..])),
        Step::Rest => (0..=text.len()).any(|end| slow(rest, &text[end..])),
        Step::Directories => {
            slow(&rest[1..], text)
                || (0..text.len())
                    .filter(|&end| text[end] == '/')
                    .any(|end| slow(&rest[1..], &text[end + 1..]))
        }
        Step::InDirectories => unreachable!(),
    }
}

proptest::proptest! {
    #[test]
    fn agrees_with_the_definition(
        pattern in r"([ab/*?]|\*\*|\[a-b\]|\[\^a\]|\\\*){0,8}",
        text in "[ab/*]{0,10}",
    ) {
        let machine = Machine::parse(&pattern, Stars::SpanDirectories).unwrap();
        let units: Vec<char> = text.chars().collect();
        proptest::prop_assert_eq!(machine.matches(text.as_bytes()), slow(&machine.steps, &units));
    }

    #[test]
    fn reading_in_pieces_is_reading_at_once(
        pattern in r"([ab/*?]|\*\*){0,8}",
        text in "[ab/]{0,10}",
        cut in 0_usize..11,
    ) {
        let machine = Machine::parse(&pattern, Stars::SpanDirectories).unwrap();
        let (head, tail) = text.split_at(cut.min(text.len()));
        let piecewise = machine.read(&machine.read(&machine.start(), head.as_bytes()), tail.as_bytes());
        proptest::prop_assert_eq!(machine.accepts(&piecewise), machine.matches(text.as_bytes()));
    }

    #[test]
    fn never_panics(pattern in ".{0,30}", text in proptest::collection::vec(0_u8.., 0..30)) {
        if let Ok(machine) = Machine::parse(&pattern, Stars::SpanDirectories) {
            machine.matches(&text);
        }
    }

    #[test]
    fn the_spelling_for_the_service_means_the_same(
        pattern in r"([ab/*?+(|^{$ !]|\*\*|\[a-b\]|\[\^a\]|\[\\\]b\]|\\[*d!])([ab/*?+(|^{$ !]|\*\*){0,6}",
        text in r"[ab/*+(|^{$d! ]{0,8}",
    ) {
        let machine = Machine::parse(&pattern, Stars::SpanDirectories).unwrap();
        let again = Machine::parse(&machine.to_pattern(), Stars::SpanDirectories).unwrap();
        proptest::prop_assert_eq!(machine.matches(text.as_bytes()), again.matches(text.as_bytes()));
    }
}
