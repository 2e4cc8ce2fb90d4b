//! Times as podman tells them: how long ago.

use jiff::Timestamp;

/// Seconds since 1970 of an RFC 3339 time; `None` for the zero times that mean "never".
pub fn unix_seconds(text: &str) -> Option<i64> {
    let seconds = text.parse::<Timestamp>().ok()?.as_second();
    (seconds > 0).then_some(seconds)
}

/// `5 minutes ago`, from Unix seconds.
pub fn ago(then: i64) -> String {
    format!("{} ago", span(Timestamp::now().as_second() - then))
}

/// `5 minutes`, from seconds, in Docker's words.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0 => return "Less than a second".to_owned(),
        1..=59 => (seconds, "second"),
        60..=3599 => (seconds / 60, "minute"),
        3600..=172_799 => (seconds / 3600, "hour"),
        172_800..=1_209_599 => (seconds / 86_400, "day"),
        1_209_600..=5_184_000 => (seconds / 604_800, "week"),
        5_184_001..=63_072_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (seconds, want) in [
            (-5, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (61, "1 minute"),
            (7200, "2 hours"),
            (172_800, "2 days"),
            (86_400 * 21, "3 weeks"),
            (86_400 * 90, "3 months"),
            (86_400 * 800, "2 years"),
        ] {
            assert_eq!(span(seconds), want);
        }
    }

    #[test]
    fn never_is_no_time() {
        assert_eq!(unix_seconds("0001-01-01T00:00:00Z"), None);
        assert_eq!(unix_seconds("1970-01-01T00:01:00.5+00:00"), Some(60));
        assert_eq!(unix_seconds("soon"), None);
    }
}
