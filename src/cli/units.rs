//! Numbers as people read them.

/// Bytes in binary units, as `1.5GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    scaled(bytes, 1024.0, "B", &UNITS)
}

/// Bytes in decimal units, as podman shows images: `186 MB`.
pub fn decimal_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = [" kB", " MB", " GB", " TB", " PB"];
    scaled(bytes, 1000.0, " B", &UNITS)
}

fn scaled(bytes: u64, base: f64, plain: &str, units: &[&str]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "only three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = plain;
    for next in units {
        if value < base {
            break;
        }
        value /= base;
        unit = next;
    }
    let digits = match value {
        _ if unit == plain => 0,
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0B"),
            (1023, "1023B"),
            (2 << 30, "2GiB"),
            (1536 << 20, "1.5GiB"),
            (186 << 20, "186MiB"),
        ] {
            assert_eq!(size(bytes), want);
        }
        assert_eq!(decimal_size(195_000_000), "195 MB");
        assert_eq!(decimal_size(1_146_880_000), "1.15 GB");
    }
}
