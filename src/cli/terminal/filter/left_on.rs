//! What a container's output has changed of a terminal, and what undoes it.

use std::collections::BTreeSet;

use super::Sequence;

/// DEC's private modes that trouble a shell when they stay on: cursor keys, reverse video, origin,
/// keypad, margins, mouse, focus, alternate screen, paste, reports of size, colours and keys.
const OFF: [u16; 24] = [
    1, 5, 6, 9, 47, 66, 69, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004,
    2026, 2031, 2048, 5522, 9001,
];
/// Private modes that are usually on: lines wrap, keys repeat, the cursor is shown.
const ON: [u16; 3] = [7, 8, 25];
/// ECMA-48's modes that are usually off: locked keyboard, insertion, line feed as new line.
const ANSI_OFF: [u16; 3] = [2, 4, 20];
/// And on: the terminal does not echo.
const ANSI_ON: [u16; 1] = [12];

/// What is not as a shell expects it.
#[derive(Debug, Default)]
pub(super) struct LeftOn {
    modes: BTreeSet<u16>,
    ansi_modes: BTreeSet<u16>,
    keypad: bool,
    /// Another character set than ASCII is selected, or shifted to.
    charset: bool,
    shift: bool,
    margins: bool,
    cursor_shape: bool,
    /// xterm's `modifyOtherKeys` and the like.
    modified_keys: bool,
    /// Entries pushed on the stack of kitty's keyboard protocol, and whether one was changed.
    keyboards: u16,
    keyboard: bool,
    /// Palette, foreground, background, cursor: the numbers of the strings that set them.
    colours: BTreeSet<u8>,
    link: bool,
}

impl LeftOn {
    /// Shift out, shift in.
    pub(super) fn shifted(&mut self, byte: u8) {
        match byte {
            0x0e => self.shift = true,
            0x0f => self.shift = false,
            _ => {}
        }
    }

    /// An escape sequence.
    pub(super) fn escape(&mut self, between: &[u8], end: u8) {
        match (between, end) {
            ([], b'=') => self.keypad = true,
            ([], b'>') => self.keypad = false,
            ([b'('], _) => self.charset = end != b'B',
            _ => {}
        }
    }

    /// A control sequence.
    pub(super) fn control(&mut self, sequence: &Sequence<'_>) {
        match (sequence.private, sequence.between, sequence.end) {
            (Some(b'?'), None, b'h' | b'l') => {
                note(&mut self.modes, &OFF, &ON, sequence);
            }
            (None, None, b'h' | b'l') => {
                note(&mut self.ansi_modes, &ANSI_OFF, &ANSI_ON, sequence);
            }
            (None, None, b'r') => self.margins = !sequence.parameters.is_empty(),
            (None, Some(b' '), b'q') => self.cursor_shape = sequence.first() != 0,
            (Some(b'>'), None, b'm' | b'n') => self.modified_keys = true,
            (Some(b'>'), None, b'u') => self.keyboards = self.keyboards.saturating_add(1),
            (Some(b'<'), None, b'u') => {
                self.keyboards = self.keyboards.saturating_sub(sequence.first().max(1));
            }
            (Some(b'='), None, b'u') => self.keyboard = true,
            _ => {}
        }
    }

    /// An operating system command, by its number.
    pub(super) fn string(&mut self, number: &[u8], body: &[u8]) {
        match number {
            // `8;PARAMETERS;URI`: an empty one ends the link.
            b"8" => self.link = !body.ends_with(b";"),
            b"4" | b"10" | b"11" | b"12" => {
                let number = str::from_utf8(number).ok();
                let number: Option<u8> = number.and_then(|n| n.parse().ok());
                self.colours.extend(number);
            }
            _ => {}
        }
    }

    /// What puts the terminal back as it was.
    pub(super) fn reset(&self) -> Vec<u8> {
        let mut out = String::new();
        for mode in &self.modes {
            let end = if ON.contains(mode) { 'h' } else { 'l' };
            out += &format!("\x1b[?{mode}{end}");
        }
        for mode in &self.ansi_modes {
            let end = if ANSI_ON.contains(mode) { 'h' } else { 'l' };
            out += &format!("\x1b[{mode}{end}");
        }
        if self.margins {
            // It moves the cursor to the top.
            out += "\x1b7\x1b[r\x1b8";
        }
        for (changed, undo) in [
            (self.keypad, "\x1b>"),
            (self.charset, "\x1b(B"),
            (self.shift, "\x0f"),
            (self.cursor_shape, "\x1b[0 q"),
            (self.modified_keys, "\x1b[>4m"),
            (self.keyboard, "\x1b[=0u"),
            (self.link, "\x1b]8;;\x1b\\"),
        ] {
            if changed {
                out += undo;
            }
        }
        if self.keyboards > 0 {
            out += &format!("\x1b[<{}u", self.keyboards);
        }
        for number in &self.colours {
            out += &format!("\x1b]{}\x1b\\", 100 + u16::from(*number));
        }
        out += "\x1b[0m";
        out.into_bytes()
    }
}

/// Notes modes that are set and usually off, or the other way round.
fn note(unusual: &mut BTreeSet<u16>, off: &[u16], on: &[u16], sequence: &Sequence<'_>) {
    for mode in sequence.numbers() {
        let usually = match mode {
            mode if off.contains(&mode) => b'l',
            mode if on.contains(&mode) => b'h',
            _ => continue,
        };
        if sequence.end == usually {
            unusual.remove(&mode);
        } else {
            unusual.insert(mode);
        }
    }
}
