//! The service's version, which decides what may be asked of it.

use std::fmt;
use std::str::FromStr;

/// A libpod API version, equal to the release of Podman that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Major release.
    pub major: u32,
    /// Minor release.
    pub minor: u32,
    /// Patch release.
    pub patch: u32,
}

impl ApiVersion {
    /// The oldest release that is served.
    pub const MINIMUM: Self = Self::new(4, 3, 0);
    /// The newest release line that the test suite has met.
    pub const NEWEST_TESTED: Self = Self::new(6, 1, u32::MAX);

    /// A version from its parts.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Whether this release is at least `major.minor`.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Whether the release is newer than any that the test suite has met.
    pub fn is_untested(&self) -> bool {
        *self > Self::NEWEST_TESTED
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for ApiVersion {
    type Err = ();

    /// Reads `5.4.2`, `5.0.0-dev` and `4.3.1+ds1`; a missing patch counts as 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let core = text
            .trim()
            .trim_start_matches('v')
            .split(['-', '+', '~'])
            .next()
            .ok_or(())?;
        let mut parts = core.split('.').map(str::parse::<u32>);
        let mut next = || parts.next().transpose().map_err(|_| ());
        let major = next()?.ok_or(())?;
        let minor = next()?.ok_or(())?;
        let patch = next()?.unwrap_or(0);
        Ok(Self::new(major, minor, patch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_releases_write() {
        for (text, want) in [
            ("4.3.1", ApiVersion::new(4, 3, 1)),
            ("5.0.0-dev", ApiVersion::new(5, 0, 0)),
            ("v6.1", ApiVersion::new(6, 1, 0)),
        ] {
            assert_eq!(text.parse(), Ok(want));
        }
        for text in ["", "5", "five.four", "5..4"] {
            assert_eq!(text.parse::<ApiVersion>(), Err(()), "{text}");
        }
    }

    #[test]
    fn compares_as_numbers() {
        assert!(ApiVersion::new(5, 10, 0).at_least(5, 9));
        assert!(ApiVersion::new(4, 2, 9) < ApiVersion::MINIMUM);
        assert!(ApiVersion::new(6, 2, 0).is_untested());
        assert!(!ApiVersion::new(6, 1, 1).is_untested());
    }
}
