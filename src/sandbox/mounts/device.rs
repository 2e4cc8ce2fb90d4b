//! `--device`: each one is a loosening.

use super::super::Invalid;
use super::super::name::GuestPath;

/// A host device, handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceArg(String);

impl DeviceArg {
    /// Reads `HOST[:INSIDE][:PERMISSIONS]`, where permissions are of `r`, `w` and `m`.
    ///
    /// # Errors
    /// If a path is not an absolute one below `/dev`, or the permissions are malformed.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("device", text, why);
        let parts: Vec<&str> = text.split(':').collect();
        let permissions = |word: &str| {
            !word.is_empty() && word.len() <= 3 && word.chars().all(|c| "rwm".contains(c))
        };
        let (host, inside) = match parts.as_slice() {
            [host] => (host, None),
            [host, word] if permissions(word) => (host, None),
            [host, inside] => (host, Some(inside)),
            [host, inside, word] if permissions(word) => (host, Some(inside)),
            [_, _, _] => return Err(invalid("the permissions are not of r, w and m")),
            _ => return Err(invalid("it has more than three parts")),
        };
        let host = GuestPath::parse(host)?;
        if !host.as_str().starts_with("/dev/") {
            return Err(invalid("it is not below /dev"));
        }
        if let Some(inside) = inside {
            GuestPath::parse(inside)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// As the service reads it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for text in [
            "/dev/fuse",
            "/dev/fuse:rw",
            "/dev/a:/dev/b",
            "/dev/dri:/dev/dri:rwm",
        ] {
            assert_eq!(DeviceArg::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "fuse",
            "/etc/passwd",
            "/dev/../etc/x",
            "/dev/a:/b:x",
            "/dev/a:b",
            "/dev",
        ] {
            assert!(DeviceArg::parse(text).is_err(), "{text}");
        }
    }
}
