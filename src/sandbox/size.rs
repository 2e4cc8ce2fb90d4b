//! Byte sizes, as podman reads them: `512m` is 512 MiB (docker/go-units `RAMInBytes`), except for
//! logs, where `10m` is ten million (`FromHumanSize`).

use std::fmt;

use super::Invalid;

/// A number of bytes, at most `i64::MAX`, which is what the wire can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// A mebibyte.
pub const MIB: u64 = 1024 * 1024;
/// A gibibyte.
pub const GIB: u64 = 1024 * MIB;

impl ByteSize {
    /// A size in bytes; more than `i64::MAX` becomes `i64::MAX`.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        if bytes > i64::MAX as u64 {
            Self(i64::MAX as u64)
        } else {
            Self(bytes)
        }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes, as the wire has it.
    #[must_use]
    pub const fn wire(self) -> i64 {
        self.0.cast_signed()
    }

    /// Reads a size with binary units: `b`, `k`, `m`, `g`, `t`, `p`, each also as `kb` or `kib`,
    /// in any case, with or without a fraction. No unit means bytes.
    ///
    /// # Errors
    /// If it is no number, is negative, has an unknown unit or is too large.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse(text, 1024)
    }

    /// Reads a size with decimal units, as podman does for `--log-opt max-size`.
    ///
    /// # Errors
    /// As [`ByteSize::parse`].
    pub fn parse_decimal(text: &str) -> Result<Self, Invalid> {
        parse(text, 1000)
    }
}

/// The largest binary unit that gives a whole number: `512 MiB`, `1536 MiB`, `1000 bytes`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (size, unit) in [(GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

fn parse(text: &str, base: u64) -> Result<ByteSize, Invalid> {
    let invalid = |why: &str| Invalid::new("size", text, why);
    if text.starts_with('-') {
        return Err(invalid("it is negative"));
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // go-units takes one space between number and unit.
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let exponent = exponent(unit).ok_or_else(|| {
        invalid(if number.is_empty() {
            "it is not a number"
        } else {
            "the unit is not known"
        })
    })?;
    let scale = u128::from(base.pow(exponent));
    let bytes = scaled(number, scale).ok_or_else(|| invalid("it is not a number"))?;
    match u64::try_from(bytes) {
        Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(ByteSize(bytes)),
        _ => Err(invalid("it is too large")),
    }
}

fn exponent(unit: &str) -> Option<u32> {
    let unit = unit.to_ascii_lowercase();
    let prefix = match unit.as_str() {
        "" | "b" => return Some(0),
        other => other
            .strip_suffix("ib")
            .or_else(|| other.strip_suffix('b'))
            .unwrap_or(other),
    };
    match prefix {
        "k" => Some(1),
        "m" => Some(2),
        "g" => Some(3),
        "t" => Some(4),
        "p" => Some(5),
        _ => None,
    }
}

/// `number * scale`, rounded down, in whole numbers: floating point would lose bytes.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // Saturating: such numbers are refused as too large by the caller.
    let digits = |text: &str| {
        text.bytes().fold(0_u128, |value, digit| {
            value
                .saturating_mul(10)
                .saturating_add(u128::from(digit - b'0'))
        })
    };
    let fraction = fraction.get(..fraction.len().min(18))?;
    let places = u32::try_from(fraction.len()).ok()?;
    let part = digits(fraction) * scale / 10_u128.pow(places);
    Some(digits(whole).saturating_mul(scale).saturating_add(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, bytes: u64) {
        assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
    }

    #[test]
    fn as_podman_reads_them() {
        check("0", 0);
        check("1000", 1000);
        check("100b", 100);
        check("100kb", 100 * 1024);
        check("512m", 512 * MIB);
        check("512M", 512 * MIB);
        check("2g", 2 * GIB);
        check("1.5g", GIB + GIB / 2);
        check("1GiB", GIB);
        check("1gb", GIB);
        check("1 g", GIB);
        check(".5k", 512);
        check("1.k", 1024);
        check("1t", 1024 * GIB);
        check("1p", 1024 * 1024 * GIB);
        check("1.0000000000000000000001k", 1024);
        check("9223372036854775807", i64::MAX as u64);
    }

    #[test]
    fn refused() {
        for text in [
            "",
            " ",
            "g",
            ".",
            "-1",
            "-1g",
            "NaN",
            "inf",
            "1e3",
            "1.2.3",
            "1x",
            "1kk",
            "1kbb",
            "1bb",
            "1ibb",
            "1ib",
            "1  g",
            "1g ",
            "0x10",
            "８",
            "9223372036854775808",
            "8192p",
            "99999999999999999999999999999999999999999999999999p",
            "1_000",
        ] {
            assert!(ByteSize::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn logs_are_decimal() {
        assert_eq!(ByteSize::parse_decimal("10m"), Ok(ByteSize(10_000_000)));
    }

    #[test]
    fn shown() {
        let error = ByteSize::parse("2x").unwrap_err().to_string();
        assert_eq!(error, "invalid size \"2x\": the unit is not known");
        assert_eq!(ByteSize(1536 * MIB).to_string(), "1536 MiB");
        assert_eq!(ByteSize(1000).to_string(), "1000 bytes");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = ByteSize::parse(&text);
        }

        #[test]
        fn whole_bytes_survive(bytes in 0..=i64::MAX as u64) {
            prop_assert_eq!(ByteSize::parse(&bytes.to_string()), Ok(ByteSize(bytes)));
        }
    }
}
