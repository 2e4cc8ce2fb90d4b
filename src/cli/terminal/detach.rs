//! Detach keys, matched here: the service sees them only when each comes alone.

use std::str::FromStr;

/// The keys that leave a container running and give the terminal back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    fn default() -> Self {
        // ctrl-p, ctrl-q
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    /// Reads `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`; an empty text switches them off.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

fn key(name: &str) -> Result<u8, String> {
    let wrong = || format!("`{name}` is no key: a letter, or `ctrl-` and one of a-z @ [ \\ ] ^ _");
    let control = name.strip_prefix("ctrl-");
    match (control.unwrap_or(name).as_bytes(), control) {
        ([key @ b'a'..=b'z'], Some(_)) => Ok(key - b'a' + 1),
        ([key @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')], Some(_)) => Ok(key - b'@'),
        ([key], None) if key.is_ascii_graphic() => Ok(*key),
        _ => Err(wrong()),
    }
}

/// What to do with bytes that were typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Matched {
    /// Send these (perhaps none yet, while the keys may still come).
    Forward(Vec<u8>),
    /// Send these, then detach.
    Detach(Vec<u8>),
}

/// Looks for the keys in what is typed, however reads cut it.
#[derive(Debug)]
pub(super) struct DetachMatcher {
    keys: Vec<u8>,
    held: usize,
}

impl DetachMatcher {
    pub(super) fn new(keys: DetachKeys) -> Self {
        Self {
            keys: keys.0,
            held: 0,
        }
    }

    /// Takes what was typed. A beginning of the keys is held back until it is clear.
    pub(super) fn feed(&mut self, typed: &[u8]) -> Matched {
        let mut forward = Vec::with_capacity(typed.len() + self.held);
        for &byte in typed {
            loop {
                if self.keys.get(self.held) == Some(&byte) {
                    self.held += 1;
                    break;
                }
                if self.held == 0 {
                    forward.push(byte);
                    break;
                }
                // The held keys were no detach. The longest end of them that is also a beginning
                // stays held; what is before it goes out.
                let keep = self.overlap();
                forward.extend(self.keys.iter().take(self.held - keep));
                self.held = keep;
            }
            if self.held == self.keys.len() && self.held > 0 {
                return Matched::Detach(forward);
            }
        }
        Matched::Forward(forward)
    }

    /// Length of the longest proper end of the held keys that is a beginning of the keys.
    fn overlap(&self) -> usize {
        let held = self.keys.get(..self.held).unwrap_or_default();
        (1..self.held)
            .rev()
            .find(|&length| held.ends_with(self.keys.get(..length).unwrap_or_default()))
            .unwrap_or(0)
    }

    /// What is still held when input ends.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let rest = self.keys.get(..self.held).unwrap_or_default().to_vec();
        self.held = 0;
        rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(keys: &str, parts: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut matcher = DetachMatcher::new(keys.parse().unwrap());
        let mut out = Vec::new();
        for part in parts {
            match matcher.feed(part) {
                Matched::Forward(bytes) => out.extend(bytes),
                Matched::Detach(bytes) => {
                    out.extend(bytes);
                    return (out, true);
                }
            }
        }
        out.extend(matcher.rest());
        (out, false)
    }

    #[test]
    fn in_one_packet_or_byte_by_byte() {
        let keys = "ctrl-p,ctrl-q";
        assert_eq!(run(keys, &[b"ab\x10\x11cd"]), (b"ab".to_vec(), true));
        assert_eq!(run(keys, &[b"ab\x10", b"\x11"]), (b"ab".to_vec(), true));
        assert_eq!(
            run(keys, &[b"\x10x", b"\x11"]),
            (b"\x10x\x11".to_vec(), false)
        );
        assert_eq!(run(keys, &[b"\x10\x10\x11"]), (b"\x10".to_vec(), true));
        assert_eq!(run(keys, &[b"\x10"]), (b"\x10".to_vec(), false));
        assert_eq!(run("", &[b"\x10\x11"]), (b"\x10\x11".to_vec(), false));
    }

    #[test]
    fn keys_that_overlap_themselves() {
        assert_eq!(run("a,a,b", &[b"aaab"]), (b"a".to_vec(), true));
        assert_eq!(run("a,b,a,c", &[b"ababac"]), (b"ab".to_vec(), true));
    }

    #[test]
    fn names() {
        assert_eq!("ctrl-@,ctrl-[,Z".parse(), Ok(DetachKeys(vec![0, 27, b'Z'])));
        for wrong in ["ctrl-", "ctrl-1", "ab", "ctrl-p,", "ctrl-P"] {
            assert!(wrong.parse::<DetachKeys>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up(bytes in prop::collection::vec(0x0eu8..0x13, 0..40), cut in 0usize..40) {
            let cut = cut.min(bytes.len());
            let (out, detached) = run("ctrl-p,ctrl-q", &[&bytes[..cut], &bytes[cut..]]);
            let at = bytes.windows(2).position(|w| w == [0x10, 0x11]);
            prop_assert_eq!(detached, at.is_some());
            prop_assert_eq!(&out[..], &bytes[..at.unwrap_or(bytes.len())]);
        }
    }
}
