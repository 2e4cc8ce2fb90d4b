//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::terminal::{Filter, Policy};

/// Replaces what a terminal would act on, or what would make it show other text than is there:
/// control characters except newline and tab, and the marks that turn the writing direction.
pub(crate) fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_harmful(character) {
            // Writing to a String cannot fail.
            let _ = write!(clean, "{}", character.escape_default());
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// As [`sanitize`], and on one line.
pub(crate) fn sanitize_line(text: &str) -> String {
    sanitize(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// Somebody's text without what steers a terminal, colours included; as [`sanitize`].
pub(crate) fn plain(text: &str) -> String {
    let passed = Filter::new(Policy::Text).feed(text.as_bytes());
    let passed = String::from_utf8_lossy(&without_colors(&passed)).into_owned();
    sanitize(&passed).into_owned()
}

/// As [`plain`], and on one line.
pub(crate) fn plain_line(text: &str) -> String {
    sanitize_line(&plain(text))
}

/// Text in which the only sequences are colours, without them.
pub(crate) fn without_colors(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
        let (before, sequence) = rest.split_at(at);
        plain.extend_from_slice(before);
        let end = sequence.iter().position(|byte| *byte == b'm');
        rest = sequence
            .get(end.map_or(sequence.len(), |end| end + 1)..)
            .unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

fn is_harmful(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(sanitize("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(sanitize("a\x1b]0;title\x07b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(sanitize("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(sanitize("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(sanitize_line("a\nb"), "a\\nb");
    }
}
