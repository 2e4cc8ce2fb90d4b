//! A container's output on our terminal: text passes, commands to the terminal only so far as they
//! are harmless.
//!
//! A filter works on bytes as they come, however they are cut. Control sequences are those of
//! ECMA-48; `OSC 52` writes the clipboard, `OSC 0`, `1` and `2` set titles (which can be read back as
//! input), and DCS and its kin carry anything.

use std::collections::BTreeSet;

/// The longest sequence that is held back to be judged, in bytes. A longer one is dropped whole.
const LIMIT: usize = 4096;

/// Modes that would trouble a shell afterwards: cursor keys, mouse, focus, alternate screen, paste.
const MODES: [u16; 13] = [
    1, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004,
];
/// The mode that shows the cursor: on is usual.
const CURSOR: u16 = 25;

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Text, colours, carriage returns: for logs, builds and containers without a terminal.
    Text,
    /// What a full-screen program needs: for a container that has our terminal.
    Interactive,
}

/// A filter between a container and a terminal.
#[derive(Debug)]
pub(crate) struct Filter {
    policy: Policy,
    state: State,
    /// The sequence so far.
    held: Vec<u8>,
    /// Continuation bytes still expected of a UTF-8 character.
    continuation: u8,
    modes: BTreeSet<u16>,
    keypad: bool,
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// After the first byte of a two-byte C1 control.
    C2,
    Escape,
    Control,
    /// In a string; the flag says that it is an OSC.
    Text(bool),
    /// In a string, after an escape that may end it.
    TextEscape(bool),
}

impl Filter {
    /// A filter at the beginning of a stream.
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Ground,
            held: Vec::new(),
            continuation: 0,
            modes: BTreeSet::new(),
            keypad: false,
            asked: false,
        }
    }

    /// Whether something passed that the terminal answers, as if it were typed.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked
    }

    /// Passes on what may pass.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.step(byte, &mut out);
        }
        out
    }

    /// What puts the terminal back as it was before the stream.
    pub(crate) fn reset(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.policy == Policy::Text {
            return out;
        }
        for mode in &self.modes {
            let end = if *mode == CURSOR { 'h' } else { 'l' };
            out.extend(format!("\x1b[?{mode}{end}").into_bytes());
        }
        if self.keypad {
            out.extend(b"\x1b>");
        }
        out.extend(b"\x1b[0m");
        out
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.state {
            State::Ground => self.ground(byte, out),
            State::C2 => {
                self.state = State::Ground;
                match byte {
                    // C1 controls: as their two-byte forms, ESC and a letter.
                    0x80..=0x9f => self.introduced(byte - 0x40, out),
                    _ => {
                        out.push(0xc2);
                        self.continuation = 1;
                        self.ground(byte, out);
                    }
                }
            }
            State::Escape => self.introduced(byte, out),
            State::Control => match byte {
                0x40..=0x7e => {
                    self.held.push(byte);
                    self.control(out);
                }
                0x20..=0x3f => self.hold(byte),
                0x1b => self.begin(State::Escape),
                // A control within a sequence is obeyed by terminals: judge it by itself.
                _ => self.abandon(byte, out),
            },
            State::Text(osc) => match byte {
                0x07 if osc => self.string(out),
                0x1b => self.state = State::TextEscape(osc),
                0x18 | 0x1a => self.begin(State::Ground),
                _ => self.hold(byte),
            },
            State::TextEscape(osc) => {
                if byte == b'\\' {
                    self.state = State::Text(osc);
                    self.string(out);
                } else {
                    // Not the end of the string, but of our patience: an escape begins anew.
                    self.begin(State::Escape);
                    self.introduced(byte, out);
                }
            }
        }
    }

    fn begin(&mut self, state: State) {
        self.held.clear();
        self.state = state;
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < LIMIT {
            self.held.push(byte);
        }
    }

    fn abandon(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.begin(State::Ground);
        self.ground(byte, out);
    }

    fn ground(&mut self, byte: u8, out: &mut Vec<u8>) {
        let continued = std::mem::take(&mut self.continuation);
        match byte {
            0x1b => self.begin(State::Escape),
            b'\n' | b'\r' | b'\t' | 0x08 => out.push(byte),
            0x07 | 0x0e | 0x0f if self.policy == Policy::Interactive => out.push(byte),
            0x00..=0x1f | 0x7f => {}
            0xc2 => self.state = State::C2,
            0x80..=0xbf => {
                if continued > 0 {
                    self.continuation = continued - 1;
                    out.push(byte);
                } else {
                    // A lone continuation byte is a C1 control on some terminals.
                    out.extend("\u{fffd}".as_bytes());
                }
            }
            _ => {
                self.continuation = match byte {
                    0xc3..=0xdf => 1,
                    0xe0..=0xef => 2,
                    0xf0..=0xf7 => 3,
                    _ => 0,
                };
                out.push(byte);
            }
        }
    }

    /// After ESC, or a C1 control in its two-byte form.
    fn introduced(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'[' => self.begin(State::Control),
            b']' => self.begin(State::Text(true)),
            b'P' | b'X' | b'^' | b'_' => self.begin(State::Text(false)),
            0x1b => self.begin(State::Escape),
            // `ESC ( B` and the like: an intermediate byte, then a final one.
            0x20..=0x2f => {
                self.hold(byte);
                self.state = State::Escape;
            }
            0x30..=0x7e => {
                if self.policy == Policy::Interactive && byte != b'c' {
                    match byte {
                        b'=' => self.keypad = true,
                        b'>' => self.keypad = false,
                        _ => {}
                    }
                    out.push(0x1b);
                    out.append(&mut self.held);
                    out.push(byte);
                }
                self.begin(State::Ground);
            }
            _ => self.abandon(byte, out),
        }
    }

    /// A whole control sequence is held.
    fn control(&mut self, out: &mut Vec<u8>) {
        let whole = std::mem::take(&mut self.held);
        self.state = State::Ground;
        let Some((&end, body)) = whole.split_last() else {
            return;
        };
        if body.len() >= LIMIT {
            return;
        }
        let passes = match self.policy {
            Policy::Text => end == b'm' && body.iter().all(|b| matches!(b, b'0'..=b';')),
            // `CSI … t` can make the terminal type its title.
            Policy::Interactive => end != b't',
        };
        if passes {
            // Reports: status, attributes, modes, keyboard, version.
            self.asked |= matches!(end, b'n' | b'c' | b'p' | b'u' | b'q' | b'x' | b'w');
            self.note_modes(end, body);
            out.extend(b"\x1b[");
            out.extend(&whole);
        }
    }

    fn note_modes(&mut self, end: u8, body: &[u8]) {
        let (b'h' | b'l', [b'?', numbers @ ..]) = (end, body) else {
            return;
        };
        for number in numbers.split(|b| *b == b';') {
            let number = str::from_utf8(number).ok().and_then(|n| n.parse().ok());
            let Some(number) = number else { continue };
            if !MODES.contains(&number) && number != CURSOR {
                continue;
            }
            let unusual = (end == b'h') != (number == CURSOR);
            if unusual {
                self.modes.insert(number);
            } else {
                self.modes.remove(&number);
            }
        }
    }

    /// A whole string is held.
    fn string(&mut self, out: &mut Vec<u8>) {
        let osc = self.state == State::Text(true);
        let body = std::mem::take(&mut self.held);
        self.state = State::Ground;
        if !osc || self.policy == Policy::Text || body.len() >= LIMIT {
            return;
        }
        let number = body.split(|b| *b == b';').next().unwrap_or_default();
        // Links, colours and marks of prompts pass; titles, the clipboard and the rest do not.
        if matches!(
            number,
            b"4" | b"8" | b"10" | b"11" | b"12" | b"104" | b"110" | b"111" | b"112" | b"133"
        ) {
            self.asked |= body.contains(&b'?');
            out.extend(b"\x1b]");
            out.extend(&body);
            out.extend(b"\x1b\\");
        }
    }
}

#[cfg(test)]
mod tests {
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
}
