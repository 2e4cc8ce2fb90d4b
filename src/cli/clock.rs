//! Times as podman tells them: how long ago.

use jiff::Timestamp;

/// Seconds since 1970 of an RFC 3339 time; `None` for the zero times that mean "never".
pub(crate) fn unix_seconds(text: &str) -> Option<i64> {
    let seconds = text.parse::<Timestamp>().ok()?.as_second();
    (seconds > 0).then_some(seconds)
}

/// `5 minutes ago`, from Unix seconds.
pub(crate) fn ago(then: i64) -> String {
    format!("{} ago", span(Timestamp::now().as_second() - then))
}

/// `5 minutes`, from seconds, in Docker's words and with its rounding.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let hours = (seconds + 1800) / 3600;
    let (count, unit) = match (seconds, hours) {
        (0, _) => return "Less than a second".to_owned(),
        (1..=59, _) => (seconds, "second"),
        (60..=119, _) => return "About a minute".to_owned(),
        (120..=3599, _) => (seconds / 60, "minute"),
        (_, ..=1) => return "About an hour".to_owned(),
        (_, 2..=47) => (hours, "hour"),
        (_, 48..=335) => (hours / 24, "day"),
        (_, 336..=1439) => (hours / 24 / 7, "week"),
        (_, 1440..=17_519) => (hours / 24 / 30, "month"),
        _ => (seconds / 3600 / 24 / 365, "year"),
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
            (60, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
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
