//! `--log-driver` and `--log-opt`.

use std::collections::BTreeMap;

use super::Invalid;
use super::size::ByteSize;
use crate::libpod::LogConfiguration;

/// Where podman keeps a container's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDriver {
    /// A file beside the container (podman's `json-file` is the same).
    K8sFile,
    /// The journal.
    Journald,
    /// Nowhere: there is nothing to read later.
    None,
}

impl LogDriver {
    /// Reads a driver's name.
    ///
    /// # Errors
    /// If it is not known; `passthrough` is refused, since a service has no terminal to pass on.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "k8s-file" | "json-file" => Ok(Self::K8sFile),
            "journald" => Ok(Self::Journald),
            "none" => Ok(Self::None),
            "passthrough" | "passthrough-tty" => Err(Invalid::new(
                "log driver",
                text,
                "a service cannot pass its output through",
            )),
            _ => Err(Invalid::new("log driver", text, "it is not known")),
        }
    }

    fn wire(self) -> &'static str {
        match self {
            Self::K8sFile => "k8s-file",
            Self::Journald => "journald",
            Self::None => "none",
        }
    }
}

/// A `--log-opt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOpt {
    /// The log's largest size.
    MaxSize(ByteSize),
    /// The tag under which journald keeps it.
    Tag(String),
}

impl LogOpt {
    /// Reads `max-size=SIZE` (decimal units, as in podman) or `tag=TEXT`.
    ///
    /// # Errors
    /// If the option is not known; `path` is refused, since the service would write there.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("log option", text, why);
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| invalid("it needs a value"))?;
        match key {
            "max-size" => match ByteSize::parse_decimal(value)? {
                size if size.bytes() == 0 => Err(invalid("the size must not be zero")),
                size => Ok(Self::MaxSize(size)),
            },
            "tag" => Ok(Self::Tag(value.to_owned())),
            "path" => Err(invalid("the log stays where podman keeps it")),
            _ => Err(invalid("it is not known")),
        }
    }
}

/// What was asked of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogAsked {
    /// `--log-driver`.
    pub driver: Option<LogDriver>,
    /// Every `--log-opt`; the last of a kind counts.
    pub options: Vec<LogOpt>,
}

impl LogAsked {
    pub(crate) fn wire(&self) -> Option<LogConfiguration> {
        if self.driver.is_none() && self.options.is_empty() {
            return None;
        }
        let mut log = LogConfiguration {
            driver: self.driver.map(|driver| driver.wire().to_owned()),
            size: None,
            options: BTreeMap::new(),
        };
        for option in &self.options {
            match option {
                LogOpt::MaxSize(size) => log.size = Some(size.wire()),
                LogOpt::Tag(tag) => {
                    log.options.insert("tag".to_owned(), tag.clone());
                }
            }
        }
        Some(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let ten = LogOpt::MaxSize(ByteSize::new(10_000_000));
        assert_eq!(LogOpt::parse("max-size=10mb"), Ok(ten));
        for text in [
            "max-size",
            "max-size=0",
            "max-size=x",
            "path=/etc/passwd",
            "other=1",
            "=",
        ] {
            assert!(LogOpt::parse(text).is_err(), "{text}");
        }
        assert!(LogDriver::parse("passthrough").is_err());
        assert_eq!(LogAsked::default().wire(), None);
    }
}
