//! Somebody else's lines beside ours: one that begins as ours do is told apart.

use crate::cli::sanitize::without_colors;

/// How our own lines begin.
pub(crate) const OURS: &str = "== ";
/// What is put before others that do.
const THEIRS: &[u8] = b"| ";
/// The longest beginning that is held back to be judged, in bytes.
const LIMIT: usize = 4096;

/// Text that has passed the filter, on its way to a terminal.
#[derive(Debug, Default)]
pub(super) struct Quoted {
    /// The beginning of a line, while it may become one like ours.
    held: Vec<u8>,
    /// The rest of the line passes.
    is_judged: bool,
}

impl Quoted {
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.is_judged {
                out.push(byte);
                // After these, text stands at the beginning of a line, or may.
                self.is_judged = !matches!(byte, b'\n' | b'\r' | 0x08);
                continue;
            }
            self.held.push(byte);
            let is_open = matches!(
                byte,
                0x1b | b'[' | b';' | b':' | b'0'..=b'9' | b' ' | b'\t' | b'm' | b'='
            );
            let plain = without_colors(&self.held);
            let text = plain.trim_ascii_start();
            if text.starts_with(b"==") {
                out.extend(THEIRS);
            } else if matches!(text, b"" | b"=") && is_open && self.held.len() < LIMIT {
                continue;
            }
            out.append(&mut self.held);
            self.is_judged = !matches!(byte, b'\n' | b'\r' | 0x08);
        }
        out
    }

    /// What was held back, where nothing follows.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_like_ours_are_told_apart() {
        for (given, shown) in [
            ("== passed\n", "| == passed\n"),
            ("a == b\n== c", "a == b\n| == c"),
            (
                "\x1b[1;38;5;4m=\x1b[0m= x\n",
                "| \x1b[1;38;5;4m=\x1b[0m= x\n",
            ),
            ("xx\r  == x", "xx\r|   == x"),
            ("x\x08== x", "x\x08| == x"),
            ("= x\n\n=\n5m\n", "= x\n\n=\n5m\n"),
            ("=", "="),
        ] {
            let mut whole = Quoted::default();
            let mut text = whole.feed(given.as_bytes());
            text.extend(whole.finish());
            assert_eq!(String::from_utf8(text).unwrap(), shown, "{given:?}");
            let mut single = Quoted::default();
            let mut text: Vec<u8> = Vec::new();
            for byte in given.bytes() {
                text.extend(single.feed(&[byte]));
            }
            text.extend(single.finish());
            assert_eq!(String::from_utf8(text).unwrap(), shown, "{given:?}");
        }
        let long = " ".repeat(LIMIT * 2);
        assert_eq!(Quoted::default().feed(long.as_bytes()).len() % LIMIT, 0);
    }
}
