use proptest::prelude::*;

use super::*;

fn through(policy: Policy, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&Filter::new(policy).feed(bytes)).into_owned()
}

#[test]
fn text_and_colour_pass() {
    let text = "naïve ✓ \u{1f600}\r\n\x1b[1;31mred\x1b[0m\tdone";
    assert_eq!(through(Policy::Text, text.as_bytes()), text);
    assert_eq!(through(Policy::Interactive, text.as_bytes()), text);
}

#[test]
fn commands_do_not_pass_with_text() {
    for evil in [
        "\x1b[2J",
        "\x1b[6n",
        "\x1bc",
        "\x1b]0;t\x07",
        "\x1b]52;c;eA==\x1b\\",
        "\x1bPq\x1b\\",
        "\u{9b}2J",
        "\u{9d}0;t\x07",
        "\x07",
        "\x1b(0",
        "\x1b[?1049h",
    ] {
        assert_eq!(
            through(Policy::Text, format!("a{evil}b").as_bytes()),
            "ab",
            "{evil:?}"
        );
    }
    assert_eq!(through(Policy::Text, b"a\x9b2Jb"), "a\u{fffd}2Jb");
}

#[test]
fn a_full_screen_program_works_and_the_clipboard_is_safe() {
    let screen = "\x1b[?1049h\x1b[2J\x1b[1;1H\x1b(B\x1b=\x1b[6n";
    assert_eq!(through(Policy::Interactive, screen.as_bytes()), screen);
    for evil in [
        "\x1b]52;c;eA==\x07",
        "\x1b]0;title\x07",
        "\x1b]2;t\x1b\\",
        "\x1bPx\x1b\\",
        "\x1b[21t",
        "\x1b_x\x1b\\",
        "\u{9d}52;c;x\u{7}",
    ] {
        let text = through(Policy::Interactive, format!("a{evil}b").as_bytes());
        assert_eq!(text, "ab", "{evil:?}");
    }
}

#[test]
fn only_modes_that_were_left_on_are_reset() {
    let mut filter = Filter::new(Policy::Interactive);
    filter.feed(b"\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b[?1049l\x1b=");
    let reset = String::from_utf8(filter.reset()).unwrap();
    assert_eq!(reset, "\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b>\x1b[0m");
}

proptest! {
    #[test]
    fn cuts_do_not_matter(bytes in prop::collection::vec(prop::sample::select(b"\x1b[]P0;52m\x07\\a\xc2\x9b\xc3".to_vec()), 0..60), cut in 0usize..60) {
        for policy in [Policy::Text, Policy::Interactive] {
            let cut = cut.min(bytes.len());
            let whole = Filter::new(policy).feed(&bytes);
            let mut filter = Filter::new(policy);
            let mut parts = filter.feed(&bytes[..cut]);
            parts.extend(filter.feed(&bytes[cut..]));
            prop_assert_eq!(whole, parts);
        }
    }

    #[test]
    fn text_output_holds_no_escape_but_colour(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let out = Filter::new(Policy::Text).feed(&bytes);
        for (at, _) in out.iter().enumerate().filter(|(_, b)| **b == 0x1b) {
            let rest = &out[at + 1..];
            prop_assert_eq!(rest.first(), Some(&b'['));
            let end = rest.iter().skip(1).find(|b| !matches!(b, b'0'..=b';'));
            prop_assert_eq!(end, Some(&b'm'));
        }
    }
}

#[test]
fn no_command_hides_in_another() {
    for evil in [
        // The end of a string and the beginning of another, as C1 controls in both forms.
        "\x1b]8;;x\u{9c}\u{9d}52;c;eA==\x07".as_bytes(),
        b"\x1b]8;;x\x9c\x9d52;c;eA==\x07",
        b"\x1b]8;;x\n\x1b\\",
        // Out of UTF-8, eight-bit answers, titles in screen and tmux, its message line.
        b"\x1b%@",
        b"\x1b G",
        b"\x1bktitle\x1b\\",
        // Printing, checksums of the screen, locators, saved modes, our own question.
        b"\x1b[5i",
        b"\x1b[1;1;1;1;9;9*y",
        b"\x1b[1;2'z",
        b"\x1b[?1000s",
        b"\x1b[?1000r",
        b"\x1b[5n",
        b"\x1b[05;1n",
        // Not formed as terminals know it.
        b"\x1b[1?h",
        b"\x1b[1 $p",
    ] {
        let given = [b"a", evil, b"b"].concat();
        assert_eq!(
            through(Policy::Interactive, &given),
            "ab",
            "{}",
            evil.escape_ascii()
        );
    }
}

#[test]
fn questions_pass_only_where_answers_are_drained() {
    for question in [
        "\x1b[6n",
        "\x1b[c",
        "\x1b[>c",
        "\x1bZ",
        "\u{9a}",
        "\x1b[?7$p",
        "\x1b[>q",
        "\x1b[?u",
        "\x1b[?4m",
        "\x1b[?1;1;0S",
        "\x1b]11;?\x1b\\",
    ] {
        let mut filter = Filter::new(Policy::Interactive);
        assert!(!filter.feed(question.as_bytes()).is_empty(), "{question:?}");
        assert!(filter.has_asked(), "{question:?}");
        let mut filter = Filter::new(Policy::Display);
        assert!(filter.feed(question.as_bytes()).is_empty(), "{question:?}");
        assert!(!filter.has_asked(), "{question:?}");
    }
    let screen = "\x1b[?1049h\x1b[2J\x1b[3;4H\x1b[u\x1b[1 q\x1b[!p\x1b]8;;http://a/?b\x1b\\";
    assert_eq!(through(Policy::Display, screen.as_bytes()), screen);
    let mut filter = Filter::new(Policy::Interactive);
    filter.feed(screen.as_bytes());
    assert!(!filter.has_asked());
}

#[test]
fn whatever_was_left_on_is_reset() {
    for (given, undone) in [
        ("\x1b[4h\x1b[?7l", "\x1b[?7h\x1b[4l"),
        ("\x1b(0\x0e", "\x1b(B\x0f"),
        ("\x1b(0\x0e\x0f\x1b(B", ""),
        ("\x1b[>1u\x1b[>3u\x1b[<u", "\x1b[<1u"),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[2;5r", "\x1b7\x1b[r\x1b8"),
        ("\x1b[3 q", "\x1b[0 q"),
        (
            "\x1b]10;#000\x07\x1b]11;#000\x07",
            "\x1b]110\x1b\\\x1b]111\x1b\\",
        ),
        ("\x1b]8;;http://x\x07", "\x1b]8;;\x1b\\"),
        ("\x1b]8;;http://x\x07\x1b]8;;\x07", ""),
        (
            "\x1b[?2031h\x1b[?2048h\x1b[?9001h",
            "\x1b[?2031l\x1b[?2048l\x1b[?9001l",
        ),
    ] {
        let mut filter = Filter::new(Policy::Interactive);
        filter.feed(given.as_bytes());
        let reset = String::from_utf8(filter.reset()).unwrap();
        assert_eq!(reset, format!("{undone}\x1b[0m"), "{given:?}");
    }
}

#[test]
fn a_string_that_is_never_closed_hides_one_line() {
    let text = through(Policy::Text, b"a\x1bPb\nc\x1b]0;d\ne");
    assert_eq!(text, "a\nc\ne");
}

#[test]
fn what_marks_our_own_words_does_not_pass_beside_them() {
    for (colour, passes) in [
        ("1;31", true),
        ("", true),
        ("38;5;4", true),
        ("48;2;4;21;53;1", true),
        ("4", false),
        ("1;04", false),
        ("4:3", false),
        ("21", false),
        ("53", false),
        ("58;5;1", false),
        ("38;9;4", false),
        ("38;5", false),
        ("38:5;4", false),
        ("99999999", false),
    ] {
        let text = format!("\x1b[{colour}m");
        let passed = Filter::new(Policy::Quoted).feed(text.as_bytes());
        assert_eq!(passed.is_empty(), !passes, "{colour}");
        assert!(!Filter::new(Policy::Text).feed(text.as_bytes()).is_empty());
    }
    let harmful = b"\x1b]0;title\x07\x1b[2Jx\x1b]8;;y";
    assert_eq!(Filter::new(Policy::Quoted).feed(harmful), b"x");
}
