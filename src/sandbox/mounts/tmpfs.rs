//! `--tmpfs`.

use super::super::Invalid;
use super::super::name::GuestPath;
use super::options::{MountOptions, OptionsOf};
use super::volume::{Mount, MountSource};

/// Reads `TARGET[:OPTIONS]`.
///
/// # Errors
/// If the target is not absolute or an option will not do.
pub fn parse_tmpfs(text: &str) -> Result<Mount, Invalid> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let target = GuestPath::parse(target)?;
    let options = MountOptions::parse("tmpfs", text, OptionsOf::Tmpfs, options.split(','))?;
    Ok(Mount {
        source: MountSource::Tmpfs,
        target,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(parse_tmpfs("/tmp").unwrap().target.as_str(), "/tmp");
        let mount = parse_tmpfs("/tmp:size=64m,mode=1777,noexec").unwrap();
        assert_eq!(mount.options.words(), ["size=64m", "mode=1777", "noexec"]);
        for text in ["", "tmp", "/", "/tmp:Z", "/tmp:size=x", "/tmp:a:b"] {
            assert!(parse_tmpfs(text).is_err(), "{text}");
        }
    }
}
