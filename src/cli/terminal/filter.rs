//! A container's output on our terminal: text passes, commands to the terminal only so far as they
//! are harmless.
//!
//! A filter works on bytes as they come, however they are cut. Control sequences are those of
//! ECMA-48; `OSC 52` writes the clipboard, `OSC 0`, `1` and `2` set titles (which can be read back as
//! input), and DCS and its kin carry anything.

mod left_on;

use left_on::LeftOn;

/// The longest sequence that is held back to be judged, in bytes. A longer one is dropped whole.
const LIMIT: usize = 4096;

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Text, colours, carriage returns: for logs, builds and containers without a terminal.
    Text,
    /// The same where we say something of our own in between: without what marks that.
    Quoted,
    /// What a full-screen program needs, except questions: for a container that has a terminal
    /// but not ours to read from. The answers would be typed into the person's shell.
    Display,
    /// What a full-screen program needs: for a container that has our terminal.
    Interactive,
}

impl Policy {
    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Quoted)
    }
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
    left_on: LeftOn,
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
            left_on: LeftOn::default(),
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
        match self.policy {
            Policy::Text | Policy::Quoted => Vec::new(),
            Policy::Display | Policy::Interactive => self.left_on.reset(),
        }
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
                // Where output is lines, a string that is never closed hides one of them at most.
                b'\n' if self.policy.is_text() => self.abandon(byte, out),
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
            0x07 | 0x0e | 0x0f if !self.policy.is_text() => {
                self.left_on.shifted(byte);
                out.push(byte);
            }
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
            0x30..=0x7e if !self.held.is_empty() => self.escape(byte, out),
            b'[' => self.begin(State::Control),
            b']' => self.begin(State::Text(true)),
            // `ESC k` is a title in screen and tmux.
            b'P' | b'X' | b'^' | b'_' | b'k' => self.begin(State::Text(false)),
            0x1b => self.begin(State::Escape),
            // `ESC ( B` and the like: an intermediate byte, then a final one.
            0x20..=0x2f => {
                self.hold(byte);
                self.state = State::Escape;
            }
            0x30..=0x7e => self.escape(byte, out),
            _ => self.abandon(byte, out),
        }
    }

    /// The final byte of an escape sequence; what is between is held.
    fn escape(&mut self, end: u8, out: &mut Vec<u8>) {
        let between = std::mem::take(&mut self.held);
        self.state = State::Ground;
        let passes = !self.policy.is_text()
            && match between.as_slice() {
                // Saved cursor, keypad, line movements, single shifts, the end of a string.
                [] => match end {
                    b'6'..=b'9' | b'=' | b'>' | b'D' | b'E' | b'H' | b'M' | b'N' | b'O' | b'\\' => {
                        true
                    }
                    b'Z' => self.may_ask(),
                    _ => false,
                },
                // Character sets and line sizes. Not `ESC %`: outside UTF-8 other bytes are
                // controls. Not `ESC SP`, which has answers come as such bytes.
                [b'(' | b')' | b'*' | b'+' | b'#'] => true,
                _ => false,
            };
        if passes {
            self.left_on.escape(&between, end);
            out.push(0x1b);
            out.extend(&between);
            out.push(end);
        }
    }

    /// Whether a question may pass; that one did is remembered.
    fn may_ask(&mut self) -> bool {
        self.asked |= self.policy == Policy::Interactive;
        self.policy == Policy::Interactive
    }

    /// A whole control sequence is held.
    fn control(&mut self, out: &mut Vec<u8>) {
        let whole = std::mem::take(&mut self.held);
        self.state = State::Ground;
        let Some(sequence) = Sequence::of(&whole) else {
            return;
        };
        let passes = match self.policy {
            Policy::Text => sequence.is_colour(),
            Policy::Quoted => sequence.is_colour() && !sequence.underlines(),
            Policy::Display | Policy::Interactive => {
                !sequence.is_refused() && (!sequence.asks() || self.may_ask())
            }
        };
        if passes {
            self.left_on.control(&sequence);
            out.extend(b"\x1b[");
            out.extend(&whole);
        }
    }

    /// A whole string is held.
    fn string(&mut self, out: &mut Vec<u8>) {
        let osc = self.state == State::Text(true);
        let body = std::mem::take(&mut self.held);
        self.state = State::Ground;
        // A control inside would end the string, and another begin, on terminals that know C1.
        let plain = str::from_utf8(&body).is_ok_and(|text| !text.chars().any(char::is_control));
        if !osc || self.policy.is_text() || body.len() >= LIMIT || !plain {
            return;
        }
        let number = body.split(|b| *b == b';').next().unwrap_or_default();
        // Links, colours and marks of prompts pass; titles, the clipboard and the rest do not.
        let passes = match number {
            b"8" | b"104" | b"110" | b"111" | b"112" | b"133" => true,
            b"4" | b"10" | b"11" | b"12" => !body.contains(&b'?') || self.may_ask(),
            _ => false,
        };
        if passes {
            self.left_on.string(number, &body);
            out.extend(b"\x1b]");
            out.extend(&body);
            out.extend(b"\x1b\\");
        }
    }
}

/// A control sequence after `CSI`, taken apart (ECMA-48, 5.4).
#[derive(Debug)]
struct Sequence<'a> {
    /// One of `<`, `=`, `>` and `?`: a private sequence.
    private: Option<u8>,
    /// Digits, `;` and `:`.
    parameters: &'a [u8],
    /// The byte between parameters and end.
    between: Option<u8>,
    /// What is to be done.
    end: u8,
}

impl<'a> Sequence<'a> {
    /// `None` if it is too long or not formed as any that terminals know.
    fn of(whole: &'a [u8]) -> Option<Self> {
        let (&end, body) = whole.split_last()?;
        if body.len() >= LIMIT {
            return None;
        }
        let (between, body) = match body.split_last() {
            Some((&byte @ 0x20..=0x2f, rest)) => (Some(byte), rest),
            _ => (None, body),
        };
        let (private, parameters) = match body.split_first() {
            Some((&byte @ b'<'..=b'?', rest)) => (Some(byte), rest),
            _ => (None, body),
        };
        let formed = parameters.iter().all(|b| matches!(b, b'0'..=b';'));
        formed.then_some(Self {
            private,
            parameters,
            between,
            end,
        })
    }

    /// Its numbers; an empty one is 0, one that is too large is left out.
    fn numbers(&self) -> impl Iterator<Item = u16> {
        self.parameters
            .split(|byte| matches!(byte, b';' | b':'))
            .filter_map(|number| match number {
                [] => Some(0),
                number => str::from_utf8(number).ok()?.parse().ok(),
            })
    }

    fn first(&self) -> u16 {
        self.numbers().next().unwrap_or(0)
    }

    fn is_colour(&self) -> bool {
        matches!((self.private, self.between, self.end), (None, None, b'm'))
    }

    /// Whether a colour is also a line below or above; or could be, as terminals differ.
    fn underlines(&self) -> bool {
        let mut parts = self.parameters.split(|byte| *byte == b';');
        while let Some(part) = parts.next() {
            let mut numbers = part.split(|byte| *byte == b':');
            let number = match numbers.next().unwrap_or_default() {
                [] => Some(0),
                digits => str::from_utf8(digits)
                    .ok()
                    .and_then(|text| text.parse().ok()),
            };
            match number {
                None | Some(4_u16 | 21 | 53 | 58) => return true,
                // What follows is a colour's number, or three of them.
                Some(38 | 48) if numbers.next().is_none() => {
                    let count = match parts.next() {
                        Some(b"5") => 1,
                        Some(b"2") => 3,
                        _ => return true,
                    };
                    if parts.by_ref().take(count).count() < count {
                        return true;
                    }
                }
                Some(_) => {}
            }
        }
        false
    }

    /// What no program needs, or could be turned against the person.
    fn is_refused(&self) -> bool {
        match (self.private, self.between, self.end) {
            // Window reports, which type the title; printing.
            (_, _, b't' | b'i') => true,
            // Checksums, which tell what is on the screen; locators, which report later.
            (_, Some(b'*'), b'y') | (_, Some(b'\''), b'w' | b'z' | b'{' | b'|') => true,
            // Saved modes: what they restore could not be followed.
            (Some(b'?'), None, b's' | b'r') => true,
            // Our own question when the terminal is given back: no answer but its own may come.
            (None, None, b'n') => self.first() == 5,
            _ => false,
        }
    }

    /// Whether the terminal answers, as if it were typed: status, attributes, modes, keyboard,
    /// version, graphics.
    fn asks(&self) -> bool {
        match (self.private, self.between, self.end) {
            (Some(b'>'), None, b'n') => false,
            (_, None, b'n' | b'c' | b'x') => true,
            (_, Some(b'$'), b'p' | b'w' | b'u') | (_, Some(b'&'), b'u') => true,
            (Some(b'?'), None, b'u' | b'm' | b'S') | (Some(b'>'), None, b'q') => true,
            (_, Some(b'#'), b'|' | b'R') => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
