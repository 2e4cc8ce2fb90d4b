//! `--stop-signal`: a signal by name or number, sent as a number.

use super::Invalid;

/// A Linux signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(u8);

/// Numbers of x86, arm and most others (signal(7)).
const NAMES: [(&str, u8); 33] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("RTMIN", 34),
    ("RTMAX", 64),
];

impl Signal {
    /// Reads `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-1`, in any case.
    ///
    /// # Errors
    /// If there is no such signal.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let unknown = || Invalid::new("signal", text, "there is no such signal");
        let number = text
            .parse::<u8>()
            .ok()
            .or_else(|| named(text))
            .ok_or_else(unknown)?;
        if (1..=64).contains(&number) {
            Ok(Self(number))
        } else {
            Err(unknown())
        }
    }

    /// The signal's number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

fn named(text: &str) -> Option<u8> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(up) = name.strip_prefix("RTMIN+") {
        return up
            .parse::<u8>()
            .ok()
            .filter(|up| *up <= 30)
            .map(|up| 34 + up);
    }
    if let Some(down) = name.strip_prefix("RTMAX-") {
        return down
            .parse::<u8>()
            .ok()
            .filter(|down| *down <= 30)
            .map(|down| 64 - down);
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("TERM", 15),
            ("sigint", 2),
            ("9", 9),
            ("RTMIN+3", 37),
            ("64", 64),
        ] {
            assert_eq!(Signal::parse(text), Ok(Signal(number)), "{text}");
        }
        for text in [
            "", "0", "65", "300", "-1", "SIG", "NOPE", "RTMIN+31", "RTMAX--1", "RTMIN+-1",
        ] {
            assert!(Signal::parse(text).is_err(), "{text}");
        }
    }
}
