//! `--volume`, and what every mount flag becomes.

use std::path::PathBuf;

use super::super::Invalid;
use super::super::name::{GuestPath, check_name};
use super::options::{MountOptions, OptionsOf};

/// A mount, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where.
    pub target: GuestPath,
    /// How.
    pub options: MountOptions,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A host path, as typed.
    Host(PathBuf),
    /// A named volume.
    Volume(String),
    /// A volume without a name, which goes with the container.
    Anonymous,
    /// Memory.
    Tmpfs,
}

/// Reads `SOURCE:TARGET[:OPTIONS]`, or `TARGET` alone for an anonymous volume. A source that begins
/// with `/` or `.` is a host path, anything else a volume's name (podman
/// `pkg/specgen/volumes.go`).
///
/// # Errors
/// If a part is empty, malformed or one too many.
pub fn parse_volume(text: &str) -> Result<Mount, Invalid> {
    const WHAT: &str = "volume";
    let invalid = |why: &str| Invalid::new(WHAT, text, why);
    let mut parts = text.split(':');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let options = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err(invalid("it has more than three parts"));
    }
    if text.contains('\0') {
        return Err(invalid("it has a NUL byte"));
    }
    let options = MountOptions::parse(WHAT, text, OptionsOf::Host, options.split(','))?;
    let Some(target) = second else {
        let target = GuestPath::parse(first)?;
        return Ok(Mount {
            source: MountSource::Anonymous,
            target,
            options,
        });
    };
    let source = match first {
        "" => return Err(invalid("the source is empty")),
        path if path.starts_with(['/', '.']) => MountSource::Host(path.into()),
        name => {
            check_name("volume name", name)?;
            MountSource::Volume(name.to_owned())
        }
    };
    Ok(Mount {
        source,
        target: GuestPath::parse(target)?,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources() {
        let source = |text| parse_volume(text).unwrap().source;
        assert_eq!(source("/a:/b"), MountSource::Host("/a".into()));
        assert_eq!(source("./a:/b:ro"), MountSource::Host("./a".into()));
        assert_eq!(source("../a:/b"), MountSource::Host("../a".into()));
        assert_eq!(source(".:/b"), MountSource::Host(".".into()));
        assert_eq!(source("cache:/b"), MountSource::Volume("cache".into()));
        assert_eq!(source("/b"), MountSource::Anonymous);
    }

    #[test]
    fn the_guides_own() {
        let mount = parse_volume("/home/ann/ralph-sandbox:/workspace:Z").unwrap();
        assert_eq!(mount.target.as_str(), "/workspace");
        assert_eq!(mount.options.words(), ["Z"]);
    }

    #[test]
    fn refused() {
        for text in [
            "",
            ":",
            "a",
            ":/b",
            "/a:",
            "/a:b",
            "/a:/",
            "/a:/b:ro:x",
            "a/b:/c",
            "/a:/b:nope",
            "/a:/b:upperdir=/x",
            "/a\0:/b",
        ] {
            assert!(parse_volume(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = parse_volume(&text);
        }
    }
}
